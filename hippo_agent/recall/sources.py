"""Where other stores join recall: a source looks at the first pass and proposes traces, with points and a reason.

    class Bells:
        def propose(self, first: FirstPass) -> Mapping[int, Proposal]:
            return {seq: Proposal(points=0.4, reason="bells", because="rang at noon") for seq in ...}

    Recaller(record, mirror, index, vectors, sources=(Bells(),))

Points are on the scale of the fused score (full coverage of the words is 1). A proposal for a trace that the cue's
filters hide is dropped, a new one becomes a candidate like any other, and the points stand in `Hit.reasons` by name.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hippo_agent.errors import InvalidInput
from hippo_agent.storage.base import Mask, Seqs, Vector
from hippo_agent.storage.columns import Columns
from hippo_agent.types import Cue

__all__ = ["CandidateSource", "FirstPass", "Proposal", "Proposals", "propose"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPass:
    """What recall found without the sources."""

    cue: Cue
    question: bool  # the cue was read as a question, not as a fragment
    text: str  # what the vector is of: the cue, in a question without the names of speakers
    vector: Vector | None  # [d]; None when the bank or the cue has none
    points: Mapping[int, float]  # fused score of each candidate, by seq
    columns: Columns  # all traces
    visible: Mask  # [n] the rows of the columns that pass the cue's filters

    def allowed(self, seqs: Sequence[int] | Seqs) -> Mask:
        """[m] whether each seq passes the cue's filters; unknown ones do not."""
        at = self.columns.positions(seqs)
        found: Mask = (at >= 0) & self.visible[at] if len(self.columns) else np.zeros(len(at), dtype=np.bool_)
        return found


@dataclass(frozen=True, slots=True)
class Proposal:
    """Points for one trace. ``reason`` names the component of the score, ``because`` says it in words."""

    points: float
    reason: str
    because: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.points) or not self.reason:
            raise InvalidInput(f"a proposal needs finite points and a reason, not {self.points!r} and {self.reason!r}")


class CandidateSource(Protocol):
    """Anything that knows traces which words and vectors do not bring up. Must be safe for several threads."""

    def propose(self, first: FirstPass) -> Mapping[int, Proposal]:
        """Proposals by seq; ones that the cue's filters hide are dropped."""
        ...


@dataclass(frozen=True, slots=True)
class Proposals:
    """What all sources propose, for p visible rows."""

    positions: Seqs  # [p] in the columns, ascending
    points: Mapping[str, NDArray[np.float32]]  # reason -> [p]
    because: Mapping[int, Mapping[str, str]]  # position -> reason -> in words

    def __len__(self) -> int:
        return len(self.positions)

    def columns_for(self, positions: Seqs) -> dict[str, NDArray[np.float32]]:
        """[m] points by reason for candidates at these ascending positions; all of ours must be among them."""
        at = np.searchsorted(positions, self.positions)
        out = {}
        for reason, points in self.points.items():
            out[reason] = np.zeros(len(positions), dtype=np.float32)
            out[reason][at] = points
        return out


def propose(sources: Sequence[CandidateSource], first: FirstPass) -> Proposals:
    """Ask every source; points of the same reason for the same trace add up."""
    points: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    because: dict[int, dict[str, str]] = defaultdict(dict)
    for source in sources:
        proposed = dict(source.propose(first))
        seqs = np.fromiter(proposed, dtype=np.int64, count=len(proposed))
        seen = first.allowed(seqs)
        for seq, position in zip(seqs[seen].tolist(), first.columns.positions(seqs[seen]).tolist(), strict=True):
            item = proposed[seq]
            points[item.reason][position] += item.points
            if item.because:
                because[position][item.reason] = item.because
    positions = np.array(sorted({at for found in points.values() for at in found}), dtype=np.int64)
    by_reason = {
        reason: np.array([found.get(at, 0.0) for at in positions.tolist()], dtype=np.float32)
        for reason, found in points.items()
    }
    return Proposals(positions, by_reason, because)
