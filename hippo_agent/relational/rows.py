"""SQL over the tables of the relational store, inside the caller's transaction: entities, their merges, facts, claims.

A *space* is a namespace as it stands in the tables. Merged entities are read as one: `members` of any of them are all.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from hippo_agent.relational.entities import key
from hippo_agent.relational.facts import Fact, Statement, in_words
from hippo_agent.relational.resolve import Claim
from hippo_agent.storage.rows import dump, from_micros, load_namespace
from hippo_agent.types import Namespace

__all__ = [
    "canonical",
    "chunks",
    "claims",
    "entities",
    "group",
    "marks",
    "members",
    "name_of",
    "read_facts",
    "space",
    "spaces",
    "texts",
    "trust",
    "value_key",
]

_CHUNK = 500  # values per IN list
T = TypeVar("T")


def space(namespace: Namespace) -> str:
    """A namespace as the tables have it."""
    return dump(list(namespace))


def spaces(connection: sqlite3.Connection, namespace: Namespace) -> tuple[str, ...]:
    """The spaces with entities that a namespace sees: itself and everything below it."""
    rows = connection.execute(
        "WITH RECURSIVE held (name) AS (SELECT min(namespace) FROM entity UNION ALL "
        "SELECT (SELECT min(namespace) FROM entity WHERE namespace > held.name) FROM held WHERE held.name IS NOT NULL) "
        "SELECT name FROM held WHERE name IS NOT NULL"
    )
    depth = len(namespace)
    return tuple(row[0] for row in rows if load_namespace(row[0])[:depth] == namespace)


def marks(values: Iterable[object]) -> str:
    """Placeholders for an IN list."""
    return ", ".join("?" for _ in values)


def chunks(values: Iterable[T]) -> Iterator[tuple[T, ...]]:
    """The values in tuples short enough for an IN list."""
    held = tuple(values)
    for start in range(0, len(held), _CHUNK):
        yield held[start : start + _CHUNK]


def entities(connection: sqlite3.Connection, within: Sequence[str], name: str) -> list[int]:
    """Ids of the entities of this name, one a space at most."""
    sql = f"SELECT id FROM entity WHERE key = ? AND namespace IN ({marks(within)}) ORDER BY id"
    return [row[0] for row in connection.execute(sql, (key(name), *within))]


def canonical(connection: sqlite3.Connection, entity: int) -> int:
    """The entity that this one was merged into, itself when it was not."""
    while row := connection.execute("SELECT winner FROM entity_merge WHERE loser = ?", (entity,)).fetchone():
        entity = int(row[0])
    return entity


def members(connection: sqlite3.Connection, ids: Iterable[int]) -> tuple[int, ...]:
    """All that is one thing with any of these entities."""
    out: dict[int, None] = {}
    for entity in ids:
        rows = connection.execute(
            "WITH RECURSIVE member (id) AS "
            "(SELECT ? UNION SELECT loser FROM entity_merge JOIN member ON winner = member.id) "
            "SELECT id FROM member",
            (canonical(connection, entity),),
        )
        out.update((row[0], None) for row in rows)
    return tuple(out)


def name_of(connection: sqlite3.Connection, entity: int) -> str:
    """The name of an entity, of its winner when it was merged."""
    winner = canonical(connection, entity)
    return str(connection.execute("SELECT name FROM entity WHERE id = ?", (winner,)).fetchone()[0])


def value_key(connection: sqlite3.Connection, entity: int) -> str:
    """What tells this value from others."""
    return key(name_of(connection, entity))


def group(connection: sqlite3.Connection, subjects: Sequence[int], predicate: str | None) -> list[int]:
    """Facts of these subjects, with one predicate or with any."""
    sql = f"SELECT id FROM fact WHERE subject IN ({marks(subjects)})"
    if predicate is None:
        return [row[0] for row in connection.execute(sql, tuple(subjects))]
    return [row[0] for row in connection.execute(f"{sql} AND predicate = ?", (*subjects, predicate))]


def claims(
    connection: sqlite3.Connection, ids: Sequence[int], *, min_trust: float = 0.0
) -> tuple[list[Claim], dict[str, str]]:
    """The dated claims of accepted facts, by value key, and a name for each key."""
    said: list[tuple[int, int, int, int | None, int, float, str]] = []
    derived: list[tuple[int, int | None, int]] = []
    for part in chunks(ids):
        said += connection.execute(
            "SELECT f.object, f.denied, s.valid_from, s.valid_until, s.trace, s.trust, s.principal FROM fact f "
            f"JOIN statement s ON s.fact = f.id WHERE f.status = 'active' AND s.trust >= ? AND f.id IN ({marks(part)})",
            (min_trust, *part),
        ).fetchall()
        derived += connection.execute(
            "SELECT f.object, f.valid_at, f.recorded_at FROM fact f "
            f"WHERE f.status = 'active' AND f.id IN ({marks(part)}) "
            "AND EXISTS (SELECT 1 FROM derivation WHERE child = f.id) "
            "AND NOT EXISTS (SELECT 1 FROM statement WHERE fact = f.id)",
            part,
        ).fetchall()
    values = {row[0] for row in said} | {row[0] for row in derived}
    names = {entity: name_of(connection, entity) for entity in sorted(values)}
    found = [
        Claim(
            value=key(names[target]),
            denied=bool(denied),
            valid_from=from_micros(since),
            valid_until=None if until is None else from_micros(until),
            seq=seq,
            trust=trust,
            principal=principal,
        )
        for target, denied, since, until, seq, trust, principal in said
    ]
    found += [
        Claim(
            value=key(names[target]),
            valid_from=from_micros(recorded if since is None else since),
            seq=0,
            principal="derived",
        )
        for target, since, recorded in derived
    ]
    return found, {key(name): name for name in names.values()}


def read_facts(connection: sqlite3.Connection, ids: Iterable[int], *, min_trust: float = 0.0) -> list[Fact]:
    """The facts of these ids, in their order, with the statements of at least this trust; one without any is left out.

    A derived fact needs no statement; its trust is the least of its parents'.
    """
    out: list[Fact] = []
    for part in chunks(dict.fromkeys(ids)):
        out += _read(connection, part, min_trust)
    return out


def texts(connection: sqlite3.Connection, ids: Sequence[int]) -> list[str]:
    """The facts of these ids as words, in their order, under the names that were said."""
    found: dict[int, str] = {}
    for part in chunks(ids):
        rows = connection.execute(
            "SELECT f.id, s.name, f.denied, f.predicate, o.name FROM fact f JOIN entity s ON s.id = f.subject "
            f"JOIN entity o ON o.id = f.object WHERE f.id IN ({marks(part)})",
            part,
        )
        found.update((row[0], in_words(row[1], row[3], row[4], denied=bool(row[2]))) for row in rows)
    return [found[fact] for fact in ids]


def _read(connection: sqlite3.Connection, ids: tuple[int, ...], min_trust: float) -> list[Fact]:
    said = _statements(connection, ids, min_trust)
    parents: dict[int, list[int]] = defaultdict(list)
    for child, parent in connection.execute(
        f"SELECT child, parent FROM derivation WHERE child IN ({marks(ids)}) ORDER BY parent", ids
    ):
        parents[child].append(parent)
    rows = connection.execute(
        "SELECT id, namespace, subject, predicate, object, denied, status, valid_at, invalid_at, recorded_at FROM fact "
        f"WHERE id IN ({marks(ids)})",
        ids,
    ).fetchall()
    by_id = {row[0]: row for row in rows}
    out = []
    for fact in ids:
        row = by_id.get(fact)
        if row is None or not (said[fact] or parents[fact]):
            continue
        trusted = max((s.trust for s in said[fact]), default=0.0) if said[fact] else trust(connection, fact)
        if trusted < min_trust:
            continue
        out.append(
            Fact(
                id=fact,
                namespace=load_namespace(row[1]),
                subject=name_of(connection, row[2]),
                predicate=row[3],
                object=name_of(connection, row[4]),
                denied=bool(row[5]),
                status="active" if row[6] == "active" else "deferred",
                valid_at=None if row[7] is None else from_micros(row[7]),
                invalid_at=None if row[8] is None else from_micros(row[8]),
                recorded_at=from_micros(row[9]),
                confidence=max((s.confidence for s in said[fact]), default=1.0),
                trust=trusted,
                statements=tuple(said[fact]),
                parents=tuple(parents[fact]),
            )
        )
    return out


def _statements(
    connection: sqlite3.Connection, ids: tuple[int, ...], min_trust: float
) -> defaultdict[int, list[Statement]]:
    said: defaultdict[int, list[Statement]] = defaultdict(list)
    for row in connection.execute(
        "SELECT fact, trace_id, trace, span_start, span_end, valid_from, valid_until, said_at, confidence, trust, "
        f"principal, qualifiers FROM statement WHERE trust >= ? AND fact IN ({marks(ids)}) ORDER BY trace, span_start",
        (min_trust, *ids),
    ):
        said[row[0]].append(
            Statement(
                trace_id=row[1],
                seq=row[2],
                start=row[3],
                end=row[4],
                valid_from=from_micros(row[5]),
                valid_until=None if row[6] is None else from_micros(row[6]),
                said_at=from_micros(row[7]),
                confidence=row[8],
                trust=row[9],
                principal=row[10],
                where=json.loads(row[11]).get("where", ""),
            )
        )
    return said


def trust(connection: sqlite3.Connection, fact: int) -> float:
    """Of the most trusted statement of a fact; a derived one is as trusted as the least trusted of its parents."""
    found = connection.execute("SELECT max(trust) FROM statement WHERE fact = ?", (fact,)).fetchone()[0]
    if found is not None:
        return float(found)
    parents = connection.execute("SELECT parent FROM derivation WHERE child = ?", (fact,)).fetchall()
    return min((trust(connection, row[0]) for row in parents), default=0.0)
