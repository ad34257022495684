"""Tables of the spatial store: the journal of steps, what is derived from it, and what was remembered where.

``place_step`` is the truth; ``place``, ``place_edge``, ``place_merge`` and ``place_macro`` can be derived from it, but
blocks, preconditions, names and merges that were told are kept in their rows. Rows are JSON objects; a world is a
namespace. A link goes with its trace, whoever deletes that: by a trigger, in the same transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from hippo_agent.types import Namespace

__all__ = [
    "PLACE_TABLES",
    "PlaceMark",
    "create_place_tables",
    "damaged_steps",
    "link",
    "loose_ends",
    "m003_places",
    "mend",
    "place_of",
    "relink",
    "seqs_of",
    "step_hash",
    "strangers",
    "world_name",
]

#: All tables that belong to worlds, children first.
PLACE_TABLES = ("place_link", "place_macro", "place_merge", "place_edge", "place", "place_step", "place_world")

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
    row_hash BLOB NOT NULL,
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
_UNLINK = """
CREATE TRIGGER trace_unlinked AFTER DELETE ON trace BEGIN
    DELETE FROM place_link WHERE item = old.id AND kind = 'episode';
END
"""


def create_place_tables(connection: sqlite3.Connection) -> None:
    """The tables alone, for a map without a record."""
    for statement in _TABLES.split(";;"):
        connection.execute(statement)


def m003_places(connection: sqlite3.Connection) -> None:
    """Worlds, places, edges, merges, the journal, links, macros; deleting a trace deletes its links."""
    create_place_tables(connection)
    connection.execute(_UNLINK)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceMark:
    """Where something is written: a place of a world, and the step at which one was there."""

    world: int
    place: str  # id as it is now
    seq: int
    time: float  # seconds since 1970
    signal: float = 0.0  # in [0, 1]: how new or unexpected it was to be there, for the write gate


def world_name(namespace: Namespace) -> str:
    """A namespace as it is stored."""
    return json.dumps(list(namespace), ensure_ascii=False)


def place_of(connection: sqlite3.Connection, namespace: Namespace, *, time: float = 0.0) -> PlaceMark | None:
    """The mark of where one is in a world, as of its last step; None where that is not known."""
    row = connection.execute(
        "SELECT id, json_extract(state, '$.current'), json_extract(state, '$.next_seq'), "
        "coalesce(json_extract(state, '$.signal'), 0) FROM place_world WHERE namespace = ?",
        (world_name(namespace),),
    ).fetchone()
    if row is None or row[1] is None:
        return None
    return PlaceMark(world=row[0], place=row[1], seq=max(0, row[2] - 1), time=time, signal=float(row[3]))


def seqs_of(connection: sqlite3.Connection, trace_ids: Sequence[str]) -> dict[str, int]:
    """Positions of traces in the record, by id; unknown ids are left out."""
    found: dict[str, int] = {}
    for begin in range(0, len(trace_ids), 500):
        part = trace_ids[begin : begin + 500]
        rows = connection.execute(f"SELECT id, seq FROM trace WHERE id IN ({', '.join('?' * len(part))})", part)
        found.update((str(row[0]), int(row[1])) for row in rows)
    return found


def strangers(connection: sqlite3.Connection, trace_ids: Sequence[str]) -> list[str]:
    """Those ids that no trace has; none in a database that holds maps alone."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'trace'").fetchone() is None:
        return []
    known = seqs_of(connection, trace_ids)
    return [one for one in trace_ids if one not in known]


def link(connection: sqlite3.Connection, items: Iterable[tuple[str, PlaceMark]]) -> None:
    """Remember traces at places, inside the caller's transaction; a place that is gone takes no link."""
    connection.executemany(
        "INSERT OR IGNORE INTO place_link (world, item, kind, place, seq, time) "
        "SELECT ?1, ?2, 'episode', ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM place WHERE world = ?1 AND id = ?3) "
        "OR EXISTS (SELECT 1 FROM place_merge WHERE world = ?1 AND old = ?3)",
        [(mark.world, item, mark.place, mark.seq, mark.time) for item, mark in items],
    )


def relink(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Remember a trace wherever another one was, inside the caller's transaction."""
    connection.execute("UPDATE OR IGNORE place_link SET item = ? WHERE item = ? AND kind = 'episode'", (new, old))
    connection.execute("DELETE FROM place_link WHERE item = ? AND kind = 'episode'", (old,))


def step_hash(seq: int, episode: int, place: str, row: str) -> bytes:
    """16 bytes over one row of the journal."""
    return blake2b(f"{seq}\x1f{episode}\x1f{place}\x1f{row}".encode(), digest_size=16).digest()


def damaged_steps(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Rows of the journal that are not as written: "world/seq"."""
    if not _there(connection):
        return ()
    query = "SELECT world, seq, episode, place, row, row_hash FROM place_step"
    return tuple(
        f"{world}/{seq}"
        for world, seq, episode, place, row, held in connection.execute(query)
        if step_hash(seq, episode, place, row) != held
    )


_NO_PLACE = (
    "NOT EXISTS (SELECT 1 FROM place p WHERE p.world = t.world AND p.id = t.{0}) "
    "AND NOT EXISTS (SELECT 1 FROM place_merge m WHERE m.world = t.world AND m.old = t.{0})"
)
#: (table, what names a row, when it is loose): not JSON, edges at no place, links to no place or no trace.
_LOOSE = (
    ("place", "id", "NOT json_valid(row)"),
    ("place_macro", "id", "NOT json_valid(row)"),
    ("place_edge", "source || ' ' || action", f"NOT json_valid(row) OR ({_NO_PLACE.format('source')})"),
    (
        "place_link",
        "item",
        "(kind = 'episode' AND NOT EXISTS (SELECT 1 FROM trace WHERE trace.id = t.item)) "
        f"OR ({_NO_PLACE.format('place')})",
    ),
    ("place_merge", "number", _NO_PLACE.format("new")),
)


def loose_ends(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Derived rows that do not hold together."""
    if not _there(connection):
        return ()
    return tuple(
        f"{table} {row[0]}"
        for table, name, loose in _LOOSE
        for row in connection.execute(f"SELECT {name} FROM {table} t WHERE {loose}")
    )


def mend(connection: sqlite3.Connection) -> int:
    """Take loose rows out, inside the caller's transaction; places come back from the journal (`Places.rederive`)."""
    return sum(connection.execute(f"DELETE FROM {table} AS t WHERE {loose}").rowcount for table, _, loose in _LOOSE)


def _there(connection: sqlite3.Connection) -> bool:
    """Whether there are maps at all: a folder of an older format that is read only has none."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'place_world'").fetchone() is not None
