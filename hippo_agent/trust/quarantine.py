"""`memory.quarantine`: what was set aside, with the reasons, and the way back, which a person opens.

for one in memory.quarantine.list():
    print(one.trace.text, one.reasons)
memory.quarantine.release([one.trace.id], by="mira")    # recalled from now on; mira is noted
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hippo_agent.errors import InvalidInput, TraceNotFound
from hippo_agent.intake import clean_label
from hippo_agent.storage.quarantine import hold, reasons_of
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.rows import from_micros, micros
from hippo_agent.types import Namespace, Trace

__all__ = ["Held", "Quarantine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A trace that was set aside."""

    trace: Trace
    reasons: tuple[str, ...]  # empty: it was imported so, or set aside as damaged
    since: datetime


class Quarantine:
    """The quarantined traces of one namespace and of what lies below it."""

    def __init__(self, record: SqliteRecord, namespace: Namespace, *, clock: Callable[[], datetime]) -> None:
        self._record = record
        self._namespace = namespace
        self._clock = clock

    def list(self) -> list[Held]:
        """Everything that is set aside, oldest first."""
        with self._record.database.read() as connection:
            found = reasons_of(connection)
        traces = self._record.get(list(found))
        return [
            Held(trace=traces[one], reasons=reasons, since=from_micros(since))
            for one, (reasons, since) in found.items()
            if one in traces and traces[one].namespace[: len(self._namespace)] == self._namespace
        ]

    def add(self, trace_ids: Sequence[str], *, reason: str) -> int:
        """Set traces aside by hand; returns how many were not so already. Their facts lose these statements."""
        why = clean_label(reason, what="reason") or ""
        self._known(trace_ids)
        with self._record.database.write(durable=True) as connection:
            done = self._record.set_status(trace_ids, "quarantined")
            hold(connection, [(one, (why,)) for one in trace_ids], micros(self._clock()))
        return done

    def release(self, trace_ids: Sequence[str], *, by: str) -> int:
        """Let traces be recalled and learnt from; ``by`` is the person who answers for it, and is kept.

        The trust of a trace stays what its source gives it. Returns how many were quarantined.
        """
        person = clean_label(by, what="by")
        held = self._known(trace_ids)
        if other := [one for one in trace_ids if held[one].status != "quarantined"]:
            raise InvalidInput(f"{other[0]!r} is not quarantined; nothing was released")
        with self._record.database.write(durable=True) as connection:
            connection.executemany(
                "UPDATE quarantine SET released_at = ?, released_by = ? "
                "WHERE trace_seq = (SELECT seq FROM trace WHERE id = ?)",
                [(micros(self._clock()), person, one) for one in trace_ids],
            )
            return self._record.set_status(trace_ids, "active")

    def _known(self, trace_ids: Sequence[str]) -> dict[str, Trace]:
        held = self._record.get(trace_ids)
        inside = {
            one: trace for one, trace in held.items() if trace.namespace[: len(self._namespace)] == self._namespace
        }
        if missing := [one for one in trace_ids if one not in inside]:
            raise TraceNotFound(f"no trace {missing[0]!r}: it was never written, or it was forgotten")
        return inside
