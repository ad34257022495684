"""Worlds on disk: the journal and what is derived from it, in the record's database, one transaction per change.

Works on anything with `read` and `write` transactions over a SQLite connection (see `Connections`); the record's own
database is one, `file.PlaceFile` is another that stands alone.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from hippo_agent.errors import CorruptMemory, InvalidInput, StorageError
from hippo_agent.spatial.journal import Merge, Step
from hippo_agent.spatial.place import Edge, Place
from hippo_agent.storage.places import step_hash, strangers, world_name
from hippo_agent.types import Namespace

__all__ = ["Changes", "Connections", "PlaceLink", "SpatialStore", "Stored"]


class Connections(Protocol):
    """Transactions over one SQLite database."""

    def read(self) -> AbstractContextManager[sqlite3.Connection]: ...

    def write(self) -> AbstractContextManager[sqlite3.Connection]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceLink:
    """Something remembered at a place."""

    item: str  # trace id
    place: str  # as stored: read it through the aliases
    seq: int
    time: float


@dataclass(slots=True, kw_only=True)
class Changes:
    """What one operation changed. A value of None deletes; a place takes its edges with it."""

    anew: bool = False  # places, edges and merges were derived anew: these are all of them
    places: dict[str, Place | None] = field(default_factory=dict)
    edges: dict[tuple[str, str], Edge | None] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    unmerged: list[int] = field(default_factory=list)
    links: list[PlaceLink] = field(default_factory=list)
    macros: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A world as it lies on disk."""

    revision: int
    state: Mapping[str, Any]
    places: list[Place]
    edges: list[Edge]
    merges: list[Merge]
    macros: dict[str, dict[str, Any]]
    tail: list[Step]


class SpatialStore:
    """Reads and writes worlds."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections

    def world(self, namespace: Namespace) -> int:
        """The number of a world; a new one when it was never seen."""
        name = world_name(namespace)
        with self.connections.read() as connection:
            found = connection.execute("SELECT id FROM place_world WHERE namespace = ?", (name,)).fetchone()
        if found is not None:
            return int(found[0])
        with self.connections.write() as connection:
            connection.execute("INSERT OR IGNORE INTO place_world (namespace, state) VALUES (?, '{}')", (name,))
            row = connection.execute("SELECT id FROM place_world WHERE namespace = ?", (name,)).fetchone()
            return int(row[0])

    def empty_world(self, connection: sqlite3.Connection, namespace: Namespace) -> int | None:
        """Inside a running transaction: the number of a world to be filled; None when it has steps already."""
        name = world_name(namespace)
        connection.execute("INSERT OR IGNORE INTO place_world (namespace, state) VALUES (?, '{}')", (name,))
        world = int(connection.execute("SELECT id FROM place_world WHERE namespace = ?", (name,)).fetchone()[0])
        for table in ("place_step", "place"):
            if connection.execute(f"SELECT 1 FROM {table} WHERE world = ? LIMIT 1", (world,)).fetchone() is not None:
                return None
        return world

    def worlds(self) -> list[Namespace]:
        """All namespaces that have a map."""
        with self.connections.read() as connection:
            rows = connection.execute("SELECT namespace FROM place_world ORDER BY id").fetchall()
        return [tuple(json.loads(row[0])) for row in rows]

    def revision(self, connection: sqlite3.Connection, world: int) -> int:
        """Grows with every change of the world, whoever made it."""
        row = connection.execute("SELECT revision FROM place_world WHERE id = ?", (world,)).fetchone()
        if row is None:
            raise StorageError(f"world {world!r} was deleted; open it again")
        return int(row[0])

    def load(self, connection: sqlite3.Connection, world: int, *, tail: int = 64) -> Stored:
        """Everything but the journal, of which only the last steps are read. Raises CorruptMemory."""
        try:
            return self._load(connection, world, tail)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise CorruptMemory(f"a map is damaged ({error!r}); run `hippo doctor --repair`") from error

    def _load(self, connection: sqlite3.Connection, world: int, tail: int) -> Stored:
        revision, state = connection.execute(
            "SELECT revision, state FROM place_world WHERE id = ?", (world,)
        ).fetchone()
        return Stored(
            revision=revision,
            state=json.loads(state),
            places=[
                Place.from_json(json.loads(row[0]))
                for row in connection.execute("SELECT row FROM place WHERE world = ?", (world,))
            ],
            edges=[
                Edge.from_json(source, action, json.loads(row))
                for source, action, row in connection.execute(
                    "SELECT source, action, row FROM place_edge WHERE world = ?", (world,)
                )
            ],
            merges=[
                Merge(number=number, old=old, new=new, seq=seq, reason=reason)
                for number, old, new, seq, reason in connection.execute(
                    "SELECT number, old, new, seq, reason FROM place_merge WHERE world = ? ORDER BY number", (world,)
                )
            ],
            macros={
                macro: json.loads(row)
                for macro, row in connection.execute("SELECT id, row FROM place_macro WHERE world = ?", (world,))
            },
            tail=list(
                reversed(
                    [
                        _step(row)
                        for row in connection.execute(
                            "SELECT seq, episode, place, row FROM place_step WHERE world = ? ORDER BY seq DESC LIMIT ?",
                            (world, tail),
                        )
                    ]
                )
            ),
        )

    def save(self, connection: sqlite3.Connection, world: int, changes: Changes, state: Mapping[str, Any]) -> int:
        """Write changes inside a running transaction; returns the new revision. Raises InvalidInput for a bad link."""
        if changes.links and (unknown := strangers(connection, [link.item for link in changes.links])):
            raise InvalidInput(f"there is no trace {unknown[0]!r} to remember at a place; write it first")
        if changes.anew:
            for table in ("place_edge", "place_merge"):
                connection.execute(f"DELETE FROM {table} WHERE world = ?", (world,))
            kept = json.dumps(list(changes.places))  # what stays is replaced: lessons fall with a deleted place
            connection.execute(
                "DELETE FROM place WHERE world = ? AND id NOT IN (SELECT value FROM json_each(?))", (world, kept)
            )
        for place_id, place in changes.places.items():
            if place is None:
                connection.execute("DELETE FROM place WHERE world = ? AND id = ?", (world, place_id))
                connection.execute("DELETE FROM place_edge WHERE world = ? AND source = ?", (world, place_id))
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO place (world, id, row) VALUES (?, ?, ?)",
                    (world, place_id, _dump(place.to_json())),
                )
        for (source, action), edge in changes.edges.items():
            if edge is None:
                connection.execute(
                    "DELETE FROM place_edge WHERE world = ? AND source = ? AND action = ?", (world, source, action)
                )
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO place_edge (world, source, action, row) VALUES (?, ?, ?, ?)",
                    (world, source, action, _dump(edge.to_json())),
                )
        self.write_steps(connection, world, changes.steps)
        connection.executemany(
            "INSERT OR REPLACE INTO place_merge (world, number, old, new, seq, reason) VALUES (?, ?, ?, ?, ?, ?)",
            [(world, merge.number, merge.old, merge.new, merge.seq, merge.reason) for merge in changes.merges],
        )
        connection.executemany(
            "DELETE FROM place_merge WHERE world = ? AND number = ?", [(world, number) for number in changes.unmerged]
        )
        connection.executemany(
            "INSERT OR REPLACE INTO place_link (world, item, kind, place, seq, time) VALUES (?, ?, 'episode', ?, ?, ?)",
            [(world, link.item, link.place, link.seq, link.time) for link in changes.links],
        )
        for macro, row in changes.macros.items():
            if row is None:
                connection.execute("DELETE FROM place_macro WHERE world = ? AND id = ?", (world, macro))
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO place_macro (world, id, row) VALUES (?, ?, ?)", (world, macro, _dump(row))
                )
        connection.execute(
            "UPDATE place_world SET revision = revision + 1, state = ? WHERE id = ?", (_dump(state), world)
        )
        return self.revision(connection, world)

    def write_steps(self, connection: sqlite3.Connection, world: int, steps: Iterable[Step]) -> None:
        """Write or replace rows of the journal inside a running transaction."""
        rows = [(step.seq, step.episode, step.place, _dump(step.to_json())) for step in steps]
        connection.executemany(
            "INSERT OR REPLACE INTO place_step (world, seq, episode, place, row, row_hash) VALUES (?, ?, ?, ?, ?, ?)",
            [(world, *row, step_hash(*row)) for row in rows],
        )

    def steps(self, world: int, *, after: int = -1, batch: int = 2000) -> Iterator[Step]:
        """The journal in order."""
        while True:
            with self.connections.read() as connection:
                rows = connection.execute(
                    "SELECT seq, episode, place, row FROM place_step WHERE world = ? AND seq > ? ORDER BY seq LIMIT ?",
                    (world, after, batch),
                ).fetchall()
            if not rows:
                return
            for row in rows:
                yield _step(row)
            after = rows[-1][0]

    def steps_at(self, world: int, places: Sequence[str], *, limit: int = 200) -> list[Step]:
        """The newest steps at some places (stored ids), newest first; a negative limit gives all."""
        marks = ", ".join("?" * len(places))
        with self.connections.read() as connection:
            rows = connection.execute(
                f"SELECT seq, episode, place, row FROM place_step WHERE world = ? AND place IN ({marks})"
                " ORDER BY seq DESC LIMIT ?",
                (world, *places, limit),
            ).fetchall()
        return [_step(row) for row in rows]

    def links(self, world: int) -> list[PlaceLink]:
        """Everything that is remembered at a place of a world."""
        with self.connections.read() as connection:
            rows = connection.execute(
                "SELECT item, place, seq, time FROM place_link WHERE world = ? ORDER BY seq, item", (world,)
            ).fetchall()
        return [PlaceLink(item=item, place=place, seq=seq, time=at) for item, place, seq, at in rows]

    def links_at(self, world: int, places: Sequence[str], *, since: float | None = None) -> list[PlaceLink]:
        """What is remembered at some places (stored ids), oldest first."""
        found = []
        with self.connections.read() as connection:
            for begin in range(0, len(places), 500):
                part = places[begin : begin + 500]
                marks = ", ".join("?" * len(part))
                rows = connection.execute(
                    f"SELECT item, place, seq, time FROM place_link WHERE world = ? AND place IN ({marks})"
                    " AND time >= ? ORDER BY seq",
                    (world, *part, float("-inf") if since is None else since),
                )
                found += [PlaceLink(item=item, place=place, seq=seq, time=time) for item, place, seq, time in rows]
        return found

    def places_of(self, world: int, item: str) -> list[str]:
        """Where something was remembered (stored ids), oldest first."""
        with self.connections.read() as connection:
            rows = connection.execute(
                "SELECT place FROM place_link WHERE world = ? AND item = ? ORDER BY seq", (world, item)
            ).fetchall()
        return [row[0] for row in rows]

    def worlds_of(self, items: Sequence[str]) -> list[Namespace]:
        """The worlds that remember any of these items at a place."""
        found: dict[Namespace, None] = {}
        with self.connections.read() as connection:
            for begin in range(0, len(items), 500):
                part = items[begin : begin + 500]
                rows = connection.execute(
                    "SELECT DISTINCT namespace FROM place_link JOIN place_world ON place_world.id = place_link.world "
                    f"WHERE item IN ({', '.join('?' * len(part))})",
                    part,
                )
                found.update(dict.fromkeys(tuple(json.loads(row[0])) for row in rows))
        return list(found)

    def unlink(self, connection: sqlite3.Connection, world: int, item: str) -> list[tuple[str, int]]:
        """Inside a running transaction: take an item's links out; returns the (place, seq) that it was linked to."""
        rows = connection.execute(
            "SELECT place, seq FROM place_link WHERE world = ? AND item = ?", (world, item)
        ).fetchall()
        connection.execute("DELETE FROM place_link WHERE world = ? AND item = ?", (world, item))
        return [(row[0], row[1]) for row in rows]

    def unlink_at(self, connection: sqlite3.Connection, world: int, item: str, place: str) -> None:
        """Inside a running transaction: take one link out."""
        connection.execute("DELETE FROM place_link WHERE world = ? AND item = ? AND place = ?", (world, item, place))

    def step(self, connection: sqlite3.Connection, world: int, seq: int) -> Step | None:
        """One row of the journal."""
        row = connection.execute(
            "SELECT seq, episode, place, row FROM place_step WHERE world = ? AND seq = ?", (world, seq)
        ).fetchone()
        return None if row is None else _step(row)


def _step(row: tuple[int, int, str, str]) -> Step:
    try:
        return Step.from_json(row[0], row[1], row[2], json.loads(row[3]))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise CorruptMemory(f"step {row[0]} of a map's journal is damaged ({error!r}); restore a backup") from error


def _dump(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))
