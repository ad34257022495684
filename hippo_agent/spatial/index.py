"""Places by id, by what they are called and by what they look like. Merged places are found under their old ids too."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from hippo_agent.errors import InvalidInput
from hippo_agent.spatial.place import Place
from hippo_agent.spatial.sighting import normalise

__all__ = ["PlaceIndex"]

_Index = dict[str, dict[str, None]]  # value -> place ids, in order of arrival


class PlaceIndex:
    """The places of one world. Ids given in may be aliases; ids given out never are."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self.aliases: dict[str, str] = {}
        self._by_name: _Index = {}
        self._by_first: _Index = {}
        self._by_digest: _Index = {}
        self._by_call: _Index = {}
        self._by_key: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.places)

    def __contains__(self, place: object) -> bool:
        return isinstance(place, str) and self.find(place) in self.places

    def find(self, place: str) -> str:
        """The id under which a place lives now."""
        while place in self.aliases:
            place = self.aliases[place]
        return place

    def place(self, place: str) -> Place:
        """The place. Raises InvalidInput for an unknown id."""
        found = self.places.get(self.find(place))
        if found is None:
            raise InvalidInput(f"there is no place {place!r} in this world; ask where_am_i() or places_named(...)")
        return found

    def named(self, name: str) -> Iterable[str]:
        """Places with this normalised name, oldest first."""
        return self._by_name.get(name, ())

    def newest_named(self, name: str, count: int) -> list[str]:
        """The newest places with this normalised name, oldest first; costs ``count``, not how many there are."""
        return list(islice(reversed(self._by_name.get(name, {})), count))[::-1]

    def of_name(self, name: str) -> list[Place]:
        """Places that the caller gave this name, then those that show it."""
        wanted = normalise(name)
        found = dict.fromkeys([*self.called(wanted), *self.named(wanted)]) if wanted else ()
        return [self.place(place) for place in found]

    def search(self, name: str, *, limit: int = 20) -> list[Place]:
        """Places of a name; when there is none, those whose name contains it."""
        exact, wanted = self.of_name(name), normalise(name)
        if exact or not wanted:
            return exact
        near = (place for place in self.places.values() if wanted in normalise(f"{place.called} {place.name}"))
        return list(islice(near, limit))

    def called(self, name: str) -> Iterable[str]:
        """Places that the caller gave this name (normalised)."""
        return self._by_call.get(name, ())

    def starting(self, first: str) -> Iterable[str]:
        """Places whose description starts with this sentence."""
        return self._by_first.get(first, ()) if first else ()

    def seen_as(self, digest: str) -> Iterable[str]:
        """Places that once looked exactly like this."""
        return self._by_digest.get(digest, ())

    def keyed(self, key: str) -> str | None:
        """The place with this trusted key."""
        return self._by_key.get(key)

    def _index(self, place: Place) -> None:
        self._by_name.setdefault(place.name, {})[place.id] = None
        if place.called:
            self._by_call.setdefault(normalise(place.called), {})[place.id] = None
        if place.first:
            self._by_first.setdefault(place.first, {})[place.id] = None
        for digest in place.digests:
            self._by_digest.setdefault(digest, {})[place.id] = None
        if place.key is not None:
            self._by_key[place.key] = place.id

    def _forget_indexes(self, place: Place) -> None:
        for index, value in ((self._by_name, place.name), (self._by_first, place.first)):
            index.get(value, {}).pop(place.id, None)
        self._by_call.get(normalise(place.called), {}).pop(place.id, None)
        for digest in place.digests:
            self._by_digest.get(digest, {}).pop(place.id, None)
        if place.key is not None and self._by_key.get(place.key) == place.id:
            del self._by_key[place.key]
