"""Surprise as information: running word statistics of this memory, and standardised surprise of a language model.

Rarity of a word = share x its running inverse document frequency here + (1 - share) x its rarity in general English.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite, log, sqrt

from hippo_agent.episodic import wording
from hippo_agent.errors import InvalidInput

_MAX_WORDS = 200_000


class WordStatistics:
    """In how many texts each word stem has occurred. State is plain rows (stem, count)."""

    def __init__(self, rows: Iterable[tuple[str, int]] = (), *, texts: int = 0) -> None:
        self.texts = texts
        self._counts: Counter[str] = Counter(dict(rows))
        self._changed: set[str] = set()

    def count(self, stem: str) -> int:
        """Number of texts that held the stem."""
        return self._counts.get(stem, 0)

    def observe(self, stems: Iterable[str]) -> None:
        """Count one text by its distinct stems."""
        distinct = set(stems)
        self.texts += 1
        self._counts.update(distinct)
        self._changed |= distinct
        if len(self._counts) > _MAX_WORDS:
            self._drop_rare()

    def forget(self, stems: Iterable[str]) -> None:
        """Undo ``observe`` for a text that was deleted; words that no other text holds leave no trace."""
        distinct = set(stems)
        self.texts = max(0, self.texts - 1)
        for stem in distinct:
            left = self.count(stem) - 1
            if left > 0:
                self._counts[stem] = left
            else:
                self._counts.pop(stem, None)
        self._changed |= distinct

    def drop(self, stems: Iterable[str]) -> None:
        """Leave no trace of these words, however often they were counted."""
        for stem in stems:
            if self._counts.pop(stem, None) is not None:
                self._changed.add(stem)

    def inverse_frequency(self, stem: str) -> float:
        """ln((texts + 1) / (count + 1/2)) in nats, at least 0; 0 while nothing has been seen."""
        if not self.texts:
            return 0.0
        return max(0.0, log((self.texts + 1) / (self._counts.get(stem, 0) + 0.5)))

    def rows(self) -> list[tuple[str, int]]:
        """All (stem, count), sorted by stem."""
        return sorted(self._counts.items())

    def take_changes(self) -> dict[str, int]:
        """Counts that changed since the last call, to be written with the trace; 0 means: delete the row."""
        changes = {stem: self.count(stem) for stem in sorted(self._changed)}
        self._changed.clear()
        return changes

    def _drop_rare(self) -> None:
        for stem in [stem for stem, count in self._counts.items() if count == 1]:
            del self._counts[stem]
            self._changed.add(stem)


@dataclass(slots=True)
class Welford:
    """Running mean and variance in one pass (Welford 1962)."""

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0

    def add(self, value: float) -> None:
        """Take one finite value in."""
        if not isfinite(value):
            raise InvalidInput(f"a surprise of {value!r} is not a finite number; check the language model's output")
        self.n += 1
        delta = value - self.mean
        self.mean += delta / self.n
        self.m2 += delta * (value - self.mean)

    @property
    def sigma(self) -> float:
        """Sample standard deviation; 0 below two values."""
        return sqrt(self.m2 / (self.n - 1)) if self.n > 1 else 0.0

    def standardised(self, value: float) -> float:
        """clip((value - mean) / sigma, 0, 3) / 3 in [0, 1]; 0.5 while there is nothing to compare with."""
        if self.n < 2:
            return 0.5
        if self.sigma < 1e-9:
            return 1.0 if value > self.mean + 1e-9 else 0.0
        return min(max((value - self.mean) / self.sigma, 0.0), 3.0) / 3.0


@dataclass(slots=True)
class ModelSurprise:
    """Mean negative log-likelihood of a text, standardised against what the same source usually gives.

    The figures themselves come from the caller: nats per token, measured with the memory on, so that a fact that is
    already known does not surprise again.
    """

    by_source: dict[str, Welford] = field(default_factory=dict)

    def standardise(self, token_nll: Iterable[float], *, source: str) -> float:
        """Surprise in [0, 1] of per-token NLLs; updates the source's running mean and deviation afterwards."""
        values = [float(value) for value in token_nll]
        if not values:
            return 0.0
        mean = sum(values) / len(values)
        usual = self.by_source.setdefault(source, Welford())
        if not isfinite(mean):
            raise InvalidInput(f"a surprise of {mean!r} is not a finite number; check the language model's output")
        surprise = usual.standardised(mean)
        usual.add(mean)
        return surprise

    def state(self) -> dict[str, list[float]]:
        """JSON-able: source -> [n, mean, m2]."""
        return {source: [w.n, w.mean, w.m2] for source, w in sorted(self.by_source.items())}

    @classmethod
    def from_state(cls, state: Mapping[str, list[float]]) -> ModelSurprise:
        """The inverse of `state`."""
        return cls({source: Welford(int(n), mean, m2) for source, (n, mean, m2) in state.items()})


def rarity(stem: str, statistics: WordStatistics, *, running_share: float, common: float) -> float:
    """Nats that a word is worth: ``running_share`` of its rarity here, the rest of that in English above ``common``."""
    background = max(0.0, wording.background_rarity(stem) - common)
    return running_share * statistics.inverse_frequency(stem) + (1.0 - running_share) * background
