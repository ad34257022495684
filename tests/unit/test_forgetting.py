"""Forgetting: what was asked for goes with all that rested on it alone, at once or not at all, and no byte stays."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hippo_agent import Config, Event, HashingEmbedder, Memory, Provenance
from hippo_agent.errors import InvalidInput, StorageFull, TraceNotFound
from hippo_agent.storage.items import ItemWrite
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.testing.fakes import unit_vector

CANARY = "Quorlimbast"


class Dense:
    """Vectors without zeros, so that any bytes of one are nowhere else; alike for texts alike but for the last mark."""

    id, dim = "dense", 32

    def embed(self, texts: Sequence[str]) -> Any:
        return np.array([unit_vector(text.rstrip(".!"), self.dim) for text in texts], np.float32).reshape(-1, self.dim)


def open_memory(folder: Path, **options: Any) -> Memory:
    return Memory(folder, **{"embedder": HashingEmbedder(quiet=True), **options})


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with open_memory(tmp_path / "bank") as opened:
        yield opened


def left_in(folder: Path, *needles: bytes) -> list[str]:
    """Files that hold a needle, in any case."""
    wanted = [needle.lower() for needle in needles]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(one in path.read_bytes().lower() for one in wanted)]


def adapter(folder: Path, number: int, traces: list[str], *, canary: str = "") -> Path:
    """A version as a night leaves it, as far as files go."""
    path = folder / "adapters" / "root" / f"v{number:04d}"
    path.mkdir(parents=True)
    (path / "adapter_model.safetensors").write_bytes(b"weights " + canary.encode())
    (path / "manifest.json").write_text(json.dumps({"version": number, "traces": traces, "promoted": True}))
    (path.parent / "current").write_text(json.dumps({"version": number}))
    return path


def test_no_byte_is_left_anywhere(tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    pytest.importorskip("chromadb")
    with open_memory(folder, config=Config(index="chroma"), embedder=Dense()) as memory:
        memory.places.observe(f"A hall with a sign that says {CANARY}.", action="north")
        ids = [
            memory.write(f"The safe opens with the word {CANARY}.", source="user", speaker="Ada", pin=True).id or "",
            "",
            memory.write("Its word is in the notes.", source="user", meta={"word": CANARY}, pin=True).id or "",
        ]
        ids[1] = memory.write(f"{CANARY} lives in {CANARY}ville.", source="user", session="b").id or ""
        again = memory.write(f"{CANARY} lives in {CANARY}ville!", source="user", session="c")
        assert (again.decision, again.id) == ("merge", ids[1])
        twice = memory.write(f"{CANARY} lives in {CANARY}ville;", source="user", session="b")
        assert twice.decision == "skip", "stored nowhere, but its words were counted"
        memory.write("The safe stands behind the piano.", source="user")
        assert memory.facts.entity(f"{CANARY}ville") is not None
        vectors = [row.vector for batch in memory._record.scan_full() for row in batch if row.trace.id in ids]
        memory._index.rebuild()
        assert list((folder / "index").glob("gen-*"))
        (folder / "states").mkdir(exist_ok=True)
        from hippo_agent.model.states import _short

        (folder / "states" / f"{_short(ids[0])}-x.safetensors").write_bytes(CANARY.encode())
        adapter(folder, 1, ids[:1], canary=CANARY)
        (folder / "adapters" / "root" / "draft").mkdir()
        (folder / "adapters" / "root" / "draft" / "checkpoint.safetensors").write_bytes(CANARY.encode())
        gone = memory.forget(trace_id=ids)
        assert gone.purged and gone.left == ()
        assert gone.adapters == ("root/1",)
        assert gone.removed["facts"] >= 1 and gone.removed["names"] >= 1 and gone.removed["repeats"] >= 1
        places = memory.forget(query=CANARY, dry_run=True)
        assert places.traces == ()
        needles = [
            CANARY.encode(),
            base64.b64encode(CANARY.encode()),
            *(v.tobytes()[:64] for v in vectors if v is not None),
        ]
        memory.places.forget_place(memory.places.current or "")  # what was seen there is the map's own text
        memory.scrub()
        assert left_in(folder, *needles) == []
        assert memory.verify().clean
    assert left_in(folder, *needles) == []


def test_the_dry_run_says_what_the_real_call_does_and_changes_nothing(memory: Memory) -> None:
    kept = memory.write("Ines works for Halden.", source="user", principal="mira").id
    told = memory.write("Ines lives in Porto.", source="user", principal="crawler").id or ""
    memory.facts.catch_up()
    summary = Event(
        text="In short: she moved.", provenance=Provenance(source="model", principal="m", parents=(told,)), pin=True
    )
    derived = memory.write(summary).id
    before = memory.stats().as_dict()
    planned = memory.forget(principal="crawler", dry_run=True)
    assert planned.traces == (told, derived)
    assert planned.derived == (derived,)
    assert memory.stats().as_dict() == before
    assert memory.facts.current("Ines", "lives in").value == "Porto"
    gone = memory.forget(principal="crawler")
    assert (gone.traces, gone.derived, dict(gone.removed)) == (planned.traces, planned.derived, dict(planned.removed))
    assert memory.facts.current("Ines", "lives in").value is None
    assert memory.facts.current("Ines", "works for").value == "Halden"
    assert [trace.id for trace in memory.recall("Ines").traces] == [kept]
    assert json.dumps(gone.as_dict())


def test_a_derived_trace_with_another_parent_stays(memory: Memory) -> None:
    one = memory.write("The mill burnt down.", source="user").id or ""
    two = memory.write("The weir is broken.", source="user").id or ""
    both = memory.write(Event(text="Bad news.", provenance=Provenance(source="model", parents=(one, two)), pin=True)).id
    assert memory.forget(trace_id=one).derived == ()
    assert memory.forget(trace_id=two, dry_run=True).derived == ()
    assert memory.get(both or "").text == "Bad news."


def test_a_fact_that_others_say_too_stays_with_fewer_sources(memory: Memory) -> None:
    memory.write("Ines lives in Porto.", source="user", principal="mira", session="a")
    again = memory.write(
        "As I said, Ines lives in Porto now.", source="user", principal="teo", session="b", pin=True
    ).id
    memory.facts.catch_up()
    gone = memory.forget(trace_id=again or "")
    assert gone.changed_facts == 1
    assert memory.facts.current("Ines", "lives in").value == "Porto"


def test_every_condition_must_hold(memory: Memory) -> None:
    def write(text: str, day: int, **options: Any) -> str:
        when = datetime(2024, 5, day, tzinfo=timezone.utc)
        return memory.write(text, source="user", event_time=when, pin=True, **options).id or ""

    early = write("The boiler hums.", 1, principal="mira")
    late = write("The boiler stopped humming.", 9, principal="mira")
    other = write("The boiler was serviced.", 2, principal="teo", namespace=("house",))
    limit = datetime(2024, 5, 5, tzinfo=timezone.utc)
    asked = {
        (early, late, other): {"query": "BOILER"},
        (early, late): {"principal": "mira"},
        (early, other): {"before": limit},
        (early,): {"principal": "mira", "before": limit},
        (other,): {"query": "the serviced boiler"},
        (): {"query": "boiler kettle"},
    }
    for wanted, conditions in asked.items():
        assert set(memory.forget(dry_run=True, **conditions).traces) == set(wanted), conditions
    assert memory.forget(namespace=("house",), dry_run=True).traces == (other,)
    with open_memory(memory.folder, namespace=("house",)) as house:
        assert house.forget(query="boiler", dry_run=True).traces == (other,), "a handle forgets in its namespace"


def test_a_query_is_words_never_a_query_language(memory: Memory) -> None:
    memory.write("The boiler hums.", source="user")
    for query in ('boiler" OR "kettle', "text:boiler NOT x", "boil*", "NEAR(boiler hums)"):
        assert memory.forget(query=query, dry_run=True).traces == ()
    with pytest.raises(InvalidInput, match="no word"):
        memory.forget(query='"*"')
    with pytest.raises(InvalidInput, match="nothing is named"):
        memory.forget()


def test_a_whole_namespace_goes_with_its_documents_and_its_map(tmp_path: Path) -> None:
    with open_memory(tmp_path / "bank", namespace=("ada",)) as ada:
        ada.write("Ada keeps bees.", source="user")
        ada.write("Ada's work is secret.", source="user", namespace=("ada", "work"))
        ada.places.observe("A red kitchen.", action="north")
        ada.items.write([ItemWrite(namespace=("ada",), key="food", value={"likes": "figs"})])
        ada.items.write([ItemWrite(namespace=("bo",), key="food", value={"likes": "plums"})])
        ada.write("Bo keeps hens.", source="user", namespace=("bo",))
        gone = ada.forget(namespace=("ada",))
        assert len(gone.traces) == 2
        assert (gone.removed["documents"], gone.removed["maps"]) == (1, 1)
        assert len(ada.places.map) == 0
        assert ada.items.get(("bo",), "food") is not None
        assert [trace.text for trace in ada.recall("keeps", namespace=("bo",)).traces] == ["Bo keeps hens."]
        assert left_in(tmp_path / "bank", b"bees", b"red kitchen", b"figs") == []


def test_an_error_on_the_way_forgets_nothing(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    told = memory.write("Ines lives in Porto.", source="user").id or ""
    memory.places.observe("Ines lives in Porto.", action="north")
    memory.facts.catch_up()
    words = memory._episodes._gate.state()["reader"]

    def fail() -> int:
        raise StorageFull("no space")

    monkeypatch.setattr(memory._facts, "prune", fail)
    with pytest.raises(StorageFull):
        memory.forget(trace_id=told)
    monkeypatch.undo()
    assert memory.get(told).text == "Ines lives in Porto."
    assert memory.facts.current("Ines", "lives in").value == "Porto"
    assert memory._episodes._gate.state()["reader"] == words
    assert memory.verify().clean
    with pytest.raises(TraceNotFound):
        memory.forget(trace_id=[told, "nobody"])
    assert memory.forget(trace_id=told).purged


def test_an_interrupted_purge_is_finished_by_the_next_opening(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = memory.write(f"The word is {CANARY}.", source="user").id or ""
    adapter(memory.folder, 1, [secret], canary=CANARY)

    def killed(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SqliteRecord, "scrub", killed)
        with pytest.raises(KeyboardInterrupt):
            memory.forget(trace_id=secret)
    assert memory.recall(CANARY).traces == ()
    memory.close()
    assert left_in(memory.folder, CANARY.encode()) != []
    with open_memory(memory.folder) as again:
        assert left_in(memory.folder, CANARY.encode()) == []
        assert again._record.value("purge") is None


def test_what_a_reader_holds_is_said_and_removed_later(memory: Memory) -> None:
    secret = memory.write(f"The word is {CANARY}.", source="user").id or ""
    other = SqliteRecord(memory.folder)
    with other.database.snapshot() as reading:
        reading.execute("SELECT count(*) FROM trace").fetchone()
        gone = memory.forget(trace_id=secret)
        assert not gone.purged
        assert gone.left == ("the database's log: another process is reading",)
    other.close()
    assert memory.scrub() == ()
    assert left_in(memory.folder, CANARY.encode()) == []


def test_an_adapter_of_another_namespace_goes_too(tmp_path: Path) -> None:
    with open_memory(tmp_path / "bank") as memory:
        secret = memory.write("Ada's word.", source="user", namespace=("ada",)).id or ""
        kept = memory.write("Bo's word.", source="user", namespace=("bo",)).id or ""
        path = adapter(tmp_path / "bank", 1, [secret])
        path.parent.rename(path.parent.with_name("0123abcd"))
        other = adapter(tmp_path / "bank", 1, [kept])
        assert memory.forget(trace_id=secret).adapters == ("0123abcd/1",)
        assert other.exists()
        assert not (tmp_path / "bank" / "adapters" / "0123abcd" / "v0001").exists()
