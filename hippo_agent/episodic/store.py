"""The write path of the episodic store: events in, traces out.

An event gets its vector and slots, the gate decides with the most similar stored trace in view, and one transaction
writes what was decided together with the counters and the decision log. Deferred events are stored too and can be
recalled; `settle` decides which of them stay. Nothing is dropped without a line in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from hippo_agent.episodic.encoder import EpisodeEncoder
from hippo_agent.episodic.gate import GateDecision, Settled, WriteGate, conversation_of
from hippo_agent.episodic.retention import Retention
from hippo_agent.episodic.same_event import Neighbour, may_rival
from hippo_agent.episodic.vectors import BankVectors
from hippo_agent.storage.base import DecisionNote, NewTrace
from hippo_agent.storage.columns import Columns
from hippo_agent.storage.mirror import Mirror
from hippo_agent.storage.places import PlaceMark
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.signs import alike, sign_bits
from hippo_agent.types import Event, Namespace, Receipt, Signals, Slots, Trace

__all__ = ["EpisodicStore"]

_BATCH = 64  # events embedded and written together
_SAVE_EVERY = 512  # traces between two saves of the gate's state; what came since is read again at open
_STATE = "gate"
_CANDIDATES = 16  # stored vectors whose exact cosine is looked at
_TIE = 1e-4  # of two cosines that are one but for rounding
_LATER = 8  # traces that are looked at for what was said of the same since
_RELATED = 0.5  # least cosine of those
_SLACK = 0.02  # of the capacity is freed at once, so that a full bank does not look for victims at every write


@dataclass
class _Batch:
    """Rows that wait for their transaction, with what rides in it."""

    rows: list[NewTrace] = field(default_factory=list)
    notes: list[DecisionNote] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)

    def count(self, decision: str) -> None:
        self.counters[decision] = self.counters.get(decision, 0) + 1


class EpisodicStore:
    """Single experiences, verbatim.

    Args:
        record, mirror: the truth and its in-memory columns.
        capacity: traces kept at most; the least retained go first, pinned ones never. None: no limit.
        clock: now, in UTC. new_id: a fresh unique id on each call.
        mark: where an event is remembered, if that is known; its signal tells the gate.
        rivals: whether one of several texts says another value of what an event says, or denies it.
    """

    def __init__(
        self,
        record: SqliteRecord,
        mirror: Mirror,
        vectors: BankVectors,
        *,
        encoder: EpisodeEncoder,
        gate: WriteGate,
        retention: Retention,
        capacity: int | None,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        mark: Callable[[Event], PlaceMark | None] = lambda _: None,
        rivals: Callable[[Event, Sequence[Event | Trace]], bool] = lambda event, others: False,
    ) -> None:
        self._record = record
        self._mirror = mirror
        self._vectors = vectors
        self._encoder = encoder
        self._gate = gate
        self._retention = retention
        self._capacity = capacity
        self._clock = clock
        self._new_id = new_id
        self._mark = mark
        self._rivals = rivals
        self._unsaved = 0
        self._read_up_to = 0  # the gate's statistics hold the traces up to here
        self._stale = False  # a batch failed: the gate has counted events that were not stored

    def put(
        self,
        events: Sequence[Event],
        *,
        held: Mapping[int, tuple[str, ...]] | None = None,
        done: Callable[[int], None] | None = None,
    ) -> list[Receipt]:
        """Decide and write events in order; ``done`` is told how many are finished. Events must be clean.

        ``held``: by position, why an event is quarantined. It is stored and neither judged nor counted nor merged.
        """
        receipts: list[Receipt] = []
        for start in range(0, len(events), _BATCH):
            self._stale, stale = True, self._stale  # until the batch is stored
            if stale:
                self.reread()
            batch = events[start : start + _BATCH]
            aside = {at - start: why for at, why in (held or {}).items() if start <= at < start + _BATCH}
            receipts.extend(self._put_batch(batch, aside))
            self._stale = False
            self._evict()
            if self._unsaved >= _SAVE_EVERY:
                self.save()
            if done is not None:
                done(len(receipts))
        return receipts

    def settle(self, namespace: Namespace = (), session: str | None = None) -> list[Receipt]:
        """Decide about the deferred traces of one session, or of all."""
        return self._apply(self._gate.settle(None if session is None else conversation_of(namespace, session)))

    def reinforce(self, trace_ids: Sequence[str]) -> int:
        """Useful recalls: each trace's strength grows along the retention curve. Returns how many are known."""
        now = self._clock()
        used = self._record.last_used(trace_ids)
        known = self._record.get(trace_ids)
        for trace in known.values():
            since = used.get(trace.id, trace.write_time)
            grown = self._retention.strengthened(trace.strength, useful=True, since=since, now=now)
            self._record.reinforce([trace.id], amount=grown - trace.strength, at=now)
        return len(known)

    def forget(self, traces: Sequence[Trace]) -> None:
        """Take deleted traces out of the gate's statistics, the stored ones too: they hold words."""
        reader, words = self._gate.reader, set[str]()
        for trace in traces:
            if trace.status != "quarantined":  # it was never counted
                self._gate.forget(trace.text, token=trace.id)
            words |= reader.words_of(trace.text)
        reader.drop(self._record.absent(words))
        self._unsaved += len(traces)
        self.save()

    def save(self) -> None:
        """Store the gate's state, with the seq up to which it has read."""
        if self._unsaved and not self._stale:
            self._record.note(values={_STATE: {"gate": self._gate.state(), "seq": self._read_up_to}})
            self._unsaved = 0

    def restore(self) -> None:
        """Continue with the stored gate state, and read again what was written after it was saved."""
        saved = self._record.value(_STATE)
        if saved is not None:
            self._gate.restore(saved["gate"])
            self._read_up_to = saved["seq"]
        self.catch_up()

    def reread(self) -> None:
        """Take the gate's state as it is stored: a change was rolled back."""
        self._gate.reset()
        self._read_up_to = self._unsaved = 0
        self.restore()

    def catch_up(self) -> None:
        """Take traces that came by another way (an import, another process) into the gate's statistics."""
        for batch in self._record.scan(after=self._read_up_to):
            for trace, _ in batch:
                if trace.status != "quarantined":
                    self._gate.witness(trace)
            self._read_up_to = batch[-1][0].seq
            self._unsaved += len(batch)

    def _put_batch(self, events: Sequence[Event], aside: Mapping[int, tuple[str, ...]]) -> list[Receipt]:
        vectors = self._vectors.embed([event.text for event in events])
        near = _Nearest(self._mirror.refresh(), vectors, events)
        batch = _Batch()
        receipts: list[Receipt] = []
        for i, event in enumerate(events):
            if event.key is not None and (held := self._holder(event, batch)) is not None:
                receipts.append(Receipt(id=held, decision="duplicate", salience=0.0, reasons=("the key is known",)))
                continue
            slots, codes = self._encoder.encode(event)
            event = replace(event, slots=slots)
            new_id = self._new_id()
            mark = self._mark(event)
            if i in aside:
                vector = None if vectors is None else vectors[i]
                receipts.append(self._set_aside(batch, event, aside[i], new_id, vector, codes))
                continue
            decided = self._gate.decide(
                event, token=new_id, nearest=self._neighbour(near, i, batch), place=0.0 if mark is None else mark.signal
            )
            receipts.append(self._note(batch, event, decided, new_id))
            if decided.decision in ("write", "defer"):
                row = self._row(event, decided, new_id, None if vectors is None else vectors[i], codes)
                batch.rows.append(row if mark is None else replace(row, place=mark))
                near.wrote(i, new_id)
            elif decided.decision == "merge" and decided.merge_into is not None:
                self._flush(batch)  # the trace to merge into may be waiting in it
                self._record.merge(decided.merge_into, event, write_time=self._clock(), place=mark)
            if decided.settled:
                self._flush(batch)
                self._apply(decided.settled)
        self._flush(batch)
        return receipts

    def _holder(self, event: Event, batch: _Batch) -> str | None:
        """The id of the trace that holds this event's key."""
        for row in batch.rows:
            if row.event.key == event.key and row.event.namespace == event.namespace:
                return row.id
        held = self._record.find_key(event.namespace, event.key or "")
        return None if held is None else held.id

    def _neighbour(self, near: _Nearest, i: int, batch: _Batch) -> Neighbour | None:
        """The most similar trace of the same namespace, those of this batch included."""
        found = near.of(i)
        if found is None:
            return None
        cosine, where = found
        if cosine < self._gate.config.same_event_cosine:
            return Neighbour(id="", text="", cosine=cosine)  # too far to merge: only the similarity counts
        waiting = {row.id: row for row in batch.rows}
        later = near.since(i, where)
        since: list[Event | Trace] = [waiting[one].event for one in later if isinstance(one, str) and one in waiting]
        since += self._traces([one for one in later if one not in waiting])
        event = near.events[i]
        since = [one for one in since if may_rival(event.text, one.text)]
        outdated = bool(since) and self._rivals(event, since)
        if isinstance(where, str) and (row := waiting.get(where)) is not None:
            return Neighbour(
                id=row.id,
                text=row.event.text,
                cosine=cosine,
                speaker=row.event.speaker,
                slots=row.slots,
                event_time=row.event.event_time,
                outdated=outdated,
            )
        return next((Neighbour.of(trace, cosine, outdated=outdated) for trace in self._traces([where])), None)

    def _traces(self, names: Sequence[int | str]) -> list[Trace]:
        """Stored traces by seq or id."""
        by_seq = self._record.by_seq([name for name in names if isinstance(name, int)])
        by_id = self._record.get([name for name in names if isinstance(name, str)])
        return [*by_seq.values(), *by_id.values()]

    def _row(
        self, event: Event, decided: GateDecision, new_id: str, vector: NDArray[np.float32] | None, codes: bytes
    ) -> NewTrace:
        return NewTrace(
            event=event,
            id=new_id,
            vector=vector,
            slots=event.slots or Slots(),
            slot_codes=codes,
            salience=decided.salience,
            status="deferred" if decided.decision == "defer" else "active",
            write_time=self._clock(),
            embedder_id=None if vector is None else self._vectors.id,
        )

    def _set_aside(
        self,
        batch: _Batch,
        event: Event,
        reasons: tuple[str, ...],
        new_id: str,
        vector: NDArray[np.float32] | None,
        codes: bytes,
    ) -> Receipt:
        decided = GateDecision(decision="quarantine", salience=0.0, reasons=reasons, signals=Signals())
        batch.rows.append(replace(self._row(event, decided, new_id, vector, codes), status="quarantined", held=reasons))
        return self._note(batch, event, decided, new_id)

    def _note(self, batch: _Batch, event: Event, decided: GateDecision, new_id: str) -> Receipt:
        batch.count(decided.decision)
        batch.notes.append(
            DecisionNote(
                time=self._clock(),
                decision=decided.decision,
                reasons=decided.reasons,
                salience=decided.salience,
                digest=blake2b(event.text.encode(), digest_size=8).hexdigest(),
            )
        )
        held = decided.merge_into if decided.decision == "merge" else None
        if decided.decision in ("write", "defer", "quarantine"):
            held = new_id
        reasons = decided.reasons
        if self._vectors.missing is not None:
            reasons = (*reasons, f"no vector yet: {self._vectors.missing}")
        return Receipt(id=held, decision=decided.decision, salience=decided.salience, reasons=reasons)

    def _flush(self, batch: _Batch) -> None:
        if not batch.notes:
            return
        self._unsaved += len(batch.notes)
        if batch.rows:
            traces = self._record.append(batch.rows, counters=batch.counters, decisions=batch.notes)
            self._read_up_to = max(self._read_up_to, *(trace.seq for trace in traces))
        else:
            self._record.note(counters=batch.counters, decisions=batch.notes)
        batch.rows, batch.notes, batch.counters = [], [], {}

    def _evict(self) -> None:
        if self._capacity is None or self._record.count() <= self._capacity:
            return
        traces = [trace for batch in self._record.scan() for trace, _ in batch]
        used = self._record.last_used([trace.id for trace in traces])
        room = self._capacity - int(self._capacity * _SLACK)
        gone = self._retention.to_evict(traces, capacity=room, now=self._clock(), last_useful=used)
        self._record.delete([trace.id for trace in gone], reason="over the capacity")
        self.forget(gone)

    def _apply(self, settled: Sequence[Settled]) -> list[Receipt]:
        kept = [outcome.token for outcome in settled if outcome.decision == "write"]
        dropped = [outcome.token for outcome in settled if outcome.decision == "skip"]
        if kept:
            self._record.set_status(kept, "active")
        if dropped:
            self._record.delete(dropped, reason="over the write budget")
        return [
            Receipt(
                id=outcome.token if outcome.decision == "write" else None,
                decision=outcome.decision,
                salience=outcome.salience,
                reasons=outcome.reasons,
            )
            for outcome in settled
        ]


class _Nearest:
    """The most similar earlier trace of each event of a batch: stored ones and those of the same batch."""

    def __init__(self, columns: Columns, vectors: NDArray[np.float32] | None, events: Sequence[Event]) -> None:
        self._columns = columns
        self._vectors = vectors
        self._signs = None if vectors is None else sign_bits(vectors)
        self.events = events
        self._written: dict[Namespace, list[tuple[int, str]]] = {}  # (place in the batch, id) of the rows so far
        self._stored: dict[Namespace, NDArray[np.bool_]] = {}  # [n] the stored traces of a namespace that have vectors

    def wrote(self, i: int, trace_id: str) -> None:
        """Event i became a trace."""
        self._written.setdefault(self.events[i].namespace, []).append((i, trace_id))

    def of(self, i: int) -> tuple[float, int | str] | None:
        """(cosine, seq of a stored trace or id of one of this batch); None when there is nothing to compare with."""
        if self._vectors is None or self._signs is None:
            return None
        columns, vector, namespace = self._columns, self._vectors[i], self.events[i].namespace
        best: tuple[float, int | str] | None = None
        if (mask := self._usable(namespace)).any():
            rows = alike(columns.signs, self._signs[:, i], _CANDIDATES, mask)
            cosines = columns.vectors[rows] @ vector
            at = int(np.flatnonzero(cosines >= cosines.max() - _TIE)[-1])  # the same was said twice: the later one
            best = (float(cosines[at]), int(columns.seq[rows[at]]))
        if written := self._written.get(namespace):
            cosines = self._vectors[[j for j, _ in written]] @ vector
            at = int(np.flatnonzero(cosines >= cosines.max() - _TIE)[-1])
            if best is None or cosines[at] >= best[0] - _TIE:
                best = (float(cosines[at]), written[at][1])
        return best

    def since(self, i: int, where: int | str) -> list[int | str]:
        """What is like event i and was stored after the trace ``where``, the most alike first; a few of them."""
        if self._vectors is None or self._signs is None:
            return []
        columns, vector, namespace = self._columns, self._vectors[i], self.events[i].namespace
        found: list[tuple[float, int | str]] = []
        if isinstance(where, int):
            mask = self._usable(namespace) & (columns.seq > where)
            if mask.any():
                rows = alike(columns.signs, self._signs[:, i], _CANDIDATES, mask)
                found += zip((columns.vectors[rows] @ vector).tolist(), columns.seq[rows].tolist(), strict=True)
        written = [(j, name) for j, name in self._written.get(namespace, ()) if j < i]
        after = next((at + 1 for at, (_, name) in enumerate(written) if name == where), 0)
        found += [(float(self._vectors[j] @ vector), name) for j, name in written[after:]]
        return [name for cosine, name in sorted(found, key=lambda one: -one[0])[:_LATER] if cosine >= _RELATED]

    def _usable(self, namespace: Namespace) -> NDArray[np.bool_]:
        if namespace not in self._stored:
            columns = self._columns
            mask = columns.visible(namespace, statuses=("active", "deferred"), exact_namespace=True)
            self._stored[namespace] = mask & columns.has_vector
        return self._stored[namespace]
