"""English time expressions: the patterns that find them and the rules that read them.

Phrases of a fixed meaning ("yesterday", "two weeks ago", "last summer") are read here, at their own precision. Which
day an open one means ("on Friday", "3 May" without a year) is left to `dateparser`, imported when the first of them
occurs: in the past, unless the sentence speaks of the future. "Last Friday" is the most recent one. Numeric dates are
month/day/year unless that cannot be. Not read: clock times, durations, "N days before X".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from string import ascii_uppercase

from hippo_agent.episodic.iso_dates import month_of, week_of
from hippo_agent.episodic.words import NUMBERS

__all__ = ["ANY", "KINDS", "Kind", "Reference", "can_hold_time", "lowered", "speaks_of_future"]

Parts = Mapping[str, str]  # named parts of a phrase, lower-case, single spaces, "" when absent


@dataclass(frozen=True, slots=True)
class Reference:
    """The time that an expression is relative to, and which way an open one looks."""

    time: datetime | None  # naive
    future: bool

    @property
    def today(self) -> date:
        """The reference's day; ``ValueError`` without a reference."""
        if self.time is None:
            raise ValueError("a relative time needs a reference")
        return self.time.date()

    @property
    def month(self) -> int:
        """Months since the year 0."""
        return self.today.year * 12 + self.today.month - 1

    def day(self, words: str) -> date:
        """The day that dateparser reads in the words."""
        if self.time is None:
            raise ValueError("a relative time needs a reference")
        import dateparser  # 0.1 s

        prefer = "future" if self.future else "past"
        settings = {"RELATIVE_BASE": self.time, "PREFER_DATES_FROM": prefer}
        read = dateparser.parse(words, languages=["en"], settings=settings)
        if read is None:
            raise ValueError(f"{words!r} is no day")
        day: date = read.date()
        return day


@dataclass(frozen=True, slots=True)
class Kind:
    """A pattern and the rule that turns its parts into an ISO value or raises ``ValueError``."""

    pattern: re.Pattern[str]
    read: Callable[[Parts, Reference], str]


def can_hold_time(text: str) -> bool:
    """False when no expression can be in the text, which is in lower case; takes microseconds."""
    return not _HINTS.isdisjoint(_HINT.findall(text))


def lowered(text: str) -> str:
    """In lower case, place by place: patterns of one case are tried five times faster than those that ignore it."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def speaks_of_future(text: str, start: int, end: int) -> bool:
    """Whether the sentence around ``text[start:end]`` looks ahead."""
    left = max(0, start - 200)
    for stop in _SENTENCE_END.finditer(text, left, start):
        left = stop.end()
    right = _SENTENCE_END.search(text, end, end + 200)
    return _FUTURE.search(text, left, right.start() if right else end + 200) is not None


_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}  # first month, northern half
_COUNTS = {word: int(digits) for word, digits in NUMBERS.items() if int(digits) <= 12} | {
    "a": 1,
    "an": 1,
    "a couple": 2,
}
_HOLIDAYS = {"christmas eve": (12, 24), "christmas": (12, 25), "new year's eve": (12, 31), "new year's": (1, 1)}
_HOLIDAYS |= {"halloween": (10, 31), "valentine's": (2, 14)}
_NEAR = {"the day before yesterday": -2, "yesterday": -1, "last night": -1, "tomorrow": 1, "the day after tomorrow": 2}
_STEPS = {"last": -1, "past": -1, "previous": -1, "this": 0, "next": 1, "coming": 1}
_UNIT_DAYS = {"day": 1, "night": 1, "week": 7, "weekend": 7, "fortnight": 14, "month": 30, "year": 365, "decade": 3650}

#: Every expression holds one of these words or a digit.
_LOWER = {ord(upper): upper.lower() for upper in ascii_uppercase}
_HINT = re.compile(r"[a-z]+|\d")
_HINTS = {*"0123456789", *_MONTHS, *(month[:3] for month in _MONTHS), "sept", *_WEEKDAYS, *_SEASONS}
_HINTS |= {unit + s for unit in _UNIT_DAYS for s in ("", "s")} | {"yesterday", "today", "tonight", "tomorrow"}
_HINTS |= {"morning", "afternoon", "evening", "christmas", "halloween", "valentine"}

_FUTURE = re.compile(
    r"['\u2019]ll\b|\b(?:will|going\s+to|gonna|plan(?:s|ning)?|upcoming|coming|tomorrow|next|soon|looking\s+forward"
    r"|can['\u2019]t\s+wait|see\s+you|let['\u2019]s|scheduled|due|until)\b",
    re.I,
)
_SENTENCE_END = re.compile(r"[.!?\n]\s")


def _iso(parts: Parts, ref: Reference) -> str:
    return parts["iso"]


def _numeric(parts: Parts, ref: Reference) -> str:
    a, b, year = int(parts["first"]), int(parts["second"]), int(parts["year"])
    month, day = (b, a) if a > 12 else (a, b)
    return date(year + 2000 if year < 100 else year, month, day).isoformat()


def _day(parts: Parts, ref: Reference) -> str:
    month = _month_number(parts["month"])
    if parts["year"]:
        day = date(int(parts["year"]), month, int(parts["day"]))
    else:
        day = ref.day(f"{parts['day']} {_MONTHS[month - 1]}")
    if not parts["last"]:
        return day.isoformat()
    return f"{day.isoformat()}/{day.replace(day=int(parts['last'])).isoformat()}"


def _month_and_year(parts: Parts, ref: Reference) -> str:
    return f"{parts['year']}-{_month_number(parts['month']):02d}"


def _month(parts: Parts, ref: Reference) -> str:
    ahead = (_month_number(parts["month"]) - 1 - ref.month) % 12  # months until the next one; 0: we are in it
    if _STEPS.get(parts["which"]) == -1:
        return month_of(ref.month + ahead - 12)
    if parts["which"] == "next":
        return month_of(ref.month + (ahead or 12))
    return month_of(ref.month + ahead - (0 if ref.future or not ahead else 12))


def _year(parts: Parts, ref: Reference) -> str:
    return parts["year"]


def _decade(parts: Parts, ref: Reference) -> str:
    return f"{parts['decade']}/{int(parts['decade']) + 9}"


def _season_and_year(parts: Parts, ref: Reference) -> str:
    return _quarter(int(parts["year"]) * 12 + _SEASONS[parts["season"]] - 1)


def _season(parts: Parts, ref: Reference) -> str:
    started = ref.month - (ref.month - (_SEASONS[parts["season"]] - 1)) % 12  # its last start, this month included
    running = ref.month <= started + 2
    step = _STEPS[parts["which"]]
    if step < 0:
        return _quarter(started - 12 if running else started)
    if step > 0:
        return _quarter(started + 12)
    said_of_this_year = started // 12 == ref.today.year and not ref.future
    return _quarter(started if running or said_of_this_year else started + 12)


def _near(parts: Parts, ref: Reference) -> str:
    shift = next((shift for phrase, shift in _NEAR.items() if parts["near"].startswith(phrase)), 0)
    return (ref.today + timedelta(days=shift)).isoformat()


def _ago(parts: Parts, ref: Reference) -> str:
    if parts["vague"]:  # "a few weeks ago": two to five of them
        return _vague(ref.today, parts["unit"].removesuffix("s"))
    return _shifted(ref, -_count(parts["count"]), parts["unit"])


def _ahead(parts: Parts, ref: Reference) -> str:
    if not (ref.future or parts["surely"]):
        raise ValueError("a duration: it was done in two weeks")
    return _shifted(ref, _count(parts["count"]), parts["unit"])


def _unit(parts: Parts, ref: Reference) -> str:
    return _shifted(ref, _STEPS[parts["which"]], parts["unit"])


def _beyond(parts: Parts, ref: Reference) -> str:
    steps = -2 if parts["side"] == "before last" else 2
    if parts["unit"] not in _WEEKDAYS:
        return _shifted(ref, steps, parts["unit"])
    nearest = _nearest(ref.today, parts["unit"], back=steps < 0)
    return (nearest + timedelta(days=-7 if steps < 0 else 7)).isoformat()


def _weekday(parts: Parts, ref: Reference) -> str:
    name, which = parts["weekday"], parts["which"]
    if parts["week"]:
        monday = ref.today - timedelta(days=ref.today.weekday())
        return (monday + timedelta(days=_WEEKDAYS.index(name), weeks=_STEPS[parts["week"]])).isoformat()
    if not which:
        return ref.day(name).isoformat()
    if which == "this":
        gone = _WEEKDAYS.index(name) <= ref.today.weekday() and not ref.future
        return _nearest(ref.today, name, back=gone, today=True).isoformat()
    return _nearest(ref.today, name, back=_STEPS[which] < 0).isoformat()


def _nth(parts: Parts, ref: Reference) -> str:
    day = int(parts["day"])
    shift = (day < ref.today.day) if ref.future else -(day > ref.today.day)
    return f"{month_of(ref.month + shift)}-{day:02d}"


def _holiday(parts: Parts, ref: Reference) -> str:
    month, day = _HOLIDAYS[parts["holiday"].replace("\u2019", "'")]
    if parts["year"]:
        return date(int(parts["year"]), month, day).isoformat()
    step, year = _STEPS[parts["which"]], ref.today.year
    this_year = date(year, month, day)
    if step < 0:
        year -= this_year >= ref.today
    elif step > 0:
        year += this_year <= ref.today
    return date(year, month, day).isoformat()


def _month_number(word: str) -> int:
    return next(i for i, name in enumerate(_MONTHS, 1) if name.startswith(word[:3]))


def _quarter(first_month: int) -> str:
    return f"{month_of(first_month)}/{month_of(first_month + 2)}"


def _count(words: str) -> int:
    return int(words) if words.isdecimal() else _COUNTS[words]


def _nearest(origin: date, name: str, *, back: bool, today: bool = False) -> date:
    """The nearest such weekday before or after a day; that day itself only with ``today``."""
    gap = (origin.weekday() - _WEEKDAYS.index(name)) * (1 if back else -1) % 7
    gap = gap if gap or today else 7
    return origin - timedelta(days=gap) if back else origin + timedelta(days=gap)


def _shifted(ref: Reference, steps: int, unit: str) -> str:
    """The unit that lies so many steps away, at the unit's own precision."""
    unit = unit.removesuffix("s")
    if unit in ("day", "night"):
        return (ref.today + timedelta(days=steps)).isoformat()
    if unit in ("week", "fortnight"):
        return week_of(ref.today + timedelta(days=steps * _UNIT_DAYS[unit]))
    if unit == "weekend":
        saturday = ref.today + timedelta(days=5 - ref.today.weekday(), weeks=steps)
        return f"{saturday.isoformat()}/{(saturday + timedelta(days=1)).isoformat()}"
    if unit == "month":
        return month_of(ref.month + steps)
    return f"{ref.today.year + steps * (10 if unit == 'decade' else 1):04d}"


def _vague(today: date, unit: str) -> str:
    """Two to five units back, as an interval."""
    size = _UNIT_DAYS[unit]
    precision = 10 if size < 30 else 7 if size < 365 else 4  # characters of the ISO date: day, month or year
    far, near = today - timedelta(days=5 * size), today - timedelta(days=2 * size)
    return f"{far.isoformat()[:precision]}/{near.isoformat()[:precision]}"


def _kind(pattern: str, read: Callable[[Parts, Reference], str]) -> Kind:
    """A space in the pattern stands for any white space; texts are in lower case."""
    return Kind(re.compile(r"\b" + pattern.replace(" ", r"\s+")), read)


def _any(words: Mapping[str, object] | tuple[str, ...] | list[str]) -> str:
    return rf"(?:{'|'.join(words)})".replace("'", "['\u2019]")


_MONTH = rf"(?:{'|'.join(f'{m[:3]}(?:{m[3:]})?' if len(m) > 3 else m for m in _MONTHS)}|sept)"
_YEAR = r"(?P<year>(?:19|20)\d\d)\b"
_D = r"(?:3[01]|[12]\d|0?[1-9])"
_TH = r"(?:st|nd|rd|th)"
_DAYS = rf"(?P<day>{_D}){_TH}?(?:(?: to |-|\u2013)(?P<last>{_D}){_TH}?)?"
_DATED = rf"(?:{_any(_WEEKDAYS)},? (?:the )?)?"  # "Saturday, 6 May"
_WHICH = r"(?P<which>last|past|previous|this|next|coming)"
_UNITS = rf"(?P<unit>(?:{'|'.join(_UNIT_DAYS)})s?)"
_COUNT = rf"(?P<count>\d{{1,3}}|{'|'.join(sorted(_COUNTS, key=len, reverse=True))})(?: of)?"
_PART = r"(?: (?:morning|afternoon|evening|night)\b)?"
_PART_OF = r"(?:(?:early|late|mid|the (?:start|beginning|middle|end) of)(?: |-))?"
_IN = r"(?:in|since|until|till|by|during|of|for|from|through|around|before|after|early|late|mid)(?: |-)"
_NO_YEAR = r"(?!\.?,?(?: of)? (?:19|20)\d\d\b)"
_NOT_AMOUNT = r"(?![,.:-]\d|%)(?! (?:people|dollars|euros|miles|km|words|steps|pages|times)\b)"
_NOT_A_VERB = r"(?! (?:be|have|not|also|or|want|need|come|take|go)\b)"  # "3 may be"

#: Tried in this order at each word of the text.
KINDS: Mapping[str, Kind] = {
    "iso": _kind(
        r"(?P<iso>\d{4}-\d\d(?:-\d\d)?)(?:[t\x20]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:z|[+-]\d\d:?\d\d)?)?(?![\d-])", _iso
    ),
    "numeric": _kind(r"(?P<first>\d{1,2})[/.](?P<second>\d{1,2})[/.](?P<year>\d{4}|\d\d)(?![/.]?\d)", _numeric),
    "day_month": _kind(rf"{_DATED}{_DAYS}(?: of)? (?P<month>{_MONTH})\b{_NOT_A_VERB}(?:\.?,? {_YEAR})?", _day),
    "month_day": _kind(rf"{_DATED}(?P<month>{_MONTH})\.? (?:the )?{_DAYS}\b(?![:%])(?:,? {_YEAR})?", _day),
    "month_year": _kind(rf"(?P<month>{_MONTH})\.?,?(?: of)? {_YEAR}", _month_and_year),
    "season_year": _kind(rf"(?P<season>{_any(_SEASONS)})(?: of)?,? {_YEAR}", _season_and_year),
    "holiday_year": _kind(rf"(?P<which>)(?P<holiday>{_any(_HOLIDAYS)})(?: day)?,? {_YEAR}", _holiday),
    "holiday": _kind(rf"{_WHICH} (?P<holiday>{_any(_HOLIDAYS)})\b(?: day\b)?(?P<year>)", _holiday),
    "beyond": _kind(
        rf"the (?P<unit>weekend|week|month|year|{_any(_WEEKDAYS)}) (?P<side>before last|after next)\b", _beyond
    ),
    "near": _kind(rf"(?P<near>{_any(_NEAR)}{_PART}|today|tonight|this (?:morning|afternoon|evening))\b", _near),
    "ago": _kind(rf"(?:(?P<vague>a few|few|several)|{_COUNT}) {_UNITS} (?:ago|back(?! then\b)|earlier)\b", _ago),
    "ahead": _kind(rf"in {_COUNT} {_UNITS}\b(?P<surely>['\u2019]? time\b)?", _ahead),
    "from_now": _kind(rf"{_COUNT} {_UNITS} (?P<surely>from now)\b", _ahead),
    "season": _kind(rf"{_WHICH} (?P<season>{_any(_SEASONS)})\b", _season),
    "weekday": _kind(
        rf"(?<!every\s)(?<!each\s)(?:{_WHICH} )?(?P<weekday>{_any(_WEEKDAYS)})\b"
        rf"(?: (?P<week>last|this|next) week\b)?{_PART}",
        _weekday,
    ),
    "month": _kind(rf"(?:{_IN}{_PART_OF}|{_WHICH} )(?P<month>{_any(_MONTHS)})\b{_NO_YEAR}", _month),
    "unit": _kind(rf"{_WHICH} (?P<unit>weekend|week|month|year|decade)\b(?! of\b)", _unit),
    "decade": _kind(r"(?:the )?(?P<decade>(?:19|20)\d0)s\b", _decade),
    "nth": _kind(rf"on the (?P<day>{_D}){_TH}\b(?! (?:of|floor|street|time|birthday|day)\b)", _nth),
    "year": _kind(rf"(?:{_IN}|(?:to|and|year) ){_PART_OF}{_YEAR}{_NOT_AMOUNT}", _year),
}
_UNNAMED = re.compile(r"\(\?P<\w+>")
_NAMED = "|".join(f"(?P<{name}>{_UNNAMED.sub('(?:', kind.pattern.pattern)})" for name, kind in KINDS.items())
#: How the first word of an expression begins: nothing else is tried, which is six times faster.
_FIRST = sorted(
    {*(month[:3] for month in _MONTHS), *_WEEKDAYS, *_SEASONS, *_STEPS, *_COUNTS}
    | {phrase.partition(" ")[0].partition("'")[0] for phrase in (*_HOLIDAYS, *_NEAR)}
    | {"the", "today", "tonight", "few", "several", "on", "to", "and", "year"}
    | set(re.findall(r"[a-z]+", _IN.replace("?:", "")))
)
#: All kinds in one pattern, tried where a word begins; ``match.lastgroup`` is the key in `KINDS`.
ANY = re.compile(rf"\b(?=\d|{'|'.join(_FIRST)})(?:{_NAMED})")
