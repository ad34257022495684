"""Forgetting in a map: a place with all that was seen there, or what was remembered at places."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from hippo_agent.spatial.journal import Step
from hippo_agent.spatial.sighting import normalise
from hippo_agent.spatial.store import Changes
from hippo_agent.spatial.world import World

__all__ = ["forget_items", "forget_place", "shows"]

_TITLE = 20  # characters below which a text says no more than a name


def forget_place(world: World, changes: Changes, place: str) -> None:
    """Remove a place, its passages, its links, and the texts of its steps."""
    ids = world.ids(place)
    world.flush(changes)
    steps = [_blank(step) for step in world.store.steps_at(world.id, ids, limit=-1)]
    world.store.write_steps(world.connection, world.id, steps)
    for link in world.store.links_at(world.id, ids):
        world.store.unlink_at(world.connection, world.id, link.item, link.place)
    changes.unmerged += [merge.number for merge in world.atlas.merges if merge.old in ids or merge.new in ids]
    world.atlas.merges = [merge for merge in world.atlas.merges if merge.number not in changes.unmerged]
    world.atlas.map.remove(place)
    for step in world.atlas.steps:
        if step.place in ids:
            _blank(step)
    if world.atlas.trail.current not in world.atlas.map:
        world.atlas.trail.restart()


def forget_items(world: World, items: Iterable[str], texts: Mapping[str, str] | None) -> int:
    """Unlink items, and blank the steps that showed them; returns how many texts went.

    ``texts``: of the items. A step is blanked when one of the two texts holds the other; without texts, every linked
    step is. Places and passages stay: they were walked all the same.
    """
    blanked: dict[int, Step] = {}
    for item in items:
        for _, seq in world.store.unlink(world.connection, world.id, item):
            step = world.store.step(world.connection, world.id, seq)
            if step is not None and step.text and (texts is None or shows(step.text, texts.get(item, ""))):
                blanked[seq] = step
    homes: dict[str, list[str]] = {}
    for step in blanked.values():
        homes.setdefault(world.atlas.map.find(step.place), []).append(step.text)
    world.store.write_steps(world.connection, world.id, [_blank(step) for step in blanked.values()])
    for step in world.atlas.steps:
        if step.seq in blanked:
            _blank(step)
    for place, gone in homes.items():
        if place in world.atlas.map.places:
            _look_again(world, place, gone)
    return len(blanked)


def _look_again(world: World, place: str, gone: Collection[str]) -> None:
    """Take a place's looks anew from the texts that are left, and drop failures that quote the ones that are gone."""
    places = world.atlas.map
    name = places.place(place).name
    places.forget_looks(place)
    named = False
    for step in reversed(world.store.steps_at(world.id, world.ids(place), limit=1000)):
        if step.text:
            named |= world.atlas.look_again(place, step).name == name
    if not named:
        places.rename(place, "", "")
    for edge in places.edges(place):
        if edge.failure and any(edge.failure in text for text in gone):
            edge.failure = ""
            places.touch(place, edge.action)


def _blank(step: Step) -> Step:
    step.text, step.decision = "", {}
    return step


def shows(seen: str, told: str) -> bool:
    """Whether what was seen holds what was told, or the other way round unless it is a mere title."""
    a, b = normalise(seen), normalise(told)
    return bool(a and b) and (b in a or (len(a) >= _TITLE and a in b))
