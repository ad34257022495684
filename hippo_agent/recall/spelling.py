"""One slip of the pen: two words that differ by one letter added, dropped or replaced, or by two neighbours swapped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["letters", "one_slip_away"]

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_PLACE = {letter: place for place, letter in enumerate(_ALPHABET)}


def letters(word: str) -> NDArray[np.uint8]:
    """uint8[37]: how often each letter and digit occurs; all others count as one.

    Words one slip apart differ by at most 2 in sum: a filter that NumPy applies to a whole vocabulary.
    """
    counts = np.zeros(len(_ALPHABET) + 1, dtype=np.uint8)
    for letter in word[:255]:
        counts[_PLACE.get(letter, len(_ALPHABET))] += 1
    return counts


def one_slip_away(a: str, b: str) -> bool:
    """Whether the Damerau-Levenshtein distance is exactly 1."""
    if len(a) < len(b):
        a, b = b, a
    if len(a) - len(b) > 1 or a == b:
        return False
    at = 0
    while at < len(b) and a[at] == b[at]:
        at += 1
    if len(a) > len(b):
        return a[at + 1 :] == b[at:]
    swapped = a[at : at + 2] == b[at : at + 2][::-1] and a[at + 2 :] == b[at + 2 :]
    return swapped or a[at + 1 :] == b[at + 1 :]
