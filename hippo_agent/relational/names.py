"""Names in a sentence: runs of capitalised words, with the small words that hold them together.

    "The Duke of York met Ada Lovelace's mother."   ->   Duke of York, Ada Lovelace

No list of names and no model. A capital at the start of a sentence counts only when the caller's statistics say that
the word is not usually written small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hippo_agent.relational.words import STOP_WORDS, Word

__all__ = ["names"]

_INSIDE = frozenset({"of", "the", "de", "von", "van", "der", "da", "di", "du", "la", "le", "del", "al"})
_JOINS = frozenset({" ", ' "', ". ", "-", "'", "’"})


def names(
    text: str, found: Sequence[Word], common: Callable[[str], bool] = lambda word: False
) -> list[tuple[int, int]]:
    """Half-open ranges of ``found`` (the words of one sentence ``text``) that are names.

    ``common`` says of a lower-case word whether it is usually written without a capital.
    """
    out, i = [], 0
    while i < len(found):
        word = found[i]
        opens = i == 0 and common(word.lower)
        if not word.raw[0].isupper() or word.lower in STOP_WORDS or opens:
            i += 1
            continue
        j = i
        while (step := _next(text, found, j)) is not None:
            j = step
        out.append((i, j + 1))
        i = j + 1
    return out


def _next(text: str, found: Sequence[Word], j: int) -> int | None:
    """The last word of the name when it goes on after word ``j``."""

    def gap(a: int, b: int) -> str:
        return text[found[a].end : found[b].start]

    if j + 1 < len(found) and found[j + 1].raw[0].isupper() and gap(j, j + 1) in _JOINS:
        return j + 1
    for reach in (2, 3):
        last = j + reach
        if last < len(found) and found[last].raw[0].isupper():
            small = all(found[k].raw in _INSIDE for k in range(j + 1, last))
            if small and all(gap(k, k + 1) == " " for k in range(j, last)):
                return last
    return None
