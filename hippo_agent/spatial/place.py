"""Places and the passages between them: plain values with their JSON forms."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["GLOBE", "MAX_DIGESTS", "MAX_SENTENCES", "MAX_TEXT", "Coordinate", "Edge", "Place", "Provenance"]

MAX_SENTENCES = 64  # of a place that are kept to know it again
MAX_DIGESTS = 8
MAX_TEXT = 2_000  # characters of the description that are kept
GLOBE = "wgs84"  # frame of latitude and longitude in degrees
_NEAR = 25.0  # metres within which two positions on the globe are one, about what a phone's receiver is off
_EARTH = 6_371_000.0  # metres, mean radius
_RATE = 0.3  # weight of the newest cost in the running mean

Provenance = Literal["observed", "told", "imported"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinate:
    """Where a place lies, in a named frame; coordinates of different frames are never compared."""

    frame: str = "steps"  # "steps": unit steps counted by ourselves, unreliable; else the caller's own
    at: tuple[float, ...] = ()

    def distance(self, other: Coordinate | None) -> float | None:
        """City-block distance in the frame's own unit, whole units of 25 m on the globe; None across frames."""
        if other is None or other.frame != self.frame or len(other.at) != len(self.at):
            return None
        if self.frame == GLOBE:
            return _metres(self.at, other.at) // _NEAR
        return math.fsum(abs(a - b) for a, b in zip(self.at, other.at, strict=True))


@dataclass(slots=True, kw_only=True)
class Place:
    """One place and what it is known by."""

    id: str
    name: str  # normalised; "" while no title was seen
    title: str = ""  # as printed
    called: str = ""  # the name that the caller gave it
    first: str = ""  # first sentence of its description
    sentences: set[str] = field(default_factory=set)
    text: str = ""  # the longest body seen, lower case
    digests: list[str] = field(default_factory=list)  # of whole observations, newest last
    coordinate: Coordinate | None = None
    key: str | None = None  # trusted identity given by the caller
    outside: str | None = None  # of furniture and vehicles: the id or the name of what it stands in
    thing: frozenset[str] = frozenset()
    dark: bool = False  # entered in the dark, not yet seen
    settled: bool = False  # unnamed, but the text described being there
    tentative: str | None = None  # id of the place that this one may turn out to be
    region: str | None = None  # the caller's hint
    exits: list[str] = field(default_factory=list)  # action keys the caller said are possible here
    vector: NDArray[np.float32] | None = None  # [d] of the first observation that came with one, unit norm
    first_seen: float = 0.0
    last_seen: float = 0.0
    visits: int = 0
    last_step: int = -1  # seq of the journal's last step here

    @property
    def label(self) -> str:
        """For people: the name given, or the title, or the id of a place without either."""
        return self.called or self.title or self.id

    def to_json(self) -> dict[str, Any]:
        """Only what differs from a new place."""
        row: dict[str, Any] = {"id": self.id, "name": self.name}
        for name in ("title", "called", "first", "text", "key", "outside", "tentative", "region", "exits"):
            if getattr(self, name):
                row[name] = getattr(self, name)
        for name in ("dark", "settled"):
            if getattr(self, name):
                row[name] = True
        if self.sentences:
            row["sentences"] = sorted(self.sentences)
        if self.digests:
            row["digests"] = self.digests
        if self.thing:
            row["thing"] = sorted(self.thing)
        if self.coordinate is not None:
            row["frame"], row["at"] = self.coordinate.frame, list(self.coordinate.at)
        if self.vector is not None:
            row["vector"] = base64.b64encode(self.vector.astype("<f4").tobytes()).decode("ascii")
        row["seen"] = [self.first_seen, self.last_seen, self.visits, self.last_step]
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Place:
        first, last, visits, last_step = row["seen"]
        at = row.get("at")
        return cls(
            id=row["id"],
            name=row["name"],
            title=row.get("title", ""),
            called=row.get("called", ""),
            first=row.get("first", ""),
            sentences=set(row.get("sentences", ())),
            text=row.get("text", ""),
            digests=list(row.get("digests", ())),
            coordinate=None if at is None else Coordinate(frame=row["frame"], at=tuple(at)),
            key=row.get("key"),
            outside=row.get("outside"),
            thing=frozenset(row.get("thing", ())),
            dark=row.get("dark", False),
            settled=row.get("settled", False),
            tentative=row.get("tentative"),
            region=row.get("region"),
            exits=list(row.get("exits", ())),
            vector=np.frombuffer(base64.b64decode(row["vector"]), dtype="<f4") if "vector" in row else None,
            first_seen=first,
            last_seen=last,
            visits=visits,
            last_step=last_step,
        )


@dataclass(slots=True, kw_only=True)
class Edge:
    """What is known of one action at one place. Directed: the way back is an edge of its own."""

    source: str
    action: str  # key
    spoken: str = ""  # as the caller last said it
    outcomes: dict[str, int] = field(default_factory=dict)  # place id -> how often it led there
    last: str | None = None  # where it led last
    tries: int = 0
    cost: float = 1.0  # running mean
    least: float = 1.0  # smallest cost seen
    last_ok: float | None = None
    last_fail: float | None = None
    failure: str = ""  # why it failed last
    blocked_until: float | None = None  # a time; infinity for ever
    block: str = ""  # why it is blocked
    needs: dict[str, str] = field(default_factory=dict)  # preconditions, e.g. {"has": "brass key"}
    provenance: Provenance = "observed"

    target: str | None = None  # where it mostly leads elsewhere; see `settle`
    hits: int = 0  # how often it led there

    def __post_init__(self) -> None:
        self.settle()

    def settle(self) -> None:
        """Set `target` and `hits` after a change: the commonest outcome but the place itself; the last decides ties."""
        self.target, self.hits = None, 0
        for place, times in self.outcomes.items():
            if place != self.source and (times > self.hits or (times == self.hits and place == self.last)):
                self.target, self.hits = place, times

    @property
    def reliability(self) -> float:
        """Probability that it leads to `target`: (hits + 1) / (tries + 2), Laplace's rule."""
        return (self.hits + 1) / (self.tries + 2)

    def record(self, destination: str | None, *, at: float, cost: float | None = None, failure: str = "") -> None:
        """One more try. ``destination`` None: it led nowhere."""
        self.tries += 1
        if destination is not None:
            self.outcomes[destination] = self.outcomes.get(destination, 0) + 1
            self.last = destination
            self.settle()
        if destination is None or destination == self.source:
            self.last_fail, self.failure = at, failure or self.failure
            return
        self.last_ok = at
        if cost is not None:
            fresh = self.hits <= 1
            self.cost = cost if fresh else self.cost + _RATE * (cost - self.cost)
            self.least = cost if fresh else min(self.least, cost)

    def blocked(self, now: float) -> bool:
        return self.blocked_until is not None and now < self.blocked_until

    def absorb(self, other: Edge) -> None:
        """Add what another edge of the same action has seen."""
        total = self.hits + other.hits
        if total:
            self.cost = (self.cost * self.hits + other.cost * other.hits) / total
        self.least = min(self.least, other.least)
        for place, times in other.outcomes.items():
            self.outcomes[place] = self.outcomes.get(place, 0) + times
        self.tries += other.tries
        if (other.last_ok or 0.0) >= (self.last_ok or 0.0):
            self.last = other.last or self.last
            self.spoken = other.spoken or self.spoken
        self.last_ok = _later(self.last_ok, other.last_ok)
        if (other.last_fail or 0.0) > (self.last_fail or 0.0):
            self.failure = other.failure
        self.last_fail = _later(self.last_fail, other.last_fail)
        if (other.blocked_until or 0.0) > (self.blocked_until or 0.0):
            self.blocked_until, self.block = other.blocked_until, other.block
        self.needs = other.needs | self.needs
        self.settle()

    def to_json(self) -> dict[str, Any]:
        row: dict[str, Any] = {"outcomes": self.outcomes, "tries": self.tries, "cost": [self.cost, self.least]}
        for name in ("spoken", "last", "last_ok", "last_fail", "failure", "block", "needs"):
            if getattr(self, name):
                row[name] = getattr(self, name)
        if self.blocked_until is not None:
            row["blocked_until"] = "never" if math.isinf(self.blocked_until) else self.blocked_until
        if self.provenance != "observed":
            row["provenance"] = self.provenance
        return row

    @classmethod
    def from_json(cls, source: str, action: str, row: Mapping[str, Any]) -> Edge:
        until = row.get("blocked_until")
        return cls(
            source=source,
            action=action,
            spoken=row.get("spoken", ""),
            outcomes=dict(row["outcomes"]),
            last=row.get("last"),
            tries=row["tries"],
            cost=row["cost"][0],
            least=row["cost"][1],
            last_ok=row.get("last_ok"),
            last_fail=row.get("last_fail"),
            failure=row.get("failure", ""),
            blocked_until=math.inf if until == "never" else until,
            block=row.get("block", ""),
            needs=dict(row.get("needs", {})),
            provenance=row.get("provenance", "observed"),
        )


def _metres(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Great-circle distance by the haversine formula; heights are not looked at."""
    north, south, turn = math.radians(a[0]), math.radians(b[0]), math.radians(a[1] - b[1])
    half = math.sin((north - south) / 2) ** 2 + math.cos(north) * math.cos(south) * math.sin(turn / 2) ** 2
    return 2 * _EARTH * math.asin(math.sqrt(min(1.0, half)))


def _later(a: float | None, b: float | None) -> float | None:
    if a is None or b is None:
        return a if b is None else b
    return max(a, b)
