"""The journal told again: a second reading that knows how the world speaks, and a fold that trusts the first one.

Both stream: they hold the map and the last steps, never the journal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from copy import deepcopy

from hippo_agent.spatial import actions
from hippo_agent.spatial.atlas import TAIL, Atlas
from hippo_agent.spatial.journal import Merge, Step
from hippo_agent.spatial.map import PlaceMap
from hippo_agent.spatial.moving import failed
from hippo_agent.spatial.place import Place
from hippo_agent.spatial.sighting import Sighting

__all__ = ["Rereading", "carry", "fold", "reread"]


class Rereading:
    """A new atlas from the texts of an old one's journal, step by step.

    Steps without a text (forgotten, or never seen) stay where the old atlas had them.
    """

    def __init__(self, old: Atlas, *, keep_steps: bool = False) -> None:
        self._old = old
        self._first: dict[str, str] = {}  # old id -> new id, where they first met
        self.fresh = Atlas(keep_steps=keep_steps, weights=old.weights)
        self.fresh.manner = deepcopy(old.manner)
        self.fresh.learning = False
        self.fresh.episode = -1

    def take(self, step: Step) -> list[Step]:
        """Read one step; returns the rows that it makes: its own, and earlier ones that it corrects."""
        fresh = self.fresh
        if step.episode != fresh.episode:
            fresh.trail.restart()
            fresh.episode = step.episode
        fresh.next_seq = step.seq
        before = self._old.map.find(step.place)
        if step.text or step.view:
            fresh.observe(
                step.text,
                action=step.spoken if step.action is not None else None,
                view=step.view,
                coordinate=step.coordinate,
                key=step.key,
                ok=step.ok,
                cost=step.cost,
                reward=step.reward,
                at=step.at,
            )
        else:
            self._walk(step, before)
        made = fresh.steps[-1]
        made.verdict = step.verdict
        self._first.setdefault(before, fresh.map.find(made.place))
        rows = [*fresh.corrected, made]
        fresh.corrected.clear()
        return rows

    def finish(self) -> dict[str, str]:
        """Carry over what was told, not seen; returns the new id of each old place."""
        old, fresh = self._old, self.fresh
        fresh.next_seq, fresh.episode = old.next_seq, old.episode
        fresh.learning = True
        if old.trail.current is None:
            fresh.trail.restart()
        moved = {before: fresh.map.find(now) for before, now in self._first.items()}
        for place in old.map.places.values():
            if place.id not in moved and place.id.startswith("t"):
                fresh.map.add(place)
                moved[place.id] = place.id
        carry(old.map, fresh.map, moved)
        return moved

    def _walk(self, step: Step, before: str) -> None:
        fresh = self.fresh
        place = fresh.map.find(self._first.get(before, before))
        if place not in fresh.map.places:
            place = step.place if step.place not in fresh.map else fresh.map.find(step.place)
            if place not in fresh.map.places:
                _add(fresh.map, step, Sighting(), self._old.map)
        origin = fresh.trail.current
        if step.moved and origin is not None and step.action is not None:
            fresh.map.record(origin, step.action, place, at=step.at, spoken=step.spoken, cost=step.cost)
        fresh.map.place(place).last_step = step.seq
        if origin is None:
            fresh.trail.began = step.seq
        if step.moved or origin is None:
            fresh.map.place(place).visits += 1
        fresh.trail.current = place
        fresh.next_seq += 1
        fresh.remember(
            Step(
                seq=step.seq,
                episode=step.episode,
                action=step.action,
                spoken=step.spoken,
                place=place,
                origin=origin,
                moved=step.moved,
                ok=step.ok,
                cost=step.cost,
                reward=step.reward,
                at=step.at,
            ),
            Sighting(),
        )


def reread(atlas: Atlas) -> Atlas:
    """The second reading of an atlas that holds its whole journal."""
    reading = Rereading(atlas, keep_steps=True)
    for step in atlas.steps:
        reading.take(step)
    reading.finish()
    return reading.fresh


def fold(old: Atlas, steps: Iterable[Step], merges: Iterable[Merge]) -> Atlas:
    """Places and edges derived from the places that the journal records, under other merges than now."""
    fresh = Atlas(weights=old.weights)
    fresh.manner, fresh.next_seq, fresh.episode = old.manner, old.next_seq, old.episode
    tail: deque[Step] = deque(maxlen=TAIL)
    for step in steps:
        fresh.now = step.at
        sighting = fresh.read(step.text, step.action, step.view) if step.text else Sighting()
        if step.place not in fresh.map.places:
            _add(fresh.map, step, sighting, old.map)
        if step.moved and step.origin is not None and step.action is not None and step.origin in fresh.map.places:
            fresh.map.record(step.origin, step.action, step.place, at=step.at, spoken=step.spoken, cost=step.cost)
        elif step.action is not None and (actions.direction(step.action) is not None or step.ok is False):
            failed(fresh, step.place, step.action, step.spoken, sighting)
        if step.text and step.decision.get("kind") != "ride":
            fresh.map.note(step.place, sighting, at=step.at)
        fresh.map.place(step.place).last_step = step.seq
        if step.moved or step.action is None:
            fresh.map.place(step.place).visits += 1
        tail.append(step)
    for place in old.map.places.values():
        if place.id not in fresh.map.places and place.id.startswith("t"):
            fresh.map.add(place)
    for merge in merges:
        if merge.old in fresh.map and merge.new in fresh.map:
            fresh.map.merge(merge.old, merge.new)
        fresh.merges.append(merge)
    fresh.steps = list(tail)
    if old.trail.current is not None and tail:
        fresh.trail.current = fresh.map.find(tail[-1].place)
    fresh.trail.start, fresh.trail.began = old.trail.start, old.trail.began
    fresh.resume(fresh.steps)
    carry(old.map, fresh.map, {place: place for place in fresh.map.places})
    return fresh


def carry(old: PlaceMap, fresh: PlaceMap, moved: Mapping[str, str]) -> None:
    """Take over what no text says: names given, exits offered, vectors, blocks, preconditions and told passages."""
    for before, now in moved.items():
        model = old.places.get(before)
        if model is None or now not in fresh:
            continue
        if model.called:
            fresh.call(now, model.called)
        if model.exits:
            fresh.offer(now, model.exits)
        place = fresh.place(now)
        place.region = place.region or model.region
        place.vector = model.vector if place.vector is None else place.vector
    for edge in old.all_edges():
        source = moved.get(edge.source)
        if source is None or source not in fresh:
            continue
        if edge.blocked_until is not None:
            fresh.block(source, edge.action, until=edge.blocked_until, reason=edge.block)
        if edge.needs:
            fresh.require(source, edge.action, edge.needs)
        target = None if edge.target is None else moved.get(edge.target)
        if edge.provenance != "observed" and target is not None and fresh.edge(source, edge.action) is None:
            made = fresh.record(source, edge.action, target, at=edge.last_ok or 0.0, spoken=edge.spoken)
            made.provenance = edge.provenance


def _add(places: PlaceMap, step: Step, sighting: Sighting, known: PlaceMap) -> None:
    """A place under the id that the journal gave it."""
    model = known.places.get(known.find(step.place))
    named = sighting.name is not None and not sighting.dark
    place = Place(id=step.place, name="", key=step.key, first_seen=step.at, last_seen=step.at)
    if model is not None:
        place.name, place.title, place.coordinate = model.name, model.title, model.coordinate
        place.outside, place.thing, place.region = model.outside, model.thing, model.region
    if named:
        place.name, place.title = sighting.name or "", sighting.title or ""
    places.add(place)
