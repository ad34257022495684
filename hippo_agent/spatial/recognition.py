"""Which place is this? All that could have happened, each with its evidence; the best one is taken.

Three bands (after SPTM): far ahead of the runner-up, an option is taken as "same" or "new"; otherwise the choice is
"tentative" and remembers the runner-up, so that later evidence can merge or keep the two apart. Reads the map, never
changes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import numpy as np

from hippo_agent.spatial import actions
from hippo_agent.spatial.evidence import MAX_CANDIDATES, WEIGHTS, Terms, candidates, looks, predicted, way
from hippo_agent.spatial.manner import Manner
from hippo_agent.spatial.map import PlaceMap
from hippo_agent.spatial.place import Coordinate, Place
from hippo_agent.spatial.sighting import Sighting, normalise

__all__ = ["Band", "Decision", "Kind", "Option", "Trail", "TrailStep", "decide", "options"]

Kind = Literal[
    "stay",  # nothing moved
    "to",  # went to a known place
    "new",  # went to a place never seen
    "onto",  # got onto or into something here: a place inside the place
    "off",  # got up from it again
    "ride",  # the thing one sits in was somewhere else meanwhile
    "name",  # the place one is in shows its name
    "same",  # the place one is in turns out to be a known one
    "moved",  # one was moved by an earlier step without noticing
]
Band = Literal["same", "new", "tentative"]

HIGH = 1.0  # lead over the runner-up, in log odds, from which on a decision stands
_TAIL = 64  # steps that are remembered for corrections
_FEW = 15  # characters up to which an answer says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailStep:
    """One recent step: what was done, and whether the world named a place."""

    seq: int
    action: str | None
    named: bool
    place: str
    said: str  # normalised text


@dataclass(slots=True)
class Trail:
    """Where one is and how one got here lately."""

    current: str | None = None
    start: str | None = None  # first place of the episode before
    began: int = 0  # seq of the first step of this episode
    steps: deque[TrailStep] = field(default_factory=lambda: deque(maxlen=_TAIL))

    def restart(self) -> None:
        """A new episode: no edge leads from the old one into it."""
        self.current = None
        self.steps.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way to read what happened. ``place`` None with "to" never occurs; with "moved" it means a new place."""

    kind: Kind
    score: float
    place: str | None = None
    terms: Mapping[str, float] = field(default_factory=dict)
    since: int | None = None  # "moved": seq of the step that moved us


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The option taken, with what it was weighed against."""

    taken: Option
    runner_up: Option | None
    band: Band

    @property
    def lead(self) -> float:
        """Log odds over the runner-up; infinity when nothing else was possible."""
        return float("inf") if self.runner_up is None else self.taken.score - self.runner_up.score


def decide(found: list[Option]) -> Decision:
    """The best option; the first of equals. ``found`` must not be empty."""
    ranked = sorted(found, key=lambda option: -option.score)
    taken = ranked[0]
    rival = next((option for option in ranked[1:] if (option.kind, option.place) != (taken.kind, taken.place)), None)
    clear = rival is None or taken.score - rival.score >= HIGH
    return Decision(
        taken=taken,
        runner_up=rival,
        band="tentative" if not clear else "new" if taken.kind in ("new", "onto") else "same",
    )


def options(
    places: PlaceMap,
    manner: Manner,
    trail: Trail,
    sighting: Sighting,
    *,
    action: str | None,
    view: bool = False,
    coordinate: Coordinate | None = None,
    vector: np.ndarray | None = None,
    weights: Mapping[str, float] = WEIGHTS,
) -> list[Option]:
    """Everything that may have happened; never empty.

    ``view``: the text shows the place itself, whatever the action was (a camera, a page, a room without a title line).
    """
    scene = _Scene(places, manner, trail, sighting, action, view, coordinate, vector, weights)
    if trail.current is None or action is None:
        return scene.start()
    if view:
        return scene.view()
    if sighting.name is None or (sighting.dark and actions.direction(action) is not None):
        return scene.unnamed()
    return scene.named()


@dataclass(frozen=True, slots=True)
class _Scene:
    places: PlaceMap
    manner: Manner
    trail: Trail
    sighting: Sighting
    action: str | None
    view_given: bool
    coordinate: Coordinate | None
    vector: np.ndarray | None
    weights: Mapping[str, float]

    # The cases

    def start(self) -> list[Option]:
        """The first observation of an episode: by looks alone; where episodes start is often the same place."""
        found = [Option(kind="new", score=0.0 if not len(self.places) else -1.0)]
        if self.trail.current is not None:  # no action: we did not move
            return [Option(kind="stay", score=0.0)]
        if self.sighting.name is None and not self.view_given and self.trail.start in self.places:
            return [Option(kind="to", place=self.trail.start, score=0.0), Option(kind="new", score=-1.0)]
        for place in candidates(self.places, self.sighting, origin=None, action=None):
            terms = self._looks(place)
            if place == self.trail.start:
                terms["start"] = 2.0
            terms |= self._given(place)
            if terms:
                found.append(Option(kind="to", place=place, score=sum(terms.values()), terms=terms))
        return found

    def view(self) -> list[Option]:
        """Every observation shows the place: going nowhere is one of the candidates."""
        assert self.action is not None
        return list(self._moves(again=True))

    def unnamed(self) -> list[Option]:
        """No title was printed (or it was dark): mostly nothing moved, unless it was a direction or some furniture."""
        places, sighting, action, here = self.places, self.sighting, self._action, self._here
        heading = actions.direction(action)
        stay = Option(kind="stay", score=0.0)
        if heading is not None:
            if sighting.refused and not sighting.dark:
                return [stay]
            if len(sighting.text) > _FEW or sighting.dark:
                return self._unnamed_move(heading)
        elif here.outside is not None and actions.leaves(action) and not sighting.refused:
            return [stay, Option(kind="off", score=3.0)]
        elif actions.enters(action) and not sighting.refused and sighting.moved:
            known = places.last(here.id, action)
            if known is not None:
                return [stay, Option(kind="to", place=known, score=3.5)]
            return [stay, Option(kind="onto", score=1.5)]
        return [stay]

    def named(self) -> list[Option]:
        """A title was printed."""
        sighting, action, here = self.sighting, self._action, self._here
        heading, kind = actions.direction(action), actions.looks(action)
        if sighting.name == here.name and heading is None:
            if kind:
                return [Option(kind="stay", score=6.0)]
            moving = -3.0 if sighting.moved else 0.0
            return [Option(kind="stay", score=moving if actions.moves(action) else 2.0), *self._moves()]
        if sighting.name == here.name and sighting.refused and sighting.lead:
            return [Option(kind="stay", score=0.0)]
        if sighting.thing & here.thing:
            return [Option(kind="ride", score=0.0)]
        if not actions.moves(action):
            if not here.name or here.dark:
                return self._named_at_last()
            if kind == "look":
                return self._elsewhere()
        found = list(self._moves())
        outside = here.outside
        if outside is not None and sighting.name in (outside, self._name_of(outside)):
            found.append(Option(kind="off", score=4.0 if actions.leaves(action) else 3.0))
        return found

    # Their parts

    def _moves(self, *, again: bool = False) -> Iterator[Option]:
        """To each candidate, or to a place never seen."""
        here, action, sighting = self._here, self._action, self.sighting
        heading = actions.direction(action)
        expected = predicted(self.places, here.id, action) if self.coordinate is None else self.coordinate
        for place in candidates(self.places, sighting, origin=here.id, action=action):
            if place == here.id and heading is None and not again:
                continue
            terms = way(
                self.places, place, sighting, origin=here.id, action=action, expected=expected, weights=self.weights
            )
            terms |= self._looks(place)
            yield Option(kind="to", place=place, score=sum(terms.values()), terms=terms)
        if again and here.id not in candidates(self.places, sighting, origin=here.id, action=action):
            terms = way(
                self.places, here.id, sighting, origin=here.id, action=action, expected=expected, weights=self.weights
            )
            terms |= self._looks(here.id)
            yield Option(kind="to", place=here.id, score=sum(terms.values()), terms=terms)
        fresh = self._way(None, expected)
        if sighting.name is not None and sighting.name == here.name and heading is None and not sighting.moved:
            fresh["namesake"] = -1.0
        yield Option(kind="new", score=sum(fresh.values()), terms=fresh)
        known = self.places.last(here.id, action)
        if known is not None and known != here.id and not self.places.place(known).name and sighting.name:
            yield Option(kind="to", place=known, score=3.0, terms={"unnamed": 3.0})

    def _unnamed_move(self, heading: str) -> list[Option]:
        places, sighting, action, here = self.places, self.sighting, self._action, self._here
        found: list[Option] = []
        went = 0.5 if sighting.dark else 2.5 if sighting.settled else 1.0 if sighting.moved else -1.0
        if not sighting.dark or sighting.name == here.name:
            before = self.trail.steps[-1] if self.trail.steps else None
            again = before is not None and before.action == action and not before.named
            stuck = 4.0 if sighting.returned and not sighting.dark else 3.0 if again else 0.0
            found.append(Option(kind="stay", score=stuck))
        known = places.last(here.id, action)
        if known is not None and known != here.id:
            return [*found, Option(kind="to", place=known, score=went + 3.0, terms={"known": 3.0})]
        opposite = actions.OPPOSITE.get(heading)
        ways = list(places.sources(here.id))[:64]
        back = {source: None for source, step in ways if step == opposite and places.last(source, step) == here.id}
        if actions.leaves(action) and not back:
            if here.outside is not None and here.outside in places:
                back = {places.find(here.outside): None}
            else:
                back = {
                    source: None
                    for source, step in ways
                    if source != here.id and (actions.enters(step) or step in ("in", "enter"))
                }
        for place in back:
            found.append(Option(kind="to", place=place, score=went + 1.0, terms={"back": 1.0}))
        for place in self._mentioned():
            if place != here.id:
                found.append(Option(kind="to", place=place, score=went + 2.0, terms={"mentioned": 2.0}))
        found.append(Option(kind="new", score=went - (1.0 if back else 0.0)))
        return found

    def _named_at_last(self) -> list[Option]:
        """The place one is in had no name so far."""
        found = [Option(kind="name", score=2.0)]
        for place in candidates(self.places, self.sighting, origin=None, action=None):
            if place != self._here.id:
                terms = self._looks(place)
                found.append(Option(kind="same", place=place, score=2.0 + sum(terms.values()), terms=terms))
        found.append(Option(kind="new", score=-2.0))
        return found

    def _elsewhere(self) -> list[Option]:
        """Looking around shows another name than expected: renamed, or moved by an earlier step."""
        name = self.sighting.name or ""
        steps = list(self.trail.steps)
        quiet: list[TrailStep] = []
        for step in reversed(steps):
            if step.place != self._here.id or step.named:
                break
            quiet.append(step)
        told = next((step for step in quiet if f" {name} " in f" {step.said} "), None)
        acted = next((step for step in quiet if step.action and not actions.looks(step.action)), None)
        culprit = told or acted or (quiet[0] if quiet else None)
        since = None if culprit is None else culprit.seq
        unheard = not any(True for _ in self.places.named(name)) and told is None
        found = [Option(kind="name", score=1.0 if unheard else -3.0)]
        for place in candidates(self.places, self.sighting, origin=None, action=None):
            if place != self._here.id:
                terms = self._looks(place)
                found.append(Option(kind="moved", place=place, score=sum(terms.values()), terms=terms, since=since))
        found.append(Option(kind="moved", score=-1.0, since=since))
        return found

    def _mentioned(self) -> list[str]:
        """Known places that the text says one goes into: "You step into the small guest room"."""
        said = normalise(self.sighting.text[:300]).split()
        found: dict[str, None] = {}
        for at, word in enumerate(said):
            if word not in ("in", "into", "to", "onto", "at", "inside"):
                continue
            for start in range(at + 1, min(at + 6, len(said))):
                for end in range(start + 1, min(start + 7, len(said) + 1)):
                    name = " ".join(said[start:end])
                    if len(name) > 3:
                        found.update(dict.fromkeys(islice(self.places.named(name), MAX_CANDIDATES)))
        return list(found)[:MAX_CANDIDATES]

    def _way(self, place: str | None, expected: Coordinate | None) -> Terms:
        return way(
            self.places,
            place,
            self.sighting,
            origin=self._here.id,
            action=self._action,
            expected=expected,
            weights=self.weights,
        )

    def _looks(self, place: str) -> Terms:
        return looks(
            self.places,
            place,
            self.sighting,
            self.manner,
            vector=self.vector,
            began=self.trail.began,
            weights=self.weights,
        )

    def _given(self, place: str) -> Terms:
        if self.coordinate is None:
            return {}
        distance = self.coordinate.distance(self.places.place(place).coordinate)
        if distance is None:
            return {}
        return {"position": WEIGHTS["position"] if distance == 0 else WEIGHTS["position_most"]}

    def _name_of(self, outside: str) -> str | None:
        return self.places.place(outside).name if outside in self.places else None

    @property
    def _here(self) -> Place:
        assert self.trail.current is not None
        return self.places.place(self.trail.current)

    @property
    def _action(self) -> str:
        assert self.action is not None
        return self.action
