"""Traces that were set aside: why, since when, and who let them out again. Kept, never recalled, never learnt from."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

__all__ = ["hold", "m007_quarantine", "reasons_of"]


def m007_quarantine(connection: sqlite3.Connection) -> None:
    """Why traces are quarantined; the row goes with its trace, and says who released it."""
    connection.execute(
        "CREATE TABLE quarantine (trace_seq INTEGER PRIMARY KEY REFERENCES trace (seq) ON DELETE CASCADE, "
        "reasons TEXT NOT NULL, since INTEGER NOT NULL, released_at INTEGER, released_by TEXT) STRICT"
    )


def hold(connection: sqlite3.Connection, held: Iterable[tuple[str, Sequence[str]]], since: int) -> None:
    """Note, inside the caller's transaction, why traces (by id) are quarantined."""
    connection.executemany(
        "INSERT OR REPLACE INTO quarantine (trace_seq, reasons, since) SELECT seq, ?, ? FROM trace WHERE id = ?",
        [(json.dumps(list(reasons), ensure_ascii=False), since, trace_id) for trace_id, reasons in held],
    )


def reasons_of(connection: sqlite3.Connection) -> dict[str, tuple[tuple[str, ...], int]]:
    """By trace id: the reasons and the time (microseconds) of everything that is quarantined now, oldest first."""
    rows = connection.execute(
        "SELECT trace.id, ifnull(quarantine.reasons, '[]'), ifnull(quarantine.since, trace.t_write) FROM trace "
        "LEFT JOIN quarantine ON quarantine.trace_seq = trace.seq AND quarantine.released_at IS NULL "
        "WHERE trace.status = 'quarantined' ORDER BY trace.seq"
    )
    return {trace_id: (tuple(json.loads(raw)), since) for trace_id, raw, since in rows}
