"""Everything that a record can be asked; `record.py` adds what changes it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from hippo_agent.errors import EmbedderMismatch
from hippo_agent.storage.base import (
    Allowed,
    Change,
    DecisionNote,
    Observation,
    Retention,
    Scores,
    Seqs,
    Tombstone,
    Vector,
)
from hippo_agent.storage.database import Database
from hippo_agent.storage.fulltext import FullText
from hippo_agent.storage.notes import read_decisions
from hippo_agent.storage.rows import (
    TRACE,
    check_text,
    dump,
    from_micros,
    load_observation,
    to_trace,
)
from hippo_agent.types import Namespace, Status, Trace

__all__ = ["FullRow", "RecordReader", "find_embedder", "find_key", "mismatch"]

_CHUNK = 500  # values per IN list


@dataclass(frozen=True, slots=True, kw_only=True)
class FullRow:
    """A trace and what else its row holds."""

    trace: Trace
    vector: Vector | None
    embedder_id: str | None
    slot_codes: bytes
    last_used: datetime | None


class RecordReader:
    """The reading half of `SqliteRecord`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._fulltext = FullText(database)

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

    def texts(self, *, after: int = 0, batch: int = 10_000) -> Iterator[Sequence[tuple[int, str]]]:
        """(seq, text) of all live traces past ``after`` in seq order, ``batch`` at a time; no vectors are read."""
        query = "SELECT seq, text FROM trace WHERE seq > ? ORDER BY seq LIMIT ?"
        while True:
            with self.database.read() as connection:
                found = connection.execute(query, (after, batch)).fetchall()
            if not found:
                return
            after = int(found[-1][0])
            yield found

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
        with self.database.read() as connection:
            return find_embedder(connection)

    def unembedded(self, embedder_id: str, *, limit: int = 1000) -> list[Trace]:
        """Traces that wait for a vector, oldest first; EmbedderMismatch when the bank holds another embedder's."""
        held = self.embedder()
        if held is not None and held[0] != embedder_id:
            raise mismatch(held[0], embedder_id)
        with self.database.read() as connection:
            query = f"SELECT {TRACE} FROM trace WHERE vec IS NULL ORDER BY seq LIMIT ?"
            return [to_trace(row) for row in connection.execute(query, (limit,))]

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

    def headed(self) -> list[int]:
        """Seqs of the traces that may have a heading (a line break in the text, or a title in meta), in order."""
        with self.database.read() as connection:
            query = "SELECT seq FROM trace WHERE instr(text, char(10)) > 0 OR instr(meta, '\"title\"') > 0 ORDER BY seq"
            return [row[0] for row in connection.execute(query)]

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

    def absent(self, words: Iterable[str]) -> set[str]:
        """Those of some plain words that no trace has, as the running transaction sees it."""
        query = "SELECT 1 FROM fulltext WHERE fulltext MATCH ? LIMIT 1"
        with self.database.read() as connection:
            return {
                word
                for word in words
                if connection.execute(query, (f'"{word.replace(chr(34), "")}"',)).fetchone() is None
            }

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


def find_embedder(connection: sqlite3.Connection) -> tuple[str, int] | None:
    """Id and dimension of the bank's embedder."""
    found = connection.execute("SELECT value FROM kv WHERE key = 'embedder'").fetchone()
    if found is None:
        return None
    held = json.loads(found[0])
    return held["id"], held["dim"]


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


def mismatch(held: str, given: str) -> EmbedderMismatch:
    """The error for vectors of two embedders in one bank."""
    return EmbedderMismatch(
        f"the bank holds vectors of {held!r}, not of {given!r}; use that embedder or re-embed the bank"
    )


def _both(first: Allowed | None, second: Allowed | None) -> Allowed | None:
    if first is None or second is None:
        return first or second
    return lambda seqs: first(seqs) & second(seqs)
