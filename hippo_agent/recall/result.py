"""`Recall`: what a cue brought back, in order, ready to be read by a model or explained to a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hippo_agent.episodic.completion import complete_slots
from hippo_agent.recall.explanation import explain
from hippo_agent.recall.rendering import render
from hippo_agent.types import Cue, Hit, Slots, Trace

__all__ = ["Recall"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Hits best first, cut to the cue's ``k`` and token budget."""

    cue: Cue
    hits: tuple[Hit, ...]
    ranked_sessions: tuple[tuple[str, float], ...] = ()  # (session, score), best first, of all candidates
    question: bool = True  # the cue was read as a question, not as a fragment
    corrections: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (word of the cue, the known words it was taken for)
    considered: int = 0  # candidates that were scored
    duplicates: int = 0  # hits left out because a better one says the same
    over_budget: int = 0  # hits left out because they did not fit

    @property
    def traces(self) -> tuple[Trace, ...]:
        """The traces of the hits, best first."""
        return tuple(hit.trace for hit in self.hits)

    @property
    def completed(self) -> Slots:
        """The cue's slots, those that it lacked filled from the best trace."""
        return complete_slots(self.cue.slots, self.hits[0].trace.slots) if self.hits else self.cue.slots

    def sessions(self, k: int = 10) -> Sequence[tuple[str, float]]:
        """The k best sessions with their scores: a session is as good as its three best traces, each next one half."""
        return self.ranked_sessions[:k]

    def render(self) -> str:
        """The traces as a block of quoted data for a prompt; "" when nothing came back."""
        return render(self.hits)

    def explain(self) -> str:
        """Why each trace came back, for a person."""
        return explain(self)

    def __len__(self) -> int:
        return len(self.hits)
