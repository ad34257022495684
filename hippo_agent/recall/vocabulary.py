"""The words that a bank's texts use: their stems, how common they are, their vectors and their spelling."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hippo_agent.recall.arrays import Growing
from hippo_agent.recall.spelling import letters, one_slip_away
from hippo_agent.recall.words import FUNCTION_WORDS, is_exact, stem

__all__ = ["Ids", "Vocabulary", "WordVectors", "information"]

Ids = NDArray[np.int32]
_STRANGERS = 1_000  # vectors kept of words that only cues have
#: words to [n, w] unit rows; None: there are none now
WordVectors = Callable[[Sequence[str]], NDArray[np.float32] | None]


class Vocabulary:
    """Word ids and stem ids, dense from 0 and never reused; counts are numbers of traces."""

    def __init__(self, word_vectors: WordVectors | None = None) -> None:
        self._word_vectors = word_vectors
        self._lock = threading.Lock()
        self._ids: dict[str, int] = {}
        self._words: list[str] = []
        self._stem_ids: dict[str, int] = {}
        self._stem_of: Growing[np.int32] = Growing(np.int32)  # [words]
        self._traces: Growing[np.int32] = Growing(np.int32)  # [stems] traces that have the stem
        self._used: Growing[np.int32] = Growing(np.int32)  # [words] traces that have the word
        self._specific: Growing[np.bool_] = Growing(np.bool_)  # [words] neither function words nor numbers and dates
        self._letters: Growing[np.uint8] = Growing(np.uint8, letters("").shape[0])  # [words, 37]
        self._vectors: Growing[np.float32] | None = None  # [words, w]
        self._strangers: dict[str, NDArray[np.float32]] = {}  # vectors of cues' words that no trace has

    def __len__(self) -> int:
        return len(self._words)

    def id(self, word: str) -> int:
        """The id of a word, -1 for one that was never seen."""
        return self._ids.get(word, -1)

    def known(self, words: Sequence[str]) -> Ids:
        """[n] ids, -1 for words that were never seen."""
        return np.array([self._ids.get(word, -1) for word in words], dtype=np.int32)

    def words(self, word_ids: Sequence[int]) -> tuple[str, ...]:
        return tuple(self._words[one] for one in word_ids)

    def add(self, words: Sequence[str]) -> Ids:
        """Ids of the words, in their order; new words get new ids."""
        new = [word for word in dict.fromkeys(words) if word not in self._ids]
        for word in new:
            self._ids[word] = len(self._words)
            self._words.append(word)
        if new:
            stems = [self._stem_ids.setdefault(stem(word), len(self._stem_ids)) for word in new]
            self._stem_of.extend(stems)
            self._used.extend(np.zeros(len(new)))
            self._traces.extend(np.zeros(len(self._stem_ids) - len(self._traces)))
            self._specific.extend([word not in FUNCTION_WORDS and not is_exact(word) for word in new])
            self._letters.extend([letters(word) for word in new])
        return np.array([self._ids[word] for word in words], dtype=np.int32)

    def count(self, word_ids: Ids, traces: NDArray[np.int64], step: int) -> None:
        """Traces came (step 1) or went (step -1); word i stands in the trace that ``traces[i]`` numbers."""
        for ids, counts in ((word_ids, self._used.view), (self.stems(word_ids), self._traces.view)):
            pairs = np.sort(traces * np.int64(1 << 31) + ids)
            once = pairs[np.diff(pairs, prepend=-1) != 0]  # np.unique hashes, which is slower here
            np.add.at(counts, once & np.int64((1 << 31) - 1), np.int32(step))

    def stem_id(self, word: str) -> int:
        """-1 when no word of this stem was ever seen."""
        return self._stem_ids.get(stem(word), -1)

    def stems(self, word_ids: Ids) -> Ids:
        """[n] stem ids of word ids."""
        return self._stem_of.view[word_ids]

    def specific(self, word_ids: Ids) -> NDArray[np.bool_]:
        """[n] whether a word may be covered by one that is alike: no function word, number, month or weekday."""
        return self._specific.view[word_ids]

    def frequency(self, stem_ids: Sequence[int]) -> int:
        """How many traces have one of the stems, at most (they are added up)."""
        known = [one for one in stem_ids if one >= 0]
        return int(self._traces.view[known].sum()) if known else 0

    def slips(self, word: str) -> list[int]:
        """Ids of the words in use that are one slip of the pen away: a letter swapped, dropped, added or replaced."""
        if not self._words:
            return []
        near = np.abs(self._letters.view.astype(np.int16) - letters(word)).sum(axis=1) <= 2
        near &= self._used.view > 0
        return [int(one) for one in np.flatnonzero(near) if one_slip_away(word, self._words[one])]

    def alike(self, words: Sequence[str], word_ids: Ids) -> NDArray[np.float32]:
        """[len(words), len(word_ids)] cosine of word vectors, at least 0; zeros without an embedder of words."""
        if self._word_vectors is None or not len(words) or not len(word_ids):
            return np.zeros((len(words), len(word_ids)), dtype=np.float32)
        with self._lock:
            held = self._held()
            cue = None if held is None else self._vectors_of(words, held)
        if held is None or cue is None:
            return np.zeros((len(words), len(word_ids)), dtype=np.float32)
        found: NDArray[np.float32] = np.maximum(cue @ held[word_ids].T, 0.0)
        return found

    def _held(self) -> NDArray[np.float32] | None:
        """[words, w] the vectors of all known words."""
        if self._word_vectors is None:
            return None
        if new := self._words[0 if self._vectors is None else len(self._vectors) :]:
            vectors = self._word_vectors(new)
            if vectors is None:
                return None
            self._vectors = self._vectors or Growing(np.float32, vectors.shape[1])
            self._vectors.extend(vectors)
        return None if self._vectors is None else self._vectors.view

    def _vectors_of(self, words: Sequence[str], held: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """[n, w] vectors of a cue's words, those included that no trace has."""
        rows = []
        for word in words:
            known = self.id(word)
            vector = held[known] if known >= 0 else self._outside(word)
            if vector is None:
                return None
            rows.append(vector)
        return np.stack(rows)

    def _outside(self, word: str) -> NDArray[np.float32] | None:
        if word not in self._strangers and self._word_vectors is not None:
            vectors = self._word_vectors([word])
            if vectors is None:
                return None
            if len(self._strangers) >= _STRANGERS:
                self._strangers.clear()
            self._strangers[word] = vectors[0]
        return self._strangers.get(word)


def information(traces: int, having: int) -> float:
    """Nats that a match is worth when ``having`` of ``traces`` match: BM25's idf, never negative."""
    having = min(having, traces)
    return math.log1p((traces - having + 0.5) / (having + 0.5))
