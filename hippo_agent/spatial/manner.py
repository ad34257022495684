"""How a world speaks: whether it repeats descriptions on later visits, and how it writes its titles.

Both decide what a sighting is worth. Where descriptions are printed only once, a full description is evidence of a new
place and a bare title evidence of an old one; where they are always printed it is the other way round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hippo_agent.spatial import actions
from hippo_agent.spatial.map import PlaceMap
from hippo_agent.spatial.sighting import Sighting, Style, style_of

__all__ = ["Manner", "survey"]

_TELLING = 40  # characters from which on a sentence identifies a description
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

    def learn(
        self,
        sighting: Sighting,
        *,
        action: str | None,
        firsts: Iterable[str],
        known: frozenset[str],
        again: bool = True,
    ) -> None:
        """Count one arrival by a direction.

        ``firsts``: first sentences of the descriptions seen under this title; ``known``: all sentences seen under it.
        ``again``: whether it may be a later visit; a first one tells only how titles are written.
        """
        if sighting.title is None or action is None or actions.direction(action) is None:
            return
        self.styles[style_of(sighting.title)] += 1
        if not again:
            return
        if not sighting.sentences:
            self.brief += 1
        elif sighting.first in firsts:
            self.full += 1
        elif known and (sighting.first in known or len(sighting.first) < 60):
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


def survey(steps: Iterable[tuple[Sighting, str | None]]) -> Manner:
    """The manner of a whole journal of (sighting, action), in one pass and without a map."""
    manner = Manner()
    firsts: dict[str, set[str]] = {}
    known: dict[str, set[str]] = {}
    for sighting, action in steps:
        if sighting.name is None:
            continue
        seen = known.setdefault(sighting.name, set())
        manner.learn(sighting, action=action, firsts=firsts.get(sighting.name, ()), known=frozenset(seen))
        if sighting.first not in seen and len(sighting.first) > _TELLING:
            firsts.setdefault(sighting.name, set()).add(sighting.first)
        seen.update(sighting.sentences)
    return manner
