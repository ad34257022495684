"""What one observation came to: the place, how sure that is, and how new or unexpected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hippo_agent.spatial.recognition import Band

__all__ = ["Arrival"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What one observation came to."""

    place: str
    label: str
    moved: bool
    new: bool  # the place was never seen before
    band: Band
    lead: float  # log odds over the next best reading; infinity when there was none
    expected: str | None  # where the action led last time
    surprise: float  # in [0, 1]: how sure the map was of another place
    novelty: float  # in [0, 1]: 1 for a new place, falls with visits
    step: int  # seq in the journal
    terms: Mapping[str, float] = field(default_factory=dict)

    @property
    def signal(self) -> float:
        """In [0, 1]: how new or unexpected it was to be there, for the write gate."""
        return max(self.surprise, self.novelty if self.new else 0.0)
