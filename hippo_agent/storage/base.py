"""The two seams of storage: the record (truth) and the vector index (derived).

Conventions, the same everywhere:

- ``seq`` is a trace's position in the record: int64, strictly increasing, never reused.
- vectors are float32, unit norm, shape [d]; similarity is the dot product (cosine); higher is better.
- BM25 scores are positive, higher is better (SQLite's sign is flipped at the seam).
- one method call = one transaction; it returns only after commit.
- everything that follows the record (the in-memory columns, an index) follows its outbox: a position names a state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hippo_agent.storage.places import PlaceMark
from hippo_agent.types import Decision, Event, Namespace, Signals, Slots, Status, Trace

Vector = NDArray[np.float32]
Seqs = NDArray[np.int64]
Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]
Allowed = Callable[[Seqs], Mask]

Durability = Literal["process", "power"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrace:
    """A row to be written. ``vector`` is None when no embedder was at hand (embedded later)."""

    event: Event  # text already normalised, event_time set
    id: str
    vector: Vector | None
    slots: Slots
    slot_codes: bytes  # int8 slot vectors as `episodic.codes` packs them; b"" for none
    salience: float
    status: Status = "active"
    write_time: datetime
    embedder_id: str | None
    place: PlaceMark | None = None  # where it is remembered: linked in the same transaction
    held: tuple[str, ...] = ()  # why it is quarantined, when it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One outbox entry: what a derived index has to follow. ``put`` also means: read this row again."""

    position: int  # strictly increasing
    op: Literal["put", "delete"]
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The same event seen again: kept verbatim beside the trace that it was merged into."""

    trace_id: str
    event: Event
    write_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionNote:
    """One line of the gate's log; skipped events leave nothing but this."""

    time: datetime
    decision: Decision
    reasons: tuple[str, ...]
    salience: float
    digest: str  # short digest of the text, never the text


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """What is left of a forgotten trace."""

    id: str
    time: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What decides which trace may fade: aligned arrays over all live traces, in seq order."""

    seq: Seqs
    salience: Scores
    strength: Scores
    reward: Scores
    repeats: NDArray[np.int64]
    write_time: NDArray[np.int64]  # microseconds UTC
    last_used: NDArray[np.int64]  # microseconds UTC; the write time when never used
    pinned: Mask


class RecordStore(Protocol):
    """The system of record of one bank.

    ``counters``, ``decisions`` and ``values`` ride in the same transaction as the write they belong to: counters are
    added up, decisions are appended to the bounded log, values are JSON documents by key (gate and controller state).
    """

    def append(
        self,
        rows: Sequence[NewTrace],
        *,
        counters: Mapping[str, int] | None = None,
        decisions: Sequence[DecisionNote] = (),
        values: Mapping[str, Any] | None = None,
    ) -> list[Trace]:
        """Write rows, their full-text entries, outbox entries and counters in one transaction.

        A row whose (namespace, key) exists is not written again: the trace that holds it is returned in its place.
        """
        ...

    def merge(
        self,
        trace_id: str,
        event: Event,
        *,
        write_time: datetime,
        place: PlaceMark | None = None,
        counters: Mapping[str, int] | None = None,
        decisions: Sequence[DecisionNote] = (),
        values: Mapping[str, Any] | None = None,
    ) -> Trace:
        """Record another observation of the same event: kept verbatim in its own table, `repeats` + 1.

        Idempotent by (namespace, key). TraceNotFound when the trace is gone.
        """
        ...

    def note(
        self,
        *,
        counters: Mapping[str, int] | None = None,
        decisions: Sequence[DecisionNote] = (),
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a decision that wrote no trace (a skip), or state alone."""
        ...

    def get(self, trace_ids: Sequence[str]) -> dict[str, Trace]:
        """Traces by id; missing ids are left out."""
        ...

    def by_seq(self, seqs: Sequence[int] | Seqs) -> dict[int, Trace]:
        """Traces by seq; deleted ones are left out. Every hit is joined through here before it leaves."""
        ...

    def find_key(self, namespace: Namespace, key: str) -> Trace | None:
        """The trace that holds this idempotency key, written or merged."""
        ...

    def observations(self, trace_id: str) -> list[Observation]:
        """What was merged into this trace, oldest first."""
        ...

    def delete(self, trace_ids: Sequence[str], *, reason: str) -> int:
        """Delete rows, full-text entries and observations; leave a tombstone (id, time, reason) each."""
        ...

    def set_status(self, trace_ids: Sequence[str], status: Status) -> int:
        """Change the status (a deferred trace becomes active, ...); returns how many changed."""
        ...

    def set_vectors(
        self, vectors: Mapping[str, Vector], *, embedder_id: str, slot_codes: Mapping[str, bytes] | None = None
    ) -> int:
        """Give traces their vectors (embedded later, or anew by another embedder); returns how many are set."""
        ...

    def reinforce(self, trace_ids: Sequence[str], *, amount: float, at: datetime) -> int:
        """A useful recall: strength + ``amount``, last use = ``at``."""
        ...

    def match(
        self,
        terms: Sequence[str],
        *,
        limit: int,
        namespace: Namespace | None = None,
        allowed: Allowed | None = None,
    ) -> tuple[Seqs, Scores]:
        """BM25 over all traces for an OR of terms, each quoted at this seam; best first, at most ``limit``.

        ``namespace`` keeps the traces in it and below it; ``allowed`` maps seqs to a mask; both hold before the cut.
        """
        ...

    def document_frequency(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many traces each term occurs (after stemming)."""
        ...

    def scan(self, *, after: int = 0, batch: int = 1000) -> Iterator[Sequence[tuple[Trace, Vector | None]]]:
        """All live traces in seq order with their vectors."""
        ...

    def texts(self, *, after: int = 0, batch: int = 10_000) -> Iterator[Sequence[tuple[int, str]]]:
        """(seq, text) of all live traces past ``after``, in seq order; what in-memory word lists are built from."""
        ...

    def unembedded(self, embedder_id: str, *, limit: int = 1000) -> list[Trace]:
        """Traces without a vector of this embedder, oldest first."""
        ...

    def headed(self) -> list[int]:
        """Seqs of the traces that may have a heading (a line break in the text, or a title in meta), in order."""
        ...

    def position(self) -> int:
        """The last outbox position, other processes' writes included; 0 for an empty record. Costs microseconds."""
        ...

    def changes(self, after: int, *, limit: int = 10_000) -> list[Change]:
        """Outbox entries past ``after``, in order. Superseded entries of the same seq may be missing."""
        ...

    def count(self, status: Status | None = None) -> int:
        """How many traces there are (of one status)."""
        ...

    def retention(self) -> Retention:
        """The columns that eviction and fading look at."""
        ...

    def counters(self) -> dict[str, int]: ...

    def decisions(self, *, limit: int = 100) -> list[DecisionNote]:
        """The newest gate decisions, newest first; the log is bounded."""
        ...

    def value(self, key: str) -> Any:
        """The JSON document stored under ``key``; None when there is none."""
        ...

    def close(self) -> None: ...


class VectorIndex(Protocol):
    """A derived, disposable index over (seq, vector). Knows nothing of namespaces or trust."""

    def add(self, seqs: Seqs, vectors: Vector) -> None:
        """vectors: [n, d] float32 unit norm. A seq that is here already is replaced."""
        ...

    def remove(self, seqs: Seqs) -> None:
        """Unknown seqs are ignored."""
        ...

    def search(self, query: Vector, k: int, *, allowed: Allowed | None = None) -> tuple[Seqs, Scores]:
        """The k nearest seqs, best first; ``allowed`` maps seqs to a mask and holds before the cut."""
        ...

    def __len__(self) -> int: ...

    def close(self) -> None: ...


Meta = Mapping[str, Any]
__all__ = [
    "Allowed",
    "Change",
    "DecisionNote",
    "Durability",
    "Mask",
    "Meta",
    "NewTrace",
    "Observation",
    "RecordStore",
    "Retention",
    "Scores",
    "Seqs",
    "Signals",
    "Tombstone",
    "Vector",
    "VectorIndex",
]
