"""The system of record of one bank: one SQLite file that everything else can be rebuilt from.

    record = SqliteRecord(folder)
    trace = record.append([new])[0]     # after commit: row, full text, outbox, counters, decisions in one transaction
    record.by_seq([trace.seq])

It keeps rows; it embeds nothing, gates nothing and ranks nothing but words.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from hippo_agent.errors import EmbedderMismatch, InvalidInput, InvalidVector, TraceNotFound
from hippo_agent.storage.base import (
    Allowed,
    Change,
    DecisionNote,
    Durability,
    NewTrace,
    Observation,
    Retention,
    Scores,
    Seqs,
    Tombstone,
    Vector,
)
from hippo_agent.storage.database import Database
from hippo_agent.storage.fulltext import FullText
from hippo_agent.storage.notes import Notes, read_decisions, write_notes
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
    from_micros,
    load_observation,
    micros,
    row_hash,
    to_trace,
)
from hippo_agent.types import Event, Namespace, Status, Trace

__all__ = ["FILE_NAME", "FullRow", "SqliteRecord", "find_key", "insert", "last_seq"]

FILE_NAME = "record.sqlite3"
_CHUNK = 500  # values per IN list


@dataclass(frozen=True, slots=True, kw_only=True)
class FullRow:
    """A trace and what else its row holds."""

    trace: Trace
    vector: Vector | None
    embedder_id: str | None
    slot_codes: bytes
    last_used: datetime | None


class SqliteRecord:
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
        self.database = Database(self.folder / FILE_NAME, read_only=read_only, durability=durability)
        self._fulltext = FullText(self.database)
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
                if event.key is not None:
                    keys[event.namespace, event.key] = trace
            self.check_embedder(connection, written)
            insert(connection, written)
            write_notes(connection, notes)
        return traces

    def merge(
        self,
        trace_id: str,
        event: Event,
        *,
        write_time: datetime,
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

    def last_used(self, trace_ids: Sequence[str]) -> dict[str, datetime]:
        """When traces were last useful; those that never were are left out."""
        found: dict[str, datetime] = {}
        with self.database.read() as connection:
            for start in range(0, len(trace_ids), _CHUNK):
                chunk = trace_ids[start : start + _CHUNK]
                places = ", ".join("?" * len(chunk))
                query = f"SELECT id, last_used FROM trace WHERE last_used IS NOT NULL AND id IN ({places})"
                found.update((row[0], from_micros(row[1])) for row in connection.execute(query, chunk))
        return found

    # Vectors

    def embedder(self) -> tuple[str, int] | None:
        """Id and dimension of the embedder whose vectors the bank holds; None before the first vector."""
        found = self.value("embedder")
        return None if found is None else (found["id"], found["dim"])

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

    def unembedded(self, embedder_id: str, *, limit: int = 1000) -> list[Trace]:
        """Traces that wait for a vector, oldest first; EmbedderMismatch when the bank holds another embedder's."""
        held = self.embedder()
        if held is not None and held[0] != embedder_id:
            raise _mismatch(held[0], embedder_id)
        with self.database.read() as connection:
            query = f"SELECT {TRACE} FROM trace WHERE vec IS NULL ORDER BY seq LIMIT ?"
            return [to_trace(row) for row in connection.execute(query, (limit,))]

    def check_embedder(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
        """EmbedderMismatch or InvalidVector unless the rows' vectors are of the bank's embedder; the first sets it."""
        for embedder_id, dim in {row.immutable[-4:-2] for row in rows}:
            if embedder_id is not None:
                self._claim_embedder(connection, embedder_id, dim)

    def _claim_embedder(self, connection: sqlite3.Connection, embedder_id: str, dim: int) -> None:
        held = self.embedder()
        if held is None:
            write_notes(connection, Notes(values={"embedder": {"id": embedder_id, "dim": dim}}))
        elif held[0] != embedder_id:
            raise _mismatch(held[0], embedder_id)
        elif held[1] != dim:
            raise InvalidVector(f"a vector of {dim} dimensions does not fit the bank's {held[1]}; use {held[0]!r}")

    # Reading

    def get(self, trace_ids: Sequence[str]) -> dict[str, Trace]:
        """Traces by id; missing ids are left out."""
        return {trace.id: trace for trace in self._select("id", [_storable(trace_id) for trace_id in trace_ids])}

    def by_seq(self, seqs: Sequence[int] | Seqs) -> dict[int, Trace]:
        """Traces by seq; deleted ones are left out."""
        return {trace.seq: trace for trace in self._select("seq", [int(seq) for seq in seqs])}

    def find_key(self, namespace: Namespace, key: str) -> Trace | None:
        """The trace that holds this idempotency key, written or merged."""
        with self.database.snapshot() as connection:
            return find_key(connection, namespace, key)

    def observations(self, trace_id: str) -> list[Observation]:
        """What was merged into this trace, oldest first."""
        with self.database.read() as connection:
            found = connection.execute(
                "SELECT o.t_write, o.event FROM observation o JOIN trace t ON t.seq = o.trace_seq "
                "WHERE t.id = ? ORDER BY o.number",
                (_storable(trace_id),),
            ).fetchall()
        return [load_observation(trace_id, *row) for row in found]

    def scan(self, *, after: int = 0, batch: int = 1000) -> Iterator[Sequence[tuple[Trace, Vector | None]]]:
        """All live traces in seq order with their vectors, ``batch`` at a time."""
        query = f"SELECT vec, {TRACE} FROM trace WHERE seq > ? ORDER BY seq LIMIT ?"
        while True:
            with self.database.read() as connection:
                found = connection.execute(query, (after, batch)).fetchall()
            if not found:
                return
            after = found[-1][1]
            yield [(to_trace(row[1:]), None if row[0] is None else np.frombuffer(row[0], "<f4")) for row in found]

    def scan_full(self, *, batch: int = 500) -> Iterator[Sequence[FullRow]]:
        """All traces with everything that a row holds, for export."""
        query = f"SELECT vec, embedder_id, slot_codes, {TRACE} FROM trace WHERE seq > ? ORDER BY seq LIMIT ?"
        after = 0
        while True:
            with self.database.read() as connection:
                found = connection.execute(query, (after, batch)).fetchall()
            if not found:
                return
            after = found[-1][3]
            yield [
                FullRow(
                    trace=to_trace(row[3:]),
                    vector=None if row[0] is None else np.frombuffer(row[0], "<f4"),
                    embedder_id=row[1],
                    slot_codes=row[2],
                    last_used=None if row[7] is None else from_micros(row[7]),
                )
                for row in found
            ]

    def count(self, status: Status | None = None) -> int:
        """How many traces there are (of one status)."""
        with self.database.read() as connection:
            if status is None:
                return int(connection.execute("SELECT count(*) FROM trace").fetchone()[0])
            if status == "active":
                query = "SELECT (SELECT count(*) FROM trace) - (SELECT count(*) FROM trace WHERE status <> 'active')"
                return int(connection.execute(query).fetchone()[0])
            query = "SELECT count(*) FROM trace WHERE status <> 'active' AND status = ?"
            return int(connection.execute(query, (status,)).fetchone()[0])

    def _select(self, column: str, wanted: Sequence[Any]) -> list[Trace]:
        found: list[Trace] = []
        with self.database.read() as connection:
            for start in range(0, len(wanted), _CHUNK):
                chunk = wanted[start : start + _CHUNK]
                query = f"SELECT {TRACE} FROM trace WHERE {column} IN ({', '.join('?' * len(chunk))})"
                found.extend(to_trace(row) for row in connection.execute(query, chunk))
        return found

    # Words

    def match(
        self,
        terms: Sequence[str],
        *,
        limit: int,
        namespace: Namespace | None = None,
        allowed: Allowed | None = None,
    ) -> tuple[Seqs, Scores]:
        """BM25 for an OR of terms, best first; a namespace and ``allowed`` hold before the cut."""
        return self._fulltext.match(terms, limit=limit, allowed=_both(allowed, self._inside(namespace)))

    def document_frequency(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many traces each term occurs, after stemming."""
        return self._fulltext.document_frequency(terms)

    def _inside(self, namespace: Namespace | None) -> Allowed | None:
        if not namespace:
            return None
        opening = dump(namespace)[:-1]  # '["a","b"' opens '["a","b"]' and '["a","b","c"]'

        def inside(seqs: Seqs) -> np.ndarray[Any, np.dtype[np.bool_]]:
            within: set[int] = set()
            with self.database.read() as connection:
                for start in range(0, len(seqs), _CHUNK):
                    chunk = [int(seq) for seq in seqs[start : start + _CHUNK]]
                    query = (
                        f"SELECT seq FROM trace WHERE seq IN ({', '.join('?' * len(chunk))}) "
                        "AND (namespace = ? OR substr(namespace, 1, ?) = ?)"
                    )
                    found = connection.execute(query, (*chunk, opening + "]", len(opening) + 1, opening + ","))
                    within.update(row[0] for row in found)
            return np.fromiter((int(seq) in within for seq in seqs), np.bool_, len(seqs))

        return inside

    # Following

    def position(self) -> int:
        """The last outbox position, other processes' writes included."""
        with self.database.read() as connection:
            return int(connection.execute("SELECT ifnull(max(position), 0) FROM outbox").fetchone()[0])

    def changes(self, after: int, *, limit: int = 10_000) -> list[Change]:
        """Outbox entries past ``after``, in order."""
        with self.database.read() as connection:
            query = "SELECT position, op, seq FROM outbox WHERE position > ? ORDER BY position LIMIT ?"
            return [Change(position=row[0], op=row[1], seq=row[2]) for row in connection.execute(query, (after, limit))]

    def retention(self) -> Retention:
        """The columns that eviction and fading look at, for all traces, in seq order."""
        with self.database.read() as connection:
            found = connection.execute(
                "SELECT seq, salience, strength, reward, repeats, t_write, ifnull(last_used, t_write), pinned "
                "FROM trace ORDER BY seq"
            ).fetchall()
        columns = list(zip(*found, strict=True)) or [()] * 8
        return Retention(
            seq=np.array(columns[0], np.int64),
            salience=np.array(columns[1], np.float32),
            strength=np.array(columns[2], np.float32),
            reward=np.array(columns[3], np.float32),
            repeats=np.array(columns[4], np.int64),
            write_time=np.array(columns[5], np.int64),
            last_used=np.array(columns[6], np.int64),
            pinned=np.array(columns[7], np.bool_),
        )

    # Small state

    def counters(self) -> dict[str, int]:
        """All counters by name."""
        with self.database.read() as connection:
            return dict(connection.execute("SELECT name, value FROM counter ORDER BY name").fetchall())

    def decisions(self, *, limit: int = 100) -> list[DecisionNote]:
        """The newest gate decisions, newest first."""
        with self.database.read() as connection:
            return read_decisions(connection, limit)

    def value(self, key: str) -> Any:
        """The JSON document stored under ``key``; None when there is none."""
        with self.database.read() as connection:
            found = connection.execute("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()
        return None if found is None else json.loads(found[0])

    def tombstones(self) -> list[Tombstone]:
        """What was forgotten, oldest first."""
        with self.database.read() as connection:
            query = "SELECT id, time, reason FROM tombstone ORDER BY time, id"
            return [Tombstone(id=row[0], time=from_micros(row[1]), reason=row[2]) for row in connection.execute(query)]

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

    def scrub(self) -> None:
        """Leave no byte of deleted traces in the file: merge the full text, rewrite the file, empty the log.

        Takes seconds on a large bank and as much free space as the file.
        """
        with self.database.write(durable=True) as connection:
            connection.execute("INSERT INTO fulltext (fulltext) VALUES ('optimize')")
            connection.execute(
                "DELETE FROM outbox WHERE position NOT IN (SELECT max(position) FROM outbox GROUP BY seq)"
            )
        self.database.vacuum()

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


def find_key(connection: sqlite3.Connection, namespace: Namespace, key: str) -> Trace | None:
    """The trace that holds a key, by its own event or by a merged one."""
    where = (dump(namespace), key)
    found = connection.execute(f"SELECT {TRACE} FROM trace WHERE namespace = ? AND key = ?", where).fetchone()
    if found is None:
        query = "SELECT trace_seq FROM observation WHERE namespace = ? AND key = ?"
        found = connection.execute(f"SELECT {TRACE} FROM trace WHERE seq = ({query})", where).fetchone()
    return None if found is None else to_trace(found)


def _storable(text: str) -> str:
    check_text(text)
    return text


def _mismatch(held: str, given: str) -> EmbedderMismatch:
    return EmbedderMismatch(
        f"the bank holds vectors of {held!r}, not of {given!r}; use that embedder or re-embed the bank"
    )


def _both(first: Allowed | None, second: Allowed | None) -> Allowed | None:
    if first is None or second is None:
        return first or second
    return lambda seqs: first(seqs) & second(seqs)
