"""The memory itself as a system of a run, through its public API and from a folder of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hippo_agent.evaluation.contract import MemoryUnderTest, OpenMemory
from hippo_agent.evaluation.data import Query, Turn
from hippo_agent.evaluation.pool import Pool, Ranker, Ranking
from hippo_agent.types import DEFAULT_TRUST, Cue, Event, Provenance, SourceKind

__all__ = ["HippoRanker", "HippoSystem", "to_event"]


@dataclass(frozen=True)
class HippoSystem:
    """Writes each turn as an event and ranks by `recall`; with ``facts`` after reading its facts, as at night."""

    open_memory: OpenMemory
    write_rate: float | None = None
    name: str = "hippo"
    facts: bool = False

    @contextmanager
    def open(self, pool: Pool) -> Iterator[Ranker]:
        with self.memory(pool) as memory:
            memory.write_many(map(to_event, pool.turns), progress=False)
            if self.facts:
                memory.facts.catch_up(progress=False)
            yield HippoRanker(memory)

    @contextmanager
    def memory(self, pool: Pool) -> Iterator[MemoryUnderTest]:
        """An empty memory in a temporary folder."""
        with tempfile.TemporaryDirectory(prefix="hippo-eval-") as folder:
            opened = self.open_memory(Path(folder) / "memory", embedder=pool.embedder, write_rate=self.write_rate)
            with closing(opened):
                yield opened


@dataclass(frozen=True)
class HippoRanker:
    """Asks a memory."""

    memory: MemoryUnderTest

    def rank(self, query: Query, k: int) -> Ranking:
        text = "" if query.slots else query.text
        found = self.memory.recall(Cue(text=text, slots=query.slots, asked_at=query.asked_at, k=k))
        turns = tuple((hit.trace.key or hit.trace.id, hit.score) for hit in found.hits)
        return Ranking(turns, tuple(found.sessions(k)))


def to_event(turn: Turn) -> Event:
    """The turn as an application would write it; its id is the idempotency key."""
    source: SourceKind = "model" if turn.speaker == "assistant" else "user"
    return Event(
        text=turn.text,
        provenance=Provenance(source=source, session=turn.session, trust=DEFAULT_TRUST[source]),
        speaker=turn.speaker,
        event_time=turn.time,
        key=turn.id,
    )
