"""One world in memory, in step with its rows on disk: every change is one transaction, in both or in neither."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hippo_agent.errors import InvalidInput
from hippo_agent.spatial.atlas import TAIL, Atlas
from hippo_agent.spatial.journal import Step
from hippo_agent.spatial.macros import Macro
from hippo_agent.spatial.manner import Manner
from hippo_agent.spatial.plan import Planner
from hippo_agent.spatial.store import Changes, SpatialStore
from hippo_agent.spatial.weights import PlanConfig
from hippo_agent.types import Namespace

__all__ = ["World"]


class World:
    """Atlas, planner and macros of one world. Threads share it by `lock`; processes share the file by revisions."""

    def __init__(
        self, store: SpatialStore, name: Namespace, *, plans: PlanConfig | None, clock: Callable[[], float]
    ) -> None:
        self.store = store
        self.id = store.world(name)
        self.lock = threading.RLock()
        self.atlas = Atlas()
        self.planner = Planner(self.atlas.map)
        self.macros: dict[str, Macro] = {}
        self.signal = 0.0  # how new or unexpected it was to come where one is; see `Arrival.signal`
        self._plans = plans or PlanConfig()
        self._clock = clock
        self._latest = 0.0
        self._revision = -1
        self._places: set[str] = set()  # changed since the last transaction
        self._edges: set[tuple[str, str]] = set()
        self._open: sqlite3.Connection | None = None
        self._anew = False
        self.load()

    @contextmanager
    def changing(self) -> Iterator[Changes]:
        """One change: in memory and on disk, or neither."""
        with self.lock:
            begun = (-1, -1, -1)
            try:
                with self.store.connections.write() as connection:
                    if self.store.revision(connection, self.id) != self._revision:
                        self.load(connection)
                    self._open = connection
                    begun = self._count()
                    changes = Changes()
                    known = {merge.number for merge in self.atlas.merges[-1:]}
                    newest = max(known, default=0)
                    yield changes
                    if not self._anew:
                        changes.merges += [merge for merge in self.atlas.merges[-TAIL:] if merge.number > newest]
                    self._collect(changes)
                    self._revision = self.store.save(connection, self.id, changes, self._state())
            except BaseException as error:
                if not isinstance(error, InvalidInput) or self._count() != begun:
                    self.load()  # a refused argument has changed nothing
                raise
            finally:
                self._open, self._anew = None, False

    @property
    def connection(self) -> sqlite3.Connection:
        """That of the running change."""
        assert self._open is not None
        return self._open

    def refresh(self) -> None:
        """Load again if somebody else has changed the world."""
        with self.lock, self.store.connections.read() as connection:
            if self.store.revision(connection, self.id) != self._revision:
                self.load(connection)

    def load(self, connection: sqlite3.Connection | None = None) -> None:
        """Take the world as it lies on disk: the map, and the last steps of the journal."""
        if connection is None:
            with self.store.connections.read() as reading:
                self.load(reading)
            return
        stored = self.store.load(connection, self.id, tail=TAIL)
        state = stored.state
        atlas = Atlas()
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
        atlas.trail.began = state.get("began", 0)
        current, start = state.get("current"), state.get("start")
        atlas.trail.current = atlas.map.find(current) if current is not None and current in atlas.map else None
        atlas.trail.start = start if start is not None and start in atlas.map else None
        atlas.resume(stored.tail if atlas.trail.current is not None else [])
        self._latest = max(self._latest, state.get("now", 0.0))
        self.macros = {macro: Macro.from_json(macro, row) for macro, row in stored.macros.items()}
        self.signal = state.get("signal", 0.0)
        self._revision = stored.revision
        self._take(atlas)
        self._anew = False

    def replace(self, atlas: Atlas) -> None:
        """Inside a change: this atlas from now on, written whole."""
        self._take(atlas)
        self._anew = True

    def now(self) -> float:
        """Seconds; never goes back, whatever the clock does."""
        self._latest = max(self._latest, self._clock())
        return self._latest

    def here(self, place: str | None) -> str:
        """The place meant: a given one by id, else where one is. Raises InvalidInput."""
        if place is not None:
            return self.atlas.map.place(place).id
        if self.atlas.trail.current is None:
            raise InvalidInput("it is not known where we are; observe something first, or name a place")
        return self.atlas.trail.current

    def ids(self, place: str) -> list[str]:
        """All ids that a place is stored under: its own, and those merged into it."""
        aliases = self.atlas.map.aliases
        return [place, *(alias for alias in aliases if self.atlas.map.find(alias) == place)]

    def journal(self) -> Iterator[Step]:
        """All steps, oldest first, read in batches."""
        return self.store.steps(self.id)

    def flush(self, changes: Changes) -> None:
        """Inside a change: write its steps now, so that `journal` gives them."""
        self.store.write_steps(self.connection, self.id, changes.steps)
        changes.steps.clear()

    def _count(self) -> tuple[int, int, int]:
        return self.atlas.map.version, self.atlas.next_seq, self.atlas.episode

    def _take(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self.planner = Planner(atlas.map, self._plans)
        self._places.clear()
        self._edges.clear()
        atlas.map.watch(self._touched)

    def _touched(self, place: str, action: str | None) -> None:
        if action is None:
            self._places.add(place)
        else:
            self._edges.add((place, action))

    def _collect(self, changes: Changes) -> None:
        places, edges = self.atlas.map.places, self.atlas.map.out
        if self._anew:
            changes.anew = True
            changes.places = dict(places)
            changes.edges = {(edge.source, edge.action): edge for edge in self.atlas.map.all_edges()}
            changes.merges = list(self.atlas.merges)
        else:
            changes.places = {place: places.get(place) for place in self._places}
            changes.edges = {(source, action): edges.get(source, {}).get(action) for source, action in self._edges}
        self._places.clear()
        self._edges.clear()

    def _state(self) -> dict[str, Any]:
        return {
            "next_seq": self.atlas.next_seq,
            "episode": self.atlas.episode,
            "manner": self.atlas.manner.to_json(),
            "current": self.atlas.trail.current,
            "start": self.atlas.trail.start,
            "began": self.atlas.trail.began,
            "signal": self.signal,
            "now": self._latest,
        }
