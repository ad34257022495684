"""Forgetting that is real: one transaction takes everything that rested on a trace, then no byte of it is left.

    gone = memory.forget(query="Quorlimbast", dry_run=True)   # what would go
    gone = memory.forget(query="Quorlimbast")                 # a certificate of what went

The transaction deletes the rows, what was learnt from them alone, their lessons and their traces in maps; from then on
no adapter that knows them answers. The purge rewrites the files. When it is interrupted, the next opening finishes it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any

from hippo_agent.asking import Asker
from hippo_agent.episodic.store import EpisodicStore
from hippo_agent.errors import Locked
from hippo_agent.nights import Nights
from hippo_agent.recall.here import PlaceContext
from hippo_agent.relational.store import FactStore
from hippo_agent.storage.copies import BACKUPS
from hippo_agent.storage.index.managed import ManagedIndex
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.selecting import Selector, chosen, resting_on, spaces_below
from hippo_agent.types import EMPTY, Namespace, Trace

__all__ = ["Forgetting", "Forgotten", "Selector"]

logger = logging.getLogger(__name__)

_DUE = "purge"  # in the record while bytes of forgotten traces may be left in the files
_COUNTED = {
    "facts": "fact",
    "names": "entity",
    "lessons": "lesson",
    "links": "place_link",
    "repeats": "observation",
    "documents": "item",
    "maps": "place_world",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """A certificate: what a request to forget removed, or with ``dry_run`` would remove. It holds ids, never texts."""

    time: datetime
    reason: str
    asked: Mapping[str, Any]  # the conditions; a query only by its digest
    dry_run: bool
    traces: tuple[str, ...]  # ids, oldest first
    derived: tuple[str, ...]  # those of them that were not asked for, but rested on nothing else
    removed: Mapping[str, int] = field(default_factory=lambda: EMPTY)  # facts, names, lessons, links, ... that went
    changed_facts: int = 0  # facts that stay, with fewer statements
    adapters: tuple[str, ...] = ()  # versions that knew them: they answer no more, and are deleted by the purge
    purged: bool = False  # no byte of them is left in the folder
    left: tuple[str, ...] = ()  # what could not be removed yet, and why
    older_backups: tuple[str, ...] = ()  # copies that were made before and still hold them

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        found = asdict(replace(self, asked=dict(self.asked), removed=dict(self.removed)))
        return {**found, "time": self.time.isoformat()}


class _Undo(Exception):
    """Ends a dry run: the transaction is rolled back."""


class Forgetting:
    """Takes traces out of every part of one bank."""

    def __init__(
        self,
        record: SqliteRecord,
        *,
        episodes: EpisodicStore,
        facts: FactStore,
        here: PlaceContext,
        index: ManagedIndex,
        nights: Nights,
        asker: Asker,
        clock: Callable[[], datetime],
    ) -> None:
        self._record = record
        self._episodes = episodes
        self._facts = facts
        self._here = here
        self._index = index
        self._nights = nights
        self._asker = asker
        self._clock = clock
        if not record.read_only and record.value(_DUE) is not None:
            logger.info("finishing an interrupted purge of forgotten traces")
            self.purge()

    def forget(self, selector: Selector, *, reason: str, dry_run: bool = False, purge: bool = True) -> Forgotten:
        """Do it, or say what it would do: the dry run does all of it and takes it back. See `Memory.forget`."""
        now = self._clock()
        try:
            with self._record.database.write(durable=True) as connection:
                done = self._take_out(connection, selector, reason, now, dry_run)
                if purge and not dry_run:
                    self._record.note(values={_DUE: now.isoformat()})
                if dry_run:
                    raise _Undo
        except _Undo:
            self._here.reopen()
        except BaseException:
            self._here.reopen()
            self._episodes.reread()
            raise
        if dry_run or not purge:
            return done
        left = self.purge(list(done.traces))
        return replace(done, purged=not left, left=left)

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction; when it fails, maps and the gate's statistics are taken as they are stored."""
        try:
            with self._record.database.write(durable=True) as connection:
                yield connection
        except BaseException:
            self._here.reopen()
            self._episodes.reread()
            raise

    def let_go(self, traces: Sequence[Trace], *, reason: Callable[[Trace], str]) -> None:
        """Take out these traces alone, with their facts, links and lessons; part of a transaction that is open.

        What was derived from them stays, and so do bytes in the files until the next `purge`.
        """
        if not traces:
            return
        with self.changing():
            self._here.forget(traces)
            for trace in traces:
                self._record.delete([trace.id], reason=reason(trace))
            self._facts.prune()
            self._episodes.forget(traces)
        self._asker.forget([trace.id for trace in traces])

    def purge(self, ids: list[str] | None = None) -> tuple[str, ...]:
        """Rewrite the files without what was forgotten; returns what could not be removed, and why.

        ``ids``: of the traces whose model states go; None: all states go.
        """
        left: list[str] = []
        self._asker.forget(ids)
        left += self._index.purge()
        left += self._nights.sweep()
        try:
            if not self._record.scrub():
                left.append("the database's log: another process is reading")
        except Locked as error:
            left.append(f"the database: {error}")
        if not left:
            self._record.note(values={_DUE: None})
            self._record.database.checkpoint()
        return tuple(left)

    def _take_out(
        self, connection: sqlite3.Connection, selector: Selector, reason: str, now: datetime, dry_run: bool
    ) -> Forgotten:
        asked = chosen(connection, selector)
        derived = resting_on(connection, asked)
        ids = [*asked, *derived]
        traces = list(self._record.get(ids).values())
        before = _counts(connection)
        said = _statements(connection)
        texts = self._here.forget(traces)
        self._record.delete(ids, reason=reason)
        if selector.whole_namespace is not None:
            self._clear(connection, selector.whole_namespace)
        self._facts.prune()
        after = _counts(connection)
        removed = {name: before[name] - after[name] for name in before if before[name] > after[name]}
        if texts:
            removed["texts of maps"] = texts
        if not dry_run:
            self._episodes.forget(traces)
        backups = self._record.value(BACKUPS) or []
        return Forgotten(
            time=now,
            reason=reason,
            asked=_asked(selector),
            dry_run=dry_run,
            traces=tuple(ids),
            derived=tuple(derived),
            removed=removed,
            changed_facts=len([fact for fact, count in _statements(connection).items() if count < said[fact]]),
            adapters=tuple(self._nights.knowing(ids)),
            older_backups=tuple(copy["path"] for copy in backups) if ids else (),
        )

    def _clear(self, connection: sqlite3.Connection, namespace: Namespace) -> None:
        """Documents and maps of a namespace and of what lies below it."""
        for table in ("item", "place_world"):
            for space in spaces_below(connection, table, namespace):
                connection.execute(f"DELETE FROM {table} WHERE namespace = ?", (space,))
        self._here.reopen()


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    return {
        name: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for name, table in _COUNTED.items()
    }


def _statements(connection: sqlite3.Connection) -> dict[int, int]:
    return dict(connection.execute("SELECT fact, count(*) FROM statement GROUP BY fact").fetchall())


def _asked(selector: Selector) -> dict[str, Any]:
    """The conditions as JSON; a query may be what has to be forgotten, so only its digest is kept."""
    found: dict[str, Any] = {}
    if selector.trace_ids:
        found["trace_id"] = list(selector.trace_ids)
    if selector.query is not None:
        found["query"] = f"blake2b:{blake2b(selector.query.encode(), digest_size=8).hexdigest()}"
    if selector.principal is not None:
        found["principal"] = selector.principal
    if selector.namespace is not None:
        found["namespace"] = list(selector.namespace)
    if selector.before is not None:
        found["before"] = selector.before.isoformat()
    return found
