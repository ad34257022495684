"""Same event or another one? A near-duplicate merges only when no slot speaks against it.

Pattern separation is decided here: two texts that differ in one person, number, name, place, date, colour or verb are
two events, however close their vectors are. What may differ is what carries no fact: fillers ("as I said"), emphasis,
case, punctuation, contractions, a clause moved to the front, a typing error in an ordinary word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hippo_agent.episodic import wording
from hippo_agent.types import Event, Slots, Trace

_FILLERS = wording.phrases("fillers", re.IGNORECASE)
_EMPTY = wording.word_class("empty")  # words that carry no fact in a restatement
_RELATIVE = wording.word_class("relative")  # times that depend on when they are said
_CONTRACTIONS = {
    "'m": ("am",),
    "'re": ("are",),
    "'ve": ("have",),
    "'ll": ("will",),
    "n't": ("not",),
}
_IRREGULAR = {
    "can't": ("can", "not"),
    "cannot": ("can", "not"),
    "won't": ("will", "not"),
    "gonna": ("going", "to"),
    "wanna": ("want", "to"),
    "cause": ("because",),
}
_NO_SLOTS = Slots()


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """The stored trace that is most like a new event."""

    id: str
    text: str
    cosine: float  # similarity of the two vectors, in [-1, 1]
    speaker: str | None = None
    slots: Slots = _NO_SLOTS
    event_time: datetime | None = None
    outdated: bool = False  # something else was said of the same since: to say it again is news

    @classmethod
    def of(cls, trace: Trace, cosine: float, *, outdated: bool = False) -> Neighbour:
        """A stored trace as a neighbour."""
        return cls(
            id=trace.id,
            text=trace.text,
            cosine=cosine,
            speaker=trace.speaker,
            slots=trace.slots,
            event_time=trace.event_time,
            outdated=outdated,
        )


def fingerprint(text: str) -> str:
    """Lower-case words joined by spaces: equal for texts that differ in case, spaces and punctuation only."""
    return " ".join(wording.words(wording.normalise(text)))


def difference(event: Event, other: Neighbour, *, least_cosine: float) -> str | None:
    """None when both tell of the same event; otherwise what sets them apart ("another number", ...)."""
    if other.cosine < least_cosine:
        return "another topic"
    if (event.speaker or "").casefold() != (other.speaker or "").casefold():
        return "another speaker"
    new, old = wording.normalise(event.text), wording.normalise(other.text)
    ours, theirs = _facts(new), _facts(old)
    verbatim = bool(ours) and ours == theirs  # then who and where can only differ by how they were read
    slots = ("when",) if verbatim else ("who", "where", "when")
    if conflict := _slot_conflict(event.slots or _NO_SLOTS, other.slots, slots):
        return conflict
    if _other_day(event, other) and not _RELATIVE.isdisjoint(wording.words(new)):
        return "another date"
    if verbatim:
        return None
    if _numbers(ours) != _numbers(theirs):
        return "another number"
    if _names(new, theirs) or _names(old, ours):
        return "another name"
    return _word_difference(ours, theirs)


def may_rival(text: str, other: str) -> bool:
    """Whether two texts that differ may be of one thing: they share a name, or half of the first one's words."""
    new, old = wording.normalise(text), wording.normalise(other)
    ours, theirs = set(_facts(new)), set(_facts(old))
    if ours == theirs:
        return False
    return 2 * len(ours & theirs) >= max(len(ours), 1) or not _names(new, ()).isdisjoint(_names(old, ()))


def _slot_conflict(new: Slots, old: Slots, slots: Sequence[str]) -> str | None:
    for slot in slots:
        ours: Sequence[str] = getattr(new, slot)
        theirs: Sequence[str] = getattr(old, slot)
        if not ours or not theirs:
            continue
        if slot == "when":
            compatible = all(any(_within(a, b) for b in theirs) for a in ours)
        else:
            compatible = {a.casefold() for a in ours} == {b.casefold() for b in theirs}
        if not compatible:
            return f"another {slot!r}: {ours[0]!r}, not {theirs[0]!r}"
    return None


def _within(a: str, b: str) -> bool:
    """Whether one ISO date is the other at lower precision: "2023-05" and "2023-05-07"."""
    short, long = sorted((a, b), key=len)
    return long == short or (long.startswith(short + "-") and "/" not in long)


def _other_day(event: Event, other: Neighbour) -> bool:
    if event.event_time is None or other.event_time is None:
        return False
    return event.event_time.date() != other.event_time.date()


def _facts(text: str) -> list[str]:
    """Words that may carry a fact, contractions spelt out, numbers in one spelling, in order."""
    plain = wording.without_addresses(_FILLERS.sub(" ", text))
    facts: list[str] = []
    for word in wording.words(plain):
        for part in _spelt_out(word):
            if part not in _EMPTY:
                facts.append(wording.number_value(part))
    return facts


def _spelt_out(word: str) -> tuple[str, ...]:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for ending, full in _CONTRACTIONS.items():
        if word.endswith(ending):
            return (word.removesuffix(ending), *full)
    if word in ("it's", "that's", "he's", "she's", "there's", "what's"):
        return (word[:-2], "is")
    return (word,)


def _numbers(facts: Sequence[str]) -> list[str]:
    return sorted(fact for fact in facts if fact[0].isdigit() or wording.is_number(fact))


def _names(text: str, others: Sequence[str]) -> set[str]:
    """Names in the text that the other text does not hold in any casing."""
    plain = wording.without_addresses(_FILLERS.sub(" ", text))
    found = {wording.number_value(name) for part in wording.sentences(plain) for name in wording.names(part)}
    known = {word.removesuffix("'s") for word in others}
    return {name for name in found - known if name not in _EMPTY and name not in wording.REACTIONS}


def _word_difference(ours: Sequence[str], theirs: Sequence[str]) -> str | None:
    if not ours or not theirs:
        return None if list(ours) == list(theirs) else "other words"
    if len(ours) != len(theirs):
        return "other words"
    unmatched = sorted(set(theirs) - set(ours))
    repaired = list(ours)
    for place, word in enumerate(ours):
        if word in theirs:
            continue
        twin = next((candidate for candidate in unmatched if _is_typo(word, candidate)), None)
        if twin is None:
            return f"another word: {word!r}"
        repaired[place] = twin
        unmatched.remove(twin)
    if sorted(repaired) != sorted(theirs):
        return "other words"
    if repaired == list(theirs) or _is_rotation(repaired, theirs):
        return None
    return "another order of words"


def _is_typo(a: str, b: str) -> bool:
    """One long word with a letter left out, doubled or swapped; exactly one of the two is an English word.

    A replaced letter does not count: it makes another word too often ("marker", "market").
    """
    if (
        min(len(a), len(b)) < 5
        or a[0] != b[0]
        or wording.is_common(wording.stem(a)) == wording.is_common(wording.stem(b))
    ):
        return False
    if len(a) == len(b):
        swapped = [i for i in range(len(a)) if a[i] != b[i]]
        return (
            len(swapped) == 2
            and swapped[1] == swapped[0] + 1
            and a[swapped[0]] == b[swapped[1]]
            and sorted(a) == sorted(b)
        )
    short, long = sorted((a, b), key=len)
    return len(long) == len(short) + 1 and any(long[:i] + long[i + 1 :] == short for i in range(len(long)))


def _is_rotation(a: Sequence[str], b: Sequence[str]) -> bool:
    """A clause moved from one end to the other ("On Monday I ...", "I ... on Monday")."""
    doubled = [*b, *b]
    return len(a) >= 5 and any(doubled[i : i + len(a)] == list(a) for i in range(1, len(a)))
