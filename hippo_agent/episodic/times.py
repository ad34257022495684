"""Time expressions: found by one cheap regular expression, resolved against a reference time, kept at the precision that was said.

Values are ISO 8601: "2023", "2023-05", "2023-05-07", a week "2023-W18", or an interval "2023-06/2023-08" (both ends included).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A time expression: the words, their place in the text (``text[start:end]``), and the ISO value."""

    text: str
    iso: str
    start: int
    end: int


def resolve(text: str, reference: datetime | None = None, *, languages: tuple[str, ...] = ("en",)) -> list[TimeSpan]:
    """Time expressions of a statement or a question, in order. Without ``reference`` only absolute ones ("in August 2023") are resolved."""
    raise NotImplementedError


def interval(iso: str) -> tuple[int, int]:
    """(start, end) of an ISO value in microseconds since 1970, UTC; the end is exclusive."""
    raise NotImplementedError


def overlap(a: str, b: str) -> float:
    """In [0, 1]: shared time over the shorter of the two. "2023-08" and "2023-08-14" give 1."""
    raise NotImplementedError
