"""Recall by place over one world: what is linked to the places around, what failed there, which habits begin there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hippo_agent.spatial import recall
from hippo_agent.spatial.world import World

__all__ = ["recall_here", "remembered"]

_FAILURES = 20


def recall_here(
    world: World,
    here: str,
    *,
    radius: int,
    query: str | None,
    since: float | None,
    k: int,
    texts: Callable[[Sequence[str]], Mapping[str, str]] | None,
    match: recall.Match | None,
    salience: Mapping[str, float] | None,
    half_life: float | None,
) -> recall.Here:
    """See `Places.recall_here`."""
    places = world.atlas.map
    near = world.planner.distances(here, limit=radius, either_way=True)
    stored = [*near, *(alias for alias in places.aliases if places.find(alias) in near)]
    return recall.Here(
        place=here,
        hits=recall.rank(
            world.store.links_at(world.id, stored, since=since),
            near,
            where=places.find,
            query=query,
            texts=texts,
            match=match,
            salience=salience,
            now=world.now(),
            half_life=half_life,
            k=k,
        ),
        failures=_failures(world, near),
        macros=tuple(m.id for m in world.macros.values() if m.status == "active" and here in m.starts),
    )


def remembered(
    world: World, here: str, *, radius: int, limit: int, since: float | None = None
) -> dict[str, tuple[float, str]]:
    """See `Places.remembered`."""
    places = world.atlas.map
    near = world.planner.distances(here, limit=radius, either_way=True)
    stored = [*near, *(alias for alias in places.aliases if places.find(alias) in near)]
    links = sorted(
        world.store.links_at(world.id, stored, since=since),
        key=lambda link: (near[places.find(link.place)], -link.seq, -link.time),
    )
    found: dict[str, tuple[float, str]] = {}
    for link in links[:limit]:
        place = places.find(link.place)
        found.setdefault(link.item, (near[place], places.place(place).label))
    return found


def _failures(world: World, near: Mapping[str, float]) -> tuple[recall.Failure, ...]:
    """What did not work near here and has not worked since, nearest and newest first."""
    now = world.now()
    found = [
        recall.Failure(
            place=place,
            action=edge.spoken or edge.action,
            reason=edge.block if edge.blocked(now) and edge.block else edge.failure,
            time=edge.last_fail or now,
            blocked=edge.blocked(now),
        )
        for place in near
        for edge in world.atlas.map.edges(place)
        if edge.blocked(now) or (edge.last_fail is not None and (edge.last_ok or -1.0) < edge.last_fail)
    ]
    found.sort(key=lambda failure: (near[failure.place], -failure.time, failure.action))
    return tuple(found[:_FAILURES])
