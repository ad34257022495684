"""Sparse keys: the k winners of a seeded random expansion (FlyHash: Dasgupta, Stevens and Navlakha, Science 2017).

Switchable and off by default: exact cosine over the same vectors finds more at every kind of damage that was measured
(docs/stores/episodic.md). What it offers is size, 256 bytes per key, and an index by set overlap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hippo_agent.errors import ConfigError

__all__ = ["Key", "SparseEncoder"]

Key = NDArray[np.int16]


class SparseEncoder:
    """float32[d] -> int16[winners]: indices of the largest of ``width`` sums, each over ``fan_in`` inputs."""

    def __init__(
        self, dim: int = 384, *, width: int = 8192, winners: int = 128, fan_in: int = 38, seed: int = 0
    ) -> None:
        if not 0 < winners <= width <= 32767 or not 0 < fan_in <= dim:
            raise ConfigError(
                f"winners {winners!r}, width {width!r}, fan_in {fan_in!r} do not fit dim {dim!r}; "
                "use 0 < winners <= width <= 32767 and 0 < fan_in <= dim"
            )
        rng = np.random.default_rng(seed)
        self.dim, self.width, self.winners = dim, width, winners
        self._weights = np.zeros((dim, width), dtype=np.float32)  # [d, width]
        for unit in range(width):
            self._weights[rng.choice(dim, size=fan_in, replace=False), unit] = 1.0

    def encode(self, vectors: NDArray[np.float32]) -> Key:
        """vectors: [n, d] or [d] -> int16[n, winners] or int16[winners], sorted. Scale and mean do not matter."""
        batch = np.atleast_2d(vectors)
        centred = batch - batch.mean(axis=1, keepdims=True)
        active = centred @ self._weights  # [n, width]
        best = np.argpartition(-active, self.winners - 1, axis=1)[:, : self.winners]
        keys = np.sort(best, axis=1).astype(np.int16)
        return keys if vectors.ndim == 2 else keys[0]

    def overlap(self, cue: Key, keys: Key) -> NDArray[np.float32]:
        """float32[n] in [0, 1]: share of the cue's winners that each row of ``keys`` (int16[n, winners]) has."""
        active = np.zeros(self.width, dtype=np.bool_)
        active[cue] = True
        shared: NDArray[np.float32] = active[keys].sum(axis=1, dtype=np.float32) / np.float32(self.winners)
        return shared
