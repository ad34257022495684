"""Small banks with a real record and vectors that mean nothing, so that every other reason can be seen alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hippo_agent import Memory
from hippo_agent.config import Config
from hippo_agent.embedding.hashing import HashingEmbedder
from hippo_agent.episodic.gate import GateConfig
from hippo_agent.recall import RecallConfig
from hippo_agent.types import Event


@pytest.fixture
def remember(tmp_path: Path) -> Iterator[Callable[..., Memory]]:
    """remember(events, **recall settings) -> an open memory that holds every one of them."""
    opened: list[Memory] = []

    def open_with(events: Sequence[Event | str], **settings: Any) -> Memory:
        memory = Memory(
            tmp_path / f"bank{len(opened)}",
            embedder=HashingEmbedder(quiet=True),
            config=Config(gate=GateConfig(enabled=False), recall=RecallConfig(**settings)),
        )
        opened.append(memory)
        memory.write_many(events, progress=False)
        return memory

    yield open_with
    for memory in opened:
        memory.close()
