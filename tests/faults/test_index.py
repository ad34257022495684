"""A broken index costs speed, never truth: answers stay right within the same call, and a new index is built."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hippo_agent.errors import IndexBroken
from hippo_agent.storage.index.exact import nearest
from hippo_agent.storage.index.generation import generations
from hippo_agent.storage.index.managed import ManagedIndex
from hippo_agent.storage.locks import FileLock
from hippo_agent.storage.mirror import Mirror
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.testing.fakes import new_trace, unit_vectors

pytest.importorskip("chromadb")

REPOSITORY = Path(__file__).parents[2]
COUNT, DIM = 1100, 16
QUERIES = unit_vectors(20, DIM, seed=99)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[SqliteRecord]:
    vectors = unit_vectors(COUNT, DIM, seed=1)
    with SqliteRecord(tmp_path) as record:
        record.append([new_trace(f"t{n}", vector=vectors[n]) for n in range(COUNT)])
        yield record


def recall_at_ten(index: ManagedIndex, mirror: Mirror, queries: int = len(QUERIES)) -> float:
    columns = mirror.refresh()
    found = 0
    for query in QUERIES[:queries]:
        wanted, _ = nearest(columns.vectors, query, 10, columns.live)
        found += len(set(wanted.tolist()) & set(index.search(query, 10)[0].tolist()))
    return found / (10 * queries)


def open_index(record: SqliteRecord, mirror: Mirror) -> ManagedIndex:
    return ManagedIndex(record, mirror, kind="chroma", background=False)


def newest(record: SqliteRecord) -> Path:
    return generations(record.folder / "index")[-1]


def cut_the_metadata(generation: Path) -> None:
    for path in generation.rglob("index_metadata.pickle"):
        path.write_bytes(b"")


def flip_twenty_bytes(generation: Path) -> None:
    (path,) = generation.rglob("data_level0.bin")
    data = bytearray(path.read_bytes())
    for at in np.random.default_rng(0).choice(len(data), 20, replace=False):
        data[at] ^= 0xFF
    path.write_bytes(data)


def remove_a_file(generation: Path) -> None:
    (path,) = generation.rglob("link_lists.bin")
    path.unlink()


def overwrite_the_database(generation: Path) -> None:
    (generation / "chroma" / "chroma.sqlite3").write_bytes(b"SQLite format 3\0" + bytes(5000))


def unreadable_manifest(generation: Path) -> None:
    (generation / "MANIFEST.json").write_text('{"generation": 1}')


def write_behind(generation: Path) -> None:
    code = (
        "import chromadb, sys; client = chromadb.PersistentClient(sys.argv[1]);"
        "traces = client.get_collection('traces', embedding_function=None);"
        "traces.delete(ids=traces.get(limit=700)['ids']);"
        f"traces.add(ids=['77777'], embeddings=[[1.0] * {DIM}])"
    )
    subprocess.run([sys.executable, "-c", code, str(generation / "chroma")], check=True)


def swap_vectors_behind(generation: Path) -> None:
    code = (
        "import chromadb, sys; client = chromadb.PersistentClient(sys.argv[1]);"
        "traces = client.get_collection('traces', embedding_function=None);"
        "held = traces.get(include=['embeddings']);"
        "traces.update(ids=held['ids'], embeddings=held['embeddings'][::-1])"
    )
    subprocess.run([sys.executable, "-c", code, str(generation / "chroma")], check=True)


@pytest.mark.parametrize(
    "damage",
    [
        cut_the_metadata,
        flip_twenty_bytes,
        remove_a_file,
        overwrite_the_database,
        unreadable_manifest,
        write_behind,
        swap_vectors_behind,
    ],
)
def test_damage_is_found_answered_exactly_and_rebuilt(
    record: SqliteRecord, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    mirror = Mirror(record)
    with open_index(record, mirror) as index:
        assert recall_at_ten(index, mirror) >= 0.99
        assert index.serving == "chroma"
    damaged = newest(record)
    damage(damaged)
    caplog.set_level(logging.WARNING, "hippo_agent")
    with open_index(record, mirror) as index:
        assert recall_at_ten(index, mirror, 1) >= 0.99  # the call that meets the damage
        assert "index set aside" in caplog.text
        assert recall_at_ten(index, mirror) >= 0.99
        assert index.serving == "chroma"
        assert newest(record) != damaged
        assert damaged.with_name(damaged.name.replace("gen", "quarantine")).exists()


def test_an_index_that_fails_while_it_serves_is_replaced(record: SqliteRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = Mirror(record)
    with open_index(record, mirror) as index:
        recall_at_ten(index, mirror, 1)
        first = newest(record)
        generation = index._generation
        assert generation is not None

        def fail(*_: object, **__: object) -> None:
            raise IndexBroken("made up")

        monkeypatch.setattr(generation.index, "search", fail)
        assert recall_at_ten(index, mirror) >= 0.99
        assert index.serving == "chroma"
        assert newest(record) != first


def test_at_most_two_quarantines_are_kept(record: SqliteRecord) -> None:
    mirror = Mirror(record)
    for _ in range(4):
        with open_index(record, mirror) as index:
            recall_at_ten(index, mirror, 1)
        unreadable_manifest(newest(record))
    assert len(list((record.folder / "index").glob("quarantine-*"))) <= 2


def test_an_old_snapshot_sees_new_changed_and_forgotten_traces(record: SqliteRecord) -> None:
    mirror = Mirror(record)
    with open_index(record, mirror) as index:
        recall_at_ten(index, mirror, 1)
    (near,) = record.append([new_trace("near", vector=QUERIES[0])])
    bare, *_ = record.append([new_trace("bare", embed=False)])
    record.set_vectors({"bare": QUERIES[1], "t5": QUERIES[2]}, embedder_id="fake")
    record.delete(["t7"], reason="asked")
    with open_index(record, mirror) as index:
        columns = mirror.refresh()
        assert columns.seq[index.search(QUERIES[0], 1)[0]].tolist() == [near.seq]
        assert columns.seq[index.search(QUERIES[1], 1)[0]].tolist() == [bare.seq]
        assert columns.seq[index.search(QUERIES[2], 1)[0]].tolist() == [6]
        assert 8 not in columns.seq[index.search(unit_vectors(COUNT, DIM, seed=1)[7], 50)[0]]
        assert recall_at_ten(index, mirror) >= 0.99
        assert index.serving == "chroma"
        audit = index.audit()
        assert (audit.missing, audit.ghosts, audit.self_recall) == (0, 0, 1.0)


def test_a_filter_holds_before_the_cut(record: SqliteRecord) -> None:
    mirror = Mirror(record)
    with open_index(record, mirror) as index:
        columns = mirror.refresh()
        for share in (2, 10, 300):
            mask = columns.seq % share == 0
            rows, _ = index.search(QUERIES[0], 10, mask=mask)
            wanted, _ = nearest(columns.vectors, QUERIES[0], 10, mask)
            assert rows.tolist() == wanted.tolist()
        assert index.search(QUERIES[0], 10, mask=np.zeros(len(columns), bool))[0].tolist() == []


def test_a_process_without_the_lock_searches_exactly(record: SqliteRecord) -> None:
    mirror = Mirror(record)
    other = FileLock(record.folder / "index.lock")
    assert other.try_acquire()
    with open_index(record, mirror) as index:
        assert recall_at_ten(index, mirror) == 1.0
        assert index.serving == "exact"
        assert not (record.folder / "index").exists()
        other.release()
        recall_at_ten(index, mirror)
        assert index.serving == "chroma"


def test_purging_leaves_no_vector_behind(record: SqliteRecord) -> None:
    mirror = Mirror(record)
    with open_index(record, mirror) as index:
        recall_at_ten(index, mirror, 1)
        index.purge()
        assert list((record.folder / "index").iterdir()) == []
        assert recall_at_ten(index, mirror) >= 0.99


def test_a_build_in_the_background_is_taken_up(record: SqliteRecord) -> None:
    mirror = Mirror(record)
    with ManagedIndex(record, mirror, kind="chroma") as index:
        assert recall_at_ten(index, mirror, 1) == 1.0
        index.wait()
        assert index.serving == "chroma"
        assert recall_at_ten(index, mirror) >= 0.99


def test_auto_stays_exact_until_the_bank_is_large(record: SqliteRecord) -> None:
    mirror = Mirror(record)
    with ManagedIndex(record, mirror, background=False) as index:
        recall_at_ten(index, mirror)
        assert index.serving == "exact"
    with ManagedIndex(record, mirror, exact_up_to=1000, background=False) as index:
        recall_at_ten(index, mirror, 1)
        assert index.serving == "chroma"


BUILD = """
import sys
from hippo_agent.storage.index.managed import ManagedIndex
from hippo_agent.storage.mirror import Mirror
from hippo_agent.storage.record import SqliteRecord
record = SqliteRecord(sys.argv[1])
index = ManagedIndex(record, Mirror(record), kind="chroma", background=False)
print("start", flush=True)
while True:
    index.rebuild()
"""


@pytest.mark.slow
def test_kill_nine_in_a_build_leaves_nothing_half_made(record: SqliteRecord) -> None:
    chance = np.random.default_rng(3)
    for _ in range(6):
        builder = subprocess.Popen(
            [sys.executable, "-c", BUILD, str(record.folder)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        assert builder.stdout is not None
        assert builder.stdout.readline() == b"start\n"
        try:
            builder.wait(timeout=float(chance.uniform(0.05, 2.0)))
        except subprocess.TimeoutExpired:
            builder.send_signal(signal.SIGKILL)
        builder.communicate()
        mirror = Mirror(record)
        with open_index(record, mirror) as index:
            assert recall_at_ten(index, mirror) >= 0.99
            assert index.serving == "chroma"
        assert all((path / "MANIFEST.json").exists() for path in generations(record.folder / "index"))
