"""What was recalled, as short texts that a model reads: each with its id, its store and its retrieval score.

Traces are read as they were written, facts and route steps as sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hippo_agent.errors import InvalidInput
from hippo_agent.intake import clean_text
from hippo_agent.types import Hit, Trace

__all__ = ["FactLike", "Packed", "PackedTrace", "Recalled", "StepLike", "fact_sentence", "pack", "step_sentence"]

MOST = 256  # traces that a model reads at once
POINTS = 0.4  # units of cosine in a point of recall: the gap of best and second is 2.5 times as wide there


class Recalled(Protocol):
    """What `Memory.recall` gives, as far as it is read."""

    @property
    def hits(self) -> Sequence[Hit]: ...


class FactLike(Protocol):
    """A fact: subject, predicate, object, and whether it is denied."""

    @property
    def subject(self) -> str: ...
    @property
    def predicate(self) -> str: ...
    @property
    def object(self) -> str: ...
    @property
    def denied(self) -> bool: ...


class StepLike(Protocol):
    """One step of a route: from a place, by an action, to a place."""

    @property
    def place(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def expected(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedTrace:
    """One text to be read."""

    id: str  # of the trace; of a fact or a step what the caller names it
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


def fact_sentence(fact: FactLike) -> str:
    """The fact as a sentence: "Ada lives in Lisbon."."""
    said = f"{fact.subject} {fact.predicate} {fact.object}".strip().rstrip(".")
    return f"It is not true that {said}." if fact.denied else f"{said[:1].upper()}{said[1:]}."


def step_sentence(step: StepLike) -> str:
    """The step as a sentence: "From the hall, north leads to the library."."""
    return f"From {step.place}, {step.action} leads to {step.expected}."
