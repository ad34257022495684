"""The journal: what was done and seen, step by step, with the place that each step was taken to be at.

It is the truth of the spatial store. Places, edges, regions and macros are derived from it: `fold` from the recorded
places, `Atlas.rebuild` from the texts alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from hippo_agent.spatial.place import Coordinate

__all__ = ["Merge", "Step"]


@dataclass(slots=True, kw_only=True)
class Step:
    """One observation. ``place`` is the id at the time: read it through the aliases."""

    seq: int  # strictly increasing in a world
    episode: int
    action: str | None  # key; None at the start of an episode
    spoken: str = ""
    text: str = ""
    place: str
    origin: str | None = None  # where one was before
    moved: bool = False
    view: bool = False
    coordinate: Coordinate | None = None
    key: str | None = None
    ok: bool | None = None  # the caller's verdict on the action
    cost: float | None = None
    reward: float = 0.0
    at: float = 0.0
    decision: dict[str, Any] = field(default_factory=dict)  # kind, band, terms, runner-up
    verdict: bool | None = None  # the caller's verdict on the episode, at its last step

    def to_json(self) -> dict[str, Any]:
        row = {
            name: value for name, value in asdict(self).items() if value not in (None, "", {}, 0.0) or value is False
        }
        for name in ("moved", "view"):
            if not row[name]:
                del row[name]
        if self.coordinate is not None:
            row["coordinate"] = [self.coordinate.frame, list(self.coordinate.at)]
        for name in ("seq", "place", "episode"):
            row.pop(name, None)
        return row

    @classmethod
    def from_json(cls, seq: int, episode: int, place: str, row: dict[str, Any]) -> Step:
        row = dict(row)
        given = row.pop("coordinate", None)
        coordinate = None if given is None else Coordinate(frame=given[0], at=tuple(given[1]))
        row.setdefault("action", None)
        return cls(seq=seq, episode=episode, place=place, coordinate=coordinate, **row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Two places taken for one. Undone by taking the alias away and folding the journal again."""

    number: int
    old: str
    new: str
    seq: int  # the step at which it was decided
    reason: str
