"""What was acknowledged stays: through a kill, an export and import, and with two processes at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from hippo_agent import Memory
from hippo_agent.embedding.hashing import HashingEmbedder

Reopen = Callable[..., Memory]

WRITER = """
import sys
from hippo_agent import Memory
from hippo_agent.embedding.hashing import HashingEmbedder

with Memory(sys.argv[1], embedder=HashingEmbedder(quiet=True)) as memory:
    for number in range(int(sys.argv[2])):
        receipt = memory.write(f"Parcel {number} weighs {number * 37} grams.", source="tool", pin=True)
        print(receipt.id, flush=True)
"""


def writer(folder: Path, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_killed_process_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with writer(tmp_path / "memory", 100_000) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(40)]
        process.kill()
        acknowledged += process.stdout.read().split("\n")[:-1]  # lines that were whole before the kill
    assert process.returncode == -signal.SIGKILL
    with Memory(tmp_path / "memory", embedder=HashingEmbedder(quiet=True)) as memory:
        for number, trace_id in enumerate(acknowledged):
            assert memory.get(trace_id).text == f"Parcel {number} weighs {number * 37} grams."
        report = memory.verify()
        assert report.clean, report.as_dict()
        assert memory.recall("parcel 7 weighs", k=1).traces[0].text == "Parcel 7 weighs 259 grams."


def test_another_process_is_seen_without_reopening(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory", embedder=HashingEmbedder(quiet=True)) as memory:
        memory.write("Parcel zero is here.", source="user", pin=True)
        assert "Parcel 3 weighs" not in memory.recall("parcel 3 weighs").render()
        out, _ = writer(tmp_path / "memory", 5).communicate(timeout=120)
        found = memory.recall("parcel 3 weighs", k=1).traces[0]
        assert (found.id, found.text) == (out.split()[3], "Parcel 3 weighs 111 grams.")
        memory.write("Parcel 77 is late.", source="user", pin=True)
        assert memory.recall("parcel 77 late", k=1).traces[0].text == "Parcel 77 is late."
        assert memory.verify().clean


def test_two_processes_write_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    Memory(folder, embedder=HashingEmbedder(quiet=True)).close()
    processes = [writer(folder, 30) for _ in range(2)]
    ids = [trace_id for process in processes for trace_id in process.communicate(timeout=120)[0].split()]
    assert [process.returncode for process in processes] == [0, 0]
    with Memory(folder, embedder=HashingEmbedder(quiet=True)) as memory:
        assert len(ids) == 60
        assert {memory.get(trace_id).text.split()[0] for trace_id in ids} == {"Parcel"}
        assert memory.verify().clean


def test_export_and_import_round_trip_exactly(reopen: Reopen, tmp_path: Path) -> None:
    with reopen() as memory:
        memory.write(
            "Żółć kosztuje 12 € – 'tanio'.\nDrugi wiersz.", source="web", key="k/1", meta={"a": [1, {"b": None}]}
        )
        memory.write(
            "The goat ate the map.", source="user", speaker="Kai", session="s", reward=0.5, namespace=("farm",)
        )
        memory.write(
            "The goat ate the map.", source="user", speaker="Kai", session="s", reward=0.5, namespace=("farm",)
        )
        count = memory.export_jsonl(tmp_path / "first.jsonl")
        before = [(h.trace, round(h.score, 4)) for h in memory.recall("what did the goat eat?", k=3).hits]
    with reopen("copy", empty=True) as copy:
        assert copy.import_jsonl(tmp_path / "first.jsonl") == count
    with reopen("copy") as copy:
        assert copy.export_jsonl(tmp_path / "second.jsonl") == count
        after = [(h.trace, round(h.score, 4)) for h in copy.recall("what did the goat eat?", k=3).hits]
        assert [trace.id for trace, _ in before] == [trace.id for trace, _ in after]
        assert before[0][0].text == "The goat ate the map."
        assert copy.import_jsonl(tmp_path / "first.jsonl") == 0, "importing again changes nothing"
        assert copy.verify().clean
    assert (tmp_path / "first.jsonl").read_bytes() == (tmp_path / "second.jsonl").read_bytes()


def test_a_read_only_memory_recalls_and_changes_nothing(reopen: Reopen, tmp_path: Path) -> None:
    with reopen() as memory:
        memory.write("The goat ate the map.", source="user")
    before = {file.name: file.read_bytes() for file in (tmp_path / "memory").rglob("record.sqlite3")}
    with reopen(read_only=True) as memory:
        assert memory.recall("goat map", k=1).traces[0].text == "The goat ate the map."
    assert {file.name: file.read_bytes() for file in (tmp_path / "memory").rglob("record.sqlite3")} == before
