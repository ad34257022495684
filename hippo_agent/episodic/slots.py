"""Light extraction of who, what, where and when: rules only, deterministic, no model, no download.

Capitals, prepositions, time expressions and a list of common words carry it. It does not resolve pronouns other than
the speaker's own, and takes an unknown capitalised name for a person unless the words around it say place or thing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from hippo_agent.episodic.names import find_names, relatives
from hippo_agent.episodic.places import generic_places
from hippo_agent.episodic.times import TimeSpan, resolve
from hippo_agent.episodic.words import NUMBERS, STOP, Token, base, rank, tokens
from hippo_agent.types import Slots

__all__ = ["MAX_CHARS", "MAX_WHAT", "Rarity", "extract"]

Rarity = Callable[[str], float]  # lower-case word -> higher is rarer (an inverse document frequency)

MAX_WHAT = 6
MAX_VALUES = 8  # of who, where and when
MAX_CHARS = 4000  # of a longer text only the beginning is read: slots name an episode, they do not index a book


def extract(
    text: str,
    *,
    speaker: str | None = None,
    event_time: datetime | None = None,
    rarity: Rarity | None = None,
    known: Collection[str] = (),
) -> Slots:
    """Slots of a statement or a question.

    Args:
        speaker: first value of "who"; "I" and "my" are theirs.
        event_time: what "yesterday" is relative to; None: only absolute dates are read.
        rarity: puts the rarest words first in "what"; None: ranks of common words.
        known: lower-case names that count as persons in any casing.
    """
    text = text[:MAX_CHARS]
    words = tokens(text)
    spans = resolve(text, event_time)
    taken = _taken(words, spans)
    who: list[str] = [speaker] if speaker else []
    where: list[str] = []
    things: list[str] = []
    for name in find_names(words, taken, known):
        {"who": who, "where": where, "what": things}[name.role].append(name.text)
        taken[name.first : name.last + 1] = [True] * (name.last + 1 - name.first)
    for kin, i in relatives(words, taken):
        who.append(kin)
        taken[i] = True
    for place, first, last in generic_places(words, taken):
        where.append(place)
        taken[first : last + 1] = [True] * (last + 1 - first)
    return Slots(
        who=_distinct(who, MAX_VALUES),
        what=_distinct([*things, *_content(words, taken, rarity or rank)], MAX_WHAT),
        where=_distinct(where, MAX_VALUES),
        when=_distinct([span.iso for span in spans], MAX_VALUES),
    )


def _taken(words: list[Token], spans: list[TimeSpan]) -> list[bool]:
    """Which words belong to a time expression."""
    if not spans:
        return [False] * len(words)
    return [any(span.start <= word.start < span.end for span in spans) for word in words]


def _content(words: list[Token], taken: list[bool], rarity: Rarity) -> list[str]:
    """Content words and numbers, rarest first, ties in order of appearance; numbers as digits."""
    found: dict[str, float] = {}
    for word, skip in zip(words, taken, strict=True):
        low = base(word.low)
        if skip or word.low in STOP or low in found:
            continue
        low = NUMBERS.get(low, low)
        if len(low) >= 3 or low.isdigit():
            found.setdefault(low, rarity(low))
    return sorted(found, key=lambda low: -found[low])


def _distinct(values: list[str], limit: int) -> tuple[str, ...]:
    """Values without repeats in another casing, in order."""
    first: dict[str, str] = {}
    for value in values:
        first.setdefault(value.casefold(), value)
    return tuple(first.values())[:limit]
