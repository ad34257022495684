"""A memory, and how async tests are run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hippo_agent import HashingEmbedder, Memory


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory", embedder=HashingEmbedder(quiet=True)) as opened:
        yield opened


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
