"""How a world speaks: whether it repeats descriptions on later visits, and how it writes its titles.

Both decide what a sighting is worth. Where descriptions are printed only once, a full description is evidence of a new
place and a bare title evidence of an old one; where they are always printed it is the other way round.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hippo_agent.spatial import actions
from hippo_agent.spatial.map import PlaceMap
from hippo_agent.spatial.place import Place
from hippo_agent.spatial.sighting import Sighting, Style, style_of

__all__ = ["Manner"]

_SHORT = 60  # characters below which a sentence is rather about things than about the place
_RARE = 0.1  # share of titles below which a way of writing them is not this world's


@dataclass(slots=True)
class Manner:
    """Counts from what was seen so far."""

    brief: float = 0.0  # arrivals at a known title without its description
    full: float = 0.0  # ... with the description again
    styles: Counter[Style] = field(default_factory=Counter)

    @property
    def verbosity(self) -> float:
        """Estimated probability that a later visit shows the description again."""
        return (self.full + 0.5) / (self.brief + self.full + 2.0)

    def learn(self, sighting: Sighting, *, action: str | None, place: Place | None) -> None:
        """Count one arrival by a direction; ``place``: the known place that it certainly was, None for any other."""
        if sighting.title is None or action is None or actions.direction(action) is None:
            return
        self.styles[style_of(sighting.title)] += 1
        if place is None:
            return
        if not sighting.sentences:
            self.brief += 1
        elif sighting.first == place.first:
            self.full += 1
        elif sighting.first in place.sentences or len(sighting.first) < _SHORT:
            self.brief += 0.5

    def plain(self, sighting: Sighting, *, action: str | None, places: PlaceMap) -> Sighting:
        """The sighting without a title that is not written like this world's titles."""
        if sighting.title is None or action is None or sighting.name is None:
            return sighting
        if actions.direction(action) is not None or any(True for _ in places.named(sighting.name)):
            return sighting
        style = style_of(sighting.title)
        total = sum(count for kind, count in self.styles.items() if kind != "any")
        odd = style != "any" and self.styles[style] < _RARE * total
        speech = sighting.title.split(" ", 1)[0] in ("You", "I", "It", "There")
        shown = actions.looks(action) == "read" and sighting.length < 100
        return sighting.untitled() if odd or speech or shown else sighting

    def to_json(self) -> dict[str, Any]:
        return {"brief": self.brief, "full": self.full, "styles": dict(self.styles)}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Manner:
        return cls(brief=row["brief"], full=row["full"], styles=Counter(row["styles"]))
