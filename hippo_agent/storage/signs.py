"""Sign bits of vectors: a first look at who may be near, at 48 bytes a vector instead of 1,536 (384 dimensions).

The share of signs that differ estimates the angle between two vectors (random hyperplanes, Charikar 2002): exact enough
to choose a few dozen candidates among 100,000 vectors in half a millisecond; their cosines then decide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hippo_agent.storage.base import Mask, Seqs, Vector

__all__ = ["Signs", "alike", "sign_bits"]

Signs = NDArray[np.uint64]  # [w, n]: 64 dimensions of all n vectors lie together, so that counting runs along memory

_NEVER = np.uint16(0xFFFF)


def sign_bits(vectors: Vector) -> Signs:
    """[w, n] which components of the vectors [n, d] are positive; w = d / 64, rounded up."""
    packed = np.packbits(vectors > 0.0, axis=1)
    bits = np.zeros((len(vectors), -(-vectors.shape[1] // 64)), np.uint64)
    bits.view(np.uint8)[:, : packed.shape[1]] = packed
    return bits.T


def alike(signs: Signs, query: NDArray[np.uint64], count: int, mask: Mask) -> Seqs:
    """Rows of the mask [n] whose signs differ least from the query's [w]: ``count`` of them and all that tie."""
    apart = np.zeros(signs.shape[1], np.uint16)
    differ, counted = np.empty(signs.shape[1], np.uint64), np.empty(signs.shape[1], np.uint8)
    for stored, own in zip(signs, query, strict=True):
        apart += np.bitwise_count(np.bitwise_xor(stored, own, out=differ), out=counted)
    apart[~mask] = _NEVER
    most = np.partition(apart, count - 1)[count - 1] if count < len(apart) else _NEVER
    return np.flatnonzero((apart <= most) & mask)
