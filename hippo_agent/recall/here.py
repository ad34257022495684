"""Where recall meets the map: episodes are marked with the place they happened at, and come back by place.

The agent's place is read from the record, so that a process that never touched the map pays one indexed look-up.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hippo_agent.episodic.vectors import BankVectors
from hippo_agent.errors import InvalidInput, ReadOnlyMemory, StorageError
from hippo_agent.recall.config import RecallConfig
from hippo_agent.recall.rendering import CLOSE, OPEN, line, quoted
from hippo_agent.recall.result import Recall
from hippo_agent.recall.sources import FirstPass, Proposal
from hippo_agent.storage.mirror import Mirror
from hippo_agent.storage.places import PlaceMark, place_of, seqs_of
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.transfer import OtherLines
from hippo_agent.types import Cue, Event, Hit, Namespace, Trace

if TYPE_CHECKING:
    from hippo_agent.relational.facts import Fact
    from hippo_agent.relational.reading import FactReader
    from hippo_agent.spatial.macros import MacroConfig
    from hippo_agent.spatial.places import Places
    from hippo_agent.spatial.recall import Failure, PlaceHit

__all__ = ["PlaceContext", "PlaceRecall"]

_RADIUS = 1  # steps around the agent's place that plain recall looks at
_MOST = 200  # traces that the place proposes to one recall
_SPARE = 4  # times k: looked at, because some may be filtered


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRecall(Recall):
    """What was remembered at and around a place; the hits' reasons are factors of their score."""

    place: str  # id
    label: str
    facts: tuple[Fact, ...] = ()  # that hold now and were said around there, nearest first
    failures: tuple[Failure, ...] = ()  # what did not work here, nearest first
    macros: tuple[str, ...] = ()  # ids of habits that begin here

    def render(self) -> str:
        """The traces as quoted data for a prompt, then what is known, what failed and which habits begin here."""
        block = [f"{line(number, hit.trace)} | {hit.because['near']}" for number, hit in enumerate(self.hits, 1)]
        lines = [OPEN, *block, CLOSE] if block else []
        lines += [f"known here: {quoted(fact.text)}" for fact in self.facts[:5]]
        lines += [
            f"failed here before: {quoted(failure.action)}" + (f" ({quoted(failure.reason)})" if failure.reason else "")
            for failure in self.failures[:5]
        ]
        if self.macros:
            lines.append(f"habits that begin here: {', '.join(self.macros[:5])}")
        return "\n".join(lines)


class PlaceContext:
    """The map of one namespace beside one record. `places` is opened on first use."""

    def __init__(
        self,
        record: SqliteRecord,
        mirror: Mirror,
        vectors: BankVectors,
        namespace: Namespace,
        *,
        facts: FactReader,
        config: RecallConfig,
        macros: MacroConfig | None = None,
        clock: Callable[[], float],
        redact: Callable[[str], str] = lambda text: text,
    ) -> None:
        self._record = record
        self._mirror = mirror
        self._vectors = vectors
        self._namespace = namespace
        self._facts = facts
        self._config = config
        self._macros = macros
        self._clock = clock
        self._redact = redact
        self._lock = threading.Lock()
        self._places: Places | None = None
        with record.database.read() as connection:  # a folder of an older format that is read only has none
            query = "SELECT 1 FROM sqlite_master WHERE name = 'place_world'"
            self._there = connection.execute(query).fetchone() is not None

    @property
    def places(self) -> Places:
        """The map. Raises ReadOnlyMemory where there is none and none can be made."""
        with self._lock:
            if self._places is None:
                from hippo_agent.spatial.places import Places
                from hippo_agent.spatial.store import SpatialStore

                store = SpatialStore(self._record.database)
                if self._record.read_only and not (self._there and self._namespace in store.worlds()):
                    raise ReadOnlyMemory(
                        f"there is no map of namespace {self._namespace!r} here, and none can be made: the folder is "
                        "open read-only; observe something first"
                    )
                self._places = Places(
                    store, world=self._namespace, macros=self._macros, clock=self._clock, redact=self._redact
                )
            return self._places

    @property
    def known(self) -> Places | None:
        """The map as it is now; None where nothing was observed yet."""
        if self._places is None:
            if not self._there:
                return None
            from hippo_agent.spatial.store import SpatialStore

            if self._namespace not in SpatialStore(self._record.database).worlds():
                return None
        self.places.refresh()
        return self.places if len(self.places.map) else None

    def resolve(self, place: str) -> str:
        """The id of a place given by id or by a name that only one place has. Raises InvalidInput."""
        if place in self.places.map:
            return self.places.map.find(place)
        named = self.places.named(place)
        exact = [found for found in named if place.casefold() in (found.label.casefold(), found.title.casefold())]
        found = exact or named
        if len(found) != 1:
            some = ", ".join(f"{other.label!r} ({other.id})" for other in found[:5])
            told = f"several places are called {place!r}: {some}; give an id" if found else f"no place {place!r}"
            raise InvalidInput(told if found else f"there is {told} in this map; observe it first")
        return found[0].id

    def placed(self, event: Event) -> Event:
        """The event with its place by id. Raises InvalidInput for a place that is unknown or not unique."""
        return event if event.place is None else replace(event, place=self.resolve(event.place))

    def mark(self, event: Event) -> PlaceMark | None:
        """Where an event is remembered: at the place that it names (an id), else where the agent is."""
        if not self._there or event.namespace[: len(self._namespace)] != self._namespace:
            return None
        with self._record.database.read() as connection:
            now = place_of(connection, self._namespace, time=self._clock())
        if event.place is None or (now is not None and now.place == event.place):
            return now
        if now is None:
            return PlaceMark(world=self.places.world_id, place=event.place, seq=0, time=self._clock())
        return replace(now, place=event.place, signal=0.0)

    def propose(self, first: FirstPass) -> Mapping[int, Proposal]:
        """Points for what was remembered where the agent is, and one step around; nothing without a place."""
        if not self._there or not self._config.place:
            return {}
        with self._record.database.read() as connection:
            now = place_of(connection, self._namespace)
        if now is None:
            return {}
        self.places.refresh()
        near = self.places.remembered(radius=_RADIUS, limit=_MOST)
        with self._record.database.read() as connection:
            seqs = seqs_of(connection, list(near))
        found = {}
        for item, seq in seqs.items():
            distance, label = near[item]
            where = f"it happened {'here' if not distance else 'near here'}, at {quoted(label)}"
            found[seq] = Proposal(points=self._config.place * math.exp(-distance), reason="place", because=where)
        return found

    def recall_here(
        self,
        query: str | None,
        *,
        place: str | None,
        radius: int,
        k: int,
        since: float | None,
        min_trust: float,
    ) -> PlaceRecall:
        """What was remembered at and around a place; see `Memory.recall_here`."""
        self.places.refresh()
        where = None if place is None else self.resolve(place)
        here = self.places.recall_here(
            where, radius=radius, query=query, since=since, k=k * _SPARE, texts=self._texts, match=self._match
        )
        traces = self._record.get([hit.item for hit in here.hits])
        hits = [
            Hit(trace=traces[hit.item], score=hit.score, reasons=hit.reasons, because={"near": self._told(hit)})
            for hit in here.hits
            if hit.item in traces and self._visible(traces[hit.item], min_trust)
        ]
        return PlaceRecall(
            cue=Cue(text=query or "", namespace=self._namespace, k=k, min_trust=min_trust),
            hits=tuple(hits[:k]),
            considered=len(here.hits),
            place=here.place,
            label=self.places.place(here.place).label,
            facts=tuple(
                self._facts.holding(self.facts_at(here.place, radius=radius, since=since, min_trust=min_trust))[:k]
            ),
            failures=here.failures,
            macros=here.macros,
        )

    def facts_at(
        self, place: str | None = None, *, radius: int = 1, since: float | None = None, min_trust: float = 0.0
    ) -> list[Fact]:
        """Facts, waiting and past ones included, that traces remembered around a place say, nearest first.

        As they were last read from the traces; of the 200 nearest and newest traces.
        """
        self.places.refresh()
        where = None if place is None else self.resolve(place)
        near = self.places.remembered(where, radius=radius, limit=_MOST, since=since)
        traces = [trace for trace in self._record.get(list(near)).values() if self._visible(trace, min_trust)]
        found = self._facts.said_in((trace.seq for trace in traces), min_trust=min_trust)
        here = {trace.id for trace in traces}
        return sorted(found, key=lambda fact: min(near[one][0] for one in fact.traces if one in here))

    def places_of(self, traces: Sequence[str]) -> list[str]:
        """Ids of the places where any of these traces is remembered."""
        if not self._there:
            return []
        self.places.refresh()
        return list(dict.fromkeys(place for trace in traces for place in self.places.places_of(trace)))

    def forget(self, traces: Sequence[Trace]) -> int:
        """Take traces out of every map that remembers them, and blank what shows them there; how many texts went."""
        if not self._there or self._record.read_only:
            return 0
        from hippo_agent.spatial.places import Places
        from hippo_agent.spatial.store import SpatialStore

        store = SpatialStore(self._record.database)
        texts = {trace.id: trace.text for trace in traces}
        gone = 0
        for namespace in store.worlds_of(list(texts)):
            mine = namespace == self._namespace
            places = self.places if mine else Places(store, world=namespace, clock=self._clock)
            gone += places.forget_items(texts, texts=texts)
        return gone

    def reopen(self) -> None:
        """Take the map as it lies on disk: a change was rolled back, or the world was deleted."""
        try:
            if self._places is not None:
                self._places.refresh()
        except StorageError:  # deleted; the next use makes a new one
            self._places = None

    def rederive(self) -> None:
        """Fold every map anew from its journal."""
        for places in self._all():
            places.rederive()

    def lines(self) -> Iterator[dict[str, Any]]:
        """All maps of the bank as lines of an export."""
        if not self._there:
            return iter(())
        from hippo_agent.spatial.store import SpatialStore
        from hippo_agent.spatial.transfer import world_lines

        return world_lines(SpatialStore(self._record.database))

    def importer(self) -> OtherLines:
        """Takes such lines in."""
        from hippo_agent.spatial.store import SpatialStore
        from hippo_agent.spatial.transfer import WorldImport

        return WorldImport(SpatialStore(self._record.database))

    def _all(self) -> Iterator[Places]:
        if not self._there:
            return
        from hippo_agent.spatial.places import Places
        from hippo_agent.spatial.store import SpatialStore

        store = SpatialStore(self._record.database)
        for namespace in store.worlds():
            mine = namespace == self._namespace
            yield self.places if mine else Places(store, world=namespace, clock=self._clock)

    def _told(self, hit: PlaceHit) -> str:
        return f"at {quoted(self.places.place(hit.place).label)}, {hit.distance:.0f} steps away"

    def _visible(self, trace: Trace, min_trust: float) -> bool:
        inside = trace.namespace[: len(self._namespace)] == self._namespace
        return inside and trace.status != "quarantined" and trace.provenance.trust >= min_trust

    def _texts(self, items: Sequence[str]) -> dict[str, str]:
        return {item: trace.text for item, trace in self._record.get(items).items()}

    def _match(self, query: str, texts: Mapping[str, str]) -> dict[str, float]:
        """Mean of shared words and cosine, where there are vectors."""
        from hippo_agent.spatial.recall import word_match

        words = word_match(query, texts)
        columns = self._mirror.refresh()
        vectors = self._vectors.embed([query]) if texts and columns.has_vector.any() else None
        if vectors is None:
            return words
        with self._record.database.read() as connection:
            seqs = seqs_of(connection, list(texts))
        at = columns.positions(np.fromiter(seqs.values(), dtype=np.int64, count=len(seqs)))
        cosines = dict(zip(seqs, (columns.vectors[at] @ vectors[0]).tolist(), strict=True))
        return {item: 0.5 * words[item] + 0.5 * max(0.0, cosines.get(item, 0.0)) for item in texts}
