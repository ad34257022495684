"""What can still be read of a damaged bank, as a new bank. The damaged one is copied first and never written to."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hippo_agent.errors import CorruptMemory, InvalidInput
from hippo_agent.storage.places import PLACE_TABLES
from hippo_agent.storage.record import FILE_NAME, SqliteRecord
from hippo_agent.storage.rows import IMMUTABLE, STATE, row_hash, state_hash

__all__ = ["Salvaged", "salvage"]

_STEP = 256  # rows read at once, until one of them cannot be
_GAP = 20_000  # empty positions after which there is nothing more, when the last position cannot be read
_COLUMNS = (*STATE, *IMMUTABLE[1:])
_OTHERS = (("observation", ("number", "trace_seq", "namespace", "key", "t_write", "row_hash", "event")),)
_TABLES = ("tombstone", "quarantine", "item", "item_text", *reversed(PLACE_TABLES))  # parents first


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """What came out of a damaged bank."""

    traces: int
    damaged: int  # of those: readable, but not as written; quarantined in the new bank
    unreadable: int  # positions whose row could not be read
    repeats: int
    incomplete: tuple[str, ...]  # other tables that could not be read to their end


def salvage(damaged: str | Path, target: str | Path, *, progress: Callable[[int, int], None] | None = None) -> Salvaged:
    """Make a new bank of what can be read of a damaged one. Facts are read anew from the traces by the new bank.

    Raises CorruptMemory (nothing can be read), InvalidInput (the target exists).
    """
    source, path = Path(damaged) / FILE_NAME, Path(target)
    if path.exists():
        raise InvalidInput(f"{str(path)!r} exists; choose a new folder for what is salvaged")
    if not source.is_file():
        raise InvalidInput(f"there is no {FILE_NAME} in {str(damaged)!r}; name the folder of a memory")
    with tempfile.TemporaryDirectory(prefix="hippo-salvage-") as scratch:
        copy = Path(scratch) / FILE_NAME
        shutil.copyfile(source, copy)
        log = source.with_name(source.name + "-wal")
        if log.is_file():
            shutil.copyfile(log, copy.with_name(copy.name + "-wal"))
        with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as reading:
            reading.text_factory = lambda raw: raw.decode("utf-8", "replace")
            try:
                reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.DatabaseError as error:
                raise CorruptMemory(
                    f"nothing of {str(source)!r} can be read ({error}); restore a backup: hippo restore"
                ) from error
            with SqliteRecord(path) as record:
                return _copy(reading, record, progress or (lambda done, total: None))


def _copy(reading: sqlite3.Connection, record: SqliteRecord, progress: Callable[[int, int], None]) -> Salvaged:
    counts = {"traces": 0, "damaged": 0, "unreadable": 0, "repeats": 0}
    incomplete: list[str] = []
    embedder = None
    with record.database.write(durable=True) as writing:
        for row in _rows(reading, "trace", "seq", _COLUMNS, counts, progress):
            state, immutable = list(row[: len(STATE)]), (row[0], *row[len(STATE) :])
            sound = _sound(reading, state, immutable)
            if not sound:
                state[1] = "quarantined"
            if _insert(writing, state, immutable):
                counts["traces"] += 1
                counts["damaged"] += not sound
                if sound and immutable[-4] is not None:
                    embedder = {"id": immutable[-4], "dim": immutable[-3]}
            else:
                counts["unreadable"] += 1
        for table, columns in _OTHERS:
            rest = {"unreadable": 0}
            for row in _rows(reading, table, columns[0], columns, rest, lambda done, total: None):
                counts["repeats"] += _put(writing, table, columns, row)
            if rest["unreadable"]:
                incomplete.append(table)
        for table in _TABLES:
            if not _whole(reading, writing, table):
                incomplete.append(table)
        writing.execute("DELETE FROM tombstone WHERE id IN (SELECT id FROM trace)")
        writing.execute("DELETE FROM place_link WHERE kind = 'episode' AND item NOT IN (SELECT id FROM trace)")
        if embedder is not None:
            record.note(values={"embedder": embedder})
        writing.execute("INSERT INTO fulltext (fulltext) VALUES ('rebuild')")
    return Salvaged(**counts, incomplete=tuple(incomplete))


def _rows(
    reading: sqlite3.Connection,
    table: str,
    number: str,
    columns: tuple[str, ...],
    counts: dict[str, int],
    progress: Callable[[int, int], None],
) -> Iterator[tuple[Any, ...]]:
    """Every row that can be read, in order; those that cannot are counted."""
    last = _last(reading, table, number)
    query = f"SELECT {', '.join(columns)} FROM {table} WHERE {number} BETWEEN ? AND ? ORDER BY {number}"
    start, empty = 1, 0
    while start <= last if last is not None else empty < _GAP:
        stop = start + _STEP - 1
        try:
            rows = reading.execute(query, (start, stop)).fetchall()
        except sqlite3.DatabaseError:
            rows = []
            for one in range(start, stop + 1):
                try:
                    rows += reading.execute(query, (one, one)).fetchall()
                except sqlite3.DatabaseError:
                    counts["unreadable"] += last is None or one <= last
        yield from rows
        empty = 0 if rows else empty + _STEP
        progress(min(stop, last or stop), last or stop)
        start = stop + 1


def _last(reading: sqlite3.Connection, table: str, number: str) -> int | None:
    for query in (
        "SELECT seq FROM sqlite_sequence WHERE name = ?1",
        f"SELECT max({number}) FROM {table} WHERE ?1 <> ''",
    ):
        with contextlib.suppress(sqlite3.DatabaseError):
            found = reading.execute(query, (table,)).fetchone()
            if found is not None and found[0] is not None:
                return int(found[0])
    return None


def _sound(reading: sqlite3.Connection, state: list[Any], immutable: tuple[Any, ...]) -> bool:
    with contextlib.suppress(sqlite3.DatabaseError, ValueError, TypeError):
        held = reading.execute("SELECT state_hash, row_hash FROM trace WHERE seq = ?", (state[0],)).fetchone()
        return bool(held == (state_hash(*state), row_hash(immutable)))
    return False


def _insert(writing: sqlite3.Connection, state: list[Any], immutable: tuple[Any, ...]) -> bool:
    values = (*state, *immutable[1:])
    try:
        values += (state_hash(*state), row_hash(immutable))
    except (ValueError, TypeError):
        return False
    return _put(writing, "trace", (*_COLUMNS, "state_hash", "row_hash"), values)


def _put(writing: sqlite3.Connection, table: str, columns: tuple[str, ...], values: tuple[Any, ...]) -> bool:
    try:
        marks = ", ".join("?" * len(columns))
        writing.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)
    except (sqlite3.Error, OverflowError, UnicodeError):  # a value that the tables refuse is lost
        return False
    return True


def _whole(reading: sqlite3.Connection, writing: sqlite3.Connection, table: str) -> bool:
    """Copy a table as far as it can be read; whether that was to its end."""
    try:
        cursor = reading.execute(f"SELECT * FROM {table}")
        columns = tuple(entry[0] for entry in cursor.description)
        for row in cursor:
            _put(writing, table, columns, row)
    except sqlite3.DatabaseError as error:
        return "no such table" in str(error)  # of an older format
    return True
