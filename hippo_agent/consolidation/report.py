"""What a night did, for people and for machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hippo_agent.consolidation.gate import Verdict
from hippo_agent.consolidation.trainer import Trained

__all__ = ["ConsolidationReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolidationReport:
    """One night. ``version`` is None when nothing was trained; ``reason`` says why, or what the gate said.

    new, again, warm: items taught for the first time, due again, and kept warm; ``refused`` counts by reason.
    """

    version: int | None
    promoted: bool
    reason: str
    new: int = 0
    again: int = 0
    warm: int = 0
    postponed: int = 0
    unreadable: int = 0  # items that the base could not answer with their trace before its eyes
    refused: Mapping[str, int] = field(default_factory=dict)
    maintenance: Mapping[str, int] = field(default_factory=dict)
    verdict: Verdict | None = None
    trained: Trained | None = None
    rank: int | None = None
    dry_run: bool = False

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        found = asdict(self)
        found["verdict"] = None if self.verdict is None else self.verdict.as_dict()
        found["refused"], found["maintenance"] = dict(self.refused), dict(self.maintenance)
        return found

    def marks(self) -> list[tuple[str, float | None, float | None]]:
        """(what, before, after) of the examination, for a table."""
        if self.verdict is None:
            return []
        before, after = self.verdict.before.as_dict(), self.verdict.after.as_dict()
        return [(name.replace("_", " "), before[name], after[name]) for name in before]
