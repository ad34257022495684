"""Two associative ways to compare a cue with traces, from the theory of the hippocampus; off by default.

Neither found more than plain cosine on any kind of damage that was measured (docs/stores/episodic.md), so they are
switches for those who want to see for themselves: `RecallConfig.hopfield` and `RecallConfig.sparse`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hippo_agent.episodic.completion import hopfield
from hippo_agent.episodic.sparse import SparseEncoder
from hippo_agent.storage.base import Scores, Vector

__all__ = ["completed", "sparse_overlap"]

_PATTERNS = 32  # best candidates that the cue is completed from


def completed(cue: Vector, vectors: Vector, *, beta: float) -> Vector:
    """[d]: the cue after one modern-Hopfield step over the candidates nearest to it. vectors: [m, d]."""
    nearest = np.argsort(-(vectors @ cue), kind="stable")[:_PATTERNS]
    return hopfield(cue, vectors[nearest], beta=beta)


def sparse_overlap(cue: Vector, vectors: Vector) -> Scores:
    """[m] in [0, 1]: the share of the cue's winning units that each vector has. vectors: [m, d]."""
    encoder = _encoder(len(cue))
    found: NDArray[np.float32] = encoder.overlap(encoder.encode(cue), encoder.encode(vectors))
    return found


@lru_cache(maxsize=2)
def _encoder(dim: int) -> SparseEncoder:
    return SparseEncoder(dim, fan_in=max(1, dim // 10))
