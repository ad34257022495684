"""Steps and ways as items: which of them may be taught, and what makes a lesson about one fall."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from hippo_agent import HashingEmbedder, Memory
from hippo_agent.consolidation.config import ConsolidationConfig, SelectionConfig
from hippo_agent.consolidation.items import Item
from hippo_agent.consolidation.ledger import Ledger, Taught
from hippo_agent.consolidation.phrases import phrases
from hippo_agent.consolidation.routes import select_routes
from hippo_agent.consolidation.selection import Selection, trusted
from hippo_agent.errors import ConfigError

START = datetime(2026, 3, 1, tzinfo=timezone.utc)
WALK = (("Hall\nA long hall.", None), ("Library\nDusty shelves.", "north"), ("Attic\nOld boxes.", "up"))
NORTH, UP = ("Hall", "north", "Library"), ("Library", "up", "Attic")


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(tmp_path: Path, clock: Clock) -> Iterator[Memory]:
    with Memory(tmp_path / "bank", embedder=HashingEmbedder(quiet=True), clock=clock) as opened:
        yield opened


def walk(memory: Memory, times: int = 2, steps: tuple[tuple[str, str | None], ...] = WALK, **more: Any) -> None:
    for _ in range(times):
        for text, action in steps:
            memory.places.observe(text, action=action, **more)
        memory.places.finish(success=True)


def chosen(memory: Memory, *, days: float = 2, **settings: Any) -> Selection:
    now = memory._clock() + timedelta(days=days)
    return select_routes(memory.places, memory._record, now=now, config=SelectionConfig(**settings))


def said(selection: Selection) -> set[tuple[str, str, str]]:
    return {(item.subject, item.detail, item.value) for item in selection.items}


def reasons(selection: Selection) -> dict[tuple[str, str], str]:
    return {(one.item.subject, one.item.detail): one.why for one in selection.refused}


def teach(memory: Memory, items: tuple[Item, ...]) -> Ledger:
    ledger = Ledger(memory._record.database, ())
    ledger.save([Taught(item=item, card="{}", night=1, dose=1.0) for item in items])
    return ledger


def test_steps_that_were_walked_twice_are_items_in_the_words_of_the_phrase_book(memory: Memory) -> None:
    walk(memory)
    found = chosen(memory)
    assert said(found) == {NORTH, UP}
    assert found.refused == ()
    north = next(item for item in found.items if item.detail == "north")
    assert (north.relation, north.text) == ("exit", "From Hall, north leads to Library.")
    assert phrases(north).questions[0] == "Where does going north from Hall lead?"
    assert (north.trust, north.said_at, north.strength, north.fit) == (0.5, START, 2.0, 0.0)


def test_a_step_that_the_way_back_foretells_fits(memory: Memory) -> None:
    there_and_back = (*WALK[:2], ("Hall\nA long hall.", "south"))
    walk(memory, steps=there_and_back)
    assert {item.detail: item.fit for item in chosen(memory).items} == {"north": 1.0, "south": 1.0}


def test_the_way_of_a_macro_is_an_item_that_rests_on_its_steps(memory: Memory) -> None:
    walk(memory, 4)
    macro = _macro(memory)
    found = chosen(memory)
    way = next(item for item in found.items if item.relation == "way")
    assert (way.subject, way.detail, way.value) == ("Hall", "Attic", "north, up")
    assert way.text == "The way from Hall to Attic is: north, up."
    assert set(way.traces) == {one for item in found.items if item.relation == "exit" for one in item.traces}
    memory.places._world.macros = {macro.id: replace(macro, status="quarantined")}
    assert {item.relation for item in chosen(memory).items} == {"exit"}


def _macro(memory: Memory) -> Any:
    from hippo_agent.spatial.macros import Macro

    hall = memory.places.named("Hall")[0].id
    made = Macro(id="m1", name="north > up", steps=("north", "up"), starts=frozenset({hall}), support=4)
    memory.places._world.macros = {made.id: made}
    return made


BARS: dict[str, tuple[Callable[[Memory], Any], str]] = {
    "walked once": (lambda memory: walk(memory, 1), "walked less than 2 times"),
    "blocked": (
        lambda memory: (walk(memory), memory.places.block(_hall(memory), "north", seconds=1e6)),
        "the step is blocked",
    ),
    "contradicted": (
        lambda memory: (walk(memory, 3), walk(memory, 1, (WALK[0], ("Cellar\nIt is damp.", "north")))),
        "the step was told, has a condition, or does not lead there reliably",
    ),
    "failed last time": (
        lambda memory: (walk(memory, 3), walk(memory, 1, (WALK[0], ("Hall\nA long hall.", "north")))),
        "the step was told, has a condition, or does not lead there reliably",
    ),
    "conditional": (
        lambda memory: (walk(memory), memory.places.require(_hall(memory), "north", {"has": "key"})),
        "the step was told, has a condition, or does not lead there reliably",
    ),
}


def _hall(memory: Memory) -> str:
    return memory.places.named("Hall")[0].id


@pytest.mark.parametrize("bar", BARS)
def test_a_step_that_is_not_sure_is_not_taught(memory: Memory, bar: str) -> None:
    happens, why = BARS[bar]
    happens(memory)
    found = chosen(memory)
    assert NORTH not in said(found)
    assert reasons(found)["Hall", "north"] == why


def test_of_very_many_steps_those_walked_most_are_taught(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    walk(memory)
    walk(memory, 1, WALK[:2])
    monkeypatch.setattr("hippo_agent.consolidation.routes._MOST", 1)
    found = chosen(memory)
    assert said(found) == {NORTH}
    assert reasons(found) == {("Library", "up"): "beyond the 1 steps walked most"}


def test_a_passage_that_was_told_is_not_taught(memory: Memory) -> None:
    memory.places.tell("Hall", "north", "Library")
    assert said(chosen(memory)) == set()


def test_a_young_step_waits_and_a_stale_one_is_let_go(memory: Memory) -> None:
    walk(memory)
    assert reasons(chosen(memory, days=0.5))["Hall", "north"] == "younger than 24 hours"
    assert reasons(chosen(memory, days=181))["Hall", "north"] == "not walked for 180 days"
    assert NORTH in said(chosen(memory, days=181, stale_days=200.0))


def test_places_that_share_a_name_are_not_spoken_of(memory: Memory) -> None:
    walk(memory)
    memory.places.name_place(memory.places.named("Attic")[0].id, "library")
    assert said(chosen(memory)) == set()


def test_steps_below_the_wanted_trust_are_not_taught(memory: Memory) -> None:
    walk(memory)
    assert set(reasons(chosen(memory, min_trust=0.6)).values()) == {"untrusted: 0.50 is below 0.60"}


@pytest.mark.parametrize(
    ("source", "meta", "why"),
    [
        ("web", {}, "untrusted: 0.20 is below 0.50"),
        ("user", {"consolidate": False}, "private: meta says consolidate=False"),
    ],
)
def test_a_step_that_such_a_trace_shows_is_not_taught(
    memory: Memory, source: str, meta: dict[str, Any], why: str
) -> None:
    held = memory.write("Library\nDusty shelves.", source=source, meta=meta).id or ""
    walk(memory, 1)
    memory.places.observe(WALK[0][0])
    memory.places.observe(WALK[1][0], action="north", traces=[held])
    memory.places.finish(success=True)
    found = chosen(memory)
    assert NORTH not in said(found)
    assert reasons(found)["Hall", "north"] == why
    if source == "web":  # another walk, which nobody doubts, is enough
        walk(memory, 1)
        assert NORTH in said(chosen(memory))


def test_a_trace_that_shows_a_step_is_what_its_lesson_rests_on(memory: Memory) -> None:
    held = memory.write("Library\nDusty shelves.", source="user").id or ""
    walk(memory, 1)
    memory.places.observe(WALK[0][0])
    memory.places.observe(WALK[1][0], action="north", traces=[held])
    memory.places.finish(success=True)
    north = next(item for item in chosen(memory).items if item.detail == "north")
    assert north.traces[1:] == (held,)
    ledger = teach(memory, (north,))
    assert list(ledger.lessons()) == [north.key]
    memory.forget(trace_id=held, purge=False)
    assert ledger.lessons() == {}


def test_a_forgotten_place_takes_its_lessons_along_in_the_same_transaction(memory: Memory) -> None:
    walk(memory)
    items = chosen(memory).items
    ledger = teach(memory, items)
    assert len(ledger.lessons()) == 2
    rests_on = [one for item in items for one in item.traces]
    assert ledger.missing(rests_on) == frozenset()
    memory.places.forget_place(memory.places.named("Attic")[0].id)
    assert {taught.item.detail for taught in ledger.lessons().values()} == {"north"}
    assert ledger.missing(rests_on) == {one for item in items if item.detail == "up" for one in item.traces}


def test_a_place_with_another_name_makes_its_lessons_fall_and_a_night_on_the_map_does_not(memory: Memory) -> None:
    walk(memory)
    items = chosen(memory).items
    ledger = teach(memory, items)
    memory.places.consolidate()
    assert len(ledger.lessons()) == 2
    assert ledger.missing(one for item in items for one in item.traces) == frozenset()
    memory.places.name_place(memory.places.named("Attic")[0].id, "Loft")
    assert {taught.item.detail for taught in ledger.lessons().values()} == {"north"}


@pytest.mark.parametrize("what", ["another way", "blocked for good", "failed"])
def test_a_step_that_holds_no_more_is_missing(memory: Memory, what: str) -> None:
    walk(memory)
    items = [item for item in chosen(memory).items if item.detail == "north"]
    ledger, name = teach(memory, tuple(items)), items[0].traces[0]
    memory.places.block(_hall(memory), "north", seconds=60)
    assert ledger.missing([name]) == frozenset()  # it will be open again
    memory.places.unblock(_hall(memory), "north")
    if what == "another way":
        walk(memory, 1, (WALK[0], ("Cellar\nIt is damp.", "north")))
    elif what == "failed":
        walk(memory, 1, (WALK[0], ("Hall\nA long hall.", "north")))
    else:
        memory.places.block(_hall(memory), "north")
    assert ledger.missing([name]) == {name}
    ledger.save([Taught(item=items[0], card="new", night=2, dose=1.0)])
    assert ledger.lessons()[items[0].key].card == "{}"  # it is not taken in again


def test_a_name_that_is_none_is_missing(memory: Memory) -> None:
    ledger = Ledger(memory._record.database, ())
    names = ["step:", "step:1:x:[]", "step:x:y:z", 'step:9:x:["a", "b"]']
    assert ledger.missing(names) == set(names)


def test_the_trainer_is_told_whether_a_step_still_holds(memory: Memory) -> None:
    walk(memory)
    north = next(item for item in chosen(memory).items if item.detail == "north")
    config, later = SelectionConfig(), START + timedelta(days=2)
    assert trusted(north, {}, now=later, config=config, steps=set(north.traces))
    assert not trusted(north, {}, now=later, config=config)
    assert not trusted(north, {}, now=START, config=config, steps=set(north.traces))
    assert not trusted(replace(north, trust=0.2), {}, now=later, config=config, steps=set(north.traces))


def test_routes_can_be_switched_off_and_belong_to_the_namespace_of_the_night(memory: Memory, clock: Clock) -> None:
    walk(memory)
    clock.now = START + timedelta(days=2)
    assert said(memory.nights._select(SelectionConfig())) == {NORTH, UP}
    assert memory.nights._select(SelectionConfig(routes=False)).items == ()
    with Memory(memory.folder, namespace="other", embedder=HashingEmbedder(quiet=True), clock=clock) as other:
        assert other.nights._select(SelectionConfig()).items == ()


def test_a_step_has_to_be_walked_at_least_once() -> None:
    with pytest.raises(ConfigError, match="walked"):
        ConsolidationConfig(selection=SelectionConfig(walked=0))
