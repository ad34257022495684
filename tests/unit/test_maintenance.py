"""Maintenance: what the night puts in order, one switch per step, and a second night that finds nothing left to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from hippo_agent import Config, Event, HashingEmbedder, Memory, Provenance
from hippo_agent.consolidation.config import MaintenanceConfig
from hippo_agent.episodic.gate import GateConfig
from hippo_agent.episodic.retention import RetentionConfig
from hippo_agent.errors import ConfigError, TraceNotFound

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
ADA = "Ada moved to Lisbon on 3 May 2024."
STEPS = tuple(entry.name for entry in fields(MaintenanceConfig))


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(tmp_path: Path, clock: Clock) -> Iterator[Memory]:
    with opened(tmp_path / "bank", clock) as made:
        yield made


def opened(folder: Path, clock: Clock, **settings: Any) -> Memory:
    return Memory(folder, embedder=HashingEmbedder(quiet=True), config=Config(**settings), clock=clock)


def only(*steps: str) -> MaintenanceConfig:
    return replace(MaintenanceConfig.off(), **dict.fromkeys(steps, True))


def night(memory: Memory, *steps: str) -> dict[str, int]:
    """The steps alone: teaching is tested elsewhere."""
    return memory._maintenance.run(only(*steps))


def event(text: str, **origin: Any) -> Event:
    more = {name: origin.pop(name) for name in ("key", "pin", "meta", "kind") if name in origin}
    return Event(text=text, provenance=Provenance(**{"source": "user", "principal": "mira", **origin}), **more)


def imported(memory: Memory, *events: Event, folder: Path, useful: bool = False) -> list[str]:
    """Traces that come past the gate: from a file that another memory wrote. Their ids."""
    with opened(folder, memory._clock, gate=GateConfig(enabled=False)) as other:  # type: ignore[arg-type]
        ids = [receipt.id or "" for receipt in other.write_many(events)]
        if useful:
            other.reinforce(ids)
        other.export_jsonl(folder / "traces.jsonl")
    assert memory.import_jsonl(folder / "traces.jsonl") == len(events)
    return ids


def texts(memory: Memory) -> list[str]:
    return [trace.text for batch in memory._record.scan() for trace, _ in batch]


def test_the_same_event_from_a_file_becomes_an_observation_of_the_older_trace(memory: Memory, tmp_path: Path) -> None:
    first = memory.write(event(ADA)).id or ""
    memory.write(event("Belo bought a boat in Porto."))
    memory.facts.catch_up()
    second, other = imported(
        memory,
        event(ADA, key="line 7"),
        event("Ada moved to Madrid on 3 May 2024."),
        folder=tmp_path / "o",
        useful=True,
    )
    assert night(memory, "duplicates") == {"duplicates merged": 1}
    assert texts(memory) == [ADA, "Belo bought a boat in Porto.", "Ada moved to Madrid on 3 May 2024."]
    held = memory.get(first)
    assert held.repeats == 1
    assert held.strength > 1.0
    assert [(one.event.text, one.event.key) for one in memory._record.observations(first)] == [(ADA, "line 7")]
    assert memory.write(event("Anything else.", key="line 7")).decision == "duplicate"
    assert memory.get(other).repeats == 0
    with pytest.raises(TraceNotFound):
        memory.get(second)
    assert all(second not in fact.traces for fact in memory.facts.said_in([held]))
    assert memory.verify().clean
    assert night(memory, "duplicates") == {"duplicates merged": 0}


def test_a_restatement_after_something_else_was_said_stays(memory: Memory, tmp_path: Path) -> None:
    """Lisbon, Porto, Lisbon: the third is news."""
    days = [START - timedelta(days=day) for day in (30, 20, 10)]
    cities = ("Lisbon", "Porto", "Lisbon")
    events = [replace(event(f"Ada lives in {city}."), event_time=day) for city, day in zip(cities, days, strict=True)]
    imported(memory, *events, folder=tmp_path / "other")
    memory.facts.catch_up()
    assert night(memory, "duplicates") == {"duplicates merged": 0}
    assert len(texts(memory)) == 3


@pytest.mark.parametrize(
    "other",
    [
        event(ADA, pin=True),
        event(ADA, principal="teo"),
        event(ADA, trust=0.3),
        event(ADA, meta={"consolidate": False}),
        event(ADA, kind="document"),
    ],
    ids=["pinned", "another principal", "another trust", "private", "another kind"],
)
def test_what_may_not_become_one_stays_two(memory: Memory, tmp_path: Path, other: Event) -> None:
    memory.write(event(ADA))
    imported(memory, other, folder=tmp_path / "other")
    assert night(memory, "duplicates") == {"duplicates merged": 0}
    assert texts(memory) == [ADA, ADA]


def test_a_trace_that_another_was_derived_from_stays(memory: Memory, tmp_path: Path) -> None:
    memory.write(event(ADA))
    (parent,) = imported(memory, event(ADA), folder=tmp_path / "other")
    memory.write("Ada has a new home.", source="model", parents=[parent])
    assert night(memory, "duplicates") == {"duplicates merged": 0}
    assert memory.get(parent).text == ADA


def test_only_this_namespace_is_put_in_order_and_namespaces_are_never_mixed(tmp_path: Path, clock: Clock) -> None:
    folder, spaces = tmp_path / "bank", [("a",), ("b",), ("b",)]
    with opened(folder, clock, gate=GateConfig(enabled=False)) as whole:
        whole.write_many([replace(event(ADA), namespace=space) for space in spaces])
        assert night(whole, "duplicates") == {}  # without the gate's rule nothing merges
    with Memory(folder, namespace="a", embedder=HashingEmbedder(quiet=True), clock=clock) as part:
        assert night(part, "duplicates") == {"duplicates merged": 0}
    with Memory(folder, namespace="b", embedder=HashingEmbedder(quiet=True), clock=clock) as part:
        assert night(part, "duplicates") == {"duplicates merged": 1}
        assert len(texts(part)) == 2


def test_texts_that_got_their_vector_later_are_compared_too(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "bank"
    with opened(folder, clock, gate=GateConfig(enabled=False)) as memory:
        memory.write_many([event(ADA), event(ADA)])
        memory._record.drop_vectors()
    with opened(folder, clock) as memory:
        assert night(memory, "duplicates") == {"duplicates merged": 0}
        memory.reembed(progress=False)
        assert night(memory, "duplicates") == {"duplicates merged": 1}


def test_a_merged_trace_leaves_its_places_to_the_older_one(memory: Memory, tmp_path: Path) -> None:
    first = memory.write(event("The lamp hums loudly."), place=None).id or ""
    (second,) = imported(memory, event("The lamp hums loudly."), folder=tmp_path / "other")
    memory.places.observe("Hall\nA long hall. The lamp hums loudly.", traces=[second])
    night(memory, "duplicates")
    assert [hit.trace.id for hit in memory.recall_here().hits] == [first]
    assert [step.text for step in memory.places.journal()] == ["Hall\nA long hall. The lamp hums loudly."]


def test_an_interrupted_merge_changes_nothing(memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.write(event(ADA))
    imported(memory, event(ADA), folder=tmp_path / "other")
    memory._episodes.save()
    whole, state = memory._record.merge, memory._episodes._gate.state()

    def fails(*_: Any, **__: Any) -> None:
        raise OSError("pulled out")

    monkeypatch.setattr(memory._record, "merge", fails)
    with pytest.raises(OSError, match="pulled out"):
        night(memory, "duplicates")
    assert texts(memory) == [ADA, ADA]
    assert memory._episodes._gate.state() == state
    monkeypatch.setattr(memory._record, "merge", whole)
    assert night(memory, "duplicates") == {"duplicates merged": 1}


FADING = RetentionConfig(enabled=True, tau_days=10.0, forget_below=0.1)


def test_what_has_faded_goes_and_what_is_pinned_or_useful_stays(tmp_path: Path, clock: Clock) -> None:
    with opened(tmp_path / "bank", clock, retention=FADING) as memory:
        memory.write(event("Ada lives in Lisbon."))
        memory.write(event("The door code is 4711.", pin=True))
        useful = memory.write(event("Belo works for Fennoric.")).id or ""
        memory.facts.catch_up()
        clock.now = START + timedelta(days=20)
        assert night(memory, "retention") == {"faded traces": 0}
        memory.reinforce([useful])
        memory.write(event("It rained in Porto."))
        clock.now = START + timedelta(days=30)
        assert night(memory, "retention") == {"faded traces": 1}
        assert texts(memory) == ["The door code is 4711.", "Belo works for Fennoric.", "It rained in Porto."]
        assert memory.facts.current("Ada", "lives in").values == ()
        assert night(memory, "retention") == {"faded traces": 0}
        assert memory.verify().clean


def test_what_was_derived_from_a_faded_trace_stays_while_it_is_remembered(tmp_path: Path, clock: Clock) -> None:
    with opened(tmp_path / "bank", clock, retention=FADING) as memory:
        parent = memory.write(event(ADA)).id or ""
        clock.now = START + timedelta(days=30)
        memory.write("Ada has a new home.", source="model", parents=[parent])
        assert night(memory, "retention") == {"faded traces": 1}
        assert texts(memory) == ["Ada has a new home."]


def test_nothing_fades_without_a_floor(tmp_path: Path, clock: Clock) -> None:
    with opened(tmp_path / "bank", clock, retention=replace(FADING, forget_below=0.0)) as memory:
        memory.write(event(ADA))
        clock.now = START + timedelta(days=4000)
        assert night(memory, "retention") == {}
        assert texts(memory) == [ADA]


@pytest.mark.parametrize("floor", [-0.1, 1.0, float("nan")])
def test_a_floor_is_a_chance_of_recall(floor: float) -> None:
    with pytest.raises(ConfigError, match="forget_below"):
        RetentionConfig(enabled=True, forget_below=floor)


def test_a_floor_without_a_curve_is_refused() -> None:
    with pytest.raises(ConfigError, match="enabled=True"):
        RetentionConfig(forget_below=0.5)


def test_waiting_facts_are_tested_again(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory._maintenance._facts, "retest", lambda: 3)
    assert night(memory, "facts") == {"facts let in": 3}
    assert night(memory) == {}


def test_the_map_is_searched_for_macros_and_none_is_made_where_there_was_none(memory: Memory) -> None:
    assert night(memory, "maps") == {}
    assert memory._here.known is None
    for _ in range(4):
        for text, action in (("Hall\nA hall.", None), ("Stairs\nSteps.", "north"), ("Attic\nDust.", "up")):
            memory.places.observe(text, action=action)
        memory.places.finish(success=True)
    done = night(memory, "maps")
    assert done["places"] == 3
    assert night(memory, "maps") == done


def test_a_follower_in_another_process_is_right_after_the_outbox_was_trimmed(
    memory: Memory, tmp_path: Path, clock: Clock
) -> None:
    with opened(memory.folder, clock) as second:
        ids = [memory.write(event(f"Note {n} is about the {word}.")).id or "" for n, word in enumerate(("sea", "sky"))]
        assert {trace.text for trace in second.recall("about the sea and the sky").traces} == set(texts(memory))
        for _ in range(3):
            memory._record.set_status(ids, "deferred")
            memory._record.set_status(ids, "active")
        memory.forget(trace_id=ids[0], purge=False)
        trimmed = night(memory, "compact")["superseded changes"]
        assert trimmed == 13
        assert [trace.id for trace in second.recall("about the sea and the sky").traces] == [ids[1]]
        assert memory.facts.catch_up() >= 0
        assert memory.verify().clean
        assert night(second, "compact") == {"superseded changes": 0}


@pytest.mark.parametrize("step", STEPS)
def test_every_step_has_its_switch(tmp_path: Path, clock: Clock, step: str) -> None:
    with opened(tmp_path / "bank", clock, retention=FADING) as memory:
        memory.places.observe("Hall\nA hall.")
        everything = memory._maintenance.run(MaintenanceConfig())
        without = memory._maintenance.run(replace(MaintenanceConfig(), **{step: False}))
        assert set(without) < set(everything)
