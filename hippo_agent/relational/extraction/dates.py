"""Dates in a sentence, at the precision that was said, as ISO 8601: "3 May 2021" -> 2021-05-03, "in 2019" -> 2019.

English dates with a year, ISO dates, and today / yesterday / tomorrow when the time of speaking is known. Finer
phrases come
resolved from the caller (`Event.slots.when`).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

__all__ = ["find_date", "moment"]

_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
           "december")  # fmt: skip
_MONTH = "|".join((*_MONTHS, *(name[:3] for name in _MONTHS)))
_DATE = re.compile(
    rf"\b(?:(?P<iso>\d{{4}}-\d{{2}}(?:-\d{{2}})?)"
    rf"|(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m1>{_MONTH})\.?,? (?P<y1>\d{{4}})"
    rf"|(?P<m2>{_MONTH})\.? (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y2>\d{{4}})"
    rf"|(?P<m3>{_MONTH})\.?,? (?:of )?(?P<y3>\d{{4}})"
    rf"|(?:in|since|until|from|by|of|year) (?P<y4>1[0-9]{{3}}|20[0-9]{{2}})(?![-\d])"
    rf"|(?P<day>today|yesterday|tomorrow))\b",
    re.IGNORECASE,
)


def find_date(text: str, said_at: datetime | None = None) -> tuple[str, int, int] | None:
    """ISO value, start and end of the first date in a text."""
    for match in _DATE.finditer(text):
        value = _iso(match, said_at)
        if value and moment(value) is not None:
            return value, match.start(), match.end()
    return None


def moment(iso: str) -> datetime | None:
    """The first moment of an ISO date of any precision, UTC; None when it is no date."""
    parts = iso.split("-")
    try:
        year, month, day = int(parts[0]), int(parts[1]) if len(parts) > 1 else 1, int(parts[2]) if len(parts) > 2 else 1
        return datetime(year, month, day, tzinfo=timezone.utc)
    except (ValueError, IndexError):
        return None


def _iso(match: re.Match[str], said_at: datetime | None) -> str | None:
    found = match.groupdict()
    if found["iso"]:
        return found["iso"]
    if found["day"]:
        shift = {"today": 0, "yesterday": -1, "tomorrow": 1}[found["day"].lower()]
        return None if said_at is None else (said_at + timedelta(days=shift)).date().isoformat()
    for day, month, year in (("d1", "m1", "y1"), ("d2", "m2", "y2"), ("", "m3", "y3")):
        if found[year]:
            number = [name[:3] for name in _MONTHS].index(found[month][:3].lower()) + 1
            return f"{found[year]}-{number:02d}" + (f"-{int(found[day]):02d}" if day else "")
    return found["y4"]
