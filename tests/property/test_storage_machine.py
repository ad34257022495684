"""A bank under random use does what a dict does: write, merge, forget, reopen, a second writer, a damaged index."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hippo_agent.storage.base import NewTrace
from hippo_agent.storage.index.exact import nearest
from hippo_agent.storage.index.managed import IndexKind, ManagedIndex
from hippo_agent.storage.mirror import Mirror
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.signs import sign_bits
from hippo_agent.storage.tokens import Tokenizer
from hippo_agent.storage.transfer import export_jsonl, import_jsonl
from hippo_agent.storage.verify import verify
from hippo_agent.testing.fakes import EPOCH, unit_vector
from hippo_agent.testing.strategies import events, slots
from hippo_agent.types import Event, Namespace, Slots, Status, Trace

DIM = 16
TOKENIZER = Tokenizer()

WRITE_ELSEWHERE = """
import sys
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.testing.fakes import new_trace
with SqliteRecord(sys.argv[1]) as record:
    record.append([new_trace(sys.argv[2], "written by another process", dim=16)])
"""


class StorageMachine(RuleBasedStateMachine):
    kind: IndexKind = "exact"

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="hippo-machine-"))
        self.model: dict[str, Trace] = {}
        self.merged: dict[str, list[Event]] = {}
        self.forgotten: set[str] = set()
        self.keys: dict[tuple[Namespace, str], str] = {}
        self.number = 0

    @initialize()
    def open(self) -> None:
        self.record = SqliteRecord(self.folder)
        self.mirror = Mirror(self.record)
        self.index = ManagedIndex(self.record, self.mirror, kind=self.kind, background=False)

    def teardown(self) -> None:
        self.index.close()
        self.record.close()
        shutil.rmtree(self.folder)

    def new(self, event: Event, slot_values: Slots, embed: bool, status: Status) -> NewTrace:
        self.number += 1
        return NewTrace(
            event=event,
            id=f"t{self.number}",
            vector=unit_vector(event.text, DIM) if embed else None,
            slots=slot_values,
            slot_codes=bytes([self.number % 128] * 4),
            salience=0.5,
            status=status,
            write_time=EPOCH + timedelta(seconds=self.number),
            embedder_id="fake" if embed else None,
        )

    def expect_written(self, new: NewTrace, got: Trace) -> None:
        key = new.event.key
        if key is not None and (holder := self.keys.get((new.event.namespace, key))) is not None:
            assert got == self.model[holder]
            return
        assert (got.id, got.text, got.namespace) == (new.id, new.event.text, new.event.namespace)
        assert (got.provenance, got.speaker, got.kind) == (new.event.provenance, new.event.speaker, new.event.kind)
        assert (got.event_time, got.write_time, got.meta) == (new.event.event_time, new.write_time, new.event.meta)
        assert (got.slots, got.pinned, got.reward) == (new.slots, new.event.pin, new.event.reward)
        assert got.seq > max((trace.seq for trace in self.model.values()), default=0)
        self.model[new.id] = got
        if key is not None:
            self.keys[new.event.namespace, key] = new.id

    def a_trace(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.model)))

    @rule(
        event=events,
        slot_values=slots,
        embed=st.booleans(),
        status=st.sampled_from(["active", "deferred", "quarantined"]),
        key=st.none() | st.sampled_from(["k1", "k2"]),
    )
    def write(self, event: Event, slot_values: Slots, embed: bool, status: Status, key: str | None) -> None:
        new = self.new(replace(event, key=key), slot_values, embed, status)
        self.expect_written(new, self.record.append([new])[0])

    @rule(batch=st.lists(events, min_size=2, max_size=6))
    def write_many(self, batch: list[Event]) -> None:
        rows = [self.new(event, Slots(), True, "active") for event in batch]
        for new, got in zip(rows, self.record.append(rows), strict=True):
            self.expect_written(new, got)

    @rule(event=events)
    def second_writer(self, event: Event) -> None:
        """Another connection, as another process would have, with no word to this one."""
        new = self.new(event, Slots(), True, "active")
        with SqliteRecord(self.folder) as other:
            self.expect_written(new, other.append([new])[0])

    @precondition(lambda self: self.model)
    @rule(data=st.data(), event=events, key=st.none() | st.sampled_from(["k2", "k3"]))
    def merge(self, data: st.DataObject, event: Event, key: str | None) -> None:
        trace_id = self.a_trace(data)
        event = replace(event, key=key)
        got = self.record.merge(trace_id, event, write_time=EPOCH)
        if key is not None and (holder := self.keys.get((event.namespace, key))) is not None:
            assert got == self.model[holder]
            return
        self.model[trace_id] = replace(self.model[trace_id], repeats=self.model[trace_id].repeats + 1)
        self.merged.setdefault(trace_id, []).append(event)
        if key is not None:
            self.keys[event.namespace, key] = trace_id
        assert got == self.model[trace_id]

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        trace_id = self.a_trace(data)
        assert self.record.delete([trace_id], reason="asked") == 1
        self.drop(trace_id)

    def drop(self, trace_id: str) -> None:
        del self.model[trace_id]
        self.merged.pop(trace_id, None)
        self.forgotten.add(trace_id)
        self.keys = {key: holder for key, holder in self.keys.items() if holder != trace_id}

    @precondition(lambda self: self.model)
    @rule(data=st.data(), status=st.sampled_from(["active", "deferred", "quarantined"]))
    def change_status(self, data: st.DataObject, status: Status) -> None:
        trace_id = self.a_trace(data)
        assert self.record.set_status([trace_id], status) == (self.model[trace_id].status != status)
        self.model[trace_id] = replace(self.model[trace_id], status=status)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), amount=st.sampled_from([0.25, 1.0]))
    def reinforce(self, data: st.DataObject, amount: float) -> None:
        trace_id = self.a_trace(data)
        assert self.record.reinforce([trace_id], amount=amount, at=EPOCH) == 1
        self.model[trace_id] = replace(self.model[trace_id], strength=self.model[trace_id].strength + amount)

    @rule()
    def embed_the_rest(self) -> None:
        waiting = self.record.unembedded("fake")
        vectors = {trace.id: unit_vector(trace.text, DIM) for trace in waiting}
        assert self.record.set_vectors(vectors, embedder_id="fake") == len(waiting)
        assert self.record.unembedded("fake") == []

    @rule()
    def reopen(self) -> None:
        self.index.close()
        self.record.close()
        self.open()

    @rule()
    def scrub(self) -> None:
        self.record.scrub()
        self.index.purge()

    @rule()
    def carry_to_a_new_folder(self) -> None:
        """Export and import give the same bank, and doing it twice changes nothing."""
        path = self.folder / "all.jsonl"
        assert export_jsonl(self.record, path) == len(self.model)
        with SqliteRecord(self.folder / "copy") as copy:
            first = import_jsonl(copy, path)
            assert (first.traces, first.observations) == (len(self.model), sum(map(len, self.merged.values())))
            again = import_jsonl(copy, path)
            assert (again.traces, again.observations, again.existing) == (0, 0, len(self.model))
            found = {trace.id: replace(trace, seq=0) for batch in copy.scan() for trace, _ in batch}
            assert found == {trace_id: replace(trace, seq=0) for trace_id, trace in self.model.items()}
            assert verify(copy).clean
            export_jsonl(copy, self.folder / "again.jsonl")
        assert (self.folder / "again.jsonl").read_bytes() == path.read_bytes()
        shutil.rmtree(self.folder / "copy")

    @invariant()
    def the_record_is_the_model(self) -> None:
        found = {trace.id: trace for batch in self.record.scan(batch=3) for trace, _ in batch}
        assert found == self.model
        assert self.record.count() == len(self.model)
        for trace_id, events_seen in self.merged.items():
            assert [seen.event for seen in self.record.observations(trace_id)] == events_seen
        assert {stone.id for stone in self.record.tombstones()} == self.forgotten

    @invariant()
    def the_columns_are_the_record(self) -> None:
        columns = self.mirror.refresh()
        traces = sorted(self.model.values(), key=lambda trace: trace.seq)
        rows = np.flatnonzero(columns.live)
        assert columns.seq[rows].tolist() == [trace.seq for trace in traces]
        assert [columns.namespaces[code] for code in columns.namespace[rows]] == [trace.namespace for trace in traces]
        active = {trace.seq for trace in traces if trace.status == "active" and trace.namespace[:1] == ("a",)}
        assert set(columns.seq[columns.visible(("a",))].tolist()) == active
        np.testing.assert_array_equal(columns.signs, sign_bits(columns.vectors))
        for row, trace in zip(rows, traces, strict=True):
            session = (trace.namespace, trace.provenance.session)
            same = [t.seq for t in traces if (t.namespace, t.provenance.session) == session and session[1] is not None]
            at = same.index(trace.seq) if same else 0
            wanted = [same[at - 1] if at > 0 else -1, same[at + 1] if at + 1 < len(same) else -1]
            assert [int(columns.seq[n]) if n >= 0 else -1 for n in columns.neighbours([row])[0]] == wanted
            if columns.has_vector[row]:
                np.testing.assert_array_equal(columns.vectors[row], unit_vector(trace.text, DIM))

    @invariant()
    def words_find_what_has_them(self) -> None:
        for word in ("ada", "don't", "東京", "moving"):
            terms = set(TOKENIZER.terms(word))
            counts = TOKENIZER.counts((t.seq, f"{t.text} {t.speaker or ''}") for t in self.model.values())
            having = {seq for seq, found in counts.items() if terms <= found.keys()}
            assert set(self.record.match([word], limit=1000)[0].tolist()) == having
            assert self.record.document_frequency([word]) == {word: len(having)}

    @invariant()
    def nearest_is_nearest(self) -> None:
        columns = self.mirror.refresh()
        if not columns.has_vector.any():
            return
        mask = columns.visible(statuses=("active", "deferred"))
        query = unit_vector("any question", DIM)
        rows, scores = self.index.search(query, 5, mask=mask, columns=columns)
        wanted, best = nearest(columns.vectors, query, 5, mask & columns.has_vector)
        np.testing.assert_allclose(scores, best, atol=1e-5)
        assert columns.live[rows].all()
        assert mask[rows].all()
        assert len(rows) == len(wanted)

    @rule()
    def check(self) -> None:
        found = verify(self.record, self.index)
        assert found.clean, found


class IndexedMachine(StorageMachine):
    """The same with an approximate index, which is damaged now and then, and a real other process."""

    kind: IndexKind = "chroma"

    @rule(how=st.sampled_from(["cut", "flip", "remove", "manifest", "database"]))
    def damage_the_index(self, how: str) -> None:
        self.index.close()
        for generation in (self.folder / "index").glob("gen-*"):
            if how == "manifest":
                (generation / "MANIFEST.json").write_text("{")
            elif how == "database":
                (generation / "chroma" / "chroma.sqlite3").write_bytes(b"SQLite format 3\0" + bytes(200))
            else:
                for file in generation.rglob("*.bin" if how != "cut" else "*.pickle"):
                    data = bytearray(file.read_bytes())
                    if how == "remove":
                        file.unlink()
                    elif how == "cut":
                        file.write_bytes(b"")
                    else:
                        data[len(data) // 2 : len(data) // 2 + 20] = bytes(20)
                        file.write_bytes(data)
        self.index = ManagedIndex(self.record, self.mirror, kind=self.kind, background=False)

    @precondition(lambda self: self.number < 1000)
    @rule()
    def another_process_writes(self) -> None:
        self.number += 1000
        name = f"t{self.number}"
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        subprocess.run([sys.executable, "-c", WRITE_ELSEWHERE, str(self.folder), name], check=True, env=environment)
        self.model[name] = self.record.get([name])[name]
        assert self.model[name].text == "written by another process"


class TestStorageMachine(StorageMachine.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=40, stateful_step_count=30)


@pytest.mark.slow
class TestIndexedMachine(IndexedMachine.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=6, stateful_step_count=15)

    def setUp(self) -> None:
        pytest.importorskip("chromadb")
