"""`Places`: one world's map as its users hold it. Recognise, plan, remember, repair; every change is one transaction.

    places = Places(SpatialStore(PlaceFile("map.sqlite3")))
    places.observe("Kitchen\\nA door leads north.")
    places.observe("Library\\nDusty shelves.", action="north")
    plan = places.plan("kitchen")

A face, no algorithm: reading is `sighting`, deciding `recognition`, routes `plan`, walking `walking`, recall `nearby`,
the night's work `night`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from hippo_agent.errors import InvalidInput
from hippo_agent.intake import clean_label, clean_namespace
from hippo_agent.spatial import arguments, forgetting, nearby, night, recall, repair
from hippo_agent.spatial.actions import action_key
from hippo_agent.spatial.arrival import Arrival
from hippo_agent.spatial.atlas import Atlas
from hippo_agent.spatial.execution import Execution
from hippo_agent.spatial.journal import Step
from hippo_agent.spatial.macros import Macro, MacroConfig, suggest
from hippo_agent.spatial.map import PlaceMap
from hippo_agent.spatial.place import Coordinate, Place
from hippo_agent.spatial.plan import Plan, Planner
from hippo_agent.spatial.sighting import normalise
from hippo_agent.spatial.store import PlaceLink, SpatialStore
from hippo_agent.spatial.walking import Walker
from hippo_agent.spatial.weights import PlanConfig
from hippo_agent.spatial.world import World

__all__ = ["Places"]

_SECOND_LOOKS = frozenset(16 * 2**power for power in range(7))  # steps after which the journal is read again


class Places:
    """The map of one world. Threads may share it; processes may share the file."""

    def __init__(
        self,
        store: SpatialStore,
        *,
        world: Sequence[str] | str = (),
        plans: PlanConfig | None = None,
        macros: MacroConfig | None = None,
        clock: Callable[[], float] = time.time,
        redact: Callable[[str], str] = lambda text: text,
    ) -> None:
        """``world``: a namespace; worlds are never merged. ``clock``: seconds; may jump, time here never goes back.

        ``redact``: takes secrets out of a text before anything is kept of it.
        """
        self._redact = redact
        self._name = clean_namespace(world)
        self._world = World(store, self._name, plans=plans, clock=clock)
        self._macro_config = macros or MacroConfig()
        self._walker = Walker(self._world, self._macro_config)

    # Observing

    def observe(
        self,
        text: str,
        *,
        action: str | None = None,
        view: bool = False,
        exits: Iterable[str] = (),
        coordinate: Sequence[float] | Coordinate | None = None,
        frame: str = "map",
        key: str | None = None,
        vector: np.ndarray | None = None,
        ok: bool | None = None,
        cost: float | None = None,
        reward: float = 0.0,
        traces: Iterable[str] = (),
    ) -> Arrival:
        """Take in what the agent sees; returns where it is.

        Args:
            text: what the world shows. action: what was done before; None at the start of an episode, or when the
                agent just looks. view: the text is a picture of the place itself, without a title line.
            exits: actions known to be possible here. coordinate, frame: position, compared within its frame only;
                in the frame "wgs84" it is latitude and longitude in degrees.
            key: a trusted identity (a URL, a room number): decides alone. vector: an embedding of the text.
            ok: the caller's verdict on the action. cost: what it took. reward: from a trusted caller.
            traces: ids of episodes remembered here; linked in the same transaction.

        Raises:
            InvalidInput, TooLarge: nothing was changed. StorageError: nothing was changed either.
        """
        given = arguments.coordinate(coordinate, frame)
        seen = arguments.unit(vector)
        key = clean_label(key, what="key")
        items = [clean_label(item, what="trace id") or "" for item in arguments.listed(traces, "traces")]
        exits = arguments.listed(exits, "exits")
        with self._world.changing() as changes:
            opening = self._atlas.trail.current is None
            arrival = self._atlas.observe(
                self._redact(text),
                action=action,
                view=view,
                exits=exits,
                coordinate=given,
                key=key,
                vector=seen,
                ok=ok,
                cost=cost,
                reward=reward,
                at=self._world.now(),
            )
            changes.steps += [*self._atlas.corrected, self._atlas.steps[-1]]
            self._atlas.corrected.clear()
            self._settle_tentative(arrival)
            here = self._world.here(None)
            changes.links += [self._link(item, here, arrival.step) for item in items]
            if self._atlas.next_seq in _SECOND_LOOKS:
                night.read_again(self._world, changes)
            place = self._atlas.map.place(self._world.here(None))
            if arrival.moved or opening:
                self._world.signal = arrival.signal
            return replace(arrival, place=place.id, label=place.label)

    def restart(self) -> None:
        """A new episode begins elsewhere or at the start: the next observation is no result of an action."""
        with self._world.changing():
            self._atlas.restart()
            self._walker.drop()

    def finish(self, success: bool) -> None:
        """The caller's verdict on the episode so far; only successful ones teach macros."""
        with self._world.changing() as changes:
            if not self._atlas.steps:
                raise InvalidInput("there is no episode to judge; observe something first")
            last = self._atlas.steps[-1]
            last.verdict = bool(success)
            changes.steps.append(last)
            self._atlas.restart()

    def link(self, item: str, *, place: str | None = None) -> None:
        """Remember a trace (its id) at a place, here by default. Facts are where the traces are that say them."""
        item = clean_label(item, what="item") or ""
        with self._world.changing() as changes:
            where = self._world.here(place)
            changes.links.append(self._link(item, where, self._atlas.next_seq - 1))

    # Where

    @property
    def current(self) -> str | None:
        """Id of the place one is at; None before the first observation of an episode."""
        with self._world.lock:
            return self._atlas.trail.current

    def where_am_i(self) -> list[tuple[str, float]]:
        """(place, probability), most likely first: the place taken, and the runner-up when it was close."""
        with self._world.lock:
            here = self._atlas.trail.current
            if here is None or not self._atlas.steps:
                return []
            note = self._atlas.steps[-1].decision
            rival = note.get("rival")
            if rival is None or rival.get("place") is None or rival["place"] not in self._atlas.map:
                return [(here, 1.0)]
            other = self._atlas.map.find(rival["place"])
            if other == here:
                return [(here, 1.0)]
            share = 1 / (1 + math.exp(max(-50.0, min(50.0, rival["score"] - note["score"]))))
            return [(here, share), (other, 1 - share)]

    def place(self, place: str) -> Place:
        """A place by id. Raises InvalidInput when there is none."""
        with self._world.lock:
            return self._atlas.map.place(place)

    def named(self, name: str) -> list[Place]:
        """Places with a name, oldest first; without an exact match, places whose name contains it."""
        with self._world.lock:
            return self._atlas.map.search(name)

    def neighbourhood(self, place: str | None = None, *, radius: int = 1) -> dict[str, float]:
        """Places within so many steps with their distance, nearest first."""
        with self._world.lock:
            return self._world.planner.distances(self._world.here(place), limit=radius, now=self._world.now())

    def frontier(self, place: str | None = None, *, limit: int = 10) -> list[tuple[str, float, list[str]]]:
        """Nearest places with something untried: (place, steps away, actions)."""
        with self._world.lock:
            return self._world.planner.frontier(self._world.here(place), now=self._world.now(), limit=limit)

    # Planning

    def plan(
        self,
        goal: str | Collection[str],
        *,
        start: str | None = None,
        objective: str = "cost",
        have: Mapping[str, str] | None = None,
        guess: bool = False,
    ) -> Plan:
        """The best route from here (or ``start``) to a place, or to the nearest of several. Writes nothing.

        ``goal``: place ids, or a name: every place of that name is a goal. See `Planner.plan` for the rest.
        """
        with self._world.lock:
            begin = start if start is not None else self._atlas.trail.current
            if begin is None:
                return Plan(found=False, start="", goal=None, objective="cost", reason="it is not known where we are")
            return self._world.planner.plan(
                begin, self._goals(goal), objective=objective, now=self._world.now(), have=have, guess=guess
            )

    def follow(self, plan: Plan) -> Execution:
        """Begin to walk a plan; `next_step` and `report_step` go on with it."""
        with self._world.lock:
            return self._walker.follow(plan)

    def next_step(self) -> str | None:
        """The next action of the plan or macro being followed; None when there is none left."""
        with self._world.lock:
            return self._walker.next_step()

    @property
    def ahead(self) -> tuple[str, ...]:
        """Actions that are left of the plan or macro being followed."""
        with self._world.lock:
            return self._walker.ahead

    def report_step(self, *, ok: bool | None = None, note: str = "") -> str:
        """Tell how the step went, after observing: "running", "done" or "failed" (its `Execution` has the reason)."""
        with self._world.lock:
            return self._walker.report(ok=ok, note=note)

    def block(self, place: str | None, action: str, *, reason: str = "", seconds: float | None = None) -> None:
        """An action is not to be used for some seconds, or until `unblock`."""
        if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
            raise InvalidInput(f"seconds must be a positive number, not {seconds!r}; leave it out for no end")
        with self._world.changing():
            until = math.inf if seconds is None else self._world.now() + seconds
            self._atlas.map.block(self._world.here(place), action_key(action), until=until, reason=reason[:200])

    def unblock(self, place: str | None, action: str) -> None:
        """The action may be used again."""
        with self._world.changing():
            self._atlas.map.unblock(self._world.here(place), action_key(action))

    def require(self, place: str | None, action: str, needs: Mapping[str, str]) -> None:
        """Set the preconditions of an action, e.g. {"has": "brass key"}."""
        with self._world.changing():
            self._atlas.map.require(
                self._world.here(place), action_key(action), {str(k): str(v) for k, v in needs.items()}
            )

    def tell(self, origin: str, action: str, destination: str) -> None:
        """A passage that was told, not walked: names or ids; unknown names become places."""
        with self._world.changing():
            ends = [self._told(name) for name in (origin, destination)]
            edge = self._atlas.map.record(ends[0], action_key(action), ends[1], at=self._world.now(), spoken=action)
            if edge.tries == 1:
                edge.provenance = "told"

    # Recall by place

    def recall_here(
        self,
        place: str | None = None,
        *,
        radius: int = 1,
        query: str | None = None,
        since: float | None = None,
        k: int = 5,
        texts: Callable[[Sequence[str]], Mapping[str, str]] | None = None,
        match: recall.Match | None = None,
        salience: Mapping[str, float] | None = None,
        half_life: float | None = None,
    ) -> recall.Here:
        """What is remembered here and nearby, what failed here, and which macros begin here.

        ``texts`` gives the texts of items by id, for the question; ``match`` compares them with it (default: words).
        """
        if k < 1 or radius < 0:
            raise InvalidInput(f"k must be at least 1 and radius at least 0, not {k!r} and {radius!r}")
        with self._world.lock:
            return nearby.recall_here(
                self._world,
                self._world.here(place),
                radius=radius,
                query=query,
                since=since,
                k=k,
                texts=texts,
                match=match,
                salience=salience,
                half_life=half_life,
            )

    def places_of(self, item: str) -> list[str]:
        """Where something was remembered."""
        with self._world.lock:
            found = (self._atlas.map.find(place) for place in self._world.store.places_of(self._world.id, item))
            return list(dict.fromkeys(place for place in found if place in self._atlas.map))

    def links(self) -> list[PlaceLink]:
        """Everything that is remembered at a place, with the step at which it was."""
        with self._world.lock:
            return self._world.store.links(self._world.id)

    def remembered(
        self, place: str | None = None, *, radius: int = 1, limit: int = 200, since: float | None = None
    ) -> dict[str, tuple[float, str]]:
        """Episodes remembered here and nearby: id -> (steps away, label of the place), nearest and newest first."""
        with self._world.lock:
            if place is None and self._atlas.trail.current is None:
                return {}
            return nearby.remembered(self._world, self._world.here(place), radius=radius, limit=limit, since=since)

    # Repairing

    def name_place(self, place: str | None, name: str) -> None:
        """Give a place a name."""
        title = " ".join((clean_label(name, what="name") or "").split())
        if not normalise(title):
            raise InvalidInput(f"{name!r} holds no letter or digit; give another name")
        with self._world.changing():
            self._atlas.map.call(self._world.here(place), title)

    def merge(self, old: str, new: str, *, reason: str = "told") -> int:
        """Two places are one; returns the number to undo it with. Refused where keys say that they are two."""
        with self._world.changing():
            keys = {self._atlas.map.place(place).key for place in (old, new)} - {None}
            if len(keys) > 1:
                raise InvalidInput(f"{old!r} and {new!r} were given different keys, and a key decides alone")
            return self._atlas.merge(old, new, reason=reason).number

    def unmerge(self, number: int) -> None:
        """Undo a merge: the map is folded again from the journal without it."""
        with self._world.changing():
            kept = [merge for merge in self._atlas.merges if merge.number != number]
            if len(kept) == len(self._atlas.merges):
                raise InvalidInput(f"there is no merge {number!r}; explain_merge(place) lists them")
            night.refold(self._world, kept)

    def explain_merge(self, place: str) -> list[dict[str, Any]]:
        """Why sightings were taken for this place: each arrival's decision with its terms, newest first, and merges."""
        with self._world.lock:
            here = self._world.here(place)
            rows: list[dict[str, Any]] = [
                {"step": step.seq, "action": step.spoken or None, **step.decision}
                for step in self._world.store.steps_at(self._world.id, self._world.ids(here))
                if step.moved
            ]
            merges = [merge for merge in self._atlas.merges if self._atlas.map.find(merge.new) == here]
            return rows + [{"merge": merge.number, **asdict(merge)} for merge in merges]

    def rederive(self) -> None:
        """Derive places and passages anew from the places that the journal records: what repairs a damaged map."""
        with self._world.changing():
            night.refold(self._world, list(self._atlas.merges))

    def forget_place(self, place: str) -> None:
        """Remove a place, its passages, its links and its texts from map and journal."""
        with self._world.changing() as changes:
            forgetting.forget_place(self._world, changes, self._world.here(place))

    def forget_items(self, items: Iterable[str], *, texts: Mapping[str, str] | None = None) -> int:
        """Forget what was remembered: links, and the journal's texts of those steps. Returns how many texts went.

        ``texts``: of the items; then only steps that show them are blanked, else all that they are linked to.
        """
        with self._world.changing():
            return forgetting.forget_items(self._world, items, texts)

    def consolidate(self, *, progress: Callable[[str], None] | None = None) -> dict[str, int]:
        """The night's work: read the journal again, close loops, split contradictions, find macros."""
        tell = progress or (lambda _: None)
        with self._world.changing() as changes:
            before = len(self._atlas.map)
            tell("reading the journal again")
            night.read_again(self._world, changes)
            closed = night.close_loops(self._world)
            divided = night.split_places(self._world, changes)
            tell("looking for macros")
            found = night.find_macros(self._world, changes, self._macro_config)
            return {
                "places_before": before,
                "places": len(self._atlas.map),
                "closed": closed,
                "split": divided,
                "macros": found,
            }

    # Macros

    @property
    def macros(self) -> list[Macro]:
        """All macros, also quarantined and dropped ones."""
        with self._world.lock:
            return list(self._world.macros.values())

    def suggest_macros(self, goal: str = "", *, plan: Sequence[str] = (), k: int = 5) -> list[tuple[Macro, float]]:
        """Macros that fit here, the goal and a plan, best first."""
        with self._world.lock:
            keys = [action_key(action) for action in plan]
            return suggest(
                list(self._world.macros.values()), place=self._atlas.trail.current, goal=goal, plan=keys, k=k
            )

    def run_macro(self, macro: str, values: Sequence[str] = ()) -> Execution:
        """Begin a macro; `next_step` and `report_step` go on with it. Raises InvalidInput for one not active."""
        with self._world.lock:
            return self._walker.run(macro, values)

    # What lies behind

    def refresh(self) -> None:
        """Take over what another handle or process has changed since; costs one look-up when nothing was."""
        self._world.refresh()

    @property
    def world_id(self) -> int:
        """The number of this world in its database."""
        return self._world.id

    @property
    def map(self) -> PlaceMap:
        """The `PlaceMap` behind it, for reading: pictures, export, tests."""
        return self._atlas.map

    @property
    def planner(self) -> Planner:
        """What plans on the map."""
        return self._world.planner

    def journal(self) -> Iterator[Step]:
        """All steps, oldest first."""
        return self._world.journal()

    # Inside

    @property
    def _atlas(self) -> Atlas:
        return self._world.atlas

    def _goals(self, goal: str | Collection[str]) -> Collection[str]:
        if not isinstance(goal, str):
            return goal
        if goal in self._atlas.map:
            return (goal,)
        return tuple(place.id for place in self._atlas.map.of_name(goal)) or (goal,)

    def _told(self, name: str) -> str:
        """The place of a name or id; a new one for an unknown name."""
        places = self._atlas.map
        if name in places:
            return places.find(name)
        wanted = normalise(name)
        if not wanted:
            raise InvalidInput(f"{name!r} is no place; give an id or a name")
        if known := places.of_name(name):
            return known[0].id
        seq, self._atlas.next_seq = self._atlas.next_seq, self._atlas.next_seq + 1
        now = self._world.now()
        return places.add(Place(id=f"t{seq}", name=wanted, title=name, first_seen=now, last_seen=now)).id

    def _link(self, item: str, place: str, seq: int) -> PlaceLink:
        return PlaceLink(item=item, place=place, seq=max(0, seq), time=self._world.now())

    def _settle_tentative(self, arrival: Arrival) -> None:
        """The place left behind may have proved to be another one."""
        places = self._atlas.map
        recent = [step.place for step in list(self._atlas.trail.steps)[-8:]]
        for place in {*recent[-2:], arrival.place}:
            found = places.places.get(place)
            if found is not None and found.tentative is not None:
                reason = repair.closes(places, place, recent=recent)
                if reason is not None and found.tentative is not None:
                    self._atlas.merge(place, found.tentative, reason=reason)
