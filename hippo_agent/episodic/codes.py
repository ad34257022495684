"""Slot codes: who, what, where and when of an episode as four hashed int8 vectors, 256 bytes in all.

The identity of a name, a place or a date is lexical, so each slot is a bag of hashed words and character n-grams:
equal values have equal codes, a typo stays near, and nothing has to be learned or downloaded. Features are hashed
with blake2b: codes are the same in every process.

Layout: ``int8[256]`` = who | what | where | when, 64 each. A filled slot has norm 127 (up to rounding), an empty one
is zero.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from hippo_agent.episodic.iso_dates import days
from hippo_agent.types import SLOT_NAMES, Slots

__all__ = ["CODE_BYTES", "SLOT_DIM", "Codes", "Mask", "slot_codes", "slot_mask", "slot_similarity", "unpack"]

Codes = NDArray[np.int8]
Mask = NDArray[np.bool_]
_Sum = NDArray[np.float64]
_Features = tuple[tuple[str, float], ...]  # (feature, weight), energy (sum of squared weights) about 1

SLOT_DIM = 64
CODE_BYTES = SLOT_DIM * len(SLOT_NAMES)

_SCALE = 127.0
_BLOCK = 512  # rows cast to float32 at a time: the block stays in cache
_WORD = re.compile(r"\w+")
#: Share of a word's energy that lies in its character n-grams; the rest belongs to the word as a whole.
_NGRAM_ENERGY = 0.7
#: "What" lists its rarest words first; each one counts this much less than the one before (energy).
_WHAT_DECAY = 0.8
#: Energy of the parts of a date: near dates share the coarse ones.
_DATE_ENERGY = {"y": 0.15, "m": 0.25, "w": 0.2, "d": 0.3, "a": 0.1}


def slot_codes(slots: Slots, *, event_time: datetime | None = None) -> bytes:
    """The 256 bytes of ``NewTrace.slot_codes``.

    ``event_time`` joins the "when" code at half the energy of a date that was said: an episode also happened
    when it was told.
    """
    told = None if event_time is None else event_time.date().isoformat()
    return b"".join(
        (_code(slots.who), _code(slots.what, _WHAT_DECAY), _code(slots.where), _when_code(slots.when, told))
    )


def slot_mask(code: Codes) -> Mask:
    """bool[4]: which slots of one code (int8[256]) are filled."""
    mask: Mask = np.any(code.reshape(len(SLOT_NAMES), SLOT_DIM) != 0, axis=1)
    return mask


def unpack(rows: Sequence[bytes]) -> Codes:
    """int8[n, 256]; rows without codes (``b""``) become zeros."""
    empty = bytes(CODE_BYTES)
    joined = b"".join(row if len(row) == CODE_BYTES else empty for row in rows)
    return np.frombuffer(joined, dtype=np.int8).reshape(-1, CODE_BYTES)


def slot_similarity(cue: Codes, codes: Codes, mask: Mask | None = None) -> NDArray[np.float32]:
    """float32[n] in [-1, 1]: cosine per slot, averaged over the slots of ``mask`` (bool[4]; None: those of the cue).

    cue: int8[256]; codes: int8[n, 256]. A slot that a row lacks counts 0.
    """
    mask = slot_mask(cue) if mask is None else mask
    out = np.zeros(len(codes), dtype=np.float32)
    used = [int(slot) for slot in np.flatnonzero(mask)]
    if not used or not len(codes):
        return out
    query = cue.reshape(-1, SLOT_DIM)[used].ravel().astype(np.float32) / (_SCALE * _SCALE * len(used))
    buffer = np.empty((min(_BLOCK, len(codes)), len(query)), dtype=np.float32)
    for start in range(0, len(codes), _BLOCK):
        rows = codes[start : start + _BLOCK]
        block = buffer[: len(rows)]
        for i, slot in enumerate(used):
            block[:, i * SLOT_DIM : (i + 1) * SLOT_DIM] = rows[:, slot * SLOT_DIM : (slot + 1) * SLOT_DIM]
        np.einsum("ij,j->i", block, query, out=out[start : start + _BLOCK])  # BLAS threads stall on small blocks
    return out


@lru_cache(maxsize=4096)
def _code(values: tuple[str, ...], decay: float = 1.0) -> bytes:
    """64 int8 bytes of a bag of values, each with ``decay`` times the energy of the one before."""
    return _scaled([_value_vector(value) * decay ** (i / 2) for i, value in enumerate(values)])


@lru_cache(maxsize=4096)
def _when_code(values: tuple[str, ...], told: str | None) -> bytes:
    """64 int8 bytes of dates, and of the day on which they were told at half their energy."""
    vectors = [_date_vector(value) for value in values]
    return _scaled(vectors if told is None else [*vectors, _date_vector(told) * 0.5**0.5])


def _scaled(vectors: Sequence[_Sum]) -> bytes:
    """The sum of the vectors, scaled to norm 127; zeros for none, or for two opposite ones: as good as never."""
    vector: _Sum = sum(vectors, np.zeros(SLOT_DIM))
    norm = float(vector @ vector) ** 0.5
    code: Codes = np.rint(vector * (_SCALE / norm if norm else 0.0)).astype(np.int8)
    return code.tobytes()


@lru_cache(maxsize=8192)
def _value_vector(value: str) -> _Sum:
    return _sum(_value_features(value))


@lru_cache(maxsize=8192)
def _date_vector(iso: str) -> _Sum:
    return _sum(_date_features(iso))


def _sum(features: _Features) -> _Sum:
    """float64[64]: the weighted sum of the signs of the features."""
    digests = b"".join([_digest(feature) for feature, _ in features])
    signs = np.unpackbits(np.frombuffer(digests, dtype=np.uint8)).reshape(-1, SLOT_DIM)
    vector: _Sum = np.array([weight for _, weight in features]) @ (signs * 2.0 - 1.0)
    return vector


@lru_cache(maxsize=16384)
def _digest(feature: str) -> bytes:
    """The 64 signs of a feature, packed."""
    return blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=SLOT_DIM // 8).digest()


def _value_features(value: str) -> _Features:
    """Words and character 2- and 3-grams of a value; every word of it has the same share."""
    words = _WORD.findall(value.casefold()) or [value]
    features: list[tuple[str, float]] = []
    for word in words:
        bounded = f"^{word}$"
        grams = [bounded[i : i + n] for n in (2, 3) for i in range(len(bounded) - n + 1)]
        gram_weight = (_NGRAM_ENERGY / len(words) / len(grams)) ** 0.5
        features.append((word, ((1 - _NGRAM_ENERGY) / len(words)) ** 0.5))
        features.extend((f"#{gram}", gram_weight) for gram in grams)
    return tuple(features)


def _date_features(iso: str) -> _Features:
    """Year, month, week, day and weekday of an ISO value, as far as it is that precise."""
    try:
        first, last = days(iso)
    except ValueError:
        return _value_features(iso)
    parts = [("y", f"{first.year}")]
    length = (last - first).days + 1
    if length <= 31:
        middle = date.fromordinal((first.toordinal() + last.toordinal()) // 2)
        parts.append(("m", f"{middle.year}-{middle.month}"))
        if length <= 7:
            parts.append(("w", f"{middle.isocalendar()[0]}-{middle.isocalendar()[1]}"))
        if length <= 3:
            parts.extend(("d", day.isoformat()) for day in _each(first, last))
            parts.extend(("a", f"{day.isoweekday()}") for day in _each(first, last))
    return tuple((f"{kind}:{value}", _DATE_ENERGY[kind] ** 0.5) for kind, value in parts)


def _each(first: date, last: date) -> list[date]:
    return [date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1)]
