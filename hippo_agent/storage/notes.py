"""What rides in the transaction of a write: counters, the gate's decisions, and small JSON documents."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hippo_agent.storage.base import DecisionNote
from hippo_agent.storage.rows import dump_document, from_micros, micros

__all__ = ["DECISIONS_KEPT", "Notes", "read_decisions", "write_notes"]

DECISIONS_KEPT = 10_000
_TRIM_EVERY = 200  # decisions: until then the log is that much longer, and a write changes one page of it, not two


@dataclass(frozen=True, slots=True)
class Notes:
    counters: Mapping[str, int] | None = None  # added up
    decisions: Sequence[DecisionNote] = ()  # appended to a log of the newest DECISIONS_KEPT or a few more
    values: Mapping[str, Any] | None = None  # JSON by key, replaced; None removes


def write_notes(connection: sqlite3.Connection, notes: Notes) -> None:
    """Write notes inside the caller's transaction."""
    for name, amount in (notes.counters or {}).items():
        connection.execute(
            "INSERT INTO counter (name, value) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            (name, int(amount)),
        )
    number = 0
    for note in notes.decisions:
        row = (micros(note.time), note.decision, dump_document(note.reasons), float(note.salience), note.digest)
        query = "INSERT INTO decision (time, decision, reasons, salience, digest) VALUES (?, ?, ?, ?, ?)"
        number = connection.execute(query, row).lastrowid or 0
    if number % _TRIM_EVERY < len(notes.decisions):
        connection.execute("DELETE FROM decision WHERE number <= ?", (number - DECISIONS_KEPT,))
    for key, value in (notes.values or {}).items():
        if value is None:
            connection.execute("DELETE FROM kv WHERE key = ?", (key,))
        else:
            connection.execute("INSERT OR REPLACE INTO kv (key, value) VALUES (?, ?)", (key, dump_document(value)))


def read_decisions(connection: sqlite3.Connection, limit: int) -> list[DecisionNote]:
    """The newest first."""
    query = "SELECT time, decision, reasons, salience, digest FROM decision ORDER BY number DESC LIMIT ?"
    return [
        DecisionNote(
            time=from_micros(time),
            decision=decision,
            reasons=tuple(json.loads(reasons)),
            salience=salience,
            digest=digest,
        )
        for time, decision, reasons, salience, digest in connection.execute(query, (limit,))
    ]
