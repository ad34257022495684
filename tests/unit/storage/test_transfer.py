"""Export and import: bad lines are named and leave nothing behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hippo_agent.errors import EmbedderMismatch, ImportFailed
from hippo_agent.storage import transfer
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.transfer import export_jsonl, import_jsonl
from hippo_agent.storage.verify import verify
from hippo_agent.testing.fakes import EPOCH, new_trace

LINE: dict[str, Any] = {
    "type": "trace",
    "id": "t1",
    "text": "Ada moved to Lisbon.",
    "source": "user",
    "trust": 0.8,
    "event_time": "2024-01-01T12:00:00+00:00",
    "write_time": "2024-01-01T12:00:00Z",
    "kind": "episode",
    "salience": 0.5,
}


@pytest.fixture
def record(tmp_path: Path) -> Iterator[SqliteRecord]:
    with SqliteRecord(tmp_path / "bank") as record:
        yield record


def line(**changes: Any) -> str:
    return json.dumps({**LINE, **changes})


BAD = {
    "not JSON": "{",
    "no object": "[1]",
    "NaN": line().replace("0.8", "NaN"),
    "infinity": line().replace("0.8", "Infinity"),
    "the same key twice": line()[:-1] + ', "id": "t2"}',
    "too deep": line(meta={"x": json.loads("[" * 40 + "]" * 40)}),
    "far too deep": line()[:-1] + ', "meta": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "an endless number": line()[:-1] + ', "meta": {"x": ' + "9" * 10_000 + "}}",
    "an unknown field": line(verdict="trusted"),
    "a missing field": json.dumps({name: value for name, value in LINE.items() if name != "trust"}),
    "trust above one": line(trust=1.1),
    "trust as text": line(trust="0.8"),
    "an unknown source": line(source="oracle"),
    "an unknown status": line(status="deleted"),
    "no text": line(text=""),
    "too much text": line(text="x" * 1_000_001),
    "lone surrogate": line(text="\ud800"),
    "NUL": line(text="a\x00b"),
    "time without zone": line(event_time="2024-01-01T12:00:00"),
    "month 13": line(event_time="2024-13-01T12:00:00Z"),
    "vector that is not base64": line(vector="!!", embedder_id="fake"),
    "vector of three bytes": line(vector="AAAA", embedder_id="fake"),
    "zero vector": line(vector="AAAAAAAAAAA=", embedder_id="fake"),
    "vector without embedder": line(vector="AACAPw=="),
    "strength below one": line(strength=0.5),
    "observation of nothing": line(type="observation", trace_id="none")
    .replace('"id": "t1", ', "")
    .replace(', "salience": 0.5', ""),
    "not UTF-8": "\udcff",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_line_is_named_and_nothing_is_imported(record: SqliteRecord, tmp_path: Path, bad: str) -> None:
    path = tmp_path / "in.jsonl"
    text = "\n".join([line(id="good"), "", bad, line(id="later")])
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ImportFailed, match=r"line 3 .*nothing was imported"):
        import_jsonl(record, path)
    assert (record.count(), record.position()) == (0, 0)
    assert verify(record).clean


def test_a_line_that_never_ends_is_not_read_into_memory(
    record: SqliteRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "MAX_LINE", 1000)
    path = tmp_path / "in.jsonl"
    path.write_text(line(text="x" * 2000))
    with pytest.raises(ImportFailed, match="line 1 is longer than 1000 bytes"):
        import_jsonl(record, path)


def test_everything_comes_back(record: SqliteRecord, tmp_path: Path) -> None:
    record.append([new_trace(f"t{n}", f"text {n}", slot_codes=bytes([n]), namespace=("a",)) for n in range(5)])
    record.append([new_trace("bare", embed=False, slot_codes=b"\x07")])
    record.merge("t1", new_trace("-", "again", key="k").event, write_time=EPOCH)
    record.reinforce(["t2"], amount=0.1, at=EPOCH)
    record.set_status(["t3"], "quarantined")
    path = tmp_path / "out.jsonl"
    assert export_jsonl(record, path) == 6
    assert path.stat().st_mode & 0o777 == 0o600
    with SqliteRecord(tmp_path / "copy") as copy:
        found = import_jsonl(copy, path)
        assert (found.traces, found.observations, found.existing, found.forgotten) == (6, 1, 0, 0)
        ours = [row for batch in record.scan_full() for row in batch]
        theirs = [row for batch in copy.scan_full() for row in batch]
        for a, b in zip(ours, theirs, strict=True):
            assert (a.trace, a.embedder_id, a.slot_codes, a.last_used) == (
                b.trace,
                b.embedder_id,
                b.slot_codes,
                b.last_used,
            )
            assert (None if a.vector is None else a.vector.tobytes()) == (
                None if b.vector is None else b.vector.tobytes()
            )
        assert copy.observations("t1") == record.observations("t1")
        assert copy.find_key(("a",), "k") is None
        assert copy.find_key((), "k") == copy.get(["t1"])["t1"]
        assert verify(copy).clean


def test_what_was_forgotten_stays_forgotten_unless_asked(record: SqliteRecord, tmp_path: Path) -> None:
    (trace,) = record.append([new_trace("t1")])
    record.merge("t1", new_trace("-", "again").event, write_time=EPOCH)
    path = tmp_path / "out.jsonl"
    export_jsonl(record, path)
    record.delete(["t1"], reason="asked")
    found = import_jsonl(record, path)
    assert (found.traces, found.observations, found.forgotten, record.count()) == (0, 0, 1, 0)
    found = import_jsonl(record, path, restore_forgotten=True)
    assert (found.traces, found.observations, record.tombstones()) == (1, 1, [])
    assert record.get(["t1"])["t1"] == replace(trace, seq=2, repeats=1)
    assert verify(record).clean


def test_trust_can_be_capped_and_vectors_left_out(record: SqliteRecord, tmp_path: Path) -> None:
    record.append([new_trace("t1", trust=0.8)])
    path = tmp_path / "out.jsonl"
    export_jsonl(record, path)
    with SqliteRecord(tmp_path / "other") as other:
        other.append([replace(new_trace("mine"), embedder_id="another")])
        with pytest.raises(EmbedderMismatch):
            import_jsonl(other, path)
        assert other.count() == 1
        import_jsonl(other, path, vectors=False, max_trust=0.3)
        assert other.get(["t1"])["t1"].provenance.trust == 0.3
        assert [trace.id for trace in other.unembedded("another")] == ["t1"]
    export_jsonl(record, path, vectors=False)
    assert '"vector"' not in path.read_text()
