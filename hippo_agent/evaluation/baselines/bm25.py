"""BM25 (Robertson and Zaragoza 2009; k1 1.2, b .75) over Porter stems.

Stop words are left out where cues are questions (with them: 5 points less on LoCoMo) and kept where cues are fragments
(without them: 3 to 40 points less on partial cues), so that the baseline is as good as it can be in both.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BM25", "STOP_WORDS", "stems"]

K1, B = 1.2, 0.75
_ENGLISH = """
    a an and are as at be but by did do does for from had has have he her his how i in is it its me my of on or our she
    so that the their them they this to was we were what when where which who why will with you your
"""
STOP_WORDS = frozenset(_ENGLISH.split())
_WORD = re.compile(r"\w+")


class BM25:
    """Scores all documents against a query. idf = log(1 + (N - n + .5) / (n + .5)), which is never negative."""

    def __init__(self, documents: Sequence[str], *, stop_words: Collection[str] = STOP_WORDS) -> None:
        self._stop_words = stop_words
        terms = [stems(document, stop_words) for document in documents]
        lengths = np.array([len(found) for found in terms], dtype=np.float64)
        average = lengths.mean() if lengths.sum() else 1.0
        postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for row, found in enumerate(terms):
            for term, count in Counter(found).items():
                postings[term].append((row, count))
        self._size = len(documents)
        self._weights: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        for term, posting in postings.items():
            rows = np.array([row for row, _ in posting], dtype=np.int64)
            counts = np.array([count for _, count in posting], dtype=np.float64)
            idf = math.log(1 + (self._size - len(posting) + 0.5) / (len(posting) + 0.5))
            saturated = counts * (K1 + 1) / (counts + K1 * (1 - B + B * lengths[rows] / average))
            self._weights[term] = rows, idf * saturated

    def scores(self, query: str) -> NDArray[np.float64]:
        """[n]; a term that the query repeats counts as often as it is there."""
        out = np.zeros(self._size)
        for term in stems(query, self._stop_words):
            if term in self._weights:
                rows, weights = self._weights[term]
                out[rows] += weights
        return out


def stems(text: str, stop_words: Collection[str] = STOP_WORDS) -> list[str]:
    """Porter stems of the words that are not stop words."""
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in stop_words]


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("porter")
