"""The mapper of one world: takes observations in, keeps map, trail and journal in step.

    atlas = Atlas()
    atlas.observe("Kitchen\\nA door leads north.")
    arrival = atlas.observe("Library\\nDusty.", action="north")

In memory only; `SpatialStore` makes what it changes durable, and `Places` is what users hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import numpy as np

from hippo_agent.errors import InvalidInput
from hippo_agent.intake import clean_text
from hippo_agent.spatial import actions
from hippo_agent.spatial.arrival import Arrival
from hippo_agent.spatial.evidence import WEIGHTS
from hippo_agent.spatial.journal import Merge, Step
from hippo_agent.spatial.manner import Manner
from hippo_agent.spatial.map import MAX_EXITS, PlaceMap
from hippo_agent.spatial.moving import apply
from hippo_agent.spatial.place import Coordinate
from hippo_agent.spatial.recognition import Decision, Option, Trail, TrailStep, decide, options
from hippo_agent.spatial.sighting import Sighting, normalise, read

__all__ = ["MAX_STEP_TEXT", "TAIL", "Arrival", "Atlas"]

MAX_STEP_TEXT = 8_000  # characters of an observation that the journal keeps
TAIL = 64  # steps that are always in memory, for corrections


class Atlas:
    """Map, trail and journal of one world."""

    def __init__(self, *, keep_steps: bool = False, weights: Mapping[str, float] = WEIGHTS) -> None:
        """``keep_steps``: hold the journal in memory (else only its tail; a store has the rest).

        ``weights``: of the evidence by name, as `evidence.WEIGHTS`.
        """
        self.weights = weights
        self.map = PlaceMap()
        self.manner = Manner()
        self.trail = Trail()
        self.steps: list[Step] = []
        self.merges: list[Merge] = []
        self.next_seq = 0
        self.episode = 0
        self._keep = keep_steps
        self.learning = True  # False while a journal is read again, knowing the manner
        self.now = 0.0  # of the newest step
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
        self.now = max(self.now, at)
        sighting = self.read(text, label, view)
        if label is None and self._elsewhere(sighting):
            self.restart()
        seq = self.next_seq
        if self.trail.current is None:
            self.trail.began = seq
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
                weights=self.weights,
            )
            decision = decide(found)
        known = len(self.map)
        self._learn(decision, sighting, label)
        spoken = action or ""
        moved = apply(self, decision, sighting, label, spoken, seq=seq, cost=cost, ok=ok, coordinate=coordinate)
        assert self.trail.current is not None
        place = self.map.place(self.trail.current)
        if key is not None and place.key != key:
            self.map.set_key(place.id, key)
        if offered:
            self.map.offer(place.id, offered)
        if vector is not None and (place.vector is None or len(place.vector) != len(vector)):
            place.vector = vector  # the first one, or the first of another model
        place.last_step = seq
        if before is None:
            self.trail.start = place.id
        if moved or before is None:
            place.visits += 1
            self.map.touch(place.id)
        self.remember(
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
                at=self.now,
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
        number = 1 + (self.merges[-1].number if self.merges else 0)
        made = Merge(number=number, old=old, new=new, seq=self.next_seq - 1, reason=reason)
        self.merges.append(made)
        self.map.merge(old, new)
        if self.trail.current == old:
            self.trail.current = new
        return made

    def resume(self, steps: Iterable[Step]) -> None:
        """Fill the trail from the last steps of the running episode."""
        for step in steps:
            if step.episode != self.episode:
                continue
            sighting = self.read(step.text, step.action, step.view)
            self.trail.steps.append(
                TrailStep(
                    seq=step.seq,
                    action=step.action,
                    named=sighting.name is not None,
                    place=step.place,
                    said=normalise(step.text[:1000]),
                )
            )

    def look_again(self, place: str, step: Step) -> Sighting:
        """Keep what a stored step shows of a place."""
        sighting = self.read(step.text, step.action, step.view)
        self.map.note(place, sighting, at=step.at)
        return sighting

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

    def read(self, text: str, action: str | None, view: bool) -> Sighting:
        """The text as this world means it."""
        sighting = read(text, action=action, opening=action is None)
        if view:
            return sighting if sighting.title is not None and sighting.body else sighting.untitled()
        return self.manner.plain(sighting, action=action, places=self.map)

    def _elsewhere(self, sighting: Sighting) -> bool:
        """Whether a mere look shows another place than the one we left: we were put there, nobody walked."""
        here = None if self.trail.current is None else self.map.place(self.trail.current)
        if here is None or not here.name or sighting.name is None or sighting.dark or sighting.thing:
            return False
        return sighting.name != here.name and here.outside is None

    def _learn(self, decision: Decision, sighting: Sighting, action: str | None) -> None:
        """How this world speaks, from arrivals that the passages alone make certain."""
        taken = decision.taken
        if not self.learning or sighting.name is None:
            return
        certain = taken.kind == "to" and taken.terms.keys() & {"known", "back"}
        self.manner.learn(sighting, action=action, place=self.map.places.get(taken.place or "") if certain else None)

    def _by_key(self, key: str) -> Decision:
        place = self.map.keyed(key)
        if place is None:
            taken = Option(kind="new", score=0.0, terms={"key": 0.0})
        else:
            taken = Option(kind="to", place=place, score=0.0, terms={"key": 0.0})
        return Decision(taken=taken, runner_up=None, band="new" if place is None else "same")

    def remember(self, step: Step, sighting: Sighting) -> None:
        """Append to journal and trail."""
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
        if not self._keep and len(self.steps) > 2 * TAIL:
            del self.steps[:-TAIL]


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
