"""What a decision does to map and trail: stay, go, get onto, be named, or have been moved unnoticed before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hippo_agent.spatial import actions
from hippo_agent.spatial.evidence import predicted
from hippo_agent.spatial.place import Coordinate, Place
from hippo_agent.spatial.recognition import Decision, Option, TrailStep
from hippo_agent.spatial.sighting import Sighting, words

if TYPE_CHECKING:
    from hippo_agent.spatial.atlas import Atlas

__all__ = ["apply", "failed"]

_ORIGIN = Coordinate(at=(0.0, 0.0, 0.0))


def apply(
    atlas: Atlas,
    decision: Decision,
    sighting: Sighting,
    action: str | None,
    spoken: str,
    *,
    seq: int,
    cost: float | None,
    ok: bool | None,
    coordinate: Coordinate | None,
) -> bool:
    """Change map and trail as decided; returns whether one moved."""
    taken, here = decision.taken, atlas.trail.current
    heading = actions.direction(action) if action is not None else None
    unseen = sighting.dark and heading is not None
    moved = taken.kind in ("to", "new", "onto", "off")
    note = taken.kind != "ride"
    if taken.kind == "stay":
        if here is not None and action is not None and (heading is not None or ok is False):
            failed(atlas, here, action, spoken, sighting)
    elif taken.kind == "new":
        atlas.trail.current = _add(atlas, seq, sighting, unseen, predicted(atlas.map, here, action)).id
        if here is None and len(atlas.map) == 1:
            atlas.map.locate(atlas.trail.current, _ORIGIN)
        if decision.band == "tentative" and decision.runner_up is not None and decision.runner_up.kind == "to":
            atlas.map.place(atlas.trail.current).tentative = decision.runner_up.place
    elif taken.kind == "to":
        assert taken.place is not None
        atlas.trail.current = atlas.map.find(taken.place)
        if not atlas.map.place(taken.place).name and sighting.name is not None and not unseen:
            atlas.map.rename(taken.place, sighting.name, sighting.title or "")
    elif taken.kind == "onto":
        assert here is not None and action is not None
        made = _add(atlas, seq, sighting, True, atlas.map.place(here).coordinate)
        made.dark, made.outside, made.thing = False, here, words(action)
        atlas.trail.current = made.id
    elif taken.kind == "off":
        atlas.trail.current = _outside(atlas, seq, sighting)
    elif taken.kind == "ride":
        assert here is not None
        atlas.map.place(here).outside = sighting.outside
        atlas.map.touch(here)
    elif taken.kind == "name":
        assert here is not None
        atlas.map.rename(here, sighting.name or "", sighting.title or "")
        atlas.map.place(here).dark = False
    elif taken.kind == "same":
        assert here is not None and taken.place is not None
        atlas.merge(here, taken.place, reason="showed its name later")
    elif taken.kind == "moved":
        _moved_earlier(atlas, taken, seq, sighting)
    current = atlas.trail.current
    assert current is not None
    if moved and here is not None and action is not None:
        here = _contract(atlas, here, action, heading, sighting, current)
        atlas.map.record(here, action, current, at=atlas.now, spoken=spoken, cost=cost)
    if note:
        atlas.map.note(current, sighting, at=atlas.now)
    if coordinate is not None:
        atlas.map.locate(current, coordinate)
    elif moved and sighting.name is not None and not sighting.dark:
        atlas.map.locate(current, predicted(atlas.map, here, action))
    return moved or taken.kind in ("moved",)


def _add(atlas: Atlas, seq: int, sighting: Sighting, unseen: bool, coordinate: Coordinate | None) -> Place:
    nameless = unseen or sighting.name is None
    return atlas.map.add(
        Place(
            id=_place_id(seq),
            name="" if nameless else sighting.name or "",
            title="" if nameless else sighting.title or "",
            coordinate=coordinate,
            dark=sighting.dark,
            settled=sighting.settled or sighting.dark,
            first_seen=atlas.now,
            last_seen=atlas.now,
        )
    )


def _outside(atlas: Atlas, seq: int, sighting: Sighting) -> str:
    """What one gets back to from furniture or a vehicle."""
    assert atlas.trail.current is not None
    here = atlas.map.place(atlas.trail.current)
    outside = here.outside or ""
    if outside in atlas.map:
        return atlas.map.find(outside)
    if namesakes := atlas.map.newest_named(outside, 1):
        return namesakes[0]
    return atlas.map.add(
        Place(
            id=_place_id(seq),
            name=outside,
            title=outside.title(),
            coordinate=here.coordinate,
            first_seen=atlas.now,
            last_seen=atlas.now,
        )
    ).id


def _moved_earlier(atlas: Atlas, taken: Option, seq: int, sighting: Sighting) -> None:
    """Correct the steps since the one that moved us unnoticed."""
    place = taken.place or _add(atlas, seq, sighting, False, None).id
    origin, cause = None, None
    for number, step in enumerate(atlas.trail.steps):
        if taken.since is not None and step.seq >= taken.since:
            if cause is None:
                cause = step
                origin = atlas.trail.steps[number - 1].place if number else None
            _reassign(atlas, step.seq, place)
    if cause is not None and cause.action is not None and origin is not None and origin in atlas.map:
        atlas.map.record(origin, cause.action, place, at=atlas.now, spoken=cause.action)
    for number, step in enumerate(atlas.trail.steps):
        if taken.since is not None and step.seq >= taken.since:
            atlas.trail.steps[number] = TrailStep(
                seq=step.seq, action=step.action, named=step.named, place=place, said=step.said
            )
    atlas.trail.current = place


def _reassign(atlas: Atlas, seq: int, place: str) -> None:
    for step in reversed(atlas.steps):
        if step.seq < seq:
            break
        if step.seq == seq:
            step.place = place
            step.moved = True
            atlas.corrected.append(step)


def _contract(atlas: Atlas, here: str, action: str, heading: str | None, sighting: Sighting, current: str) -> str:
    """An unnamed place between two steps in the same direction was no place: "You climb on." """
    place = atlas.map.place(here)
    if heading is None or sighting.name is None or place.name or place.settled or place.thing:
        return here
    ways = list(atlas.map.sources(here))
    if len(ways) != 1:
        return here
    source, step = ways[0]
    if step != action or source in (here, current) or here == current:
        return here
    atlas.merge(here, source, reason="no place of its own: the same action again led on")
    return source


def failed(atlas: Atlas, here: str, action: str, spoken: str, sighting: Sighting) -> None:
    line = next((line.strip() for line in sighting.text.split("\n") if line.strip()), "")
    atlas.map.record(here, action, None, at=atlas.now, spoken=spoken, failure=line[:160])


def _place_id(seq: int) -> str:
    """Short, opaque, never used twice in a world: the number of the step that found it, in base 36."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while True:
        seq, digit = divmod(seq, 36)
        text = digits[digit] + text
        if not seq:
            return "p" + text
