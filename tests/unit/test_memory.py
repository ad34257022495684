"""Memory through its public face: what is written is there, at once, for good, and only for whom it is meant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from hippo_agent import Config, Cue, Event, GateConfig, HashingEmbedder, Memory, Slots
from hippo_agent.errors import (
    EmbedderMismatch,
    InvalidInput,
    InvalidVector,
    MemoryClosed,
    ModelUnavailable,
    ReadOnlyMemory,
    TooLarge,
    TraceNotFound,
)
from hippo_agent.types import Provenance

START = datetime(2024, 5, 3, 9, tzinfo=timezone.utc)


class Clock:
    """A clock that moves one second per reading."""

    def __init__(self) -> None:
        self._seconds = count()

    def __call__(self) -> datetime:
        return START + timedelta(seconds=next(self._seconds))


def open_memory(folder: Path, **options: object) -> Memory:
    ids = (f"t{n:04d}" for n in count())
    options.setdefault("new_id", lambda: next(ids))
    options.setdefault("embedder", HashingEmbedder(quiet=True))
    return Memory(folder, clock=Clock(), **options)  # type: ignore[arg-type]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with open_memory(tmp_path / "bank") as opened:
        yield opened


def test_a_written_trace_is_recalled_at_once(memory: Memory) -> None:
    receipt = memory.write("Ilvar keeps his bees behind the mill.", source="user", speaker="Ilvar")
    assert receipt.decision == "write"
    hits = memory.recall("where are the bees of Ilvar?").hits
    assert [hit.trace.id for hit in hits] == [receipt.id]
    assert hits[0].trace.text == "Ilvar keeps his bees behind the mill."


def test_a_reopened_folder_remembers(tmp_path: Path) -> None:
    with open_memory(tmp_path / "bank") as memory:
        memory.write("Ilvar keeps his bees behind the mill.", speaker="Ilvar")
    with open_memory(tmp_path / "bank") as memory:
        assert memory.recall("bees behind the mill").traces[0].speaker == "Ilvar"


def test_every_field_of_an_event_comes_back(memory: Memory) -> None:
    parent = memory.write("The mill burnt down.", source="web").id
    assert parent is not None
    receipt = memory.write(
        "So Ilvar moved the bees to Tarn.",
        source="operator",
        principal="ops",
        session="s1",
        parents=[parent],
        speaker="Ada",
        event_time=datetime(2023, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2))),
        kind="note",
        key="k1",
        pin=True,
        reward=-0.5,
        slots=Slots(where=("Tarn",)),
        meta={"a": [1, None, "x"]},
        namespace=("team", "ada@example.org"),
    )
    trace = memory.get(receipt.id or "")
    assert trace.event_time == datetime(2023, 1, 2, 1, 4, 5, 6, tzinfo=timezone.utc)
    assert trace.write_time >= START
    assert trace.provenance == Provenance(
        source="operator", principal="ops", session="s1", parents=(parent,), trust=0.2
    )
    assert (trace.speaker, trace.kind, trace.key, trace.pinned, trace.reward) == ("Ada", "note", "k1", True, -0.5)
    assert (trace.namespace, trace.meta) == (("team", "ada@example.org"), {"a": [1, None, "x"]})
    assert trace.slots.where == ("Tarn",)


def test_the_same_key_is_written_once_per_namespace(memory: Memory) -> None:
    first = memory.write("Ilvar keeps bees.", key="m1")
    again = memory.write("Something else entirely.", key="m1")
    elsewhere = memory.write("Something else entirely.", key="m1", namespace="other")
    assert (again.decision, again.id) == ("duplicate", first.id)
    assert elsewhere.decision == "write"
    assert memory.stats().traces == 2


def test_keys_repeated_in_one_batch_are_written_once(memory: Memory) -> None:
    receipts = memory.write_many([Event(text="Ilvar keeps bees.", key="m1"), Event(text="Other words.", key="m1")])
    assert [receipt.decision for receipt in receipts] == ["write", "duplicate"]
    assert receipts[0].id == receipts[1].id


def test_an_exact_repeat_is_not_stored_twice(memory: Memory) -> None:
    for _ in range(5):
        memory.write("Ilvar keeps seven hives behind the old mill.", speaker="Ilvar", session="s")
    assert memory.stats().traces == 1
    assert sum(memory.stats().decisions.values()) == 5


def test_one_other_number_is_another_event(memory: Memory) -> None:
    memory.write("Ilvar sold seven jars of honey at the market.", speaker="Ilvar", session="s")
    memory.write("Ilvar sold nine jars of honey at the market.", speaker="Ilvar", session="s")
    assert memory.stats().traces == 2


def test_a_namespace_sees_itself_and_what_is_below_it_only(memory: Memory) -> None:
    memory.write("The code word is osprey.", namespace="ada")
    memory.write("The code word is heron.", namespace=("ada", "work"))
    memory.write("The code word is bittern.", namespace="bo")
    memory.write("The code word is godwit.", namespace="adam")
    found = memory.recall("what is the code word?", namespace="ada").traces
    assert {trace.namespace for trace in found} == {("ada",), ("ada", "work")}


def test_a_handle_stays_in_its_namespace(tmp_path: Path) -> None:
    with open_memory(tmp_path / "bank", namespace="ada") as ada:
        ada.write("The code word is osprey.")
        ada.write_many(["Plain strings too.", Event(text="And events without one.")])
        assert {trace.namespace for trace in ada.recall("word strings events", k=9).traces} == {("ada",)}
    with open_memory(tmp_path / "bank", namespace="bo") as bo:
        assert bo.recall("what is the code word?").hits == ()
        assert bo.recall(Cue(text="what is the code word?")).hits == ()


def test_filters_hold_before_the_cut(memory: Memory) -> None:
    for day in range(1, 29):
        memory.write(
            f"Tide table number {day}: high water in Tarn.",
            source="user" if day % 2 else "web",
            event_time=datetime(2024, 2, day, tzinfo=timezone.utc),
            kind="table" if day > 20 else "note",
            session=f"s{day // 10}",
        )
    cue = "tide table high water"
    since, until = datetime(2024, 2, 5, tzinfo=timezone.utc), datetime(2024, 2, 7, tzinfo=timezone.utc)
    days = [trace.event_time.day for trace in memory.recall(cue, since=since, until=until, k=3).traces]
    assert sorted(days) == [5, 6]
    assert {t.provenance.source for t in memory.recall(cue, sources=["web"], k=30).traces} == {"web"}
    assert {t.kind for t in memory.recall(cue, kinds=["table"], k=30).traces} == {"table"}
    assert {t.provenance.session for t in memory.recall(cue, session="s1", k=30).traces} == {"s1"}
    assert {t.provenance.source for t in memory.recall(cue, min_trust=0.5, k=30).traces} == {"user"}


def test_an_event_brings_its_provenance_checked_and_never_more_trust_than_its_parents(memory: Memory) -> None:
    assert Provenance(source="tool").trust == 0.5
    low = memory.write("The mill burnt down.", source="web").id or ""
    made = Event(text="Somebody lost a mill.", provenance=Provenance(source="operator", session=" s ", parents=(low,)))
    trace = memory.get(memory.write(made).id or "")
    assert (trace.provenance.trust, trace.provenance.session) == (0.2, "s")
    for bad in (Provenance(source="boss"), Provenance(trust=2.0), Provenance(session="")):  # type: ignore[arg-type]
        with pytest.raises(InvalidInput):
            memory.write(Event(text="x", provenance=bad))


def test_forgetting_is_for_good(tmp_path: Path) -> None:
    with open_memory(tmp_path / "bank") as memory:
        secret = memory.write("The vault opens with zanzibarine-7741.").id or ""
        other = memory.write("The vault is in the cellar.").id
        assert memory.forget(trace_id=secret).traces == (secret,)
        assert [trace.id for trace in memory.recall("what opens the vault?").traces] == [other]
        with pytest.raises(TraceNotFound):
            memory.get(secret)
    with open_memory(tmp_path / "bank") as memory:
        assert "zanzibarine" not in memory.recall("zanzibarine 7741 vault").render()
        assert memory.stats().forgotten == 1


def test_forgetting_one_unknown_id_forgets_nothing(memory: Memory) -> None:
    known = memory.write("The vault is in the cellar.").id or ""
    with pytest.raises(TraceNotFound, match="'nobody'"):
        memory.forget(trace_id=[known, "nobody"])
    assert memory.get(known).text == "The vault is in the cellar."


def test_export_and_import_round_trip_exactly(tmp_path: Path) -> None:
    with open_memory(tmp_path / "a") as first:
        for n in range(5):
            first.write(f"Hive number {n} has {n * 7} frames.", source="user", meta={"n": n}, key=f"k{n}", session="s")
        first.write("Hive number 4 has 28 frames!", source="user", session="s")
        assert first.export_jsonl(tmp_path / "out.jsonl") == first.stats().traces
        before = first.recall("hive frames", k=9)
    with open_memory(tmp_path / "b") as second:
        assert second.import_jsonl(tmp_path / "out.jsonl") == 5
        assert second.import_jsonl(tmp_path / "out.jsonl") == 0
        after = second.recall("hive frames", k=9)
        assert [hit.trace for hit in after.hits] == [hit.trace for hit in before.hits]
        assert [hit.score for hit in after.hits] == [hit.score for hit in before.hits]
        second.export_jsonl(tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()


def test_an_event_whose_write_failed_is_news_the_second_time(tmp_path: Path) -> None:
    ids = iter(["first", "first", "second"])
    with open_memory(tmp_path / "bank", new_id=lambda: next(ids)) as memory:
        memory.write("Ilvar keeps bees.")
        with pytest.raises(InvalidInput, match="ids are unique"):
            memory.write("Ocarine mends clocks in Tarn.")
        assert memory.write("Ocarine mends clocks in Tarn.").decision == "write"
        assert memory.stats().traces == 2


@pytest.mark.parametrize("text", ["", "  \x00 "])
def test_an_empty_text_changes_nothing(memory: Memory, text: str) -> None:
    with pytest.raises(InvalidInput):
        memory.write(text)
    assert memory.stats().traces == 0


def test_one_bad_event_keeps_the_whole_batch_out(memory: Memory) -> None:
    with pytest.raises(InvalidInput):
        memory.write_many(["A good one.", "", "Another good one."])
    assert memory.stats().traces == 0


def test_a_megabyte_of_text_is_refused_with_the_remedy(memory: Memory) -> None:
    with pytest.raises(TooLarge, match="segment"):
        memory.write("x " * 500_000)


def test_an_unknown_parent_is_refused(memory: Memory) -> None:
    with pytest.raises(TraceNotFound):
        memory.write("derived", parents=["nobody"])


def test_a_closed_memory_says_so(tmp_path: Path) -> None:
    memory = open_memory(tmp_path / "bank")
    memory.close()
    memory.close()
    with pytest.raises(MemoryClosed):
        memory.write("x")
    with pytest.raises(MemoryClosed):
        memory.recall("x")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_a_vector_that_cannot_be_compared_is_refused(tmp_path: Path, bad: float) -> None:
    class Broken(HashingEmbedder):
        def embed(self, texts):  # type: ignore[no-untyped-def]
            return np.full((len(texts), self.dim), bad, dtype=np.float32)

    with open_memory(tmp_path / "bank", embedder=Broken(quiet=True)) as memory:
        with pytest.raises(InvalidVector):
            memory.write("x")
        assert memory.stats().traces == 0


def test_another_embedder_is_refused_until_the_bank_is_embedded_anew(tmp_path: Path) -> None:
    with open_memory(tmp_path / "bank") as memory:
        memory.write("Ilvar keeps bees.")
    with open_memory(tmp_path / "bank", embedder=HashingEmbedder(128, quiet=True)) as memory:
        with pytest.raises(EmbedderMismatch, match="reembed"):
            memory.write("x")
        with pytest.raises(EmbedderMismatch):
            memory.recall("bees")
        assert memory.reembed() == 1
        assert memory.recall("bees").traces[0].text == "Ilvar keeps bees."
        assert memory.stats().dimensions == 128


def test_without_a_model_texts_are_kept_and_found_by_their_words(tmp_path: Path) -> None:
    class Missing(HashingEmbedder):
        here = False

        def embed(self, texts):  # type: ignore[no-untyped-def]
            if not self.here:
                raise ModelUnavailable("no weights here")
            return super().embed(texts)

    embedder = Missing(quiet=True)
    with open_memory(tmp_path / "bank", embedder=embedder) as memory:
        receipt = memory.write("Ilvar keeps bees behind the mill.")
        assert any("no vector yet" in reason for reason in receipt.reasons)
        assert memory.recall("bees behind the mill").traces[0].id == receipt.id
        assert memory.stats().without_vector == 1
    embedder.here = True
    with open_memory(tmp_path / "bank", embedder=embedder) as memory:
        memory.recall("bees")
        assert memory.stats().without_vector == 0


def test_a_read_only_memory_recalls_and_refuses_to_write(tmp_path: Path) -> None:
    with open_memory(tmp_path / "bank") as memory:
        memory.write("Ilvar keeps bees.")
    with open_memory(tmp_path / "bank", read_only=True) as memory:
        assert memory.recall("bees").traces[0].text == "Ilvar keeps bees."
        with pytest.raises(ReadOnlyMemory):
            memory.write("x")


def test_a_budget_defers_and_the_end_of_the_session_settles(tmp_path: Path) -> None:
    config = Config(gate=GateConfig(budget=0.5, urgent=0.0))
    with open_memory(tmp_path / "bank", config=config) as memory:
        receipts = memory.write_many(
            [
                Event(
                    text=f"On day {n} Ilvar walked {n * 3} miles from Tarn to Oskeld with {n} jars.",
                    provenance=Provenance(session="s"),
                    speaker="Ilvar",
                )
                for n in range(10, 20)
            ]
        )
        assert {receipt.decision for receipt in receipts} == {"defer"}
        assert len(memory.recall("miles from Tarn", k=20).hits) == 10
        settled = memory.end_session("s")
        assert sum(receipt.decision == "write" for receipt in settled) == 5
        assert memory.stats().traces == memory.stats().active == 5


def test_deferred_traces_survive_a_restart_and_are_settled_then(tmp_path: Path) -> None:
    config = Config(gate=GateConfig(budget=0.5, urgent=0.0))
    with open_memory(tmp_path / "bank", config=config) as memory:
        for n in range(10, 20):
            memory.write(f"On day {n} Ilvar walked {n * 3} miles to Oskeld.", session="s", speaker="Ilvar")
    with open_memory(tmp_path / "bank", config=config) as memory:
        assert memory.stats().deferred == 10
        memory.end_session("s")
        assert (memory.stats().deferred, memory.stats().active) == (0, 5)


def test_capacity_evicts_but_never_what_is_pinned(tmp_path: Path) -> None:
    with open_memory(tmp_path / "bank", config=Config(capacity=20)) as memory:
        pinned = [memory.write(f"Pinned fact {n} about Tarn.", pin=True).id for n in range(5)]
        for n in range(60):
            memory.write(f"Passing remark {n} about the weather over Oskeld and {n * 13} gulls.")
        assert memory.stats().traces <= 20
        assert all(memory.get(one or "").pinned for one in pinned)


def test_a_useful_recall_makes_a_trace_stronger(memory: Memory) -> None:
    receipt = memory.write("Ilvar keeps bees.")
    before = memory.get(receipt.id or "").strength
    memory.recall("bees")
    assert memory.get(receipt.id or "").strength == before
    assert memory.reinforce([receipt.id or ""]) == 1
    assert memory.get(receipt.id or "").strength > before


def test_verify_is_clean_after_all_kinds_of_writes(memory: Memory) -> None:
    ids = [memory.write(f"Hive {n} stands near the old oak {n}.").id or "" for n in range(20)]
    memory.forget(trace_id=ids[:3])
    assert memory.verify().clean
