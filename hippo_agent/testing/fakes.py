"""Small deterministic stand-ins: a clock that obeys, vectors that mean nothing, rows to write."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from hashlib import blake2b
from typing import Any

import numpy as np

from hippo_agent.storage.base import NewTrace, Vector
from hippo_agent.types import EMPTY, Event, Namespace, Provenance, Slots, SourceKind, Status

__all__ = ["EPOCH", "FakeClock", "new_trace", "turn", "unit_vector", "unit_vectors"]

#: Where fake time starts.
EPOCH = datetime(2024, 1, 1, 12, 0, tzinfo=timezone.utc)


class FakeClock:
    """Stands still until it is told to move; may move backwards."""

    def __init__(self, now: datetime = EPOCH) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> datetime:
        """Move by a `timedelta` given by its keywords; returns the new time."""
        self.now += timedelta(**duration)
        return self.now


def unit_vector(text: str, dim: int = 8) -> Vector:
    """float32 [dim] of norm 1: the same text gives the same vector, everywhere."""
    seed = int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
    vector: Vector = unit_vectors(1, dim, seed=seed)[0]
    return vector


def unit_vectors(count: int, dim: int = 8, *, seed: int = 0) -> Vector:
    """float32 [count, dim], rows of norm 1 in random directions."""
    found = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def turn(
    text: str, speaker: str | None = None, session: str | None = "s1", *, event_time: datetime = EPOCH, **fields: Any
) -> Event:
    """A user's turn in a conversation."""
    provenance = Provenance(source="user", session=session, trust=0.8)
    return Event(text=text, speaker=speaker, provenance=provenance, event_time=event_time, **fields)


def new_trace(
    trace_id: str,
    text: str = "Ada moved to Lisbon.",
    *,
    namespace: Namespace = (),
    session: str | None = None,
    speaker: str | None = None,
    source: SourceKind = "user",
    trust: float = 0.8,
    kind: str = "episode",
    key: str | None = None,
    pin: bool = False,
    reward: float = 0.0,
    event_time: datetime = EPOCH,
    write_time: datetime = EPOCH,
    slots: Slots = Slots(),
    slot_codes: bytes = b"",
    salience: float = 0.5,
    status: Status = "active",
    vector: Vector | None = None,
    embed: bool = True,
    dim: int = 8,
    meta: Mapping[str, Any] = EMPTY,
) -> NewTrace:
    """A row to be written; its vector is `unit_vector(text)` unless one is given or ``embed`` is False."""
    event = Event(
        text=text,
        namespace=namespace,
        provenance=Provenance(source=source, session=session, trust=trust),
        speaker=speaker,
        event_time=event_time,
        kind=kind,
        key=key,
        pin=pin,
        reward=reward,
        meta=meta,
    )
    vector = unit_vector(text, dim) if vector is None and embed else vector
    return NewTrace(
        event=event,
        id=trace_id,
        vector=vector,
        slots=slots,
        slot_codes=slot_codes,
        salience=salience,
        status=status,
        write_time=write_time,
        embedder_id=None if vector is None else "fake",
    )
