"""Steps of the map as what a lesson rests on: each has a name, and the name holds as long as the step does.

A lesson about facts rests on traces; one about ways rests on steps, and its names stand beside the ids of traces in
the ledger and in a version's manifest. A name holds ids and a digest, no text. It ends with the place at either end,
with their labels, and when the step leads elsewhere, failed last time, or was blocked for good.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable
from hashlib import blake2b

from hippo_agent.spatial.place import Edge

__all__ = ["ends", "holding", "is_step", "name_of", "sound"]

_MARK = "step:"
_RELIABLE = 0.7  # of an edge's success probability: twice of two, not twice of three


def is_step(name: str) -> bool:
    """Whether something that a lesson rests on is a step, not a trace."""
    return name.startswith(_MARK)


def name_of(world: int, edge: Edge, origin: str, goal: str) -> str:
    """The name of a step between two places with these labels."""
    said = "\x1f".join((edge.action, origin, goal))
    digest = blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{_MARK}{world}:{digest}:{json.dumps([edge.source, edge.target], ensure_ascii=False)}"


def sound(edge: Edge) -> bool:
    """Walked by the agent itself, reliable, the last time too, on no condition, and not blocked for good."""
    return (
        edge.provenance == "observed"
        and edge.target is not None
        and edge.last == edge.target
        and (edge.last_ok or 0.0) >= (edge.last_fail or 0.0)
        and edge.reliability >= _RELIABLE
        and not edge.needs
        and not (edge.blocked_until is not None and math.isinf(edge.blocked_until))
    )


def ends(connection: sqlite3.Connection, name: str) -> list[tuple[int, str, str]]:
    """(world, place, what its row says of its name) of both ends of a step; fewer when a place is gone."""
    try:
        world, source, target = _parts(name)
    except ValueError:
        return []
    out = []
    for place in (source, target):
        for kind, said in list(_names(connection, world, place).items())[:1]:
            out.append((world, place, json.dumps({kind: said}, ensure_ascii=False, separators=(",", ":"))[1:-1]))
    return out


def holding(connection: sqlite3.Connection, names: Iterable[str]) -> set[str]:
    """Those of the steps that are still on the map as they were taught."""
    return {name for name in names if _holds(connection, name)}


def _holds(connection: sqlite3.Connection, name: str) -> bool:
    try:
        world, source, target = _parts(name)
    except ValueError:
        return False
    labels = {place: next(iter(_names(connection, world, place).values()), None) for place in (source, target)}
    origin, goal = labels[source], labels[target]
    if origin is None or goal is None:
        return False
    rows = connection.execute(
        "SELECT action, row FROM place_edge WHERE world = ? AND source = ?", (world, source)
    ).fetchall()
    for action, row in rows:
        edge = Edge.from_json(source, action, json.loads(row))
        if edge.target == target and name_of(world, edge, origin, goal) == name:
            return sound(edge)
    return False


def _names(connection: sqlite3.Connection, world: int, place: str) -> dict[str, str]:
    """What a place's row says of its name, the one that it goes by first: as `Place.label`."""
    row = connection.execute(
        "SELECT json_extract(row, '$.called'), json_extract(row, '$.title') FROM place WHERE world = ? AND id = ?",
        (world, place),
    ).fetchone()
    return {} if row is None else {name: said for name, said in zip(("called", "title"), row, strict=True) if said}


def _parts(name: str) -> tuple[int, str, str]:
    """World, source and target; ValueError when it is no name of a step."""
    world, _, places = name.removeprefix(_MARK).split(":", 2)
    source, target = json.loads(places)
    return int(world), str(source), str(target)
