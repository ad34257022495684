"""Keeps the in-memory columns in step with the record: loads all rows once, then follows the outbox."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_agent.storage.base import Vector
from hippo_agent.storage.columns import STATUSES, Columns
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.rows import load_namespace
from hippo_agent.storage.signs import Signs, sign_bits
from hippo_agent.types import SOURCE_KINDS, Namespace

__all__ = ["Mirror"]

_ROW = (
    "SELECT seq, status, source, namespace, session, speaker, kind, t_event, t_write, trust, salience, words, pinned, "
    "slot_codes, vec FROM trace"
)
_BATCH = 10_000
_DEAD_SHARE = 0.25  # deleted rows are dropped from the arrays when there are more of them

_TYPES: dict[str, type[np.generic]] = {
    "seq": np.int64,
    "live": np.bool_,
    "status": np.int8,
    "source": np.int8,
    "namespace": np.int32,
    "session": np.int32,
    "speaker": np.int32,
    "kind": np.int32,
    "event_time": np.int64,
    "write_time": np.int64,
    "trust": np.float32,
    "salience": np.float32,
    "words": np.int32,
    "pinned": np.bool_,
    "has_vector": np.bool_,
    "before": np.int64,
    "after": np.int64,
}
_STATUS_CODES = {status: code for code, status in enumerate(STATUSES)}
_SOURCE_CODES = {source: code for code, source in enumerate(SOURCE_KINDS)}

Row = tuple[Any, ...]


class Mirror:
    """Follows one record; safe to share between threads."""

    def __init__(self, record: SqliteRecord) -> None:
        self._database = record.database
        self._lock = threading.Lock()
        self._columns: Columns | None = None
        self._clear(0)

    def refresh(self) -> Columns:
        """The columns as the record is now; microseconds when nothing changed, O(1) amortised per new row."""
        with self._lock, self._database.snapshot() as connection:
            if self._columns is None:
                position = int(connection.execute("SELECT ifnull(max(position), 0) FROM outbox").fetchone()[0])
                self._load(connection)
            else:
                query = "SELECT seq, op, position FROM outbox WHERE position > ? ORDER BY position"
                changes = connection.execute(query, (self._columns.position,)).fetchall()
                if not changes:
                    return self._columns
                position = changes[-1][2]
                self._follow(connection, {seq: op for seq, op, _ in changes})
            if self._dead > max(1000, _DEAD_SHARE * self._count):
                self._compact()
            self._columns = self._view(position)
            return self._columns

    def _clear(self, capacity: int) -> None:
        self._count = 0
        self._dead = 0
        self._arrays: dict[str, NDArray[Any]] = {name: np.empty(capacity, kind) for name, kind in _TYPES.items()}
        self._vectors: Vector = np.empty((capacity, 0), np.float32)
        self._signs: Signs = np.empty((0, capacity), np.uint64)
        self._slot_codes: NDArray[np.int8] = np.empty((capacity, 0), np.int8)
        self._last_of_session: dict[int, int] = {}
        self._names = _Names()

    def _load(self, connection: sqlite3.Connection) -> None:
        self._clear(int(connection.execute("SELECT count(*) FROM trace").fetchone()[0]) + 1024)
        cursor = connection.execute(_ROW + " ORDER BY seq")
        while rows := cursor.fetchmany(_BATCH):
            self._append(rows)

    def _follow(self, connection: sqlite3.Connection, latest: Mapping[int, str]) -> None:
        """Take in the newest change of each seq."""
        last = int(self._arrays["seq"][self._count - 1]) if self._count else 0
        known = sorted(seq for seq in latest if seq <= last)
        for seq, place in zip(known, np.searchsorted(self._arrays["seq"][: self._count], known).tolist(), strict=True):
            if place >= self._count or self._arrays["seq"][place] != seq or not self._arrays["live"][place]:
                continue
            row = connection.execute(_ROW + " WHERE seq = ?", (seq,)).fetchone() if latest[seq] == "put" else None
            if row is None:
                self._arrays["live"][place] = False
                self._dead += 1
            else:
                self._arrays["status"][place] = _STATUS_CODES[row[1]]
                self._set_codes(place, [row[-2]])
                self._set_vectors(place, [row[-1]])
        if len(known) < len(latest):
            cursor = connection.execute(_ROW + " WHERE seq > ? ORDER BY seq", (last,))
            while rows := cursor.fetchmany(_BATCH):
                self._append(rows)

    def _append(self, rows: Sequence[Row]) -> None:
        start, stop = self._count, self._count + len(rows)
        self._reserve(stop)
        seq, status, source, namespace, session, speaker, kind, *plain, codes, vecs = zip(*rows, strict=True)
        spaces = self._names.codes("namespace", namespace)
        fields: dict[str, Sequence[Any]] = {
            "seq": seq,
            "status": [_STATUS_CODES[value] for value in status],
            "source": [_SOURCE_CODES[value] for value in source],
            "namespace": spaces,
            "session": self._names.codes(
                "session", [None if s is None else (n, s) for n, s in zip(namespace, session, strict=True)]
            ),
            "speaker": self._names.codes("speaker", speaker),
            "kind": self._names.codes("kind", kind),
            **dict(zip(("event_time", "write_time", "trust", "salience", "words", "pinned"), plain, strict=True)),
        }
        for name, values in fields.items():
            self._arrays[name][start:stop] = values
        self._arrays["live"][start:stop] = True
        self._count = stop
        self._link(start)
        self._set_codes(start, codes)
        self._set_vectors(start, vecs)

    def _reserve(self, count: int) -> None:
        if count <= len(self._arrays["seq"]):
            return
        capacity = max(1024, count, len(self._arrays["seq"]) * 3 // 2)
        self._arrays = {name: self._grown(array, capacity) for name, array in self._arrays.items()}
        self._vectors = self._grown(self._vectors, capacity)
        self._signs = self._grown(self._signs.T, capacity).T.copy()
        self._slot_codes = self._grown(self._slot_codes, capacity)

    def _grown(self, array: NDArray[Any], capacity: int) -> NDArray[Any]:
        grown = np.empty((capacity, *array.shape[1:]), array.dtype)
        grown[: self._count] = array[: self._count]
        return grown

    def _set_vectors(self, start: int, vecs: Sequence[bytes | None]) -> None:
        stop = start + len(vecs)
        dim = max((len(vec) // 4 for vec in vecs if vec is not None), default=self._vectors.shape[1])
        if dim != self._vectors.shape[1]:  # the first vector, or a bank embedded anew: earlier rows are read again
            self._vectors = np.zeros((len(self._arrays["seq"]), dim), np.float32)
            self._signs = np.zeros((-(-dim // 64), len(self._arrays["seq"])), np.uint64)
            self._arrays["has_vector"][: self._count] = False
        has = [vec is not None and len(vec) == 4 * dim for vec in vecs]
        if dim and all(has):
            self._vectors[start:stop] = np.frombuffer(b"".join(vec for vec in vecs if vec), "<f4").reshape(-1, dim)
        else:
            for place, vec in enumerate(vecs, start):
                self._vectors[place] = np.frombuffer(vec, "<f4") if vec is not None and has[place - start] else 0.0
        self._signs[:, start:stop] = sign_bits(self._vectors[start:stop])
        self._arrays["has_vector"][start:stop] = has

    def _set_codes(self, start: int, codes: Sequence[bytes]) -> None:
        width = self._slot_codes.shape[1] or max(map(len, codes), default=0)
        if width != self._slot_codes.shape[1]:
            self._slot_codes = np.zeros((len(self._arrays["seq"]), width), np.int8)
        whole = b"".join(code if len(code) == width else bytes(width) for code in codes)
        self._slot_codes[start : start + len(codes)] = np.frombuffer(whole, np.int8).reshape(len(codes), width)

    def _link(self, start: int) -> None:
        before, after = self._arrays["before"], self._arrays["after"]
        before[start : self._count] = -1
        after[start : self._count] = -1
        last = self._last_of_session
        for place, session in enumerate(self._arrays["session"][start : self._count].tolist(), start):
            if session >= 0:
                previous = last.get(session, -1)
                if previous >= 0:
                    before[place] = previous
                    after[previous] = place
                last[session] = place

    def _compact(self) -> None:
        """Drop deleted rows into fresh arrays; views that are out keep the old ones."""
        keep = np.flatnonzero(self._arrays["live"][: self._count])
        self._arrays = {name: array[keep] for name, array in self._arrays.items()}
        self._vectors, self._slot_codes = self._vectors[keep], self._slot_codes[keep]
        self._signs = self._signs[:, keep]
        self._count, self._dead, self._last_of_session = len(keep), 0, {}
        self._link(0)

    def _view(self, position: int) -> Columns:
        n = self._count
        return Columns(
            **{name: array[:n] for name, array in self._arrays.items()},
            vectors=self._vectors[:n],
            signs=self._signs[:, :n],
            slot_codes=self._slot_codes[:n],
            namespaces=self._names.namespaces,
            sessions=self._names.sessions,
            speakers=self._names.tables["speaker"],
            kinds=self._names.tables["kind"],
            position=position,
        )


class _Names:
    """Numbers for names, in order of appearance."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[Any, int]] = {name: {} for name in ("namespace", "session", "speaker", "kind")}
        self.tables: dict[str, list[str]] = {"speaker": [], "kind": []}
        self.namespaces: list[Namespace] = []
        self.sessions: list[tuple[Namespace, str]] = []

    def codes(self, column: str, values: Sequence[Any]) -> list[int]:
        """The number of each value, -1 for None."""
        numbers = self._numbers[column]
        for value in values:
            if value is not None and value not in numbers:
                if column == "namespace":
                    self.namespaces.append(load_namespace(value))
                elif column == "session":
                    self.sessions.append((load_namespace(value[0]), value[1]))
                else:
                    self.tables[column].append(value)
                numbers[value] = len(numbers)
        return [-1 if value is None else numbers[value] for value in values]
