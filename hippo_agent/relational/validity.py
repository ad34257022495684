"""When claims hold, and which facts fall: what has to be worked out anew after a change, inside its transaction."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from hippo_agent.relational import rows
from hippo_agent.relational.resolve import intervals
from hippo_agent.storage.rows import micros

__all__ = ["fall", "settle"]

_NEVER = 0  # the end of a value that never held


def settle(connection: sqlite3.Connection, ids: Sequence[int], *, functional: bool) -> None:
    """Write the times of validity of these claims, which are rivals when the relation holds one value."""
    claims, _ = rows.claims(connection, ids)
    spans: dict[str, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    for interval in intervals(claims, functional=functional):
        spans[interval.value].append((interval.start, interval.end))
    for part in rows.chunks(ids):
        told = connection.execute(
            "SELECT id, object FROM fact f WHERE denied = 0 AND EXISTS (SELECT 1 FROM statement WHERE fact = f.id) "
            f"AND id IN ({rows.marks(part)})",
            part,
        ).fetchall()
        for fact, target in told:
            held = spans.get(rows.value_key(connection, target), [])
            start, end = (micros(held[-1][0]), held[-1][1]) if held else (None, None)
            until = _NEVER if not held else None if end is None else micros(end)
            connection.execute("UPDATE fact SET valid_at = ?, invalid_at = ? WHERE id = ?", (start, until, fact))


def fall(connection: sqlite3.Connection) -> tuple[int, list[tuple[int, str, str]]]:
    """Remove facts that nothing supports any more, then what was derived from them, then idle entities.

    Returns how many facts fell, and the (subject, predicate, space) of those whose rivals have to be settled anew.
    """
    unsupported = connection.execute(
        "SELECT id FROM fact f WHERE NOT EXISTS (SELECT 1 FROM statement WHERE fact = f.id) "
        "AND NOT EXISTS (SELECT 1 FROM derivation WHERE child = f.id)"
    )
    fallen = {row[0] for row in unsupported}
    front = fallen
    while front:
        children = {
            row[0]
            for part in rows.chunks(front)
            for row in connection.execute(
                f"SELECT child FROM derivation WHERE parent IN ({rows.marks(part)}) "
                "AND NOT EXISTS (SELECT 1 FROM statement WHERE fact = child)",
                part,
            )
        }
        front = children - fallen
        fallen = fallen | front
    groups: dict[tuple[int, str, str], None] = {}
    for part in rows.chunks(fallen):
        sql = f"SELECT DISTINCT subject, predicate, namespace FROM fact WHERE id IN ({rows.marks(part)})"
        groups.update((tuple(row), None) for row in connection.execute(sql, part))
    connection.executemany("DELETE FROM fact WHERE id = ?", [(fact,) for fact in fallen])
    if fallen:
        connection.execute(
            "DELETE FROM entity WHERE NOT EXISTS (SELECT 1 FROM fact WHERE subject = entity.id) "
            "AND NOT EXISTS (SELECT 1 FROM fact WHERE object = entity.id)"
        )
    held = {row[0] for row in connection.execute("SELECT id FROM entity")} if fallen else set()
    return len(fallen), [group for group in groups if group[0] in held]
