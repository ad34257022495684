"""Times as they are said: found by one regular expression, resolved against a reference, kept at their own precision.

    resolve("We met last Friday", datetime(2023, 5, 10))   ->  [TimeSpan("last Friday", "2023-05-05", 7, 18)]
    resolve("What happened in August 2023?")               ->  [TimeSpan("August 2023", "2023-08", 17, 28)]

English phrases (`time_phrases`) to ISO 8601 values (`iso_dates`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hippo_agent.episodic.iso_dates import days, interval, overlap
from hippo_agent.episodic.time_phrases import ANY, KINDS, Reference, can_hold_time, lowered, speaks_of_future

__all__ = ["TimeSpan", "days", "interval", "overlap", "resolve"]


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A time expression: the words, their ISO value, and their place in the text (``text[start:end]``)."""

    text: str
    iso: str
    start: int
    end: int


def resolve(text: str, reference: datetime | None = None) -> list[TimeSpan]:
    """Time expressions of a statement or a question, in order.

    Without ``reference`` only absolute ones are resolved and the rest is left out. Days are those of its time zone.
    """
    low = lowered(text)
    if not can_hold_time(low):
        return []
    base = None if reference is None else reference.replace(tzinfo=None)
    found = []
    for match in ANY.finditer(low):
        kind = KINDS[match.lastgroup or ""]
        parts = kind.pattern.match(low, match.start())
        if parts is None:  # the same pattern matched here a line above
            continue
        words = {name: " ".join((word or "").split()) for name, word in parts.groupdict().items()}
        try:
            iso = kind.read(words, Reference(base, speaks_of_future(low, match.start(), match.end())))
            days(iso)
        except (ValueError, OverflowError):  # no reference, 31 February, the year 0 or 10000
            continue
        found.append(TimeSpan(text[match.start() : match.end()], iso, match.start(), match.end()))
    return found
