"""Traces and events as database rows, and back; what a row must satisfy; what its hash covers.

Two hashes per row, because SQLite does not notice a flipped byte inside a value: ``row_hash`` covers everything that
never changes (text, provenance, times, vector), ``state_hash`` the little that does (status, strength, repeats, use).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

import numpy as np

from hippo_agent.errors import CorruptMemory, InvalidInput, InvalidVector
from hippo_agent.storage.base import NewTrace, Observation, Vector
from hippo_agent.types import EMPTY, SLOT_NAMES, Event, Namespace, Provenance, Slots, Trace

__all__ = [
    "IMMUTABLE",
    "INSERT",
    "STATE",
    "TRACE",
    "Row",
    "check_text",
    "check_vector",
    "dump",
    "dump_document",
    "dump_event",
    "encode",
    "event_hash",
    "from_micros",
    "length",
    "load_observation",
    "micros",
    "row_hash",
    "state_hash",
    "to_trace",
]

#: Columns of the mutable state, in the order of `state_hash`.
STATE = ("seq", "status", "strength", "repeats", "last_used")
#: Columns that never change, but for the last four when a vector is set; in the order of `row_hash`.
IMMUTABLE = (
    *("seq", "id", "namespace", "session", "speaker", "kind", "key", "source", "principal", "trust", "parents"),
    *("t_event", "t_write", "salience", "reward", "pinned", "words", "text", "slots", "meta"),
    *("embedder_id", "dim", "slot_codes", "vec"),
)
#: Columns that `to_trace` reads, as an SQL list.
TRACE = ", ".join((*STATE, *IMMUTABLE[1:16], *IMMUTABLE[17:20]))

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Row:
    """The values of a row that is about to be written."""

    state: tuple[Any, ...]  # as STATE
    immutable: tuple[Any, ...]  # as IMMUTABLE

    def values(self) -> tuple[Any, ...]:
        """In the order of `INSERT`."""
        return (*self.state, state_hash(*self.state), row_hash(self.immutable), *self.immutable[1:])

    def trace(self) -> Trace:
        return to_trace((*self.state, *self.immutable[1:16], *self.immutable[17:20]))


INSERT = (
    f"INSERT INTO trace ({', '.join((*STATE, 'state_hash', 'row_hash', *IMMUTABLE[1:]))}) "
    f"VALUES ({', '.join('?' * (len(STATE) + len(IMMUTABLE) + 1))})"
)


def encode(new: NewTrace, seq: int) -> Row:
    """The row of a new trace, or InvalidInput before anything is written."""
    event, origin = new.event, new.event.provenance
    if event.event_time is None:
        raise InvalidInput(f"trace {new.id!r} has no event time; set it before the record sees it")
    labels = (new.id, origin.session, event.speaker, event.kind, event.key, origin.principal)
    for label in (event.text, *labels, *event.namespace, *origin.parents):
        check_text(label)
    if not event.text or not new.id:
        raise InvalidInput("a trace needs a text and an id")
    vec = None if new.vector is None else check_vector(new.vector)
    if (vec is None) != (new.embedder_id is None):
        raise InvalidInput(f"trace {new.id!r} must have a vector and an embedder_id, or neither")
    return Row(
        state=(seq, new.status, 1.0, 0, None),
        immutable=(
            seq,
            new.id,
            _names(event.namespace),
            origin.session,
            event.speaker,
            event.kind,
            event.key,
            origin.source,
            origin.principal,
            _real(origin.trust),
            _names(origin.parents),
            micros(event.event_time),
            micros(new.write_time),
            _real(new.salience),
            _real(event.reward),
            int(event.pin),
            len(event.text.split()),
            event.text,
            dump_slots(new.slots),
            dump_document(dict(event.meta)) if event.meta else "{}",
            new.embedder_id,
            0 if vec is None else len(vec) // 4,
            bytes(new.slot_codes),
            vec,
        ),
    )


def to_trace(row: tuple[Any, ...]) -> Trace:
    """A trace from the columns listed in TRACE; CorruptMemory when its JSON is damaged."""
    try:
        return _to_trace(row)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise CorruptMemory(f"trace {row[5]!r} is damaged ({error}); run `hippo doctor`") from error


def _to_trace(row: tuple[Any, ...]) -> Trace:
    (seq, status, strength, repeats, _, trace_id, namespace, session, speaker, kind, key, source, principal, trust) = (
        row[:14]
    )
    (parents, t_event, t_write, salience, reward, pinned, text, slots, meta) = row[14:]
    return Trace(
        id=trace_id,
        seq=seq,
        text=text,
        namespace=load_namespace(namespace),
        provenance=Provenance(
            source=source, principal=principal, session=session, parents=load_namespace(parents), trust=trust
        ),
        speaker=speaker,
        event_time=from_micros(t_event),
        write_time=from_micros(t_write),
        kind=kind,
        key=key,
        pinned=bool(pinned),
        reward=reward,
        slots=load_slots(slots),
        salience=salience,
        strength=strength,
        repeats=repeats,
        status=status,
        meta=EMPTY if meta == "{}" else MappingProxyType(json.loads(meta)),
    )


def row_hash(immutable: tuple[Any, ...]) -> bytes:
    """blake2b-128 over the columns listed in IMMUTABLE."""
    *plain, slot_codes, vec = immutable
    digest = blake2b(dump(plain).encode(), digest_size=16)
    digest.update(b"\0%d\0" % len(slot_codes))
    digest.update(slot_codes)
    if vec is not None:
        digest.update(vec)
    return digest.digest()


def state_hash(*state: Any) -> bytes:
    """blake2b-64 over the columns listed in STATE; also a function in SQL."""
    return blake2b(dump(state).encode(), digest_size=8).digest()


def event_hash(trace_seq: int, t_write: int, event: str) -> bytes:
    """blake2b-128 over an observation."""
    return blake2b(dump((trace_seq, t_write, event)).encode(), digest_size=16).digest()


def check_text(value: str | None) -> None:
    """InvalidInput for what SQLite cannot keep faithfully; callers normalise before."""
    if value is None:
        return
    if "\x00" in value:
        raise InvalidInput(f"{value[:40]!r} contains NUL; remove it")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{value[:40]!r} contains lone surrogates; replace them") from error


def check_vector(vector: Vector) -> bytes:
    """The bytes of a unit vector [d], or InvalidVector."""
    flat = np.ascontiguousarray(vector, dtype="<f4")
    if flat.ndim != 1 or not flat.size:
        raise InvalidVector(f"a vector of shape {np.shape(vector)!r} cannot be stored; pass one of shape [d]")
    norm = length(flat)
    if not abs(norm - 1.0) < 1e-3:  # False for NaN as well
        raise InvalidVector(
            f"a vector of norm {norm:g} cannot be stored; normalise it to 1 (no NaN, no infinity, not zero)"
        )
    return flat.tobytes()


def _real(value: float) -> float:
    """As SQLite gives it back: it knows no -0.0, which a row's hash would tell from 0.0."""
    return float(value) + 0.0


def length(vector: Vector) -> float:
    """The norm of a vector, in double precision so that no finite vector overflows."""
    wide = vector.astype(np.float64)
    return float(np.sqrt(np.dot(wide, wide)))


def dump(value: Any) -> str:
    """JSON, compact; InvalidInput when it cannot be."""
    try:
        return _to_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{str(value)[:80]!r} is not JSON ({error}); pass plain JSON values") from error


@lru_cache(maxsize=4096)
def _names(names: tuple[str, ...]) -> str:
    return dump(names)


def dump_document(value: Any) -> str:
    """JSON that SQLite can keep: lone surrogates are refused too."""
    text = dump(value)
    check_text(text)
    return text


def dump_slots(slots: Slots) -> str:
    return dump_document({name: list(values) for name in SLOT_NAMES if (values := getattr(slots, name))})


@lru_cache(maxsize=4096)
def load_slots(raw: str) -> Slots:
    return Slots(**{name: tuple(values) for name, values in json.loads(raw).items()}) if raw != "{}" else _NO_SLOTS


_NO_SLOTS = Slots()


@lru_cache(maxsize=4096)
def load_namespace(raw: str) -> Namespace:
    """A tuple of strings from its JSON (namespaces and parents alike)."""
    return tuple(json.loads(raw))


def dump_event(event: Event) -> str:
    """A whole event as JSON, for observations."""
    assert event.event_time is not None
    origin = event.provenance
    found = {
        "text": event.text,
        "namespace": event.namespace,
        "source": origin.source,
        "principal": origin.principal,
        "session": origin.session,
        "parents": origin.parents,
        "trust": origin.trust,
        "speaker": event.speaker,
        "event_time": micros(event.event_time),
        "kind": event.kind,
        "key": event.key,
        "pin": event.pin,
        "reward": event.reward,
        "slots": None if event.slots is None else {name: getattr(event.slots, name) for name in SLOT_NAMES},
        "meta": dict(event.meta),
    }
    return dump_document(found)


def load_observation(trace_id: str, t_write: int, raw: str) -> Observation:
    found: Mapping[str, Any] = json.loads(raw)
    slots = found["slots"]
    event = Event(
        text=found["text"],
        namespace=tuple(found["namespace"]),
        provenance=Provenance(
            source=found["source"],
            principal=found["principal"],
            session=found["session"],
            parents=tuple(found["parents"]),
            trust=found["trust"],
        ),
        speaker=found["speaker"],
        event_time=from_micros(found["event_time"]),
        kind=found["kind"],
        key=found["key"],
        pin=found["pin"],
        reward=found["reward"],
        slots=None if slots is None else Slots(**{name: tuple(values) for name, values in slots.items()}),
        meta=found["meta"] or EMPTY,
    )
    return Observation(trace_id=trace_id, event=event, write_time=from_micros(t_write))


def micros(time: datetime) -> int:
    """Microseconds since 1970 in UTC, exactly; InvalidInput for a time without a zone."""
    if time.tzinfo is None:
        raise InvalidInput(f"{time!r} has no time zone; use UTC")
    delta = time - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_micros(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)
