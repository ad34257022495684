"""Invented conversations of any length for measurements of speed: Zipf words, random unit vectors, the same each time.

Their meaning is nil, so they serve for time and space only, never for a figure about recall.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from hippo_agent.types import Event, Provenance

__all__ = ["Babble", "unit_vectors"]

_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr", "pl")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ou")
_FUNCTION = "the a to and of in is it that you i for on with was my this have at but not are so we be".split()  # noqa: SIM905
_SPEAKERS = ("Ines", "Tomas", "Clara", "Yusuf", "Bram", "Okon", "Hedda", "Pascal")
_START = datetime(2023, 1, 1, tzinfo=timezone.utc)
_TURNS = 20  # of a session
_VOCABULARY = 20_000
_EXPONENT = 1.05
_DRAWN = 100_000  # random numbers at a time


class Babble:
    """An endless conversation. Two of five words are function words; the others follow Zipf's law."""

    def __init__(self, seed: int = 0) -> None:
        rng = random.Random(seed)
        words = dict.fromkeys(_FUNCTION)
        while len(words) < _VOCABULARY:
            syllables = (rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(rng.randint(2, 4)))
            words.setdefault("".join(syllables))
        self._words = list(words)[len(_FUNCTION) :]
        weights = 1.0 / np.arange(1, len(self._words) + 1) ** _EXPONENT
        self._cumulative = np.cumsum(weights / weights.sum())
        self._numbers = np.random.default_rng(seed)
        self._drawn: Iterator[float] = iter(())
        self._at = 0

    def event(self) -> Event:
        """The next turn."""
        at, self._at = self._at, self._at + 1
        pair = at // (_TURNS * 25) * 2 % len(_SPEAKERS)
        words = [self._word() for _ in range(6 + int(self._number() * 20))]
        return Event(
            text=f"{' '.join(words).capitalize()}.",
            provenance=Provenance(source="user", session=f"session-{at // _TURNS}", trust=0.8),
            speaker=_SPEAKERS[pair + at % 2],
            event_time=_START + timedelta(minutes=at),
        )

    def events(self, count: int) -> list[Event]:
        return [self.event() for _ in range(count)]

    def question(self) -> str:
        """Some words as a question about a speaker."""
        speaker = _SPEAKERS[int(self._number() * len(_SPEAKERS))]
        return f"When did {speaker} {' '.join(self._word() for _ in range(4 + int(self._number() * 6)))}?"

    def _word(self) -> str:
        if self._number() < 0.4:
            return _FUNCTION[int(self._number() * len(_FUNCTION))]
        found = int(np.searchsorted(self._cumulative, self._number()))
        return self._words[min(found, len(self._words) - 1)]

    def _number(self) -> float:
        number = next(self._drawn, None)
        if number is None:
            self._drawn = iter(self._numbers.random(_DRAWN).tolist())
            number = next(self._drawn)
        return number


def unit_vectors(count: int, dim: int, *, seed: int | Sequence[int]) -> NDArray[np.float32]:
    """[count, dim] float32 rows of norm 1 in random directions."""
    drawn = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), dtype=np.float32)
