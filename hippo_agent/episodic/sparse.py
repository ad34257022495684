"""Sparse keys: k winners of a seeded random expansion (FlyHash, Dasgupta et al. 2017). Off by default: no gain over exact cosine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Key = NDArray[np.int16]


class SparseEncoder:
    """float32[d] -> int16[k]: sorted indices of the winners among ``width`` expanded units."""

    def __init__(self, dim: int = 384, *, width: int = 8192, winners: int = 128, fan_in: int = 32, seed: int = 0) -> None:
        raise NotImplementedError

    def encode(self, vectors: NDArray[np.float32]) -> Key:
        """vectors: [n, d] or [d] -> int16[n, k] or int16[k]."""
        raise NotImplementedError

    def overlap(self, cue: Key, keys: Key) -> NDArray[np.float32]:
        """float32[n] in [0, 1]: share of the cue's winners that each row of ``keys`` (int16[n, k]) has."""
        raise NotImplementedError
