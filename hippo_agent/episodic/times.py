"""Time expressions: found by one cheap regular expression, resolved against a reference time, kept at the precision that was said.

Values are ISO 8601: "2023", "2023-05", "2023-05-07", a week "2023-W18", or an interval "2023-06/2023-08" (both ends included). English
expressions are recognised here; which day a phrase means is left to `dateparser`, imported on the first expression found. "Last Friday" is the
most recent one; a date without a year, or a bare weekday, lies in the past unless the sentence speaks of the future.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

__all__ = ["TimeSpan", "days", "interval", "overlap", "resolve"]


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A time expression: the words, their place in the text (``text[start:end]``), and the ISO value."""

    text: str
    iso: str
    start: int
    end: int


def resolve(text: str, reference: datetime | None = None) -> list[TimeSpan]:
    """Time expressions of a statement or a question, in order.

    Without ``reference`` only absolute ones ("in August 2023") are resolved; the rest is left out. Days are those of the reference's own
    time zone.
    """
    if _HINTS.isdisjoint(_HINT_TOKEN.findall(text.lower())):
        return []
    base = None if reference is None else reference.replace(tzinfo=None)
    found = []
    for match in _ANY.finditer(text):
        kind = _KINDS[match.lastgroup or ""]
        words = match.group()
        parts = kind.pattern.fullmatch(words)
        if parts is None:  # the alternatives saw context that the phrase alone does not have
            continue
        try:
            iso = kind.read(parts.groupdict(), _Reference(base, _speaks_of_future(text, match.start(), match.end())))
        except (ValueError, OverflowError):  # 31 February, the year 0 or 10000
            continue
        if iso is not None:
            found.append(TimeSpan(words, iso, match.start(), match.end()))
    return found


def days(iso: str) -> tuple[date, date]:
    """First and last day of an ISO value; ``ValueError`` if it is none."""
    if "/" in iso:
        first, _, last = iso.partition("/")
        span = days(first)[0], days(last)[1]
        if span[0] > span[1]:
            raise ValueError(f"interval {iso!r} ends before it starts")
        return span
    shape = _ISO.fullmatch(iso)
    if shape is None:
        raise ValueError(f"{iso!r} is not an ISO 8601 year, month, week, day or interval")
    year, month, day, week = shape.group("year", "month", "day", "week")
    if week:
        monday = date.fromisocalendar(int(year), int(week), 1)
        return monday, monday + timedelta(days=6)
    if day:
        exact = date(int(year), int(month), int(day))
        return exact, exact
    if month:
        start = date(int(year), int(month), 1)
        return start, _month_end(start)
    return date(int(year), 1, 1), date(int(year), 12, 31)


def interval(iso: str) -> tuple[int, int]:
    """(start, end) of an ISO value in microseconds since 1970, UTC; the end is exclusive. ``ValueError`` if it is no ISO value."""
    first, last = days(iso)
    return (first.toordinal() - _EPOCH) * _DAY_US, (last.toordinal() + 1 - _EPOCH) * _DAY_US


def overlap(a: str, b: str) -> float:
    """In [0, 1]: shared time over the shorter of the two. "2023-08" and "2023-08-14" give 1; values that are not ISO give 0."""
    try:
        (a0, a1), (b0, b1) = interval(a), interval(b)
    except ValueError:
        return 0.0
    return max(0, min(a1, b1) - max(a0, b0)) / min(a1 - a0, b1 - b0)


_EPOCH = date(1970, 1, 1).toordinal()
_DAY_US = 86_400_000_000
_ISO = re.compile(r"(?P<year>\d{4})(?:-W(?P<week>\d\d)|-(?P<month>\d\d)(?:-(?P<day>\d\d))?)?", re.ASCII)

_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}  # first month, northern half
_COUNTS = {w: n for n, w in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())}
_COUNTS |= {"a": 1, "an": 1, "couple": 2}
_HOLIDAYS = {"christmas eve": (12, 24), "christmas": (12, 25), "new year's eve": (12, 31), "halloween": (10, 31)}
_HOLIDAYS |= {"new year's day": (1, 1), "new year's": (1, 1), "valentine's day": (2, 14), "boxing day": (12, 26)}

_MONTH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
_MONTH_NAME = rf"(?:{'|'.join(_MONTHS)})"
_WEEKDAY = rf"(?:{'|'.join(_WEEKDAYS)})"
_SEASON = rf"(?:{'|'.join(_SEASONS)})"
_HOLIDAY = rf"(?:{'|'.join(re.escape(h) for h in _HOLIDAYS)})"
_YEAR = r"(?:19|20)\d\d"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_NTH = r"(?:st|nd|rd|th)"
_COUNT = rf"(?:\d{{1,3}}|{'|'.join(_COUNTS)})"
_PART = r"(?: (?:morning|afternoon|evening|night))?"
_PART_OF = r"(?:early|late|mid|the (?:start|beginning|middle|end) of)(?: |-)"

#: Every expression holds one of these, so a text without any is done at once.
_HINT_TOKEN = re.compile(r"[a-z]+|\d")
_HINTS = frozenset("0123456789") | set(_MONTHS) | {m[:3] for m in _MONTHS} | {"sept"} | set(_WEEKDAYS) | set(_SEASONS)
_HINTS |= {word + s for word in ("day", "night", "week", "weekend", "fortnight", "month", "year", "decade") for s in ("", "s")}
_HINTS |= {"yesterday", "today", "tonight", "tomorrow", "morning", "afternoon", "evening", "christmas", "halloween", "valentine", "boxing"}

_FUTURE = re.compile(
    r"\b(?:will|going\s+to|gonna|plan(?:s|ning)?|upcoming|coming|tomorrow|next|soon|forward|can't\s+wait|see\s+you|let's|scheduled|due|until)\b"
    r"|['\u2019]ll\b",
    re.I,
)
_SENTENCE_END = re.compile(r"[.!?\n]\s")


@dataclass(frozen=True, slots=True)
class _Reference:
    """The time that an expression is relative to, and which way an open one ("on Friday") looks."""

    time: datetime | None
    future: bool

    def day(self, words: str) -> date | None:
        """The day that dateparser reads in the words; None if there is no reference or nothing was read."""
        if self.time is None:
            return None
        import dateparser  # 0.1 s, only when a time expression occurs

        prefer = "future" if self.future else "past"
        read = dateparser.parse(words, languages=["en"], settings={"RELATIVE_BASE": self.time, "PREFER_DATES_FROM": prefer})
        return None if read is None else read.date()


_Parts = Mapping[str, str | None]


def _read_iso(parts: _Parts, ref: _Reference) -> str | None:
    iso = parts["iso"] or ""
    days(iso)
    return iso


def _read_numeric(parts: _Parts, ref: _Reference) -> str | None:
    a, b, year = int(parts["first"] or 0), int(parts["second"] or 0), int(parts.get("year") or 0)
    month, day = (b, a) if a > 12 else (a, b)  # American order unless it cannot be
    return date(year + 2000 if year < 100 else year, month, day).isoformat()


def _read_day(parts: _Parts, ref: _Reference) -> str | None:
    number, first, last, year = _month_number(parts["month"] or ""), parts["day"], parts.get("last"), parts.get("year")
    if year is None:
        day = ref.day(f"{first} {_MONTHS[number - 1]}")
    else:
        day = date(int(year), number, int(first or 0))
    if day is None or last is None:
        return None if day is None else day.isoformat()
    return f"{day.isoformat()}/{day.replace(day=int(last)).isoformat()}"


def _read_month(parts: _Parts, ref: _Reference) -> str | None:
    number, year = _month_number(parts["month"] or ""), parts.get("year")
    if year is not None:
        return f"{year}-{number:02d}"
    if ref.time is None:
        return None
    now = ref.time.year * 12 + ref.time.month - 1
    shift = (number - 1 - now) % 12  # months until the next one, 0: this month
    which = (parts.get("which") or "").lower()
    if which in ("last", "past") or (which != "next" and not ref.future):
        shift = shift - 12 if shift or which in ("last", "past") else 0
    elif which == "next" and not shift:
        shift = 12
    return _month(now + shift)


def _read_year(parts: _Parts, ref: _Reference) -> str | None:
    return parts.get("year")


def _read_decade(parts: _Parts, ref: _Reference) -> str | None:
    start = int(parts["decade"] or 0)
    start += 1900 if start < 100 else 0
    return f"{start}/{start + 9}"


def _read_season(parts: _Parts, ref: _Reference) -> str | None:
    first = _SEASONS[(parts["season"] or "").lower()]
    if parts.get("year"):
        return _quarter(int(parts.get("year")) * 12 + first - 1)
    if ref.time is None or not parts.get("which"):
        return None
    now, which = ref.time.year * 12 + ref.time.month - 1, parts.get("which").lower()
    started = now - (now - (first - 1)) % 12  # the last start of the season, this month included
    running = started + 2 >= now
    if which in ("last", "past"):
        return _quarter(started - 12 if running else started)
    if which in ("next", "coming"):
        return _quarter(started + 12)
    if running or started // 12 == ref.time.year and not ref.future:
        return _quarter(started)
    return _quarter(started + 12)


def _read_near_day(parts: _Parts, ref: _Reference) -> str | None:
    if ref.time is None:
        return None
    words = " ".join((parts["near"] or "").lower().split())
    for phrase, shift in _NEAR_DAYS:
        if phrase in words:
            return (ref.time.date() + timedelta(days=shift)).isoformat()
    return ref.time.date().isoformat()


_NEAR_DAYS = (("before yesterday", -2), ("after tomorrow", 2), ("yesterday", -1), ("last night", -1), ("tomorrow", 1))


def _read_ago(parts: _Parts, ref: _Reference) -> str | None:
    if ref.time is None:
        return None
    unit = (parts["unit"] or "").lower()
    if parts["vague"]:  # "a few weeks ago": two to five of them
        return _vague(ref.time.date(), unit)
    return _shifted(ref, -_count(parts["count"]), unit)


def _read_ahead(parts: _Parts, ref: _Reference) -> str | None:
    if ref.time is None or not (ref.future or parts.get("time")):
        return None  # "finished in two weeks" is a duration
    return _shifted(ref, _count(parts["count"]), (parts["unit"] or "").lower())


def _read_unit(parts: _Parts, ref: _Reference) -> str | None:
    steps = {"last": -1, "past": -1, "previous": -1, "this": 0, "next": 1, "coming": 1}
    which = (parts.get("which") or "this").lower()
    return None if ref.time is None else _shifted(ref, steps[which], (parts["unit"] or "").lower())


def _read_beyond(parts: _Parts, ref: _Reference) -> str | None:
    if ref.time is None:
        return None
    unit, back = (parts["unit"] or "").lower(), (parts["side"] or "").lower() == "before last"
    if unit in _WEEKDAYS:
        return (_weekday(ref.time.date(), unit, back=back) + timedelta(days=-7 if back else 7)).isoformat()
    return _shifted(ref, -2 if back else 2, unit)


def _read_weekday(parts: _Parts, ref: _Reference) -> str | None:
    if ref.time is None:
        return None
    name, which, week = (parts["weekday"] or "").lower(), (parts.get("which") or "").lower(), (parts.get("week") or "").lower()
    today = ref.time.date()
    if week:
        monday = today - timedelta(days=today.weekday())
        shift = {"last": -7, "this": 0, "next": 7}[week]
        return (monday + timedelta(days=_WEEKDAYS.index(name) + shift)).isoformat()
    if which in ("next", "coming", "this"):
        back = False if which != "this" else not ref.future and _WEEKDAYS.index(name) <= today.weekday()
        return _weekday(today, name, back=back, strict=which != "this").isoformat()
    if which in ("last", "past"):
        return _weekday(today, name, back=True).isoformat()
    day = ref.day(name)
    return None if day is None else day.isoformat()


def _read_nth(parts: _Parts, ref: _Reference) -> str | None:
    if ref.time is None:
        return None
    day, month = int(parts["day"] or 0), ref.time.year * 12 + ref.time.month - 1
    if not ref.future and day > ref.time.day:
        month -= 1
    elif ref.future and day < ref.time.day:
        month += 1
    return date(month // 12, month % 12 + 1, day).isoformat()


def _read_holiday(parts: _Parts, ref: _Reference) -> str | None:
    name = " ".join((parts["holiday"] or "").lower().replace("\u2019", "'").split())
    month, day = _HOLIDAYS[name]
    if parts.get("year"):
        return date(int(parts.get("year")), month, day).isoformat()
    which = (parts.get("which") or "").lower()
    if ref.time is None or not which:
        return None
    year, today = ref.time.year, ref.time.date()
    if which in ("last", "past"):
        year -= date(year, month, day) >= today
    elif which in ("next", "coming"):
        year += date(year, month, day) <= today
    return date(year, month, day).isoformat()


def _month_number(word: str) -> int:
    return next(i for i, name in enumerate(_MONTHS, 1) if name.startswith(word.lower()[:3]))


def _month(index: int) -> str:
    """ISO month of a count of months since the year 0."""
    if not 12 <= index < 120_000:
        raise ValueError(f"month {index} is outside the calendar")
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


def _quarter(index: int) -> str:
    return f"{_month(index)}/{_month(index + 2)}"


def _month_end(first: date) -> date:
    return date.max if (first.year, first.month) == (9999, 12) else _next_month(first) - timedelta(days=1)


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year:04d}-W{week:02d}"


def _weekday(today: date, name: str, *, back: bool, strict: bool = True) -> date:
    """The nearest such weekday before or after today; today itself only when not strict."""
    gap = (today.weekday() - _WEEKDAYS.index(name)) % 7 if back else (_WEEKDAYS.index(name) - today.weekday()) % 7
    gap = 7 if strict and not gap else gap
    return today - timedelta(days=gap) if back else today + timedelta(days=gap)


def _count(words: str | None) -> int:
    word = (words or "one").lower().split()[0 if words and not words.lower().startswith("a couple") else 1]
    return int(word) if word.isdecimal() else _COUNTS[word]


def _shifted(ref: _Reference, steps: int, unit: str) -> str | None:
    """The unit that lies so many steps away, at the unit's own precision."""
    if ref.time is None:
        return None
    today = ref.time.date()
    unit = unit.removesuffix("s") if unit not in _SEASONS else unit
    if unit in ("day", "night"):
        return (today + timedelta(days=steps)).isoformat()
    if unit == "week":
        return _week(today + timedelta(weeks=steps))
    if unit == "fortnight":
        return _week(today + timedelta(weeks=2 * steps))
    if unit == "weekend":
        saturday = today - timedelta(days=today.weekday()) + timedelta(days=5, weeks=steps)
        return f"{saturday.isoformat()}/{(saturday + timedelta(days=1)).isoformat()}"
    if unit == "month":
        return _month(today.year * 12 + today.month - 1 + steps)
    if unit == "decade":
        return f"{today.year + 10 * steps:04d}"
    return f"{date(today.year + steps, 1, 1).year:04d}"


def _vague(today: date, unit: str) -> str:
    """ "A few weeks ago" as the interval of two to five units back."""
    size = {"day": 1, "night": 1, "week": 7, "weekend": 7, "fortnight": 14, "month": 30, "year": 365, "decade": 3650}[unit.removesuffix("s")]
    far, near = today - timedelta(days=5 * size), today - timedelta(days=2 * size)
    if size < 30:
        return f"{far.isoformat()}/{near.isoformat()}"
    if size < 365:
        return f"{far.isoformat()[:7]}/{near.isoformat()[:7]}"
    return f"{far.isoformat()[:4]}/{near.isoformat()[:4]}"


def _speaks_of_future(text: str, start: int, end: int) -> bool:
    """Whether the sentence around text[start:end] looks ahead."""
    left = max((m.end() for m in _SENTENCE_END.finditer(text, max(0, start - 200), start)), default=max(0, start - 200))
    right = _SENTENCE_END.search(text, end, end + 200)
    return _FUTURE.search(text, left, right.start() if right else end + 200) is not None


@dataclass(frozen=True, slots=True)
class _Kind:
    pattern: re.Pattern[str]
    read: Callable[[_Parts, _Reference], str | None]


_UNNAMED = re.compile(r"\(\?P<\w+>")


def _kind(pattern: str, read: Callable[[_Parts, _Reference], str | None]) -> _Kind:
    """A space in the pattern stands for any white space."""
    return _Kind(re.compile(pattern.replace(" ", r"\s+"), re.I), read)


_WHICH = r"(?P<which>last|past|this|next|coming)"
_UNIT = r"(?:days?|nights?|weeks?|weekends?|fortnights?|months?|years?|decades?)"
_SOME = rf"(?P<count>a couple|{_COUNT})(?: of)?"
_TO = rf"(?:(?: to |-|\u2013)(?P<last>{_DAY}){_NTH}?)?"
_IN_MONTH = r"(?:in|since|until|till|by|during|of|for|through|around|before|after|from|early|late|mid)(?: |-)"
_IN_YEAR = r"(?:in|since|of|until|till|by|from|to|and|during|around|before|after|year|early|late|mid)(?: |-)"
_NO_VERB = r"(?! (?:be|have|not|also|or|want|need|come|take|go)\b)"

#: Tried in this order at each place of the text.
_KINDS: dict[str, _Kind] = {
    "iso": _kind(r"(?P<iso>\d{4}-\d\d(?:-\d\d)?)(?:[T\x20]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?![\d-])", _read_iso),
    "numeric": _kind(r"(?P<first>\d{1,2})[/.](?P<second>\d{1,2})[/.](?P<year>\d{4}|\d\d)(?![\d/.]\d|\d)", _read_numeric),
    "dmy": _kind(rf"(?P<day>{_DAY}){_NTH}?{_TO}(?: of)? (?P<month>{_MONTH})\b{_NO_VERB}\.?(?:,? (?P<year>{_YEAR})\b)?", _read_day),
    "mdy": _kind(rf"(?P<month>{_MONTH})\.? (?:the )?(?P<day>{_DAY}){_NTH}?{_TO}\b(?![:%])(?:,? (?P<year>{_YEAR})\b)?", _read_day),
    "my": _kind(rf"(?P<month>{_MONTH})\.?,?(?: of)? (?P<year>{_YEAR})\b", _read_month),
    "season_year": _kind(rf"(?P<season>{_SEASON})(?: of)?,? (?P<year>{_YEAR})\b", _read_season),
    "holiday": _kind(rf"(?:{_WHICH} )?(?P<holiday>{_HOLIDAY})\b(?:,? (?P<year>{_YEAR})\b)?", _read_holiday),
    "beyond": _kind(rf"the (?P<unit>weekend|week|month|year|{_WEEKDAY}) (?P<side>before last|after next)\b", _read_beyond),
    "near": _kind(
        rf"(?P<near>the day before yesterday|the day after tomorrow|yesterday{_PART}|tomorrow{_PART}|last night|tonight|today"
        r"|this (?:morning|afternoon|evening))\b",
        _read_near_day,
    ),
    "ago": _kind(rf"(?:(?P<vague>a few|few|several)|{_SOME}) (?P<unit>{_UNIT}) (?:ago|back(?! then\b)|earlier)\b", _read_ago),
    "ahead": _kind(rf"in {_SOME} (?P<unit>{_UNIT})\b(?P<time>['\u2019]?s?['\u2019]? time\b)?", _read_ahead),
    "from_now": _kind(rf"{_SOME} (?P<unit>{_UNIT}) (?P<time>from now)\b", _read_ahead),
    "season": _kind(rf"{_WHICH} (?P<season>{_SEASON})\b", _read_season),
    "weekday": _kind(
        rf"(?<!every\s)(?<!each\s)(?:{_WHICH} )?(?P<weekday>{_WEEKDAY})\b(?: (?P<week>last|this|next) week\b)?{_PART}\b", _read_weekday
    ),
    "month": _kind(rf"(?:{_IN_MONTH}(?:{_PART_OF})?|{_WHICH} )(?P<month>{_MONTH_NAME})\b(?!\.?,?(?: of)? {_YEAR})", _read_month),
    "unit": _kind(r"(?P<which>last|past|previous|this|next|coming) (?P<unit>weekend|week|month|year|decade)\b(?! of\b)", _read_unit),
    "decade": _kind(r"(?:the )?(?P<decade>(?:19|20)\d0)s\b", _read_decade),
    "nth": _kind(rf"on the (?P<day>{_DAY}){_NTH}\b(?! (?:of|floor|street|time|birthday|day)\b)", _read_nth),
    "year": _kind(
        rf"{_IN_YEAR}(?:{_PART_OF})?(?P<year>{_YEAR})\b(?![,.:-]\d|%)(?! (?:people|dollars|euros|miles|km|words|steps|pages|times)\b)", _read_year
    ),
}
_ANY = re.compile("|".join(rf"(?P<{name}>\b{_UNNAMED.sub('(?:', kind.pattern.pattern)})" for name, kind in _KINDS.items()), re.I)
