"""The map of one world in memory: places, directed edges labelled with actions, and the indexes to find them.

Truth for planning and recognition; itself derived from the journal (see `journal`). Nothing here guesses: what is a
place and what leads where is told to it. Merged places live on as aliases, so that old ids stay valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from hippo_agent.spatial import actions
from hippo_agent.spatial.index import PlaceIndex
from hippo_agent.spatial.place import MAX_DIGESTS, MAX_SENTENCES, MAX_TEXT, Coordinate, Edge, Place
from hippo_agent.spatial.sighting import Sighting, normalise

__all__ = ["MAX_EXITS", "PlaceMap", "Watcher"]

MAX_EXITS = 256  # offered exits that are kept for a place

Watcher = Callable[[str, str | None], None]  # (place id, action of the changed edge or None for the place itself)


class PlaceMap(PlaceIndex):
    """Places and edges of one world. Ids given in may be aliases; ids given out never are."""

    def __init__(self) -> None:
        super().__init__()
        self.out: dict[str, dict[str, Edge]] = {}
        self.into: dict[str, dict[tuple[str, str], None]] = {}
        self.version = 0  # grows with every change
        self._watchers: list[Watcher] = []

    # Reading

    def edge(self, place: str, action: str) -> Edge | None:
        """What is known of an action (key) at a place."""
        return self.out.get(self.find(place), {}).get(action)

    def edges(self, place: str) -> Iterable[Edge]:
        """All actions tried at a place, in order of the first try."""
        return self.out.get(self.find(place), {}).values()

    def all_edges(self) -> Iterator[Edge]:
        for edges in self.out.values():
            yield from edges.values()

    def last(self, place: str, action: str) -> str | None:
        """Where the action led last; None when it was never seen to lead anywhere."""
        edge = self.edge(place, action)
        return None if edge is None else edge.last

    def sources(self, place: str) -> Iterable[tuple[str, str]]:
        """(place, action) of the edges that led here."""
        return self.into.get(self.find(place), {})

    # Changing

    def watch(self, watcher: Watcher) -> None:
        """Call this on every change from now on."""
        self._watchers.append(watcher)

    def add(self, place: Place) -> Place:
        """A new place."""
        self.places[place.id] = place
        self.out.setdefault(place.id, {})
        self.into.setdefault(place.id, {})
        self._index(place)
        self.touch(place.id)
        return place

    def rename(self, place: str, name: str, title: str) -> None:
        """Give a place another name."""
        found = self.place(place)
        self._by_name.get(found.name, {}).pop(found.id, None)
        found.name, found.title = name, title
        self._by_name.setdefault(name, {})[found.id] = None
        self.touch(found.id)

    def call(self, place: str, name: str) -> None:
        """Give a place a name of the caller's; what is printed there stays what it is recognised by."""
        found = self.place(place)
        self._by_call.get(normalise(found.called), {}).pop(found.id, None)
        found.called = name
        self._by_call.setdefault(normalise(name), {})[found.id] = None
        self.touch(found.id)

    def note(self, place: str, sighting: Sighting, *, at: float) -> None:
        """Keep what this sighting shows of a place."""
        found = self.place(place)
        found.last_seen = max(found.last_seen, at)
        if sighting.digest and sighting.digest not in found.digests:
            found.digests.append(sighting.digest)
            self._by_digest.setdefault(sighting.digest, {})[found.id] = None
            if len(found.digests) > MAX_DIGESTS:
                self._by_digest[found.digests.pop(0)].pop(found.id, None)
        if sighting.name is not None and not sighting.dark:
            if found.dark and sighting.name == found.name:
                found.dark = False
            if sighting.outside:
                found.outside = sighting.outside
                found.thing = found.thing or sighting.thing
            if sighting.sentences:
                if not found.first:
                    found.first = sighting.first
                    self._by_first.setdefault(found.first, {})[found.id] = None
                room = MAX_SENTENCES - len(found.sentences)
                found.sentences.update(sighting.sentences[: max(0, room)])
                if len(sighting.body) > len(found.text):
                    found.text = sighting.body[:MAX_TEXT].lower()
        self.touch(found.id)

    def forget_looks(self, place: str) -> None:
        """Drop what a place looks like; its name, key and passages stay."""
        found = self.place(place)
        self._forget_indexes(found)
        found.first, found.text, found.vector = "", "", None
        found.sentences, found.digests = set(), []
        self._index(found)
        self.touch(found.id)

    def locate(self, place: str, coordinate: Coordinate | None) -> None:
        """Where a place lies; kept only when nothing was known in that frame."""
        found = self.place(place)
        if coordinate is not None and (
            found.coordinate is None or found.coordinate.frame == "steps" != coordinate.frame
        ):
            found.coordinate = coordinate
            self.touch(found.id)

    def offer(self, place: str, exits: Iterable[str]) -> None:
        """Actions (keys) that are said to be possible at a place."""
        found = self.place(place)
        found.exits = list(dict.fromkeys([*found.exits, *exits]))[:MAX_EXITS]
        self.touch(found.id)

    def untried(self, place: str) -> list[str]:
        """Actions that should be possible at a place, by its exits and its description, and were never tried."""
        found = self.place(place)
        tried = {edge.action for edge in self.edges(found.id) if edge.tries or edge.blocked_until is not None}
        told = [word for word in re.findall(r"[a-z]+", found.text) if actions.shift(word) is not None]
        return [action for action in dict.fromkeys([*found.exits, *told]) if action not in tried]

    def set_key(self, place: str, key: str) -> None:
        """Bind a trusted key to a place."""
        found = self.place(place)
        found.key = key
        self._by_key[key] = found.id
        self.touch(found.id)

    def record(
        self,
        source: str,
        action: str,
        destination: str | None,
        *,
        at: float,
        spoken: str = "",
        cost: float | None = None,
        failure: str = "",
    ) -> Edge:
        """One try of an action; destination None when it led nowhere."""
        edge = self._edge(source, action)
        target = None if destination is None else self.find(destination)
        edge.record(target, at=at, cost=cost, failure=failure)
        edge.spoken = spoken or edge.spoken
        if target is not None:
            self.into.setdefault(target, {})[edge.source, action] = None
        self.touch(edge.source, action)
        return edge

    def forget_try(self, source: str, action: str, destination: str) -> None:
        """Take one try back: it turned out to have led elsewhere."""
        edge = self.edge(source, action)
        target = self.find(destination)
        if edge is None or target not in edge.outcomes:
            return
        edge.tries -= 1
        edge.outcomes[target] -= 1
        if edge.outcomes[target] == 0:
            del edge.outcomes[target]
            self.into.get(target, {}).pop((edge.source, action), None)
        edge.settle()
        if edge.last not in edge.outcomes:
            edge.last = edge.target
        if edge.tries <= 0:
            del self.out[edge.source][action]
        self.touch(edge.source, action)

    def put_edge(self, edge: Edge) -> None:
        """An edge as it was stored or imported."""
        self.out.setdefault(edge.source, {})[edge.action] = edge
        for destination in edge.outcomes:
            self.into.setdefault(destination, {})[edge.source, edge.action] = None
        self.touch(edge.source, edge.action)

    def block(self, source: str, action: str, *, until: float, reason: str) -> Edge:
        """The action is not to be used before a time."""
        edge = self._edge(source, action)
        edge.blocked_until, edge.block = until, reason
        self.touch(edge.source, action)
        return edge

    def unblock(self, source: str, action: str) -> Edge:
        edge = self._edge(source, action)
        edge.blocked_until, edge.block = None, ""
        self.touch(edge.source, action)
        return edge

    def require(self, source: str, action: str, needs: dict[str, str]) -> Edge:
        """Set the preconditions of an action; an empty dict takes them away."""
        edge = self._edge(source, action)
        edge.needs = dict(needs)
        self.touch(edge.source, action)
        return edge

    def merge(self, old: str, new: str) -> None:
        """One place from now on: ``old`` becomes an alias of ``new``, and its edges move over."""
        old, new = self.find(old), self.find(new)
        if old == new:
            return
        gone, kept = self.places[old], self.places[new]
        self._forget_indexes(gone)
        self.aliases[old] = new
        for edge in list(self.out.pop(old, {}).values()):
            for destination in edge.outcomes:
                self.into.get(destination, {}).pop((old, edge.action), None)
            moved = self._moved(edge, old, new)
            there = self.out[new].get(edge.action)
            if there is None:
                self.out[new][edge.action] = moved
            else:
                there.absorb(moved)
            for destination in moved.outcomes:
                self.into.setdefault(destination, {})[new, edge.action] = None
            self.touch(new, edge.action)
        for source, action in list(self.into.pop(old, {})):
            leading = self.edge(source, action)
            if leading is not None and old in leading.outcomes:
                leading.outcomes[new] = leading.outcomes.get(new, 0) + leading.outcomes.pop(old)
                leading.last = new if leading.last == old else leading.last
                leading.settle()
                self.into.setdefault(new, {})[leading.source, action] = None
                self.touch(leading.source, action)
        self._unite(gone, kept)
        del self.places[old]
        self.touch(old)
        self.touch(new)

    def remove(self, place: str) -> None:
        """Forget a place, the edges at it and all that lead to it."""
        gone = self.place(place)
        for edge in list(self.edges(gone.id)):
            for destination in edge.outcomes:
                self.into.get(destination, {}).pop((gone.id, edge.action), None)
            self.touch(gone.id, edge.action)
        for source, action in list(self.sources(gone.id)):
            leading = self.edge(source, action)
            if leading is not None and gone.id in leading.outcomes:
                leading.tries -= leading.outcomes.pop(gone.id)
                leading.settle()
                if leading.last == gone.id:
                    leading.last = leading.target
                if not leading.outcomes:
                    del self.out[source][action]
                self.touch(source, action)
        self._forget_indexes(gone)
        for table in (self.out, self.into, self.places):
            table.pop(gone.id, None)
        for alias in [alias for alias in self.aliases if self.find(alias) == gone.id]:
            del self.aliases[alias]
        self.touch(gone.id)

    def touch(self, place: str, action: str | None = None) -> None:
        """Tell the watchers that a place, or an edge at it, has changed."""
        self.version += 1
        for watcher in self._watchers:
            watcher(place, action)

    # Inside

    def _edge(self, source: str, action: str) -> Edge:
        place = self.place(source).id
        edges = self.out[place]
        if action not in edges:
            edges[action] = Edge(source=place, action=action, spoken=action)
        return edges[action]

    def _moved(self, edge: Edge, old: str, new: str) -> Edge:
        edge.source = new
        edge.last = new if edge.last == old else edge.last
        if old in edge.outcomes:
            edge.outcomes[new] = edge.outcomes.get(new, 0) + edge.outcomes.pop(old)
        edge.settle()
        return edge

    def _unite(self, gone: Place, kept: Place) -> None:
        kept.visits += gone.visits
        kept.first_seen = min(kept.first_seen, gone.first_seen)
        kept.last_seen = max(kept.last_seen, gone.last_seen)
        kept.last_step = max(kept.last_step, gone.last_step)
        kept.sentences |= set(sorted(gone.sentences)[: max(0, MAX_SENTENCES - len(kept.sentences))])
        kept.text = max(kept.text, gone.text, key=len)
        kept.dark = kept.dark and gone.dark
        kept.outside = kept.outside or gone.outside
        kept.thing = kept.thing or gone.thing
        kept.coordinate = kept.coordinate or gone.coordinate
        kept.key = kept.key or gone.key
        kept.region = kept.region or gone.region
        kept.called = kept.called or gone.called
        kept.vector = gone.vector if kept.vector is None else kept.vector
        if not kept.first:
            kept.first = gone.first
        for digest in gone.digests:
            if digest not in kept.digests and len(kept.digests) < MAX_DIGESTS:
                kept.digests.append(digest)
        if not kept.name:
            self._by_name.get(kept.name, {}).pop(kept.id, None)
            kept.name, kept.title = gone.name, gone.title
        self._index(kept)
