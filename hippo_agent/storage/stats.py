"""What is in a bank, in numbers."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hippo_agent.storage.migrations import schema_version
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.rows import from_micros

__all__ = ["Stats", "collect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counts, sizes and versions of one bank."""

    folder: str
    traces: int
    active: int
    deferred: int
    quarantined: int
    pinned: int
    without_vector: int  # found by their words only, until a model is there
    repeats: int  # observations merged into a trace
    forgotten: int  # tombstones
    namespaces: int
    sessions: int
    decisions: dict[str, int]  # what the write gate decided, since the beginning
    oldest: str | None  # event times, ISO 8601
    newest: str | None
    embedder: str | None
    dimensions: int | None
    index: str  # which index answers now
    bytes_on_disk: int
    bytes_per_trace: int
    schema: int
    sqlite: str

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def collect(record: SqliteRecord, *, index: str) -> Stats:
    """Count everything in one read transaction."""
    with record.database.snapshot() as connection:
        row = connection.execute(
            "SELECT count(*), ifnull(sum(status = 'active'), 0), ifnull(sum(status = 'deferred'), 0), "
            "ifnull(sum(status = 'quarantined'), 0), ifnull(sum(pinned), 0), ifnull(sum(vec IS NULL), 0), "
            "ifnull(sum(repeats), 0), count(DISTINCT namespace), count(DISTINCT namespace || '/' || session), "
            "min(t_event), max(t_event) FROM trace"
        ).fetchone()
        forgotten = int(connection.execute("SELECT count(*) FROM tombstone").fetchone()[0])
        schema = schema_version(connection)
    embedder = record.embedder()
    used = bytes_on_disk(record.folder)
    return Stats(
        folder=str(record.folder),
        traces=row[0],
        active=row[1],
        deferred=row[2],
        quarantined=row[3],
        pinned=row[4],
        without_vector=row[5],
        repeats=row[6],
        forgotten=forgotten,
        namespaces=row[7],
        sessions=row[8],
        decisions=record.counters(),
        oldest=None if row[9] is None else from_micros(row[9]).isoformat(),
        newest=None if row[10] is None else from_micros(row[10]).isoformat(),
        embedder=None if embedder is None else embedder[0],
        dimensions=None if embedder is None else embedder[1],
        index=index,
        bytes_on_disk=used,
        bytes_per_trace=used // row[0] if row[0] else 0,
        schema=schema,
        sqlite=sqlite3.sqlite_version,
    )


def bytes_on_disk(folder: Path) -> int:
    """Bytes of all files under a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
