"""Damaged, foreign, full, read-only: a typed error, nothing changed that should not be, nothing acknowledged lost."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hippo_agent.errors import (
    CorruptMemory,
    HippoError,
    MemoryClosed,
    MigrationError,
    ReadOnlyMemory,
    StorageFull,
)
from hippo_agent.storage.mirror import Mirror
from hippo_agent.storage.record import FILE_NAME, SqliteRecord
from hippo_agent.storage.verify import repair, verify
from hippo_agent.testing.fakes import EPOCH, new_trace

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A cleanly closed bank of 60 traces."""
    folder = tmp_path / "bank"
    with SqliteRecord(folder) as record:
        record.append([new_trace(f"t{n}", f"trace number {n} " + "word " * 40, dim=64) for n in range(60)])
        record.merge("t3", new_trace("-", "seen again").event, write_time=EPOCH)
    return folder


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_header(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[:16] = bytes(byte ^ 0xFF for byte in data[:16])
    path.write_bytes(data)


def other_program(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.execute("PRAGMA application_id = 12345")
    connection.commit()
    connection.close()


def no_program(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE trace (x)")
    connection.commit()
    connection.close()


def text_file(path: Path) -> None:
    path.write_text("not a database\n" * 100)


@pytest.mark.parametrize("damage", [truncate, empty, flip_header, other_program, no_program, text_file])
def test_a_file_that_is_damaged_or_not_ours_is_refused_and_not_touched(
    bank: Path, damage: Callable[[Path], None]
) -> None:
    path = bank / FILE_NAME
    damage(path)
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(CorruptMemory, match=re.escape(FILE_NAME)):
            SqliteRecord(bank, read_only=read_only)
    assert path.read_bytes() == before
    assert not path.with_name(path.name + "-wal").exists()


def test_a_truncated_file_with_a_log_is_refused_and_not_touched(bank: Path, tmp_path: Path) -> None:
    record = SqliteRecord(bank)
    record.append([new_trace("last", dim=64)])
    copy = tmp_path / "copy"
    shutil.copytree(bank, copy)
    record.close()
    path = copy / FILE_NAME
    truncate(path)
    before = path.read_bytes()
    with pytest.raises(CorruptMemory):
        SqliteRecord(copy)
    assert path.read_bytes() == before


def test_a_newer_format_is_refused_and_not_touched(bank: Path) -> None:
    connection = sqlite3.connect(bank / FILE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (bank / FILE_NAME).read_bytes()
    with pytest.raises(MigrationError, match="format 99"):
        SqliteRecord(bank)
    assert (bank / FILE_NAME).read_bytes() == before


def test_a_flipped_byte_in_any_value_is_found_and_named(bank: Path) -> None:
    """Text, vector and provenance: SQLite's own check says "ok" to each of them."""
    with SqliteRecord(bank) as record:
        rows = {row.trace.id: row for batch in record.scan_full() for row in batch}
    needles = {
        trace_id: [row.trace.text.encode()[:12], row.vector.tobytes()[40:52], b"user"]
        for trace_id, row in rows.items()
        if row.vector is not None
    }
    path = bank / FILE_NAME
    whole = path.read_bytes()
    chance = np.random.default_rng(0)
    for trace_id in chance.choice(sorted(needles), 20, replace=False):
        start = whole.find(str(trace_id).encode() + b"[]")
        for needle in needles[str(trace_id)]:
            at = whole.find(needle, start)
            data = bytearray(whole)
            data[at + int(chance.integers(4))] ^= 1 << int(chance.integers(8))
            path.write_bytes(data)
            with SqliteRecord(bank) as record:
                found = verify(record)
                assert found.record_ok
                assert found.row_hash_bad == (str(trace_id),)
                assert not found.clean
    path.write_bytes(whole)
    with SqliteRecord(bank) as record:
        assert verify(record).clean


def test_a_damaged_observation_is_found(bank: Path) -> None:
    path = bank / FILE_NAME
    path.write_bytes(path.read_bytes().replace(b"seen again", b"seen Again"))
    with SqliteRecord(bank) as record:
        assert verify(record).row_hash_bad == ("t3",)


def test_what_is_derived_is_repaired_and_damaged_rows_are_set_aside(bank: Path) -> None:
    connection = sqlite3.connect(bank / FILE_NAME)
    connection.execute("DELETE FROM fulltext_docsize WHERE id = 5")
    connection.execute("DELETE FROM outbox WHERE seq = 9")
    connection.execute("INSERT INTO outbox (op, seq) VALUES ('put', 999)")
    connection.execute("UPDATE trace SET text = 'forged ' || text WHERE seq = 20")
    connection.commit()
    connection.close()
    with SqliteRecord(bank) as record:
        found = verify(record)
        assert (found.fts_equal, found.outbox_equal, found.row_hash_bad) == (False, False, ("t19",))
        assert len(repair(record, quarantine=True)) == 3
        found = verify(record)
        assert (found.fts_equal, found.outbox_equal, found.row_hash_bad) == (True, True, ("t19",))
        assert record.get(["t19"])["t19"].status == "quarantined"
        assert record.count() == 60
        record.delete(["t19"], reason="damaged")
        assert verify(record).clean


def test_damaged_pages_are_reported_not_raised(bank: Path) -> None:
    path = bank / FILE_NAME
    with contextlib.closing(sqlite3.connect(path)) as connection:
        roots = [row[0] for row in connection.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = 'trace'")]
    data = bytearray(path.read_bytes())
    for page in roots:
        data[(page - 1) * 8192 : (page - 1) * 8192 + 64] = bytes(64)
    path.write_bytes(data)
    with SqliteRecord(bank) as record:
        found = verify(record)
        assert not found.record_ok
        assert not found.clean
        with pytest.raises(CorruptMemory):
            list(record.scan())
        with pytest.raises(CorruptMemory):
            Mirror(record).refresh()


FILL = """
import resource, signal, sys
from hippo_agent.errors import StorageFull
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.testing.fakes import new_trace
record = SqliteRecord(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, resource.RLIM_INFINITY))
written = 0
try:
    while True:
        record.append([new_trace(f"t{written}", "word " * 200, dim=64)])
        written += 1
except StorageFull:
    assert record.count() == written, (record.count(), written)
    assert len(record.match(["word"], limit=10_000)[0]) == written
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
record.append([new_trace("after", dim=64)])
record.close()
print(written)
"""


def run(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        cwd="/",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    written = int(run(FILL, str(tmp_path / "bank")))
    assert written > 50
    with SqliteRecord(tmp_path / "bank") as record:
        assert record.count() == written + 1
        assert verify(record).clean


READ = """
import os, sys
from hippo_agent.errors import ReadOnlyMemory
from hippo_agent.storage.mirror import Mirror
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.verify import verify
from hippo_agent.testing.fakes import new_trace
new = new_trace("x")
if os.getuid() == 0:
    os.setuid(65534)  # the superuser may write anywhere
with SqliteRecord(sys.argv[1]) as record:
    assert record.read_only
    assert record.get(["t7"])["t7"].text.startswith("trace number 7")
    assert len(record.match(["number"], limit=100)[0]) == 60
    assert len(Mirror(record).refresh()) == 60
    assert verify(record).clean
    for write in (lambda: record.append([new]), lambda: record.delete(["t1"], reason="x"), record.scrub):
        try:
            write()
        except ReadOnlyMemory:
            continue
        raise AssertionError(write)
print("read")
"""


def test_a_folder_that_cannot_be_written_is_read(bank: Path) -> None:
    above = [path for path in bank.parents if path.is_relative_to(tempfile.gettempdir()) and path != path.parent]
    rights = {path: path.stat().st_mode for path in (bank, *above) if path.stat().st_uid == os.getuid()}
    for path in bank.iterdir():
        path.chmod(0o444)
    for path, mode in rights.items():
        path.chmod(mode | 0o055)
    bank.chmod(0o555)
    try:
        assert run(READ, str(bank)) == "read\n"
    finally:
        for path, mode in rights.items():
            path.chmod(mode)


def test_read_only_by_request(bank: Path) -> None:
    with SqliteRecord(bank) as writer, SqliteRecord(bank, read_only=True) as reader:
        writer.append([new_trace("new", dim=64)])
        assert list(reader.get(["new"])) == ["new"]
        with pytest.raises(ReadOnlyMemory, match="read-only"):
            reader.append([new_trace("other", dim=64)])
        with pytest.raises(ReadOnlyMemory):
            reader.scrub()
    with pytest.raises(ReadOnlyMemory, match="no memory"):
        SqliteRecord(bank / "nothing", read_only=True)


def test_nothing_works_after_close(bank: Path) -> None:
    record = SqliteRecord(bank)
    record.close()
    record.close()
    for use in (lambda: record.get(["t1"]), lambda: record.append([new_trace("x")]), lambda: verify(record)):
        with pytest.raises(MemoryClosed, match="closed"):
            use()


def test_every_failure_is_one_of_ours() -> None:
    assert all(issubclass(error, HippoError) for error in (CorruptMemory, StorageFull, ReadOnlyMemory, MemoryClosed))


FORK = """
import os, sys
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.testing.fakes import new_trace
record = SqliteRecord(sys.argv[1])
record.append([new_trace("before")])
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.close(write)
    record.append([new_trace(f"child{n}") for n in range(20)])
    os.read(read, 1)  # the parent has closed
    for n in range(20, 40):
        record.append([new_trace(f"child{n}")])
    record.close()
    os._exit(0)
os.close(read)
for n in range(40):
    record.append([new_trace(f"parent{n}")])
record.close()
os.write(write, b"x")
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("done")
"""


def test_a_forked_child_may_go_on(tmp_path: Path) -> None:
    assert run(FORK, str(tmp_path / "bank")) == "done\n"
    with SqliteRecord(tmp_path / "bank") as record:
        assert record.count() == 81
        assert verify(record).clean
