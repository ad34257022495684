"""What was recalled, as short texts that a model reads: each with its id, its store and its retrieval score.

Traces are read as they were written; facts and steps of the map come as sentences (`hippo_agent.recall.evidence`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hippo_agent.errors import InvalidInput
from hippo_agent.intake import clean_text
from hippo_agent.types import Hit, Trace

__all__ = ["POINTS", "Packed", "PackedTrace", "Recalled", "pack"]

MOST = 256  # traces that a model reads at once
POINTS = 0.4  # units of cosine in a point of recall: the gap of best and second is 2.5 times as wide there


class Recalled(Protocol):
    """What `Memory.recall` gives, as far as it is read."""

    @property
    def hits(self) -> Sequence[Hit]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedTrace:
    """One text to be read."""

    id: str  # of the trace; of a fact that of a trace that says it, of a step that of its place
    text: str  # on one line, never empty
    source: str = "episodic"  # or "relational", "spatial"
    score: float = 0.0  # of retrieval, on the scale of a cosine; only differences count


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Texts to be read, best first, and how many were left out."""

    traces: tuple[PackedTrace, ...]
    empty: int = 0  # had nothing to read
    over: int = 0  # beyond the cap

    def __len__(self) -> int:
        return len(self.traces)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(trace.id for trace in self.traces)


def pack(
    recalled: Recalled | Packed | Iterable[PackedTrace] | None, *, limit: int = MOST, dated: bool = False
) -> Packed:
    """The hits of a recall as texts, best first, at most ``limit``; what is packed already is passed on.

    The points of recall become scores on the scale of cosines, which readers are made for. ``dated`` puts the day on
    which it happened before each trace.
    """
    if limit < 1:
        raise InvalidInput(f"limit must be at least 1, not {limit!r}")
    if recalled is None:
        return Packed(traces=())
    if isinstance(recalled, Packed):
        given: list[PackedTrace] = list(recalled.traces)
    elif hasattr(recalled, "hits"):
        given = [
            PackedTrace(id=hit.trace.id, text=trace_text(hit.trace, dated=dated), score=POINTS * hit.score)
            for hit in recalled.hits
        ]
    else:
        given = list(recalled)
    clean = [
        PackedTrace(id=one.id, text=" ".join(clean_text(one.text).split()), source=one.source, score=one.score)
        for one in given
    ]
    full = sorted((one for one in clean if one.text), key=lambda one: -one.score)
    return Packed(traces=tuple(full[:limit]), empty=len(clean) - len(full), over=max(0, len(full) - limit))


def trace_text(trace: Trace, *, dated: bool = False) -> str:
    """The trace's own words, with who said them when that is known and not said in them."""
    text = trace.text
    if trace.speaker is not None and not text.startswith(trace.speaker):
        text = f"{trace.speaker}: {text}"
    return f"[{trace.event_time:%Y-%m-%d}] {text}" if dated else text
