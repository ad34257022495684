"""`Places`: one world's map as its users hold it. Recognise, plan, remember, repair; every change is one transaction.

    places = Places(SpatialStore(PlaceFile("map.sqlite3")))
    places.observe("Kitchen\\nA door leads north.")
    places.observe("Library\\nDusty shelves.", action="north")
    plan = places.plan("kitchen")

Wiring only: reading is `sighting`, deciding `recognition`, routes `plan`, habits `macros`.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from hippo_agent.errors import InvalidInput
from hippo_agent.intake import clean_label, clean_namespace
from hippo_agent.spatial import recall, repair
from hippo_agent.spatial.actions import action_key
from hippo_agent.spatial.atlas import Arrival, Atlas
from hippo_agent.spatial.execution import Execution, Pace
from hippo_agent.spatial.journal import Merge, Step
from hippo_agent.spatial.macros import Act, Macro, MacroConfig, Trajectory, distil, suggest
from hippo_agent.spatial.manner import Manner
from hippo_agent.spatial.map import PlaceMap
from hippo_agent.spatial.place import Coordinate, Place
from hippo_agent.spatial.plan import Plan, Planner
from hippo_agent.spatial.sighting import normalise
from hippo_agent.spatial.store import Changes, LinkKind, PlaceLink, SpatialStore
from hippo_agent.spatial.weights import PlanConfig

__all__ = ["Places"]

logger = logging.getLogger(__name__)

_SECOND_LOOKS = frozenset(
    16 * 2**power for power in range(7)
)  # steps after which the journal is read again: 16 ... 1024


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
    ) -> None:
        """``world``: a namespace; worlds are never merged. ``clock``: seconds; may jump, time here never goes back."""
        self._store = store
        self._name = clean_namespace(world)
        self._world = store.world(self._name)
        self._plans = plans or PlanConfig()
        self._macro_config = macros or MacroConfig()
        self._clock = clock
        self._latest = 0.0
        self._lock = threading.RLock()
        self._dirty_places: set[str] = set()
        self._dirty_edges: set[tuple[str, str]] = set()
        self._execution: Execution | None = None
        self._running: str | None = None  # macro being run
        self._revision = -1
        self._stored_edges: dict[tuple[str, str], None] = {}
        self._macros: dict[str, Macro] = {}
        self._open_connection: sqlite3.Connection | None = None
        self._load()

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
            exits: actions known to be possible here. coordinate, frame: position, compared within its frame only.
            key: a trusted identity (a URL, a room number): decides alone. vector: an embedding of the text.
            ok: the caller's verdict on the action. cost: what it took. reward: from a trusted caller.
            traces: ids of episodes remembered here; linked in the same transaction.

        Raises:
            InvalidInput, TooLarge: nothing was changed. StorageError: nothing was changed either.
        """
        given = self._coordinate(coordinate, frame)
        key = clean_label(key, what="key")
        items = [clean_label(item, what="trace id") or "" for item in traces]
        with self._changing() as changes:
            arrival = self._atlas.observe(
                text,
                action=action,
                view=view,
                exits=exits,
                coordinate=given,
                key=key,
                vector=vector,
                ok=ok,
                cost=cost,
                reward=reward,
                at=self._now(),
            )
            changes.steps += [*self._atlas.corrected, self._atlas.steps[-1]]
            self._atlas.corrected.clear()
            self._settle_tentative(arrival)
            for item in items:
                changes.links.append(self._link(item, "episode", arrival.place, arrival.step))
            if self._atlas.next_seq in _SECOND_LOOKS:
                self._reread(changes)
                assert self._atlas.trail.current is not None
                return self._renamed(arrival, self._atlas.map.place(self._atlas.trail.current))
        return arrival

    def restart(self) -> None:
        """A new episode begins elsewhere or at the start: the next observation is no result of an action."""
        with self._changing():
            self._atlas.restart()
            self._execution = None

    def finish(self, success: bool) -> None:
        """The caller's verdict on the episode so far; only successful ones teach macros."""
        with self._changing() as changes:
            if not self._atlas.steps:
                raise InvalidInput("there is no episode to judge; observe something first")
            last = self._atlas.steps[-1]
            last.verdict = bool(success)
            changes.steps.append(last)
            self._atlas.restart()

    def link(self, item: str, *, kind: LinkKind = "episode", place: str | None = None) -> None:
        """Remember something (a trace or fact id) at a place, here by default."""
        item = clean_label(item, what="item") or ""
        with self._changing() as changes:
            where = self._here(place)
            changes.links.append(self._link(item, kind, where, self._atlas.next_seq - 1))

    # Where

    @property
    def current(self) -> str | None:
        """Id of the place one is at; None before the first observation of an episode."""
        with self._lock:
            return self._atlas.trail.current

    def where_am_i(self) -> list[tuple[str, float]]:
        """(place, probability), most likely first: the place taken, and the runner-up when it was close."""
        with self._lock:
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
        with self._lock:
            return self._atlas.map.place(place)

    def named(self, name: str) -> list[Place]:
        """Places with a name, oldest first; without an exact match, places whose name contains it."""
        wanted = normalise(name)
        with self._lock:
            exact = [self._atlas.map.place(place) for place in self._atlas.map.named(wanted)]
            if exact or not wanted:
                return exact
            return [place for place in self._atlas.map.places.values() if wanted in place.name][:20]

    def neighbourhood(self, place: str | None = None, *, radius: int = 1) -> dict[str, float]:
        """Places within so many steps with their distance, nearest first."""
        with self._lock:
            return self._planner.distances(self._here(place), limit=radius, now=self._now())

    def frontier(self, place: str | None = None, *, limit: int = 10) -> list[tuple[str, float, list[str]]]:
        """Nearest places with something untried: (place, steps away, actions)."""
        with self._lock:
            return self._planner.frontier(self._here(place), now=self._now(), limit=limit)

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
        with self._lock:
            begin = start if start is not None else self._atlas.trail.current
            if begin is None:
                return Plan(found=False, start="", goal=None, objective="cost", reason="it is not known where we are")
            return self._planner.plan(
                begin, self._goals(goal), objective=objective, now=self._now(), have=have, guess=guess
            )

    def follow(self, plan: Plan) -> Execution:
        """Begin to walk a plan; `next_step` and `report_step` go on with it."""
        with self._lock:
            self._execution, self._running = self._walk(plan), None
            return self._execution

    def next_step(self) -> str | None:
        """The next action of the plan or macro being followed; None when there is none left."""
        with self._lock:
            return None if self._execution is None else self._execution.next_action()

    def report_step(self, *, ok: bool | None = None, note: str = "") -> str:
        """Tell how the step went, after observing: "running", "done" or "failed" (its `Execution` has the reason)."""
        with self._lock:
            if self._execution is None:
                raise InvalidInput("nothing is being followed; call follow(plan) or run_macro(id) first")
            state = self._execution.report(self._atlas.trail.current, ok=ok)
            if state != "running" and self._running is not None:
                self._judge(self._running, state == "done", note or self._execution.reason)
                self._running = None
            return state

    def block(self, place: str | None, action: str, *, reason: str = "", seconds: float | None = None) -> None:
        """An action is not to be used for some seconds, or until `unblock`."""
        if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
            raise InvalidInput(f"seconds must be a positive number, not {seconds!r}; leave it out for no end")
        with self._changing():
            until = math.inf if seconds is None else self._now() + seconds
            self._atlas.map.block(self._here(place), action_key(action), until=until, reason=reason[:200])

    def unblock(self, place: str | None, action: str) -> None:
        """The action may be used again."""
        with self._changing():
            self._atlas.map.unblock(self._here(place), action_key(action))

    def require(self, place: str | None, action: str, needs: Mapping[str, str]) -> None:
        """Set the preconditions of an action, e.g. {"has": "brass key"}."""
        with self._changing():
            self._atlas.map.require(self._here(place), action_key(action), {str(k): str(v) for k, v in needs.items()})

    def tell(self, origin: str, action: str, destination: str) -> None:
        """A passage that was told, not walked: names or ids; unknown names become places."""
        with self._changing() as changes:
            ends = [self._told(name, changes) for name in (origin, destination)]
            edge = self._atlas.map.record(ends[0], action_key(action), ends[1], at=self._now(), spoken=action)
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
        with self._lock:
            here = self._here(place)
            near = self._planner.distances(here, limit=radius, either_way=True)
            stored = [*near, *(alias for alias in self._atlas.map.aliases if self._atlas.map.find(alias) in near)]
            return recall.Here(
                place=here,
                hits=recall.rank(
                    self._store.links_at(self._world, stored, since=since),
                    near,
                    where=self._atlas.map.find,
                    query=query,
                    texts=texts,
                    match=match,
                    salience=salience,
                    now=self._now(),
                    half_life=half_life,
                    k=k,
                ),
                failures=self._failures(near),
                macros=tuple(m.id for m in self._macros.values() if m.status == "active" and here in m.starts),
            )

    def places_of(self, item: str) -> list[str]:
        """Where something was remembered."""
        with self._lock:
            found = (self._atlas.map.find(place) for place in self._store.places_of(self._world, item))
            return list(dict.fromkeys(place for place in found if place in self._atlas.map))

    # Repairing

    def name_place(self, place: str | None, name: str) -> None:
        """Give a place a name."""
        title = " ".join((clean_label(name, what="name") or "").split())
        if not normalise(title):
            raise InvalidInput(f"{name!r} holds no letter or digit; give another name")
        with self._changing():
            self._atlas.map.rename(self._here(place), normalise(title), title)

    def merge(self, old: str, new: str, *, reason: str = "told") -> int:
        """Two places are one; returns the number to undo it with."""
        with self._changing():
            return self._atlas.merge(old, new, reason=reason).number

    def unmerge(self, number: int) -> None:
        """Undo a merge: the map is folded again from the journal without it."""
        with self._changing() as changes:
            kept = [merge for merge in self._atlas.merges if merge.number != number]
            if len(kept) == len(self._atlas.merges):
                raise InvalidInput(f"there is no merge {number!r}; explain_merge(place) lists them")
            changes.unmerged.append(number)
            self._fold(kept)

    def explain_merge(self, place: str) -> list[dict[str, Any]]:
        """Why sightings were taken for this place: each arrival's decision with its terms, newest first, and merges."""
        with self._lock:
            here = self._here(place)
            ids = [here, *(alias for alias in self._atlas.map.aliases if self._atlas.map.find(alias) == here)]
            rows: list[dict[str, Any]] = [
                {"step": step.seq, "action": step.spoken or None, **step.decision}
                for step in self._store.steps_at(self._world, ids)
                if step.moved
            ]
            merges = [merge for merge in self._atlas.merges if self._atlas.map.find(merge.new) == here]
            return rows + [{"merge": merge.number, **asdict(merge)} for merge in merges]

    def forget_place(self, place: str) -> None:
        """Remove a place, its passages and its texts from map and journal."""
        with self._changing() as changes:
            gone = self._here(place)
            ids = {gone, *(alias for alias in self._atlas.map.aliases if self._atlas.map.find(alias) == gone)}
            for step in self._store.steps(self._world):
                if step.place in ids:
                    step.text, step.decision = "", {}
                    changes.steps.append(step)
            self._atlas.map.remove(gone)
            for step in self._atlas.steps:
                if step.place in ids:
                    step.text, step.decision = "", {}
            if self._atlas.trail.current not in self._atlas.map:
                self._atlas.trail.restart()

    def forget_items(self, items: Iterable[str]) -> int:
        """Forget what was remembered: links, and the journal's texts of those steps. Returns how many texts went."""
        wanted = list(items)
        with self._lock:
            homes = {place for item in wanted for place in self.places_of(item)}
            with self._changing():
                blanked = self._store.forget(self._connection(), wanted)
                for step in self._atlas.steps:
                    step.text = step.text if step.place not in homes else ""
                for place in homes:
                    self._relook(place)
            return blanked

    def consolidate(self, *, progress: Callable[[str], None] | None = None) -> dict[str, int]:
        """The night's work: read the journal again, close loops, split contradictions, find macros."""
        with self._changing() as changes:
            before = len(self._atlas.map)
            if progress is not None:
                progress("reading the journal again")
            self._reread(changes)
            closed = self._close_all()
            divided = self._split_all(changes)
            if progress is not None:
                progress("looking for macros")
            found = self._distil(changes)
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
        with self._lock:
            return list(self._macros.values())

    def suggest_macros(self, goal: str = "", *, plan: Sequence[str] = (), k: int = 5) -> list[tuple[Macro, float]]:
        """Macros that fit here, the goal and a plan, best first."""
        with self._lock:
            keys = [action_key(action) for action in plan]
            return suggest(list(self._macros.values()), place=self._atlas.trail.current, goal=goal, plan=keys, k=k)

    def run_macro(self, macro: str, values: Sequence[str] = ()) -> Execution:
        """Begin a macro; `next_step` and `report_step` go on with it. Raises InvalidInput for one not active."""
        with self._lock:
            found = self._macros.get(macro)
            if found is None:
                raise InvalidInput(f"there is no macro {macro!r}; ask suggest_macros()")
            if found.status != "active":
                raise InvalidInput(f"macro {found.name!r} is {found.status}; it failed too often")
            actions = found.bind(values)
            after = found.after or (frozenset(),) * len(actions)
            here = self._atlas.trail.current or ""
            starts = [here if number == 0 else "" for number in range(len(actions))]
            paces = [
                Pace(action, start, expected) for action, start, expected in zip(actions, starts, after, strict=True)
            ]
            self._execution = Execution(paces, **self._walk_options())
            self._running = macro
            return self._execution

    # Inside

    @property
    def map(self) -> PlaceMap:
        """The `PlaceMap` behind it, for reading: pictures, export, tests."""
        return self._atlas.map

    @property
    def planner(self) -> Planner:
        return self._planner

    def journal(self) -> Iterator[Step]:
        """All steps, oldest first."""
        return self._store.steps(self._world)

    @contextmanager
    def _changing(self) -> Iterator[Changes]:
        """One change: in memory and on disk, or neither."""
        with self._lock:
            try:
                with self._store.connections.write() as connection:
                    if self._store.revision(connection, self._world) != self._revision:
                        self._load(connection)
                    self._open_connection = connection
                    changes = Changes()
                    merges = len(self._atlas.merges)
                    yield changes
                    changes.merges += [merge for merge in self._atlas.merges[merges:] if merge not in changes.merges]
                    self._collect(changes)
                    self._revision = self._store.save(connection, self._world, changes, self._state())
            except BaseException:
                self._load()
                raise
            finally:
                self._open_connection = None

    def _connection(self) -> sqlite3.Connection:
        assert self._open_connection is not None
        return self._open_connection

    def _collect(self, changes: Changes) -> None:
        places, edges = self._atlas.map.places, self._atlas.map.out
        for place in self._dirty_places:
            changes.places[place] = places.get(place)
        for source, action in self._dirty_edges:
            changes.edges[source, action] = edges.get(source, {}).get(action)
        for place, row in changes.places.items():
            if row is None:  # edges of a place that is gone go with it
                for source, action in [key for key in self._stored_edges if key[0] == place]:
                    changes.edges[source, action] = None
        for key, edge in changes.edges.items():
            if edge is None:
                self._stored_edges.pop(key, None)
            else:
                self._stored_edges[key] = None
        self._dirty_places.clear()
        self._dirty_edges.clear()

    def _load(self, connection: sqlite3.Connection | None = None) -> None:
        if connection is None:
            with self._store.connections.read() as reading:
                self._load(reading)
            return
        stored = self._store.load(connection, self._world)
        state = stored.state
        atlas = Atlas(keep_steps=False)
        for place in stored.places:
            atlas.map.add(place)
        for edge in stored.edges:
            atlas.map.put_edge(edge)
        for merge in stored.merges:
            atlas.map.aliases[merge.old] = merge.new
        atlas.merges = stored.merges
        atlas.steps = stored.tail
        atlas.next_seq = state.get("next_seq", 0)
        atlas.episode = state.get("episode", 0)
        if "manner" in state:
            atlas.manner = Manner.from_json(state["manner"])
        current, start = state.get("current"), state.get("start")
        atlas.trail.current = atlas.map.find(current) if current is not None and current in atlas.map else None
        atlas.trail.start = start if start is not None and start in atlas.map else None
        atlas.resume(stored.tail if atlas.trail.current is not None else [])
        self._latest = max(self._latest, state.get("now", 0.0))
        self._macros = {macro: Macro.from_json(macro, row) for macro, row in stored.macros.items()}
        self._revision = stored.revision
        self._stored_edges = {(edge.source, edge.action): None for edge in stored.edges}
        self._take(atlas)

    def _take(self, atlas: Atlas) -> None:
        self._atlas = atlas
        self._planner = Planner(atlas.map, self._plans)
        self._dirty_places.clear()
        self._dirty_edges.clear()
        atlas.map.watch(self._touched)

    def _touched(self, place: str, action: str | None) -> None:
        if action is None:
            self._dirty_places.add(place)
        else:
            self._dirty_edges.add((place, action))

    def _state(self) -> dict[str, Any]:
        return {
            "next_seq": self._atlas.next_seq,
            "episode": self._atlas.episode,
            "manner": self._atlas.manner.to_json(),
            "current": self._atlas.trail.current,
            "start": self._atlas.trail.start,
            "now": self._latest,
        }

    def _now(self) -> float:
        self._latest = max(self._latest, self._clock())
        return self._latest

    def _here(self, place: str | None) -> str:
        if place is not None:
            return self._atlas.map.place(place).id
        if self._atlas.trail.current is None:
            raise InvalidInput("it is not known where we are; observe something first, or name a place")
        return self._atlas.trail.current

    def _goals(self, goal: str | Collection[str]) -> Collection[str]:
        if not isinstance(goal, str):
            return goal
        if goal in self._atlas.map:
            return (goal,)
        named = tuple(self._atlas.map.named(normalise(goal)))
        return named or (goal,)

    def _told(self, name: str, changes: Changes) -> str:
        if name in self._atlas.map:
            return self._atlas.map.find(name)
        wanted = normalise(name)
        if not wanted:
            raise InvalidInput(f"{name!r} is no place; give an id or a name")
        known = list(self._atlas.map.named(wanted))
        if known:
            return known[0]
        seq, self._atlas.next_seq = self._atlas.next_seq, self._atlas.next_seq + 1
        place = self._atlas.map.add(
            Place(id=f"t{seq}", name=wanted, title=name, first_seen=self._latest, last_seen=self._latest)
        )
        return place.id

    def _coordinate(self, value: Sequence[float] | Coordinate | None, frame: str) -> Coordinate | None:
        if value is None or isinstance(value, Coordinate):
            return value
        try:
            at = tuple(float(part) for part in value)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"coordinate {value!r} must be numbers") from error
        if not at or not all(map(math.isfinite, at)):
            raise InvalidInput(f"coordinate {value!r} must be finite numbers; leave it out when it is not known")
        return Coordinate(frame=clean_label(frame, what="frame") or "map", at=at)

    def _link(self, item: str, kind: LinkKind, place: str, seq: int) -> PlaceLink:
        return PlaceLink(item=item, kind=kind, place=place, seq=max(0, seq), time=self._now())

    def _renamed(self, arrival: Arrival, place: Place) -> Arrival:
        return replace(arrival, place=place.id, label=place.label)

    def _failures(self, near: Mapping[str, float]) -> tuple[recall.Failure, ...]:
        now = self._now()
        found = [
            recall.Failure(
                place=place,
                action=edge.spoken or edge.action,
                reason=edge.block if edge.blocked(now) and edge.block else edge.failure,
                time=edge.last_fail or now,
                blocked=edge.blocked(now),
            )
            for place in near
            for edge in self._atlas.map.edges(place)
            if edge.blocked(now) or (edge.last_fail is not None and (edge.last_ok or -1.0) < edge.last_fail)
        ]
        found.sort(key=lambda failure: (near[failure.place], -failure.time, failure.action))
        return tuple(found[:20])

    def _settle_tentative(self, arrival: Arrival) -> None:
        """The place left behind may have proved to be another one."""
        recent = [step.place for step in self._atlas.trail.steps][-8:]
        for place in {*recent[-2:], arrival.place}:
            if place in self._atlas.map.places and self._atlas.map.places[place].tentative is not None:
                reason = repair.closes(self._atlas.map, place, recent=recent)
                if reason is not None:
                    candidate = self._atlas.map.places[place].tentative
                    assert candidate is not None
                    self._atlas.merge(place, candidate, reason=reason)

    def _close_all(self) -> int:
        closed = 0
        for place in list(self._atlas.map.places):
            found = self._atlas.map.places.get(place)
            if found is not None and found.tentative is not None:
                reason = repair.closes(self._atlas.map, place)
                if reason is not None and found.tentative is not None:
                    self._atlas.merge(place, found.tentative, reason=reason)
                    closed += 1
        return closed

    def _split_all(self, changes: Changes) -> int:
        journal = self._journal_with(changes)
        found = repair.splits(self._atlas.map, journal)
        if not found:
            return 0
        by_seq = {step.seq: step for step in journal}
        for split in found:
            fresh = f"s{split.steps[0]}"
            for seq in split.steps:
                step = by_seq[seq]
                step.place = fresh
                if step not in changes.steps:
                    changes.steps.append(step)
        self._fold(self._atlas.merges, journal=journal)
        return len(found)

    def _journal_with(self, changes: Changes) -> list[Step]:
        """The journal as it will be when the running change is saved."""
        pending = {step.seq: step for step in changes.steps}
        stored = {step.seq: step for step in self._store.steps(self._world)}
        stored.update(pending)
        return [stored[seq] for seq in sorted(stored)]

    def _reread(self, changes: Changes) -> None:
        """Derive places anew from the journal's texts; what was told (names, blocks, needs) is carried over."""
        journal = [step for step in self._journal_with(changes) if step.text or step.view]
        if not journal:
            return
        old = self._atlas
        fresh = old.rebuild(journal)
        fresh.next_seq, fresh.episode = old.next_seq, old.episode
        before = {step.seq: old.map.find(step.place) for step in journal}
        moved: dict[str, str] = {}
        for step in fresh.steps:
            moved.setdefault(before[step.seq], fresh.map.find(step.place))
        for place in old.map.places.values():
            if place.id not in moved and place.id.startswith("t"):
                fresh.map.add(place)
                moved[place.id] = place.id
        self._carry(old, fresh, moved)
        for step, source in zip(fresh.steps, journal, strict=True):
            step.verdict = source.verdict
        changes.steps = [*fresh.steps]
        changes.unmerged += [merge.number for merge in old.merges]
        offset = max((merge.number for merge in old.merges), default=0)
        fresh.merges = [
            Merge(number=merge.number + offset, old=merge.old, new=merge.new, seq=merge.seq, reason=merge.reason)
            for merge in fresh.merges
        ]
        changes.merges = list(fresh.merges)
        links = self._store.links_at(self._world, list({*moved, *old.map.aliases}))
        changes.links += [
            PlaceLink(
                item=link.item, kind=link.kind, place=moved[old.map.find(link.place)], seq=link.seq, time=link.time
            )
            for link in [*links, *changes.links]
            if old.map.find(link.place) in moved
        ]
        gone = [*old.map.places], [*self._stored_edges]
        if old.trail.current is None:
            fresh.trail.restart()
        fresh._keep = False
        del fresh.steps[:-64]
        self._take(fresh)
        self._dirty_places.update(gone[0], fresh.map.places)
        self._dirty_edges.update(gone[1], ((edge.source, edge.action) for edge in fresh.map.all_edges()))
        self._macros = {name: _moved_macro(macro, moved) for name, macro in self._macros.items()}
        changes.macros.update({name: macro.to_json() for name, macro in self._macros.items()})

    def _carry(self, old: Atlas, fresh: Atlas, moved: Mapping[str, str]) -> None:
        for edge in old.map.all_edges():
            source = moved.get(edge.source)
            if source is None or source not in fresh.map:
                continue
            if edge.blocked_until is not None:
                fresh.map.block(source, edge.action, until=edge.blocked_until, reason=edge.block)
            if edge.needs:
                fresh.map.require(source, edge.action, edge.needs)
            target = None if edge.target is None else moved.get(edge.target)
            if edge.provenance != "observed" and target is not None and fresh.map.edge(source, edge.action) is None:
                made = fresh.map.record(source, edge.action, target, at=edge.last_ok or 0.0, spoken=edge.spoken)
                made.provenance = edge.provenance

    def _fold(self, merges: list[Merge], *, journal: list[Step] | None = None) -> None:
        """Derive places and edges anew from the journal's recorded places, under these merges."""
        old = self._atlas
        steps = journal if journal is not None else list(self._store.steps(self._world))
        fresh = old.folded(steps, merges)
        same = {place: place for place in fresh.map.places}
        self._carry(old, fresh, same)
        gone = [*old.map.places], [*self._stored_edges]
        self._take(fresh)
        self._dirty_places.update(gone[0], fresh.map.places)
        self._dirty_edges.update(gone[1], ((edge.source, edge.action) for edge in fresh.map.all_edges()))

    def _relook(self, place: str) -> None:
        """Take a place's looks anew from the texts that are left."""
        found = self._atlas.map.place(place)
        found.first, found.text = "", ""
        found.sentences, found.digests = set(), []
        ids = [place, *(alias for alias in self._atlas.map.aliases if self._atlas.map.find(alias) == place)]
        for step in reversed(self._store.steps_at(self._world, ids)):
            if step.text:
                self._atlas.look_again(place, step)
        self._atlas.map.touch(place)

    def _distil(self, changes: Changes) -> int:
        journal = self._journal_with(changes)
        trajectories = self._trajectories(journal)
        found = distil(trajectories, self._macro_config, known=list(self._macros.values()))
        kept = {macro.id: macro for macro in self._macros.values() if macro.status != "active" or macro.uses}
        self._macros = kept | {macro.id: macro for macro in found}
        changes.macros.update({macro: row.to_json() for macro, row in self._macros.items()})
        return len(found)

    def _trajectories(self, journal: Sequence[Step]) -> list[Trajectory]:
        episodes: dict[int, list[Step]] = {}
        for step in journal:
            episodes.setdefault(step.episode, []).append(step)
        find = self._atlas.map.find
        made = []
        for episode, steps in episodes.items():
            verdict = next((step.verdict for step in reversed(steps) if step.verdict is not None), None)
            success = verdict if verdict is not None else math.fsum(step.reward for step in steps) > 0
            acts = [
                Act(step.action, find(step.origin) if step.origin else "", find(step.place))
                for step in steps
                if step.action is not None and step.ok is not False
            ]
            made.append(Trajectory(id=str(episode), acts=tuple(acts), success=success))
        return made

    def _judge(self, macro: str, success: bool, note: str) -> None:
        with self._changing() as changes:
            found = self._macros.get(macro)
            if found is not None:
                self._macros[macro] = found.used(success, self._macro_config, note=note)
                changes.macros[macro] = self._macros[macro].to_json()

    def _walk(self, plan: Plan) -> Execution:
        return Execution.of_plan(plan, **self._walk_options())

    def _walk_options(self) -> dict[str, Any]:
        return {
            "replan": lambda here, goal: self._planner.plan(here, tuple(goal), now=self._now()),
            "find": lambda place: self._atlas.map.find(place),
        }


def _moved_macro(macro: Macro, moved: Mapping[str, str]) -> Macro:
    return replace(
        macro,
        starts=frozenset(moved.get(place, place) for place in macro.starts),
        after=tuple(frozenset(moved.get(place, place) for place in places) for places in macro.after),
    )
