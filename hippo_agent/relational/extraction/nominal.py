"""Facts that no verb says: appositions, titles before a name, possessives, a place inside a place.

    "Ada Rook, the mayor of Vell, ..."   ->  (Ada Rook, is, the mayor of Vell)
    "President Ada Rook"                  ->  (Ada Rook, is, President)
    "in Vell, Orano"                      ->  (Vell, is in, Orano)

Each rule has one confidence, its measured precision on OIE-style text being .2-.5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hippo_agent.relational.extraction.grammar import ARTICLES, AUXILIARIES, PREPOSITIONS

__all__ = ["CONFIDENCE", "nominal"]

_OWN = frozenset({"his", "her", "its", "their", "one"})
_ENDS = frozenset({",", ".", ";", ":", "--", "''", "who", "which", "and", "that", "where", "said", "says"})
_TITLES = frozenset(
    {
        "president",
        "senator",
        "king",
        "queen",
        "prince",
        "princess",
        "sir",
        "lord",
        "professor",
        "dr.",
        "general",
        "judge",
        "pope",
        "saint",
        "governor",
        "chairman",
        "captain",
        "bishop",
    }
)
_AGENT = ("er", "or", "ist", "man", "ian", "ent", "ant", "ress")
CONFIDENCE = {
    "apposition": 0.62,
    "reversed apposition": 0.62,
    "possessive": 0.3,
    "role": 0.5,
    "title": 0.5,
    "place": 0.55,
}


def nominal(words: Sequence[str]) -> Iterator[tuple[str, range, str, range]]:
    """Rule, words of the subject, predicate, words of the object."""
    low = [word.lower() for word in words]
    for k in range(1, len(words) - 1):
        if words[k] == ",":
            yield from _apposition(words, low, k)
            yield from _place(words, low, k)
        elif low[k] in ("'s", "'", "’s"):
            yield from _possessive(words, low, k)
    for k in range(len(words) - 1):
        if low[k] in _TITLES and _capital(words[k]) and _capital(words[k + 1]):
            end = _run(words, k + 1)
            yield "title", range(k + 1, end), "is", range(k, k + 1)
        elif k and _capital(words[k]) and _capital(words[k + 1]):
            yield from _role(words, low, k)


def _capital(word: str) -> bool:
    return word[0].isupper()


def _run(words: Sequence[str], start: int) -> int:
    """End of the run of capitalised words."""
    end = start
    while end < len(words) and _capital(words[end]):
        end += 1
    return end


def _back(words: Sequence[str], end: int) -> int:
    """Start of the run of capitalised words that ends before ``end``."""
    start = end
    while start > 0 and _capital(words[start - 1]):
        start -= 1
    return start


def _apposition(words: Sequence[str], low: Sequence[str], k: int) -> Iterator[tuple[str, range, str, range]]:
    end = k + 1
    while end < len(words) and low[end] not in _ENDS and end - k < 14:
        end += 1
    if end >= len(words):
        return
    start = _back(words, k)
    described = low[k + 1] in ARTICLES | _OWN and any(
        word.isalpha() and not _capital(word) for word in words[k + 1 : end]
    )
    if start < k and described and end - k > 2 and low[end] in {",", ".", ";", "who"}:
        yield "apposition", range(start, k), "is", range(k + 1, end)
    opener = next(
        (b for b in range(k - 1, max(k - 8, -1), -1) if low[b] in ARTICLES | _OWN or not low[b].isalpha()), -1
    )
    named = all(_capital(word) or word.lower() in {"of", "de"} for word in words[k + 1 : end])
    if (
        opener >= 0
        and low[opener] in ARTICLES | _OWN
        and named
        and end > k + 1
        and words[end] == ","
        and k - opener > 1
    ):
        yield "reversed apposition", range(k + 1, end), "is", range(opener, k)


def _place(words: Sequence[str], low: Sequence[str], k: int) -> Iterator[tuple[str, range, str, range]]:
    start, end = _back(words, k), _run(words, k + 1)
    if (
        0 < start < k
        and end > k + 1
        and low[start - 1] in {"in", "at", "from", "near", "of"}
        and low[k + 1] not in ARTICLES
    ):
        yield "place", range(start, k), "is in", range(k + 1, end)


def _possessive(words: Sequence[str], low: Sequence[str], k: int) -> Iterator[tuple[str, range, str, range]]:
    start, end = _back(words, k), k + 1
    stop = PREPOSITIONS | AUXILIARIES | {"and", "or", "who", "which", "that", "said"}
    while end < len(words) and words[end].isalpha() and low[end] not in stop and end - k < 6:
        end += 1
    if start < k and end > k + 1:
        yield "possessive", range(start, k), "has", range(k + 1, end)


def _role(words: Sequence[str], low: Sequence[str], k: int) -> Iterator[tuple[str, range, str, range]]:
    stop = PREPOSITIONS | AUXILIARIES | ARTICLES | {"and", "or", "that", "who", "which", "but"}
    if _capital(words[k - 1]) or not words[k - 1].isalpha() or low[k - 1] in stop or not low[k - 1].endswith(_AGENT):
        return
    start = k - 1
    while start > 0 and words[start - 1].isalpha() and not _capital(words[start - 1]) and low[start - 1] not in stop:
        if k - start >= 4:
            break
        start -= 1
    yield "role", range(k, _run(words, k)), "is", range(start, k)
