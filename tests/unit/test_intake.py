"""Bad input gets a typed error at the door, good input a documented normal form."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippo_agent.errors import InvalidInput, TooLarge
from hippo_agent.intake import (
    clean_cue,
    clean_event,
    clean_label,
    clean_meta,
    clean_namespace,
    clean_text,
    provenance,
    unit_interval,
    utc,
)
from hippo_agent.types import Cue, Event, Slots

NOW = datetime(2024, 5, 3, 12, tzinfo=timezone.utc)


def trust_of(known: dict[str, float]):  # type: ignore[no-untyped-def]
    return lambda ids: [known[i] for i in ids]


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    assert clean_text("a\ud800b") == "a\ufffdb"


def test_a_surrogate_pair_is_one_character() -> None:
    assert clean_text("\ud83d\ude00") == "\U0001f600"


def test_nul_is_dropped_and_accents_are_composed() -> None:
    assert clean_text("a\x00b") == "ab"
    assert clean_text("e\u0301") == "\u00e9"


@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_encoded_afterwards_and_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean_text(text)
    once.encode("utf-8")
    assert clean_text(once) == once


@pytest.mark.parametrize("text", ["", "   ", "\x00", "\n\t"])
def test_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        clean_event(Event(text=text), now=NOW, max_chars=100)


def test_a_text_past_the_limit_is_refused_with_the_remedy() -> None:
    with pytest.raises(TooLarge, match=r"101 characters.*segment"):
        clean_event(Event(text="x" * 101), now=NOW, max_chars=100)


def test_bytes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="bytes"):
        clean_event(Event(text=b"x"), now=NOW, max_chars=100)  # type: ignore[arg-type]


def test_event_time_defaults_to_now_and_naive_means_utc() -> None:
    assert clean_event(Event(text="x"), now=NOW, max_chars=9).event_time == NOW
    assert utc(datetime(2024, 1, 1)) == datetime(2024, 1, 1, tzinfo=timezone.utc)
    offset = timezone(timedelta(hours=2))
    assert utc(datetime(2024, 1, 1, 1, tzinfo=offset)) == datetime(2023, 12, 31, 23, tzinfo=timezone.utc)


def test_a_moment_before_year_one_is_refused() -> None:
    with pytest.raises(InvalidInput, match="1 to 9999"):
        utc(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))))


@pytest.mark.parametrize("bad", [{"a": float("nan")}, {"a": float("inf")}, {"a": object()}, {1: {2}}])
def test_meta_that_is_not_json_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="JSON"):
        clean_meta(bad)


def test_meta_nested_too_deep_is_refused() -> None:
    nested: dict[str, object] = {}
    for _ in range(40):
        nested = {"a": nested}
    with pytest.raises(InvalidInput, match="deeper"):
        clean_meta(nested)


def test_meta_round_trips_as_plain_data() -> None:
    assert clean_meta({"lc": 1, "type": "constructor", "x": [1, "a\ud800"]}) == {
        "lc": 1,
        "type": "constructor",
        "x": [1, "a\ufffd"],
    }


def test_derived_trust_is_the_minimum_of_the_parents() -> None:
    found = provenance(
        source="operator",
        principal=None,
        session=None,
        parents=("p", "q"),
        trust=None,
        parent_trust=trust_of({"p": 0.8, "q": 0.2}),
    )
    assert found.trust == 0.2


def test_a_row_without_a_source_has_no_trust() -> None:
    found = provenance(
        source="unknown", principal=None, session=None, parents=(), trust=None, parent_trust=trust_of({})
    )
    assert found.trust == 0.0


def test_an_unknown_source_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"'admin' is not one of system, operator"):
        provenance(source="admin", principal=None, session=None, parents=(), trust=None, parent_trust=trust_of({}))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1.5, -0.1, "1", True, None])
def test_a_share_outside_zero_to_one_is_refused(bad: object) -> None:
    with pytest.raises(InvalidInput):
        unit_interval(bad, what="trust")  # type: ignore[arg-type]


def test_labels_are_stripped_bounded_and_never_empty() -> None:
    assert clean_label(" Ada ", what="speaker") == "Ada"
    with pytest.raises(InvalidInput, match="speaker is empty"):
        clean_label("  ", what="speaker")
    with pytest.raises(TooLarge):
        clean_label("x" * 513, what="speaker")


def test_a_string_is_a_namespace_of_one_part() -> None:
    assert clean_namespace("ada@example.org") == ("ada@example.org",)
    assert clean_namespace(("a", "../b")) == ("a", "../b")
    with pytest.raises(InvalidInput):
        clean_namespace(("a", ""))
    with pytest.raises(InvalidInput):
        clean_namespace((1,))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "cue",
    [
        Cue(),
        Cue(text=" "),
        Cue(text="x", k=0),
        Cue(text="x", k=True),
        Cue(text="x", budget_tokens=0),
        Cue(text="x", min_trust=2.0),
        Cue(text="x", sources=("nobody",)),  # type: ignore[arg-type]
        Cue(text="x", since=NOW, until=NOW),
        Cue(text="x" * 200),
    ],
)
def test_a_cue_that_cannot_be_searched_is_refused(cue: Cue) -> None:
    with pytest.raises(InvalidInput):
        clean_cue(cue, max_chars=100)


def test_a_cue_of_one_slot_is_enough() -> None:
    assert clean_cue(Cue(slots=Slots(who=("Ada ",))), max_chars=100).slots.who == ("Ada",)
