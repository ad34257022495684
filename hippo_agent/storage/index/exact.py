"""Exact search: one matrix product over the vectors in memory. Recall 1.0, nothing on disk, nothing to corrupt."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hippo_agent.errors import InvalidVector
from hippo_agent.storage.base import Allowed, Mask, Scores, Seqs, Vector

__all__ = ["ExactIndex", "check_query", "nearest"]

_SPARSE = 0.2  # below this share of allowed rows, only those are multiplied


def nearest(vectors: Vector, query: Vector, k: int, mask: Mask | None = None) -> tuple[Seqs, Scores]:
    """Rows of the k largest dot products, best first; ties go to the earlier row.

    vectors: [n, d]; query: [d]; mask: [n], rows that may be returned.
    """
    rows: Seqs | None = None
    if mask is not None:
        rows = np.flatnonzero(mask)
        few = len(rows) < _SPARSE * len(vectors)
        scores = vectors[rows] @ query if few else (vectors @ query)[rows]
    else:
        scores = vectors @ query
    k = min(k, len(scores))
    if k < 1:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    if k < len(scores):
        best = np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k])
    else:
        best = np.arange(len(scores))
    best = best[np.lexsort((best, -scores[best]))][:k]
    return (best if rows is None else rows[best]), scores[best]


def check_query(query: Vector, dim: int) -> Vector:
    """The query as float32 [d]; InvalidVector when it is not finite or of another dimension."""
    found: NDArray[np.float32] = np.asarray(query, dtype=np.float32)
    if found.shape != (dim,):
        raise InvalidVector(f"a query of shape {found.shape!r} does not fit vectors of {dim} dimensions")
    if not np.isfinite(found).all():
        raise InvalidVector("a query vector holds NaN or infinity; embed the text again")
    return found


class ExactIndex:
    """`VectorIndex` over arrays; given arrays are searched where they lie and copied only when something is added."""

    def __init__(self, seqs: Seqs | None = None, vectors: Vector | None = None) -> None:
        """seqs: [n] strictly increasing; vectors: [n, d]."""
        self._seqs: Seqs = np.empty(0, np.int64) if seqs is None else seqs
        self._vectors: Vector = np.empty((0, 0), np.float32) if vectors is None else vectors

    def add(self, seqs: Seqs, vectors: Vector) -> None:
        """Add or replace; vectors: [n, d]."""
        if not len(seqs):
            return
        new = np.ascontiguousarray(vectors, dtype=np.float32)
        if new.ndim != 2 or len(new) != len(seqs) or (len(self) and new.shape[1] != self._vectors.shape[1]):
            raise InvalidVector(f"vectors of shape {new.shape!r} do not fit {len(seqs)} seqs and this index")
        if not np.isfinite(new).all():
            raise InvalidVector("a vector holds NaN or infinity; embed the text again")
        self.remove(seqs)
        all_seqs = np.concatenate([self._seqs, np.asarray(seqs, np.int64)])
        order = np.argsort(all_seqs, kind="stable")
        both = np.concatenate([self._vectors, new]) if len(self._seqs) else new
        self._seqs, self._vectors = all_seqs[order], both[order]

    def remove(self, seqs: Seqs) -> None:
        keep = ~np.isin(self._seqs, seqs)
        if not keep.all():
            self._seqs, self._vectors = self._seqs[keep], self._vectors[keep]

    def search(self, query: Vector, k: int, *, allowed: Allowed | None = None) -> tuple[Seqs, Scores]:
        """The k nearest seqs, best first."""
        if not len(self):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        mask = None if allowed is None else allowed(self._seqs)
        rows, scores = nearest(self._vectors, check_query(query, self._vectors.shape[1]), k, mask)
        return self._seqs[rows], scores

    def __len__(self) -> int:
        return len(self._seqs)

    def close(self) -> None:
        """Nothing to do: nothing is held."""
