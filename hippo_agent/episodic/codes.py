"""Slot codes: who, what, where and when of an episode as four hashed int8 vectors, 256 bytes in all.

The identity of a name, a place or a date is lexical, so each slot is a bag of hashed words and character n-grams: equal values have equal
codes, a typo stays near, and nothing has to be learned or downloaded. Tokens are hashed with blake2b, so codes are the same in every process.

Layout: ``int8[256]`` = who | what | where | when, 64 each. A filled slot has norm 127 (up to rounding), an empty slot is all zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from hippo_agent.types import SLOT_NAMES, Slots

__all__ = ["CODE_BYTES", "SLOT_DIM", "Codes", "slot_codes", "slot_mask", "slot_similarity", "unpack"]

SLOT_DIM = 64
CODE_BYTES = SLOT_DIM * len(SLOT_NAMES)

Codes = NDArray[np.int8]
Mask = NDArray[np.bool_]

_SCALE = 127.0
_BLOCK = 2048  # rows cast to float32 at a time: 2 MB at most, stays in cache
_WORD = re.compile(r"\w+")
#: Share of a word's energy that its character n-grams carry; the rest belongs to the word as a whole.
_NGRAM_ENERGY = 0.6
#: Energy of a date's parts: near dates share the coarse ones.
_DATE_WEIGHTS = {"year": 0.35, "month": 0.5, "week": 0.5, "day": 0.9, "weekday": 0.25}


def slot_codes(slots: Slots, *, event_time: datetime | None = None) -> bytes:
    """The 256 bytes of ``NewTrace.slot_codes``. ``event_time`` joins the "when" code at half the weight of dates that were said."""
    raise NotImplementedError


def slot_mask(code: Codes) -> Mask:
    """bool[4]: which slots of one code are filled."""
    return code.reshape(len(SLOT_NAMES), SLOT_DIM).any(axis=1)


def unpack(rows: Sequence[bytes]) -> Codes:
    """int8[n, 256]; ``b""`` (no codes) becomes zeros."""
    zeros = bytes(CODE_BYTES)
    joined = b"".join(row if len(row) == CODE_BYTES else zeros for row in rows)
    return np.frombuffer(joined, dtype=np.int8).reshape(-1, CODE_BYTES)


def slot_similarity(cue: Codes, codes: Codes, mask: Mask | None = None) -> NDArray[np.float32]:
    """float32[n] in [-1, 1]: cosine per slot, averaged over the slots in ``mask`` (bool[4]; None: those that the cue has).

    cue: int8[256]; codes: int8[n, 256], either memory order (columns contiguous is fastest). A slot that a row lacks counts 0.
    """
    raise NotImplementedError
