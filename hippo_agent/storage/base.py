"""The two seams of storage: the record (truth) and the vector index (derived).

Conventions, the same everywhere:

- ``seq`` is a trace's position in the record: int64, strictly increasing, never reused.
- vectors are float32, unit norm, shape [d]; similarity is the dot product (cosine); higher is better.
- BM25 scores are positive, higher is better (SQLite's sign is flipped at the seam).
- one method call = one transaction; it returns only after commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hippo_agent.types import Event, Namespace, Signals, Slots, Status, Trace

Vector = NDArray[np.float32]
Seqs = NDArray[np.int64]
Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrace:
    """A row to be written. ``vector`` is None when no embedder was at hand (embedded later)."""

    event: Event  # text already normalised, event_time set
    id: str
    vector: Vector | None
    slots: Slots
    slot_codes: bytes  # int8 slot vectors as `episodic.slots` packs them; b"" for none
    salience: float
    status: Status = "active"
    write_time: datetime
    embedder_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One outbox entry: what a derived index has to follow."""

    position: int  # strictly increasing
    op: Literal["put", "delete"]
    seq: int


class RecordStore(Protocol):
    """The system of record of one bank."""

    def append(self, rows: Sequence[NewTrace], *, counters: Mapping[str, int] | None = None) -> list[Trace]:
        """Write rows, their full-text entries, outbox entries and counters in one transaction.

        A row whose (namespace, key) exists is not written again: the stored trace is returned in its place.
        """
        ...

    def merge(self, trace_id: str, event: Event, *, write_time: datetime) -> Trace:
        """Record another observation of the same event: kept verbatim in its own table, `repeats` + 1."""
        ...

    def get(self, trace_ids: Sequence[str]) -> dict[str, Trace]:
        """Traces by id; missing ids are left out."""
        ...

    def by_seq(self, seqs: Sequence[int]) -> dict[int, Trace]:
        """Traces by seq; deleted ones are left out. Every hit is joined through here before it leaves."""
        ...

    def delete(self, trace_ids: Sequence[str], *, reason: str) -> int:
        """Delete rows, full-text entries and observations; leave a tombstone (id, time, reason) each."""
        ...

    def match(
        self, terms: Sequence[str], *, limit: int, namespace: Namespace | None = None
    ) -> tuple[Seqs, Scores]:
        """BM25 over all traces for an OR of terms, each quoted at this seam; best first, at most ``limit``."""
        ...

    def document_frequency(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many traces each term occurs (after stemming)."""
        ...

    def scan(self, *, after: int = 0, batch: int = 1000) -> Iterator[Sequence[tuple[Trace, Vector | None]]]:
        """All live traces in seq order with their vectors."""
        ...


class VectorIndex(Protocol):
    """A derived, disposable index over (seq, vector). Knows nothing of namespaces or trust."""

    def add(self, seqs: Seqs, vectors: Vector) -> None:
        """vectors: [n, d] float32 unit norm."""
        ...

    def remove(self, seqs: Seqs) -> None: ...

    def search(
        self, query: Vector, k: int, *, allowed: Callable[[Seqs], NDArray[np.bool_]] | None = None
    ) -> tuple[Seqs, Scores]:
        """The k nearest seqs, best first; ``allowed`` maps seqs to a mask and holds before the cut."""
        ...

    def __len__(self) -> int: ...

    def close(self) -> None: ...


Meta = Mapping[str, Any]
__all__ = ["Change", "NewTrace", "RecordStore", "Scores", "Seqs", "Signals", "Vector", "VectorIndex"]
