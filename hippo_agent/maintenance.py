"""What a night puts in order before it teaches: duplicates, waiting facts, what has faded, the map, the files.

Each step has its switch in `MaintenanceConfig`, works on the namespace of its memory and what lies below it, and is one
transaction: a night that is killed repeats it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime

from hippo_agent.consolidation.config import MaintenanceConfig
from hippo_agent.consolidation.job import Tick
from hippo_agent.episodic.duplicates import duplicates, event_of
from hippo_agent.episodic.gate import GateConfig
from hippo_agent.episodic.retention import Retention
from hippo_agent.forgetting import Forgetting
from hippo_agent.recall.here import PlaceContext
from hippo_agent.relational.facade import Facts
from hippo_agent.relational.store import FactStore
from hippo_agent.storage.mirror import Mirror
from hippo_agent.storage.places import relink, world_name
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.selecting import parents
from hippo_agent.types import Namespace, Trace

__all__ = ["Maintenance"]

_MOST = 20_000  # changes of the record that one night looks at for duplicates; the next night goes on
_SEEN = "maintained"  # by namespace, the outbox position up to which duplicates were looked for


class Maintenance:
    """The housekeeping of one namespace of a bank."""

    def __init__(
        self,
        record: SqliteRecord,
        mirror: Mirror,
        *,
        store: FactStore,
        facts: Facts,
        here: PlaceContext,
        forgetting: Forgetting,
        gate: GateConfig,
        retention: Retention,
        namespace: Namespace,
        clock: Callable[[], datetime],
    ) -> None:
        self._record = record
        self._mirror = mirror
        self._store = store
        self._facts = facts
        self._here = here
        self._forgetting = forgetting
        self._gate = gate
        self._retention = retention
        self._namespace = namespace
        self._clock = clock

    def run(self, steps: MaintenanceConfig, *, tick: Tick | None = None) -> dict[str, int]:
        """All steps that are on; what each did, by name."""
        done: dict[str, int] = {}
        if steps.duplicates and self._gate.enabled:
            done["duplicates merged"] = self.merge_duplicates(tick=tick)
        if steps.facts:
            done["facts let in"] = self._facts.retest()
        if steps.retention and self._retention.config.forget_below:
            done["faded traces"] = self.let_faded_go()
        if steps.maps and (places := self._here.known) is not None:
            done |= {name.replace("_", " "): count for name, count in places.consolidate().items()}
        if steps.compact:
            done["superseded changes"] = self._record.compact()
            self._record.database.checkpoint()
        return done

    def merge_duplicates(self, *, tick: Tick | None = None) -> int:
        """Make one trace of the same event stored twice, among what changed since last time; returns how many went.

        The newer one is kept beside the older as an observation, with its own repeats, its places and its usefulness.
        """
        space = world_name(self._namespace)
        seen = (self._record.value(_SEEN) or {}).get(space, 0)
        columns = self._mirror.refresh()
        changes = [one for one in self._record.changes(seen, limit=_MOST) if one.position <= columns.position]
        if not changes:
            return 0
        with self._record.database.read() as connection:
            keep = parents(connection)
        put = sorted({change.seq for change in changes if change.op == "put"})
        pairs = []
        for pair in duplicates(
            self._record,
            columns,
            [trace.seq for trace in self._record.by_seq(put).values() if self._inside(trace)],
            least_cosine=self._gate.same_event_cosine,
            keep=keep,
            apart=self._store.said_otherwise,
        ):
            pairs.append(pair)
            if tick is not None:
                tick("merging duplicates", len(pairs), len(put))
        with self._forgetting.changing() as connection:
            ids = self._record.get([trace.id for pair in pairs for trace in pair])
            pairs = [pair for pair in pairs if all(one.id in ids and ids[one.id].status == "active" for one in pair)]
            self._unite(connection, pairs)
            seen_by_all = self._record.value(_SEEN) or {}
            self._record.note(values={_SEEN: seen_by_all | {space: changes[-1].position}})
        return len(pairs)

    def let_faded_go(self) -> int:
        """Delete active traces whose retention fell below the floor, pinned ones never; returns how many."""
        held = [
            trace
            for batch in self._record.scan()
            for trace, _ in batch
            if trace.status == "active" and self._inside(trace)
        ]
        used = self._record.last_used([trace.id for trace in held])
        gone = self._retention.faded(held, now=self._clock(), last_useful=used)
        self._forgetting.let_go(gone, reason=lambda _: "faded")
        return len(gone)

    def _unite(self, connection: sqlite3.Connection, pairs: Sequence[tuple[Trace, Trace]]) -> None:
        """Inside a transaction: each newer trace becomes an observation of the older one."""
        into = {newer.id: older.id for older, newer in pairs}
        again = {trace: self._record.observations(trace) for trace in into}
        useful = self._record.last_used(list(into))
        for trace, held in into.items():
            relink(connection, trace, held)
        self._forgetting.let_go([newer for _, newer in pairs], reason=lambda newer: f"merged into {into[newer.id]}")
        for older, newer in pairs:  # only now, for a trace that is there holds its key
            self._record.merge(older.id, event_of(newer), write_time=newer.write_time)
            for seen in again[newer.id]:
                self._record.merge(older.id, seen.event, write_time=seen.write_time)
            if newer.id in useful:
                self._record.reinforce([older.id], amount=newer.strength - 1.0, at=useful[newer.id])

    def _inside(self, trace: Trace) -> bool:
        return trace.namespace[: len(self._namespace)] == self._namespace
