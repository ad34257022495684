"""ISO 8601 dates of any precision: "2023", "2023-05", "2023-05-07", "2023-W18" (a week), "2023-06/2023-08"."""

from __future__ import annotations

import re
from datetime import date, timedelta

__all__ = ["days", "interval", "month_of", "overlap", "week_of"]

_EPOCH = date(1970, 1, 1).toordinal()
_DAY_US = 86_400_000_000
_ISO = re.compile(r"(?P<year>\d{4})(?:-W(?P<week>\d\d)|-(?P<month>\d\d)(?:-(?P<day>\d\d))?)?", re.ASCII)


def days(iso: str) -> tuple[date, date]:
    """First and last day of an ISO value; ``ValueError`` if it is none."""
    if "/" in iso:
        start, _, end = iso.partition("/")
        span = days(start)[0], days(end)[1]
        if span[0] > span[1]:
            raise ValueError(f"interval {iso!r} ends before it starts")
        return span
    shape = _ISO.fullmatch(iso)
    if shape is None:
        raise ValueError(f"{iso!r} is not an ISO 8601 year, month, week, day or interval")
    year, month, day, week = (int(part or 0) for part in shape.group("year", "month", "day", "week"))
    if shape["week"]:
        monday = date.fromisocalendar(year, week, 1)
        return monday, date.fromordinal(min(monday.toordinal() + 6, date.max.toordinal()))
    if shape["day"]:
        return date(year, month, day), date(year, month, day)
    if shape["month"]:
        first = date(year, month, 1)
        last = date(year, 12, 31) if month == 12 else date(year, month + 1, 1) - timedelta(days=1)
        return first, last
    return date(year, 1, 1), date(year, 12, 31)


def interval(iso: str) -> tuple[int, int]:
    """(start, end) of an ISO value in microseconds since 1970, UTC, the end exclusive; ``ValueError`` if it is none."""
    first, last = days(iso)
    return (first.toordinal() - _EPOCH) * _DAY_US, (last.toordinal() + 1 - _EPOCH) * _DAY_US


def overlap(a: str, b: str) -> float:
    """In [0, 1]: shared time over the shorter of the two; 1 for "2023-08" and "2023-08-14", 0 if one is no date."""
    try:
        (a0, a1), (b0, b1) = interval(a), interval(b)
    except ValueError:
        return 0.0
    return max(0, min(a1, b1) - max(a0, b0)) / min(a1 - a0, b1 - b0)


def month_of(index: int) -> str:
    """ISO month of a count of months since the year 0; ``ValueError`` outside the calendar."""
    if not 12 <= index < 120_000:
        raise ValueError(f"month {index} is outside the calendar")
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


def week_of(day: date) -> str:
    """ISO week of a day."""
    year, week, _ = day.isocalendar()
    return f"{year:04d}-W{week:02d}"
