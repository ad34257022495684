"""Tables of the items: documents by namespace and key, and the texts that they are searched by."""

from __future__ import annotations

import sqlite3

__all__ = ["m004_items"]

_TABLES = """
CREATE TABLE item (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    minutes REAL,
    expires_at INTEGER,
    UNIQUE (namespace, key)
) STRICT
;;
CREATE INDEX item_expires ON item (expires_at) WHERE expires_at IS NOT NULL
;;
CREATE TABLE item_text (
    item INTEGER NOT NULL REFERENCES item (number) ON DELETE CASCADE,
    field TEXT NOT NULL,
    text TEXT NOT NULL,
    embedder_id TEXT,
    vec BLOB,
    PRIMARY KEY (item, field)
) STRICT
"""


def m004_items(connection: sqlite3.Connection) -> None:
    """Create the tables of items."""
    for statement in _TABLES.split(";;"):
        connection.execute(statement)
