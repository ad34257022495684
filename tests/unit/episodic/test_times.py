"""Time expressions are found, resolved against the reference, and kept at the precision that was said."""

from __future__ import annotations

from datetime import date, datetime, timezone

import pytest

from hippo_agent.episodic import times

WEDNESDAY = datetime(2023, 5, 10, 13, 30, tzinfo=timezone.utc)


def isos(text: str, reference: datetime | None = WEDNESDAY) -> list[str]:
    return [span.iso for span in times.resolve(text, reference)]


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("I saw her yesterday.", "2023-05-09"),
        ("The day before yesterday it rained", "2023-05-08"),
        ("We ate out last night", "2023-05-09"),
        ("I feel good today", "2023-05-10"),
        ("tomorrow's meeting", "2023-05-11"),
        ("last Friday was fun", "2023-05-05"),
        ("last Wednesday was fun", "2023-05-03"),
        ("next Tuesday I leave", "2023-05-16"),
        ("We met on Friday", "2023-05-05"),
        ("I will see him on Friday", "2023-05-12"),
        ("Friday last week", "2023-05-05"),
        ("the Friday before last", "2023-04-28"),
        ("10 days ago", "2023-04-30"),
        ("two weeks ago", "2023-W17"),
        ("a couple of weeks ago", "2023-W17"),
        ("a few weeks ago", "2023-04-05/2023-04-26"),
        ("five months ago", "2022-12"),
        ("three years ago", "2020"),
        ("last week", "2023-W18"),
        ("next month", "2023-06"),
        ("this year", "2023"),
        ("last weekend", "2023-05-06/2023-05-07"),
        ("the weekend before last", "2023-04-29/2023-04-30"),
        ("last summer", "2022-06/2022-08"),
        ("this summer", "2023-06/2023-08"),
        ("last winter", "2022-12/2023-02"),
        ("last Christmas", "2022-12-25"),
        ("on 3 May", "2023-05-03"),
        ("on the 3rd of May", "2023-05-03"),
        ("May 3rd", "2023-05-03"),
        ("on 20 December we met", "2022-12-20"),
        ("I'm going to fly on 20 December", "2023-12-20"),
        ("Saturday, 6 May", "2023-05-06"),
        ("in August", "2022-08"),
        ("see you in August", "2023-08"),
        ("since March", "2023-03"),
        ("on the 12th", "2023-04-12"),
        ("I'll be back in two weeks", "2023-W21"),
        ("three days from now", "2023-05-13"),
    ],
)
def test_relative_expressions_resolve_against_the_reference(text: str, iso: str) -> None:
    assert isos(text) == [iso]


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("What happened in August 2023?", "2023-08"),
        ("in early May 2023", "2023-05"),
        ("back in 2019", "2019"),
        ("on 3 May 2021", "2021-05-03"),
        ("May 3, 2021", "2021-05-03"),
        ("Sept. 3, 2021", "2021-09-03"),
        ("May 3-5, 2023", "2023-05-03/2023-05-05"),
        ("2023-05-07", "2023-05-07"),
        ("log of 2023-05-07T10:15:00Z:", "2023-05-07"),
        ("5/7/2023", "2023-05-07"),
        ("25/12/2023", "2023-12-25"),
        ("the summer of 2022", "2022-06/2022-08"),
        ("Christmas 2022", "2022-12-25"),
        ("the 1990s", "1990/1999"),
    ],
)
def test_absolute_expressions_need_no_reference(text: str, iso: str) -> None:
    assert isos(text, None) == [iso]
    assert isos(text) == [iso]


@pytest.mark.parametrize(
    "text",
    [
        "You may be right.",
        "Fridays are fun, and every Friday too",
        "2000 people came, in 2000 steps",
        "I finished it in two weeks",
        "31 February 2023",
        "it took 3 days back then",
        "version 1.2.3 on port 8080",
        "a secondary monthly weekly thing",
        "",
    ],
)
def test_what_only_looks_like_a_time_is_left_alone(text: str) -> None:
    assert isos(text) == []


def test_without_a_reference_relative_expressions_are_left_out() -> None:
    assert isos("yesterday, last week and in May 2023", None) == ["2023-05"]


def test_spans_say_where_they_stand() -> None:
    text = "So last Friday we left, and in May 2022 too."
    spans = times.resolve(text, WEDNESDAY)
    assert [span.text for span in spans] == ["last Friday", "May 2022"]
    assert all(text[span.start : span.end] == span.text for span in spans)


def test_the_day_is_that_of_the_references_own_zone() -> None:
    assert isos("today", datetime.fromisoformat("2023-05-10T23:30:00-07:00")) == ["2023-05-10"]


def test_the_end_of_the_calendar_is_no_error() -> None:
    assert isos("yesterday, last week, ten years ago, last decade", datetime(1, 1, 1)) == []
    assert isos("tomorrow", datetime(9999, 12, 31)) == []


@pytest.mark.parametrize(
    "text", ["3 May", "May 3rd", "3 May 2021", "last Friday", "Friday", "next Tuesday", "yesterday"]
)
def test_days_agree_with_dateparser(text: str) -> None:
    import dateparser

    read = dateparser.parse(
        text, languages=["en"], settings={"RELATIVE_BASE": datetime(2023, 5, 10), "PREFER_DATES_FROM": "past"}
    )
    assert isos(text) == [read.date().isoformat()]


@pytest.mark.parametrize(
    ("iso", "first", "last"),
    [
        ("2023", date(2023, 1, 1), date(2023, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2023-12", date(2023, 12, 1), date(2023, 12, 31)),
        ("2023-05-07", date(2023, 5, 7), date(2023, 5, 7)),
        ("2023-W18", date(2023, 5, 1), date(2023, 5, 7)),
        ("2022-12/2023-02", date(2022, 12, 1), date(2023, 2, 28)),
        ("9999-12", date(9999, 12, 1), date(9999, 12, 31)),
    ],
)
def test_days_of_an_iso_value(iso: str, first: date, last: date) -> None:
    assert times.days(iso) == (first, last)


@pytest.mark.parametrize(
    "iso", ["", "May", "2023-13", "2023-02-30", "2023-W60", "2023-05/2023-04", "20230507", "2023-5"]
)
def test_what_is_no_iso_value_is_refused(iso: str) -> None:
    with pytest.raises(ValueError):
        times.days(iso)


def test_interval_counts_microseconds_and_excludes_its_end() -> None:
    assert times.interval("1970-01-02") == (86_400_000_000, 2 * 86_400_000_000)


def test_overlap_is_the_share_of_the_shorter() -> None:
    assert times.overlap("2023-08", "2023-08-14") == 1.0
    assert times.overlap("2023", "2023-08") == 1.0
    assert times.overlap("2023-08-14", "2023-08-15") == 0.0
    assert times.overlap("2023-05-06/2023-05-07", "2023-05-07/2023-05-08") == 0.5
    assert times.overlap("sometime", "2023") == 0.0
