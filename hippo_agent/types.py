"""Frozen values that all parts of hippo-agent share.

Times are timezone-aware datetimes in UTC. Namespaces are tuples of strings; ``()`` is the root. Higher scores win.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, get_args

__all__ = [
    "DEFAULT_TRUST",
    "EMPTY",
    "SLOT_NAMES",
    "SOURCE_KINDS",
    "TRUSTED",
    "Cue",
    "Decision",
    "Event",
    "Hit",
    "Namespace",
    "Provenance",
    "Receipt",
    "Signals",
    "Slots",
    "SourceKind",
    "Status",
    "Trace",
]

Namespace = tuple[str, ...]

SourceKind = Literal["system", "operator", "user", "tool", "model", "web", "import", "unknown"]
SOURCE_KINDS: tuple[SourceKind, ...] = get_args(SourceKind)

#: Trust in [0, 1] that a source kind starts with. Trust comes from provenance, never from the text.
DEFAULT_TRUST: Mapping[SourceKind, float] = MappingProxyType(
    {"system": 1.0, "operator": 1.0, "user": 0.8, "tool": 0.5, "model": 0.4, "import": 0.3, "web": 0.2, "unknown": 0.0}
)

#: From here on a source is trusted: its claims enter the graph alone, its rewards count, readers take its states.
TRUSTED = 0.3

Status = Literal["active", "deferred", "quarantined"]
Decision = Literal["write", "merge", "defer", "skip", "duplicate", "quarantine"]

EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a row comes from. A derived row's trust is the minimum of its parents' trust."""

    source: SourceKind = "unknown"
    principal: str | None = None  # who vouches for it: a user id, a tool name, a host
    session: str | None = None  # one conversation, document or run; neighbours in time share it
    parents: tuple[str, ...] = ()  # ids of the traces that this one was derived from
    trust: float = -1.0  # in [0, 1]; left out: what the source starts with

    def __post_init__(self) -> None:
        if self.trust == -1.0:
            object.__setattr__(self, "trust", DEFAULT_TRUST.get(self.source, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Who, what, where and when of an episode, as short strings; empty when not known.

    ``when`` holds ISO 8601 dates at the precision that was said: "2023", "2023-05", "2023-05-07", the week "2023-W18",
    or an interval "2023-06/2023-08" with both ends included.
    """

    who: tuple[str, ...] = ()
    what: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    when: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.who or self.what or self.where or self.when)


SLOT_NAMES: tuple[str, ...] = ("who", "what", "where", "when")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that just happened: a candidate for writing."""

    text: str
    namespace: Namespace = ()
    provenance: Provenance = Provenance()
    speaker: str | None = None  # who said it; recall uses it for "who"
    event_time: datetime | None = None  # when it happened; None: now
    kind: str = "episode"  # "episode", "document", "tool", ...: a label for filters, no behaviour hangs on it
    key: str | None = None  # idempotency key of the caller, unique in a namespace
    pin: bool = False  # always written, never evicted
    reward: float = 0.0  # in [-1, 1], only from a trusted call
    place: str | None = None  # where it happened: a place of the map, by id or name; None: where the agent is, if known
    slots: Slots | None = None  # given slots win over extracted ones
    meta: Mapping[str, Any] = field(default_factory=lambda: EMPTY)  # JSON values


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One stored unit of memory, verbatim."""

    id: str
    seq: int  # position in the record; strictly increasing in write order
    text: str
    namespace: Namespace
    provenance: Provenance
    speaker: str | None
    event_time: datetime
    write_time: datetime
    kind: str
    key: str | None
    pinned: bool
    reward: float
    slots: Slots
    salience: float  # in [0, 1], the gate's score at write time
    strength: float  # >= 1, grows on useful recall
    repeats: int  # how often the same event was observed again and merged into this trace
    status: Status
    meta: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A partial query. Any slot may be missing; filters hold before anything is cut."""

    text: str = ""
    slots: Slots = Slots()
    namespace: Namespace = ()
    exact_namespace: bool = False  # only the namespace itself, not what lies below it
    k: int = 8
    budget_tokens: int | None = None
    since: datetime | None = None  # filters on event time, inclusive
    until: datetime | None = None  # exclusive
    sources: tuple[SourceKind, ...] = ()  # empty: all
    kinds: tuple[str, ...] = ()  # empty: all
    session: str | None = None
    min_trust: float = 0.0
    asked_at: datetime | None = None  # "yesterday" in the cue is resolved against it; None: not resolved


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One recalled trace with its fused score and the share of each reason in it."""

    trace: Trace
    score: float
    reasons: Mapping[str, float]  # reason name -> points it added to the score, largest first
    because: Mapping[str, str] = field(default_factory=lambda: EMPTY)  # reason name -> more about it, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What the write gate saw; each in [0, 1] but ``reward`` in [-1, 1] and ``information`` in nats."""

    surprise: float = 0.0
    novelty: float = 1.0
    place: float = 0.0  # how new or unexpected it was to be where it happened
    reward: float = 0.0
    pinned: bool = False
    information: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a write did. ``id`` is the trace that now holds the event; None only when it was skipped."""

    id: str | None
    decision: Decision
    salience: float
    reasons: tuple[str, ...]
