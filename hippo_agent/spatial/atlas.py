"""The mapper of one world: takes observations in, keeps map, trail and journal in step.

    atlas = Atlas()
    atlas.observe("Kitchen\\nA door leads north.")
    arrival = atlas.observe("Library\\nDusty.", action="north")

In memory only; `SpatialStore` makes what it changes durable, and `Places` is what users hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from hippo_agent.errors import InvalidInput
from hippo_agent.intake import clean_text
from hippo_agent.spatial import actions
from hippo_agent.spatial.evidence import predicted
from hippo_agent.spatial.journal import Merge, Step
from hippo_agent.spatial.manner import Manner
from hippo_agent.spatial.map import MAX_EXITS, PlaceMap
from hippo_agent.spatial.place import Coordinate, Place
from hippo_agent.spatial.recognition import Band, Decision, Option, Trail, TrailStep, decide, options
from hippo_agent.spatial.sighting import Sighting, normalise, read, words

__all__ = ["MAX_STEP_TEXT", "Arrival", "Atlas"]

MAX_STEP_TEXT = 8_000  # characters of an observation that the journal keeps
_ORIGIN = Coordinate(at=(0.0, 0.0, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What one observation came to."""

    place: str
    label: str
    moved: bool
    new: bool  # the place was never seen before
    band: Band
    lead: float  # log odds over the next best reading; infinity when there was none
    expected: str | None  # where the action led last time
    surprise: float  # in [0, 1]: how sure the map was of another place
    novelty: float  # in [0, 1]: 1 for a new place, falls with visits
    step: int  # seq in the journal
    terms: Mapping[str, float] = field(default_factory=dict)


class Atlas:
    """Map, trail and journal of one world."""

    def __init__(self, *, keep_steps: bool = True) -> None:
        """``keep_steps``: hold the journal in memory (else only its tail; a store has the rest)."""
        self.map = PlaceMap()
        self.manner = Manner()
        self.trail = Trail()
        self.steps: list[Step] = []
        self.merges: list[Merge] = []
        self.exemplars: dict[str, np.ndarray] = {}
        self.next_seq = 0
        self.episode = 0
        self._keep = keep_steps
        self._learning = True  # False while a journal is read again, knowing the manner
        self._now = 0.0
        self.corrected: list[Step] = []  # steps whose place was changed since it was last emptied

    # Observing

    def restart(self) -> None:
        """A new episode begins: the next observation is not the result of an action."""
        self.trail.restart()
        self.episode += 1

    def observe(
        self,
        text: str,
        *,
        action: str | None = None,
        view: bool = False,
        coordinate: Coordinate | None = None,
        key: str | None = None,
        vector: np.ndarray | None = None,
        ok: bool | None = None,
        cost: float | None = None,
        reward: float = 0.0,
        exits: Iterable[str] = (),
        at: float = 0.0,
    ) -> Arrival:
        """Take one observation in; see `Places.observe` for the arguments. Raises InvalidInput before any change."""
        text = clean_text(text, what="observation")
        label = None if action is None else actions.action_key(action)
        offered = [actions.action_key(each) for each in islice(exits, MAX_EXITS)]
        for name, value in (("cost", cost), ("reward", reward), ("at", at)):
            if value is not None and not math.isfinite(value):
                raise InvalidInput(f"{name} must be a finite number, not {value!r}; leave it out when it is not known")
        if cost is not None and cost < 0:
            raise InvalidInput(f"cost must not be negative, but is {cost!r}; give reward for gains")
        if coordinate is not None and not all(map(math.isfinite, coordinate.at)):
            raise InvalidInput(f"coordinate {coordinate.at!r} is not finite; leave it out when it is not known")
        self._now = max(self._now, at)
        sighting = self._read(text, label, view)
        seq = self.next_seq
        self.next_seq += 1
        before = self.trail.current
        usual = None if before is None or label is None else self.map.edge(before, label)
        expected = None if usual is None else usual.target
        sure = 0.0 if usual is None or expected is None else usual.reliability
        if key is not None:
            decision = self._by_key(key)
        else:
            found = options(
                self.map,
                self.manner,
                self.trail,
                sighting,
                action=label,
                view=view,
                coordinate=coordinate,
                vector=vector,
                exemplars=self.exemplars,
            )
            decision = decide(found)
        known = len(self.map)
        self._learn(decision, sighting, label)
        moved = self._apply(decision, sighting, label, action or "", seq=seq, cost=cost, ok=ok, coordinate=coordinate)
        assert self.trail.current is not None
        place = self.map.place(self.trail.current)
        if key is not None and place.key != key:
            self.map.set_key(place.id, key)
        if offered:
            self.map.offer(place.id, offered)
        if vector is not None and place.id not in self.exemplars:
            self.exemplars[place.id] = np.asarray(vector, dtype=np.float32)
        if before is None:
            self.trail.start = place.id
        if moved or before is None:
            place.visits += 1
            self.map.touch(place.id)
        self._remember(
            Step(
                seq=seq,
                episode=self.episode,
                action=label,
                spoken=action or "",
                text=text[:MAX_STEP_TEXT],
                place=place.id,
                origin=before,
                moved=moved,
                view=view,
                coordinate=coordinate,
                key=key,
                ok=ok,
                cost=cost,
                reward=reward,
                at=self._now,
                decision=_note(decision),
            ),
            sighting,
        )
        new = len(self.map) > known and place.visits <= 1
        return Arrival(
            place=place.id,
            label=place.label,
            moved=moved,
            new=new,
            band=decision.band,
            lead=decision.lead,
            expected=None if expected is None or expected not in self.map else self.map.find(expected),
            surprise=sure
            if expected is not None and expected in self.map and self.map.find(expected) != place.id
            else 0.0,
            novelty=1.0 / max(1, place.visits),
            step=seq,
            terms=dict(decision.taken.terms),
        )

    # Correcting

    def merge(self, old: str, new: str, *, reason: str) -> Merge:
        """Take two places for one. Can be undone."""
        old, new = self.map.find(self.map.place(old).id), self.map.find(self.map.place(new).id)
        if old == new:
            raise InvalidInput(f"{old!r} and {new!r} are one place already")
        number = 1 + max((merge.number for merge in self.merges), default=0)
        made = Merge(number=number, old=old, new=new, seq=self.next_seq - 1, reason=reason)
        self.merges.append(made)
        self.map.merge(old, new)
        if old in self.exemplars:
            self.exemplars.setdefault(new, self.exemplars.pop(old))
        if self.trail.current == old:
            self.trail.current = new
        return made

    def rebuild(self, steps: Iterable[Step] | None = None) -> Atlas:
        """The same journal read again, knowing from the start how this world speaks. Returns a new atlas."""
        journal = list(self.steps if steps is None else steps)
        fresh = Atlas(keep_steps=True)
        fresh.manner = deepcopy(self.manner)
        fresh._learning = False
        episode = journal[0].episode if journal else 0
        fresh.episode = episode
        for step in journal:
            if step.episode != episode:
                fresh.trail.restart()
                episode = fresh.episode = step.episode
            fresh.next_seq = step.seq
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
        fresh._learning = True
        return fresh

    def folded(self, steps: Iterable[Step], merges: Iterable[Merge]) -> Atlas:
        """Places and edges derived from the places that the journal records, under other merges than now."""
        fresh = Atlas(keep_steps=self._keep)
        fresh.manner, fresh.next_seq, fresh.episode = self.manner, self.next_seq, self.episode
        tail: list[Step] = []
        for step in steps:
            fresh._now = step.at
            sighting = fresh._read(step.text, step.action, step.view) if step.text else Sighting()
            if step.place not in fresh.map.places:
                fresh._add_as(step, sighting, self.map)
            if step.moved and step.origin is not None and step.action is not None and step.origin in fresh.map.places:
                fresh.map.record(step.origin, step.action, step.place, at=step.at, spoken=step.spoken, cost=step.cost)
            elif step.action is not None and (actions.direction(step.action) is not None or step.ok is False):
                fresh._failed(step.place, step.action, step.spoken, sighting)
            if step.text and step.decision.get("kind") != "ride":
                fresh.map.note(step.place, sighting, at=step.at)
            if step.moved or step.action is None:
                fresh.map.place(step.place).visits += 1
            tail.append(step)
        for place in self.map.places.values():
            if place.id not in fresh.map.places and place.id.startswith("t"):
                fresh.map.add(place)
        for merge in merges:
            if merge.old in fresh.map and merge.new in fresh.map:
                fresh.map.merge(merge.old, merge.new)
            fresh.merges.append(merge)
        fresh.steps = tail if self._keep else tail[-64:]
        current = self.trail.current
        if current is not None and tail:
            fresh.trail.current = fresh.map.find(tail[-1].place)
        fresh.trail.start = self.trail.start
        fresh.resume(fresh.steps[-64:])
        return fresh

    def resume(self, steps: Iterable[Step]) -> None:
        """Fill the trail from the last steps of the running episode."""
        for step in steps:
            if step.episode != self.episode:
                continue
            sighting = self._read(step.text, step.action, step.view)
            self.trail.steps.append(
                TrailStep(
                    seq=step.seq,
                    action=step.action,
                    named=sighting.name is not None,
                    place=step.place,
                    said=normalise(step.text[:1000]),
                )
            )

    def look_again(self, place: str, step: Step) -> None:
        """Keep what a stored step shows of a place."""
        self.map.note(place, self._read(step.text, step.action, step.view), at=step.at)

    def place_at(self, seq: int) -> str:
        """Where a step was, read through the merges."""
        low, high = 0, len(self.steps)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.steps[middle].seq < seq else (low, middle)
        if low == len(self.steps) or self.steps[low].seq != seq:
            raise InvalidInput(f"there is no step {seq!r} in this journal")
        return self.map.find(self.steps[low].place)

    # Inside

    def _read(self, text: str, action: str | None, view: bool) -> Sighting:
        sighting = read(text, action=action, opening=action is None)
        if view:
            return sighting if sighting.title is not None and sighting.body else sighting.untitled()
        return self.manner.plain(sighting, action=action, places=self.map)

    def _learn(self, decision: Decision, sighting: Sighting, action: str | None) -> None:
        """How this world speaks, from arrivals that the passages alone make certain."""
        taken = decision.taken
        if not self._learning or sighting.name is None:
            return
        certain = taken.kind == "to" and taken.terms.keys() & {"known", "back"}
        self.manner.learn(sighting, action=action, place=self.map.places.get(taken.place or "") if certain else None)

    def _add_as(self, step: Step, sighting: Sighting, known: PlaceMap) -> None:
        """A place under the id that the journal gave it."""
        model = known.places.get(known.find(step.place))
        named = sighting.name is not None and not sighting.dark
        self.map.add(
            Place(
                id=step.place,
                name=sighting.name or "" if named else model.name if model is not None else "",
                title=sighting.title or "" if named else model.title if model is not None else "",
                coordinate=model.coordinate if model is not None else None,
                key=step.key,
                outside=model.outside if model is not None else None,
                thing=model.thing if model is not None else frozenset(),
                region=model.region if model is not None else None,
                exits=list(model.exits) if model is not None else [],
                first_seen=step.at,
                last_seen=step.at,
            )
        )

    def _by_key(self, key: str) -> Decision:
        place = self.map.keyed(key)
        if place is None:
            taken = Option(kind="new", score=0.0, terms={"key": 0.0})
        else:
            taken = Option(kind="to", place=place, score=0.0, terms={"key": 0.0})
        return Decision(taken=taken, runner_up=None, band="new" if place is None else "same")

    def _apply(
        self,
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
        taken, here = decision.taken, self.trail.current
        heading = actions.direction(action) if action is not None else None
        unseen = sighting.dark and heading is not None
        moved = taken.kind in ("to", "new", "onto", "off")
        note = taken.kind != "ride"
        if taken.kind == "stay":
            if here is not None and action is not None and (heading is not None or ok is False):
                self._failed(here, action, spoken, sighting)
        elif taken.kind == "new":
            self.trail.current = self._add(seq, sighting, unseen, predicted(self.map, here, action)).id
            if here is None and len(self.map) == 1:
                self.map.locate(self.trail.current, _ORIGIN)
            if decision.band == "tentative" and decision.runner_up is not None and decision.runner_up.kind == "to":
                self.map.place(self.trail.current).tentative = decision.runner_up.place
        elif taken.kind == "to":
            assert taken.place is not None
            self.trail.current = self.map.find(taken.place)
            if not self.map.place(taken.place).name and sighting.name is not None and not unseen:
                self.map.rename(taken.place, sighting.name, sighting.title or "")
        elif taken.kind == "onto":
            assert here is not None and action is not None
            made = self._add(seq, sighting, True, self.map.place(here).coordinate)
            made.dark, made.outside, made.thing = False, here, words(action)
            self.trail.current = made.id
        elif taken.kind == "off":
            self.trail.current = self._outside(seq, sighting)
        elif taken.kind == "ride":
            assert here is not None
            self.map.place(here).outside = sighting.outside
            self.map.touch(here)
        elif taken.kind == "name":
            assert here is not None
            self.map.rename(here, sighting.name or "", sighting.title or "")
            self.map.place(here).dark = False
        elif taken.kind == "same":
            assert here is not None and taken.place is not None
            self.merge(here, taken.place, reason="showed its name later")
        elif taken.kind == "moved":
            self._moved_earlier(taken, seq, sighting)
        current = self.trail.current
        assert current is not None
        if moved and here is not None and action is not None:
            here = self._contract(here, action, heading, sighting, current)
            self.map.record(here, action, current, at=self._now, spoken=spoken, cost=cost)
        if note:
            self.map.note(current, sighting, at=self._now)
        if coordinate is not None:
            self.map.locate(current, coordinate)
        elif moved and sighting.name is not None and not sighting.dark:
            self.map.locate(current, predicted(self.map, here, action))
        return moved or taken.kind in ("moved",)

    def _add(self, seq: int, sighting: Sighting, unseen: bool, coordinate: Coordinate | None) -> Place:
        nameless = unseen or sighting.name is None
        return self.map.add(
            Place(
                id=_place_id(seq),
                name="" if nameless else sighting.name or "",
                title="" if nameless else sighting.title or "",
                coordinate=coordinate,
                dark=sighting.dark,
                settled=sighting.settled or sighting.dark,
                first_seen=self._now,
                last_seen=self._now,
            )
        )

    def _outside(self, seq: int, sighting: Sighting) -> str:
        """What one gets back to from furniture or a vehicle."""
        assert self.trail.current is not None
        here = self.map.place(self.trail.current)
        outside = here.outside or ""
        if outside in self.map:
            return self.map.find(outside)
        namesakes = list(self.map.named(outside))
        if namesakes:
            return namesakes[-1]
        return self.map.add(
            Place(
                id=_place_id(seq),
                name=outside,
                title=outside.title(),
                coordinate=here.coordinate,
                first_seen=self._now,
                last_seen=self._now,
            )
        ).id

    def _moved_earlier(self, taken: Option, seq: int, sighting: Sighting) -> None:
        """Correct the steps since the one that moved us unnoticed."""
        place = taken.place or self._add(seq, sighting, False, None).id
        origin, cause = None, None
        for number, step in enumerate(self.trail.steps):
            if taken.since is not None and step.seq >= taken.since:
                if cause is None:
                    cause = step
                    origin = self.trail.steps[number - 1].place if number else None
                self._reassign(step.seq, place)
        if cause is not None and cause.action is not None and origin is not None and origin in self.map:
            self.map.record(origin, cause.action, place, at=self._now, spoken=cause.action)
        for number, step in enumerate(self.trail.steps):
            if taken.since is not None and step.seq >= taken.since:
                self.trail.steps[number] = TrailStep(
                    seq=step.seq, action=step.action, named=step.named, place=place, said=step.said
                )
        self.trail.current = place

    def _reassign(self, seq: int, place: str) -> None:
        for step in reversed(self.steps):
            if step.seq < seq:
                break
            if step.seq == seq:
                step.place = place
                step.moved = True
                self.corrected.append(step)

    def _contract(self, here: str, action: str, heading: str | None, sighting: Sighting, current: str) -> str:
        """An unnamed place between two steps in the same direction was no place: "You climb on." """
        place = self.map.place(here)
        if heading is None or sighting.name is None or place.name or place.settled or place.thing:
            return here
        ways = list(self.map.sources(here))
        if len(ways) != 1:
            return here
        source, step = ways[0]
        if step != action or source in (here, current) or here == current:
            return here
        self.merge(here, source, reason="no place of its own: the same action again led on")
        return source

    def _failed(self, here: str, action: str, spoken: str, sighting: Sighting) -> None:
        line = next((line.strip() for line in sighting.text.split("\n") if line.strip()), "")
        self.map.record(here, action, None, at=self._now, spoken=spoken, failure=line[:160])

    def _remember(self, step: Step, sighting: Sighting) -> None:
        self.trail.steps.append(
            TrailStep(
                seq=step.seq,
                action=step.action,
                named=sighting.name is not None,
                place=step.place,
                said=normalise(sighting.text[:1000]),
            )
        )
        self.steps.append(step)
        if not self._keep and len(self.steps) > 128:
            del self.steps[:-64]


def _place_id(seq: int) -> str:
    """Short, opaque, never used twice in a world: the number of the step that found it, in base 36."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while True:
        seq, digit = divmod(seq, 36)
        text = digits[digit] + text
        if not seq:
            return "p" + text


def _note(decision: Decision) -> dict[str, Any]:
    taken, rival = decision.taken, decision.runner_up
    row: dict[str, Any] = {"kind": taken.kind, "band": decision.band, "score": round(taken.score, 2)}
    if taken.terms:
        row["terms"] = {name: round(value, 2) for name, value in taken.terms.items()}
    if rival is not None:
        row["rival"] = {"kind": rival.kind, "place": rival.place, "score": round(rival.score, 2)}
        if rival.terms:
            row["rival"]["terms"] = {name: round(value, 2) for name, value in rival.terms.items()}
    return row
