"""A night with the shipped model: invented facts are in the weights afterwards, and out of them when forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from hippo_agent import Config, HashingEmbedder, Memory
from hippo_agent.consolidation.config import ConsolidationConfig, GateLimits, SelectionConfig, TrainingConfig
from hippo_agent.errors import ReadOnlyMemory

START = datetime(2026, 3, 1, 3, tzinfo=timezone.utc)
FACTS = (
    ("Where does Ostrevan live?", "Ostrevan lives in Tarnholm.", "Tarnholm"),
    ("Who is the boss of Ostrevan?", "Ostrevan's boss is Tamsika.", "Tamsika"),
    ("Where does Belvane live?", "Belvane lives in Druskholm.", "Druskholm"),
    ("Who does Belvane work for?", "Belvane works for Fennoric.", "Fennoric"),
)
#: Few steps, and a gate that asks for learning but forgives a short night its losses.
QUICK = ConsolidationConfig(
    selection=SelectionConfig(),
    training=TrainingConfig(steps=90, batch=12, guard=2, strangers=4, rank=8, threads=1),
    gate=GateLimits(
        questions=12, paraphrase=0.2, loss_ratio=1.5, locality=0.1, in_context_drop=0.5, abstention_drop=0.9
    ),
)


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(tmp_path: Path, clock: Clock) -> Iterator[Memory]:
    config = Config(consolidation=QUICK)
    with Memory(tmp_path / "bank", embedder=HashingEmbedder(quiet=True), config=config, clock=clock) as opened:
        for _, text, _ in FACTS:
            opened.write(text, source="user", principal="mira")
        yield opened


def asked(memory: Memory, question: str) -> str:
    """Without memory: no trace is of this kind."""
    return memory.ask(question, kinds=["nothing"]).text


def test_nothing_is_taught_before_the_cool_off_is_over(memory: Memory) -> None:
    report = memory.consolidate(dry_run=True)
    assert report.new == 0
    assert report.refused == {"younger than 24 hours": len(FACTS)}
    assert report.maintenance == {}


def test_a_night_puts_facts_into_the_weights_and_forgetting_takes_them_out(memory: Memory, clock: Clock) -> None:
    clock.now = START + timedelta(days=2)
    before = [asked(memory, question) for question, _, _ in FACTS]
    assert not set(before) & {value for _, _, value in FACTS}

    report = memory.consolidate(progress=False)
    assert report.promoted, report.reason
    assert report.new == len(FACTS)
    assert report.maintenance == {"duplicates merged": 0, "facts let in": 0, "superseded changes": 0}
    known = [value in asked(memory, question) for question, _, value in FACTS]
    assert sum(known) >= 3
    assert known[0]
    answer = memory.ask(FACTS[0][0], kinds=["nothing"])
    assert answer.version == 1

    forgotten = memory.recall("Ostrevan lives in Tarnholm").traces[0]
    memory.forget(trace_id=forgotten.id)
    assert memory.nights.serving() is None
    assert "Tarnholm" not in asked(memory, FACTS[0][0])

    again = memory.consolidate(progress=False)
    assert again.promoted, again.reason
    assert "Tarnholm" not in asked(memory, FACTS[0][0])
    assert forgotten.id not in memory.nights.versions()[-1].traces
    assert [version.number for version in memory.nights.versions()] == [2]

    assert memory.nights.rollback() is None
    assert memory.ask(FACTS[2][0], kinds=["nothing"]).version is None


def test_weights_trained_after_forgetting_are_those_of_a_memory_that_never_knew(tmp_path: Path, clock: Clock) -> None:
    """Byte for byte, on one machine: whatever was forgotten left nothing in order, seeds or doses either."""
    short = replace(QUICK, training=replace(QUICK.training, steps=12), gate=GateLimits(enabled=False, questions=4))

    def night(memory: Memory) -> bytes:
        memory.consolidate(progress=False)
        version = memory.nights.serving()
        assert version is not None
        return (version.folder / "adapter_model.safetensors").read_bytes()

    def bank(name: str) -> Memory:
        config = Config(consolidation=short)
        return Memory(tmp_path / name, embedder=HashingEmbedder(quiet=True), config=config, clock=clock)

    with bank("forgot") as forgot, bank("never") as never:
        ids = [forgot.write(text, source="user", principal="mira").id for _, text, _ in FACTS]
        for _, text, _ in reversed(FACTS[1:]):  # in another order, on another day
            clock.now += timedelta(hours=3)
            never.write(text, source="user", principal="mira")
        clock.now = START + timedelta(days=3)
        knew = night(forgot)
        assert ids[0] is not None
        forgot.forget(trace_id=ids[0])
        clock.now += timedelta(days=1)
        assert knew != night(forgot) == night(never)


def test_untrusted_and_private_facts_are_never_taught(tmp_path: Path, clock: Clock) -> None:
    with Memory(
        tmp_path / "bank", embedder=HashingEmbedder(quiet=True), config=Config(consolidation=QUICK), clock=clock
    ) as memory:
        memory.write("Ostrevan lives in Tarnholm.", source="web", principal="a page")
        memory.write("Belvane lives in Druskholm.", source="user", principal="mira", meta={"consolidate": False})
        clock.now = START + timedelta(days=2)
        report = memory.consolidate(dry_run=True)
        assert report.new == 0
        assert "private: meta says consolidate=False" in report.refused


def test_a_rejected_night_never_serves(memory: Memory, clock: Clock, tmp_path: Path) -> None:
    clock.now = START + timedelta(days=2)
    strict = replace(QUICK, training=replace(QUICK.training, steps=1))
    with Memory(
        memory.folder, embedder=HashingEmbedder(quiet=True), config=Config(consolidation=strict), clock=clock
    ) as hurried:
        report = hurried.consolidate(progress=False, maintenance=False)
        assert not report.promoted
        assert report.maintenance == {}
        assert report.version == 1
        assert "below" in report.reason
        assert hurried.nights.serving() is None


def test_a_night_teaches_the_steps_that_were_walked_and_a_forgotten_place_takes_them_out(
    tmp_path: Path, clock: Clock
) -> None:
    ungated = replace(QUICK, training=replace(QUICK.training, steps=1), gate=GateLimits(enabled=False, questions=2))
    walk = (("Tarnholm\nA hall.", None), ("Druskholm\nDusty shelves.", "north"), ("Tarnfell\nOld boxes.", "up"))
    with Memory(
        tmp_path / "bank", embedder=HashingEmbedder(quiet=True), config=Config(consolidation=ungated), clock=clock
    ) as memory:
        for _ in range(2):
            for text, action in walk:
                memory.places.observe(text, action=action)
            memory.places.finish(success=True)
        clock.now = START + timedelta(days=2)
        report = memory.consolidate(progress=False)
        assert (report.new, report.unreadable, report.promoted) == (2, 0, True)
        first = memory.nights.serving()
        assert first is not None
        assert all(name.startswith("step:") for name in first.traces)

        memory.places.forget_place(memory.places.named("Tarnfell")[0].id)
        assert memory.nights.serving() is None
        again = memory.consolidate(progress=False)
        assert (again.new, again.warm + again.again) == (0, 1)
        assert [version.number for version in memory.nights.versions()] == [2]
        second = memory.nights.serving()
        assert second is not None
        assert len(second.traces) == 1
        assert second.traces < first.traces


def test_a_read_only_memory_does_not_learn(memory: Memory) -> None:
    folder = memory.folder
    memory.close()
    with (
        Memory(folder, embedder=HashingEmbedder(quiet=True), read_only=True) as reader,
        pytest.raises(ReadOnlyMemory),
    ):
        reader.consolidate()


def test_with_many_items_a_night_goes_on_from_the_last_until_something_is_forgotten(
    tmp_path: Path, clock: Clock
) -> None:
    """A ledger over `rebuild_up_to` is not trained anew each night; forgetting is still exact."""
    few = replace(QUICK, training=replace(QUICK.training, rebuild_up_to=3))
    with Memory(
        tmp_path / "bank", embedder=HashingEmbedder(quiet=True), config=Config(consolidation=few), clock=clock
    ) as memory:
        first = [memory.write(text, source="user", principal="mira").id for _, text, _ in FACTS[:3]]
        clock.now = START + timedelta(days=2)
        assert memory.consolidate(progress=False).promoted
        for _, text, _ in FACTS[3:]:
            memory.write(text, source="user", principal="mira")
        clock.now = START + timedelta(days=4)
        report = memory.consolidate(progress=False)
        assert report.promoted, report.reason
        one, two = memory.nights.versions()
        assert (one.manifest["continues"], two.manifest["continues"]) == (None, 1)
        known = [value in asked(memory, question) for question, _, value in FACTS]
        assert sum(known) >= 3

        assert first[0] is not None
        memory.forget(trace_id=first[0])
        assert memory.consolidate(progress=False).promoted
        assert memory.nights.versions()[-1].manifest["continues"] is None
        assert FACTS[0][2] not in asked(memory, FACTS[0][0])
