"""Tables of the spatial store: the journal of steps, and what is derived from it. Part of the record's schema.

``place_step`` is the truth; ``place``, ``place_edge``, ``place_merge`` and ``place_macro`` can be derived from it, but
blocks, preconditions, names and merges that were told are kept in their rows. Rows are JSON objects; a world is a
namespace.
"""

from __future__ import annotations

import sqlite3

__all__ = ["m_places"]

_TABLES = """
CREATE TABLE place_world (
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL UNIQUE,
    revision INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL
) STRICT
;;
CREATE TABLE place (
    world INTEGER NOT NULL REFERENCES place_world (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    row TEXT NOT NULL,
    PRIMARY KEY (world, id)
) STRICT, WITHOUT ROWID
;;
CREATE TABLE place_edge (
    world INTEGER NOT NULL REFERENCES place_world (id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    action TEXT NOT NULL,
    row TEXT NOT NULL,
    PRIMARY KEY (world, source, action)
) STRICT, WITHOUT ROWID
;;
CREATE TABLE place_merge (
    world INTEGER NOT NULL REFERENCES place_world (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    old TEXT NOT NULL,
    new TEXT NOT NULL,
    seq INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (world, number)
) STRICT, WITHOUT ROWID
;;
CREATE TABLE place_step (
    world INTEGER NOT NULL REFERENCES place_world (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    episode INTEGER NOT NULL,
    place TEXT NOT NULL,
    row TEXT NOT NULL,
    PRIMARY KEY (world, seq)
) STRICT, WITHOUT ROWID
;;
CREATE INDEX place_step_place ON place_step (world, place, seq)
;;
CREATE TABLE place_link (
    world INTEGER NOT NULL REFERENCES place_world (id) ON DELETE CASCADE,
    item TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('episode', 'fact')),
    place TEXT NOT NULL,
    seq INTEGER NOT NULL,
    time REAL NOT NULL,
    PRIMARY KEY (world, item, place)
) STRICT, WITHOUT ROWID
;;
CREATE INDEX place_link_place ON place_link (world, place)
;;
CREATE INDEX place_link_item ON place_link (item)
;;
CREATE TABLE place_macro (
    world INTEGER NOT NULL REFERENCES place_world (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    row TEXT NOT NULL,
    PRIMARY KEY (world, id)
) STRICT, WITHOUT ROWID
"""


def m_places(connection: sqlite3.Connection) -> None:
    """Create the tables of the spatial store."""
    for statement in _TABLES.split(";;"):
        connection.execute(statement)
