"""Tiny pools and an embedder whose vectors are written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hippo_agent.evaluation.data import Turn
from hippo_agent.evaluation.pool import CachedEmbedder, Pool


class WrittenDown:
    """Gives the vectors that it was told, as they are; counts the texts that it had to embed."""

    id = "written-down"
    dim = 2

    def __init__(self, vectors: Mapping[str, tuple[float, float]]) -> None:
        self.vectors = vectors
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        return np.array([self.vectors.get(text, (0.0, 1.0)) for text in texts], dtype=np.float32).reshape(-1, 2)


def pool(texts: Sequence[str], vectors: Mapping[str, tuple[float, float]] | None = None, sessions: str = "") -> Pool:
    """Turns "0", "1", ... of the texts; ``sessions`` names the session of each by a letter."""
    turns = tuple(
        Turn(id=str(at), text=text, session=sessions[at] if sessions else "s") for at, text in enumerate(texts)
    )
    return Pool(turns, CachedEmbedder(WrittenDown(vectors or {})))
