"""The system of record of one bank: one SQLite file that everything else can be rebuilt from.

    record = SqliteRecord(folder)
    trace = record.append([new])[0]     # after commit: row, full text, outbox, counters, decisions in one transaction
    record.by_seq([trace.seq])

It keeps rows; it embeds nothing, gates nothing and ranks nothing but words.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hippo_agent.errors import InvalidInput, InvalidVector, TraceNotFound
from hippo_agent.storage.base import (
    DecisionNote,
    Durability,
    NewTrace,
    Vector,
)
from hippo_agent.storage.database import Database
from hippo_agent.storage.notes import Notes, write_notes
from hippo_agent.storage.places import PlaceMark, link
from hippo_agent.storage.quarantine import hold
from hippo_agent.storage.reading import FullRow, RecordReader, find_embedder, find_key, mismatch
from hippo_agent.storage.rows import (
    IMMUTABLE,
    INSERT,
    TRACE,
    Row,
    check_text,
    check_vector,
    dump,
    dump_event,
    encode,
    event_hash,
    micros,
    row_hash,
    to_trace,
)
from hippo_agent.types import Event, Namespace, Status, Trace

__all__ = ["FILE_NAME", "FullRow", "SqliteRecord", "find_key", "insert", "last_seq"]

FILE_NAME = "record.sqlite3"
_CHUNK = 500  # values per IN list


class SqliteRecord(RecordReader):
    """`RecordStore` over SQLite. Threads and processes may share one folder; see `Database` for what is promised."""

    def __init__(
        self,
        folder: str | Path,
        *,
        read_only: bool = False,
        durability: Durability = "process",
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        """Open or create the record in a folder. A folder that cannot be written is opened read-only.

        ``durability``: "process" survives kill -9 at any moment, "power" a power cut as well (milliseconds per write).
        ``clock`` dates tombstones. Raises CorruptMemory, MigrationError, ReadOnlyMemory, StorageError.
        """
        self.folder = Path(folder)
        super().__init__(Database(self.folder / FILE_NAME, read_only=read_only, durability=durability))
        self._clock = clock

    @property
    def read_only(self) -> bool:
        return self.database.read_only

    # Writing

    def append(
        self,
        rows: Sequence[NewTrace],
        *,
        counters: Mapping[str, int] | None = None,
        decisions: Sequence[DecisionNote] = (),
        values: Mapping[str, Any] | None = None,
    ) -> list[Trace]:
        """Write rows and what rides with them; a row whose key exists gives back the trace that holds the key."""
        notes = Notes(counters, decisions, values)
        with self.database.write() as connection:
            traces: list[Trace] = []
            written: list[Row] = []
            marks: list[tuple[str, PlaceMark]] = []
            set_aside = [(new.id, new.held) for new in rows if new.held]
            seq = last_seq(connection)
            keys: dict[tuple[Namespace, str], Trace] = {}
            for new in rows:
                event = new.event
                if event.key is not None:
                    held = keys.get((event.namespace, event.key)) or find_key(connection, event.namespace, event.key)
                    if held is not None:
                        traces.append(held)
                        continue
                seq += 1
                row = encode(new, seq)
                trace = row.trace()
                traces.append(trace)
                written.append(row)
                if new.place is not None:
                    marks.append((trace.id, new.place))
                if event.key is not None:
                    keys[event.namespace, event.key] = trace
            self.check_embedder(connection, written)
            insert(connection, written)
            link(connection, marks)
            if set_aside:
                hold(connection, set_aside, micros(self._clock()))
            write_notes(connection, notes)
        return traces

    def merge(
        self,
        trace_id: str,
        event: Event,
        *,
        write_time: datetime,
        place: PlaceMark | None = None,
        counters: Mapping[str, int] | None = None,
        decisions: Sequence[DecisionNote] = (),
        values: Mapping[str, Any] | None = None,
    ) -> Trace:
        """Keep another observation of the same event beside its trace; a key that exists changes nothing."""
        for label in (event.text, event.key, *event.namespace):
            check_text(label)
        raw, written_at = dump_event(event), micros(write_time)
        with self.database.write() as connection:
            if event.key is not None and (held := find_key(connection, event.namespace, event.key)):
                return held
            found = connection.execute("SELECT seq FROM trace WHERE id = ?", (trace_id,)).fetchone()
            if found is None:
                raise TraceNotFound(f"no trace {trace_id!r}: it was never written, or it was forgotten")
            seq = found[0]
            connection.execute(
                "INSERT INTO observation (trace_seq, namespace, key, t_write, row_hash, event) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (seq, dump(event.namespace), event.key, written_at, event_hash(seq, written_at, raw), raw),
            )
            connection.execute(
                "UPDATE trace SET repeats = repeats + 1, "
                "state_hash = state_hash(seq, status, strength, repeats + 1, last_used) WHERE seq = ?",
                (seq,),
            )
            if place is not None:
                link(connection, [(trace_id, place)])
            write_notes(connection, Notes(counters, decisions, values))
            return to_trace(connection.execute(f"SELECT {TRACE} FROM trace WHERE seq = ?", (seq,)).fetchone())

    def note(
        self,
        *,
        counters: Mapping[str, int] | None = None,
        decisions: Sequence[DecisionNote] = (),
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """Record decisions, counters or state that no trace belongs to."""
        with self.database.write() as connection:
            write_notes(connection, Notes(counters, decisions, values))

    def delete(self, trace_ids: Sequence[str], *, reason: str) -> int:
        """Delete traces with their full text and observations, leaving a tombstone each; survives power loss."""
        check_text(reason)
        now = micros(self._clock())
        deleted = 0
        with self.database.write(durable=True) as connection:
            for trace_id in dict.fromkeys(trace_ids):
                check_text(trace_id)
                found = connection.execute("SELECT seq, text, speaker FROM trace WHERE id = ?", (trace_id,)).fetchone()
                if found is not None:
                    connection.execute(
                        "INSERT INTO fulltext (fulltext, rowid, text, speaker) VALUES ('delete', ?, ?, ?)", found
                    )
                    connection.execute("DELETE FROM trace WHERE seq = ?", (found[0],))
                    connection.execute("INSERT OR REPLACE INTO tombstone VALUES (?, ?, ?)", (trace_id, now, reason))
                    deleted += 1
        return deleted

    def set_status(self, trace_ids: Sequence[str], status: Status) -> int:
        """Change the status of traces; returns how many were changed."""
        with self.database.write() as connection:
            return sum(
                connection.execute(
                    "UPDATE trace SET status = ?, state_hash = state_hash(seq, ?, strength, repeats, last_used) "
                    "WHERE id = ? AND status <> ?",
                    (status, status, trace_id, status),
                ).rowcount
                for trace_id in trace_ids
            )

    def reinforce(self, trace_ids: Sequence[str], *, amount: float, at: datetime) -> int:
        """Strength + ``amount`` and last use = ``at``, for traces whose recall was useful."""
        if not 0.0 <= amount < float("inf"):
            raise InvalidInput(f"amount must be a finite number >= 0, not {amount!r}")
        used = micros(at)
        with self.database.write() as connection:
            return sum(
                connection.execute(
                    "UPDATE trace SET strength = strength + ?, last_used = ?, "
                    "state_hash = state_hash(seq, status, strength + ?, repeats, ?) WHERE id = ?",
                    (amount, used, amount, used, trace_id),
                ).rowcount
                for trace_id in trace_ids
            )

    # Vectors

    def set_vectors(
        self, vectors: Mapping[str, Vector], *, embedder_id: str, slot_codes: Mapping[str, bytes] | None = None
    ) -> int:
        """Give traces (by id) their vectors; EmbedderMismatch when the bank holds another embedder's."""
        codes = slot_codes or {}
        done = 0
        with self.database.write() as connection:
            for trace_id, vector in vectors.items():
                vec = check_vector(vector)
                self._claim_embedder(connection, embedder_id, len(vec) // 4)
                found = connection.execute(
                    f"SELECT {', '.join(IMMUTABLE)} FROM trace WHERE id = ?", (trace_id,)
                ).fetchone()
                if found is None:
                    continue
                ending = (embedder_id, len(vec) // 4, bytes(codes.get(trace_id, found[-2])), vec)
                connection.execute(
                    "UPDATE trace SET embedder_id = ?, dim = ?, slot_codes = ?, vec = ?, row_hash = ? WHERE seq = ?",
                    (*ending, row_hash((*found[:-4], *ending)), found[0]),
                )
                done += 1
        return done

    def drop_vectors(self) -> int:
        """Take every vector out, so that another embedder can write its own (`unembedded`, `set_vectors`)."""
        dropped = 0
        with self.database.write(durable=True) as connection:
            seqs = [row[0] for row in connection.execute("SELECT seq FROM trace WHERE vec IS NOT NULL")]
            for seq in seqs:
                found = connection.execute(f"SELECT {', '.join(IMMUTABLE)} FROM trace WHERE seq = ?", (seq,)).fetchone()
                ending = (None, 0, found[-2], None)
                connection.execute(
                    "UPDATE trace SET embedder_id = ?, dim = ?, slot_codes = ?, vec = ?, row_hash = ? WHERE seq = ?",
                    (*ending, row_hash((*found[:-4], *ending)), seq),
                )
                dropped += 1
            connection.execute("DELETE FROM kv WHERE key = 'embedder'")
        return dropped

    def check_embedder(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
        """EmbedderMismatch or InvalidVector unless the rows' vectors are of the bank's embedder; the first sets it."""
        for embedder_id, dim in {row.immutable[-4:-2] for row in rows}:
            if embedder_id is not None:
                self._claim_embedder(connection, embedder_id, dim)

    def _claim_embedder(self, connection: sqlite3.Connection, embedder_id: str, dim: int) -> None:
        held = find_embedder(connection)
        if held is None:
            write_notes(connection, Notes(values={"embedder": {"id": embedder_id, "dim": dim}}))
        elif held[0] != embedder_id:
            raise mismatch(held[0], embedder_id)
        elif held[1] != dim:
            raise InvalidVector(f"a vector of {dim} dimensions does not fit the bank's {held[1]}; use {held[0]!r}")

    # The file

    def backup(self, target: str | Path) -> None:
        """Copy the record, consistently and while it is in use, to a new file."""
        path = Path(target)
        if path.exists():
            raise InvalidInput(f"{str(path)!r} exists; choose a new file for the backup")
        draft = path.with_name(path.name + ".part")
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with self.database.read() as connection, contextlib.closing(sqlite3.connect(draft)) as copy:
            connection.backup(copy)
        draft.rename(path)

    def scrub(self) -> bool:
        """Leave no byte of deleted traces in the file: merge the full text, rewrite the file, empty the log.

        Takes seconds on a large bank and as much free space as the file. False when a reader kept the log full.
        """
        self.compact()
        return self.database.vacuum()

    def compact(self) -> int:
        """Merge the full text and drop superseded changes; returns how many. Followers of the outbox lose nothing."""
        with self.database.write(durable=True) as connection:
            connection.execute("INSERT INTO fulltext (fulltext) VALUES ('optimize')")
            return connection.execute(
                "DELETE FROM outbox WHERE position NOT IN (SELECT max(position) FROM outbox GROUP BY seq)"
            ).rowcount

    def close(self) -> None:
        """Fold the log into the file and close; a second call does nothing."""
        self.database.close()

    def __enter__(self) -> SqliteRecord:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Write rows and their full text inside the caller's transaction."""
    try:
        connection.executemany(INSERT, [row.values() for row in rows])
        words = [(row.immutable[0], row.immutable[17], row.immutable[4]) for row in rows]
        connection.executemany("INSERT INTO fulltext (rowid, text, speaker) VALUES (?, ?, ?)", words)
    except sqlite3.IntegrityError as error:
        raise InvalidInput(f"a trace cannot be stored ({error}); ids are unique, trust is in [0, 1]") from error
    except OverflowError as error:
        raise InvalidInput(f"a number is too large to be stored ({error})") from error


def last_seq(connection: sqlite3.Connection) -> int:
    """The last position given out, deleted traces included."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'trace'").fetchone()
    return int(found[0]) if found else 0
