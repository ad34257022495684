"""Tables of the nightly replay: what was taught, and the traces each lesson rests on.

A lesson falls with the first of its traces, in the transaction that deletes it: no text of a forgotten trace stays.
"""

from __future__ import annotations

import sqlite3

__all__ = ["m006_lessons"]


def m006_lessons(connection: sqlite3.Connection) -> None:
    """Lessons and their traces; the unused table that was meant for adapters goes: their manifests hold it."""
    for statement in _TABLES.split(";;"):
        connection.execute(statement)


# item and card are JSON; card is that of FSRS; night is the number of the version that taught it first.
_TABLES = """
CREATE TABLE lesson (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    item TEXT NOT NULL,
    card TEXT NOT NULL,
    night INTEGER NOT NULL,
    dose REAL NOT NULL,
    PRIMARY KEY (namespace, key)
) STRICT
;;
CREATE TABLE lesson_trace (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    trace_seq INTEGER NOT NULL REFERENCES trace (seq) ON DELETE CASCADE,
    PRIMARY KEY (namespace, key, trace_seq),
    FOREIGN KEY (namespace, key) REFERENCES lesson (namespace, key) ON DELETE CASCADE
) STRICT
;;
CREATE INDEX lesson_trace_seq ON lesson_trace (trace_seq)
;;
CREATE TRIGGER lesson_lost_a_trace AFTER DELETE ON lesson_trace BEGIN
    DELETE FROM lesson WHERE namespace = old.namespace AND key = old.key;
END
;;
DROP TABLE ledger
"""
