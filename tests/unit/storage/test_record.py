"""What the SQLite record promises beyond the conformance suite: migrations, forgetting, backups, threads."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from hippo_agent.errors import EmbedderMismatch, InvalidInput, InvalidVector, Locked, MigrationError
from hippo_agent.storage import migrations
from hippo_agent.storage.base import DecisionNote
from hippo_agent.storage.locks import FileLock
from hippo_agent.storage.notes import DECISIONS_KEPT
from hippo_agent.storage.record import FILE_NAME, SqliteRecord
from hippo_agent.storage.verify import verify
from hippo_agent.testing.fakes import EPOCH, FakeClock, new_trace, unit_vector


def test_folder_and_files_are_private(tmp_path: Path) -> None:
    with SqliteRecord(tmp_path / "bank") as record:
        record.append([new_trace("t1")])
        assert (tmp_path / "bank").stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "bank").iterdir()} == {0o600}


def test_the_file_says_whose_it_is(tmp_path: Path) -> None:
    SqliteRecord(tmp_path).close()
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    assert connection.execute("PRAGMA application_id").fetchone() == (migrations.APPLICATION_ID,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("SELECT number, name FROM migration").fetchall() == [
        (number, step.__name__) for number, step in enumerate(migrations.MIGRATIONS, 1)
    ]
    connection.close()


def test_a_migration_that_fails_is_rolled_back_whole() -> None:
    def m001_good(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT, applied_at TEXT)")

    def m002_bad(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half (x)")
        connection.execute("SELECT nonsense")

    connection = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(MigrationError, match="migration 2 failed"):
        migrations.apply(connection, [m001_good, m002_bad])
    assert migrations.schema_version(connection) == 1
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("migration",)]
    connection.close()


def test_nothing_of_a_forgotten_trace_is_left_in_any_file(tmp_path: Path) -> None:
    vector = unit_vector("canary", 64)
    with SqliteRecord(tmp_path) as record:
        record.append([new_trace(f"t{n}", f"ordinary text {n}", dim=64) for n in range(50)])
        record.append([new_trace("c", "The Xylocanary sings", vector=vector, speaker="Zyxspeaker")])
        record.merge("c", new_trace("-", "xylocanary once more").event, write_time=EPOCH)
        record.delete(["c"], reason="asked")
        record.scrub()
        assert verify(record).clean
        assert record.count() == 50
        whole = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        for canary in (b"xylocanary", b"zyxspeaker", b"canari"):
            assert canary not in whole.lower()
        assert vector.tobytes()[:32] not in whole


def test_tombstones_tell_when_and_why(tmp_path: Path) -> None:
    clock = FakeClock()
    with SqliteRecord(tmp_path, clock=clock) as record:
        record.append([new_trace("t1"), new_trace("t2")])
        record.delete(["t1"], reason="asked")
        clock.advance(days=-1)
        record.delete(["t2"], reason="full")
        assert [(stone.id, stone.reason) for stone in record.tombstones()] == [("t2", "full"), ("t1", "asked")]


def test_a_backup_is_a_bank(tmp_path: Path) -> None:
    with SqliteRecord(tmp_path / "bank") as record:
        record.append([new_trace("t1")])
        (tmp_path / "saved").mkdir()
        record.backup(tmp_path / "saved" / FILE_NAME)
        with pytest.raises(InvalidInput, match="exists"):
            record.backup(tmp_path / "saved" / FILE_NAME)
        with SqliteRecord(tmp_path / "saved") as copy:
            assert copy.get(["t1"]) == record.get(["t1"])
            assert verify(copy).clean


def test_embedders_are_never_mixed(tmp_path: Path) -> None:
    with SqliteRecord(tmp_path) as record:
        assert record.embedder() is None
        record.append([new_trace("t1")])
        assert record.embedder() == ("fake", 8)
        with pytest.raises(EmbedderMismatch, match="'fake'"):
            record.set_vectors({"t1": unit_vector("x")}, embedder_id="other")
        with pytest.raises(EmbedderMismatch):
            record.unembedded("other")
        with pytest.raises(InvalidVector):
            record.set_vectors({"t1": unit_vector("x", 9)}, embedder_id="fake")
        record.drop_vectors()
        assert (record.embedder(), [trace.id for trace in record.unembedded("other")]) == (None, ["t1"])
        record.set_vectors({"t1": unit_vector("x", 9)}, embedder_id="other")
        assert record.embedder() == ("other", 9)
        assert verify(record).clean


def test_a_negative_zero_is_no_damage(tmp_path: Path) -> None:
    with SqliteRecord(tmp_path) as record:
        record.append([new_trace("t0", reward=-0.0, trust=-0.0)])
        assert verify(record).clean


def test_the_decision_log_is_bounded(tmp_path: Path) -> None:
    note = DecisionNote(time=EPOCH, decision="skip", reasons=(), salience=0.0, digest="x")
    with SqliteRecord(tmp_path) as record:
        for _ in range(3):
            record.note(decisions=[note] * (DECISIONS_KEPT // 2))
        assert len(record.decisions(limit=10 * DECISIONS_KEPT)) == DECISIONS_KEPT
        for _ in range(250):
            record.note(decisions=[note])
        assert DECISIONS_KEPT < len(record.decisions(limit=10 * DECISIONS_KEPT)) <= DECISIONS_KEPT + 200


def test_threads_share_one_record(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    with SqliteRecord(tmp_path) as record:

        def work(name: int) -> None:
            try:
                for number in range(50):
                    (trace,) = record.append([new_trace(f"{name}-{number}", f"thread {name} writes {number}")])
                    assert record.by_seq([trace.seq])[trace.seq] == trace
                    assert trace.seq in record.match(["thread"], limit=1000)[0]
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert record.count() == 200
        assert verify(record).clean


def test_power_durability_writes_the_same(tmp_path: Path) -> None:
    with SqliteRecord(tmp_path, durability="power") as record:
        record.append([new_trace("t1")])
        record.delete(["t1"], reason="x")
        with record.database.read() as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    with SqliteRecord(tmp_path) as record:
        record.delete(["t1"], reason="x")
        with record.database.read() as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (1,)


def test_the_log_is_folded_when_it_has_grown(tmp_path: Path) -> None:
    with SqliteRecord(tmp_path) as record:
        log = tmp_path / (FILE_NAME + "-wal")
        largest = 0
        for number in range(60):
            record.append([new_trace(f"t{number}-{n}", "word " * 1000, dim=64) for n in range(50)])
            largest = max(largest, log.stat().st_size)
        assert largest < 24 * 1024 * 1024
        assert (tmp_path / FILE_NAME).stat().st_size > 16 * 1024 * 1024
        assert record.count() == 3000
    assert not log.exists()


def test_locks_exclude_and_are_given_back(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.try_acquire()
    assert not second.try_acquire(shared=True)
    with pytest.raises(Locked, match="another process"):
        second.acquire(timeout=0.05)
    assert first.try_acquire(shared=True)
    assert second.try_acquire(shared=True)
    first.release()
    assert second.try_acquire()
    second.release()
    assert not second.is_held


def test_sizes_of_vectors_and_numbers_are_checked(tmp_path: Path) -> None:
    with SqliteRecord(tmp_path) as record:
        with pytest.raises(InvalidVector, match="norm"):
            record.append([new_trace("t1", vector=np.full(8, 3e38, np.float32))])
        with pytest.raises(InvalidVector, match="shape"):
            record.append([new_trace("t1", vector=np.zeros((2, 4), np.float32))])
        with pytest.raises(InvalidInput):
            record.get(["\ud800"])
        assert record.count() == 0
