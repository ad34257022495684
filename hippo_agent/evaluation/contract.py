"""What the suites need of a memory. They get a way to open one as an argument: imports only point down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, Protocol

from hippo_agent.embedding.base import Embedder
from hippo_agent.types import Cue, Event, Hit, Receipt, Trace

__all__ = ["FactsUnderTest", "MemoryUnderTest", "OpenMemory", "Recalled"]


class Recalled(Protocol):
    """What `Memory.recall` gives back, as far as it is measured."""

    @property
    def hits(self) -> Sequence[Hit]: ...

    def sessions(self, k: int) -> Sequence[tuple[str, float]]:
        """The k best sessions with their scores, best first."""
        ...


class FactsUnderTest(Protocol):
    """The part of `memory.facts` that the suites use."""

    def catch_up(self, *, progress: Callable[[int, int], None] | Literal[False] | None = None) -> int: ...


class MemoryUnderTest(Protocol):
    """The part of `Memory` that the suites use."""

    @property
    def facts(self) -> FactsUnderTest: ...

    def write_many(
        self, events: Iterable[Event], *, progress: Callable[[int, int], None] | Literal[False] | None = None
    ) -> list[Receipt]: ...

    def end_session(self, session: str | None = None) -> list[Receipt]: ...

    def recall(self, cue: Cue) -> Recalled: ...

    def get(self, trace_id: str) -> Trace: ...

    def close(self) -> None: ...


class OpenMemory(Protocol):
    """Opens a memory in an empty folder, e.g. ``lambda folder, **options: Memory(folder, ...)``.

    Args:
        embedder: to be used as it is, so that all systems of a run share their vectors.
        write_rate: None stores every event (the gate is off); 1.0 is the gate as it is by default; below 1.0 the gate
            keeps to that share of the events.
    """

    def __call__(self, folder: Path, *, embedder: Embedder, write_rate: float | None) -> MemoryUnderTest: ...
