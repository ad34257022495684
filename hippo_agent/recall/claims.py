"""Recall by what a trace claims: its facts, as the extractor took them out of it, are compared with the question.

A turn that says three things is about none of them as a whole; its facts are. A candidate without facts counts by its
own similarity, so that saying nothing checkable is no drawback. Where no candidate has facts nothing is added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hippo_agent.recall.sources import FirstPass, Proposal
from hippo_agent.relational.fact_vectors import FactVectors
from hippo_agent.storage.base import Vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ClaimSource"]


class ClaimSource:
    """Points for the candidates of a question. Reads the facts that are there; extracts nothing."""

    def __init__(
        self, vectors: FactVectors, embed: Callable[[Sequence[str]], NDArray[np.float32] | None], *, weight: float
    ) -> None:
        self._vectors = vectors
        self._embed = embed
        self._weight = weight

    def propose(self, first: FirstPass) -> Mapping[int, Proposal]:
        """Weight x cosine of the question and the nearest fact of each candidate."""
        if not self._weight or not first.question or first.vector is None:
            return {}
        if not self._vectors.any():
            return {}
        vector = self._asked(first)
        claims = self._vectors.nearest(vector, first.points)
        if not claims:
            return {}
        seqs = np.fromiter(first.points, dtype=np.int64, count=len(first.points))
        own = first.columns.vectors[first.columns.positions(seqs)] @ vector
        out = {}
        for seq, similarity in zip(seqs.tolist(), own.tolist(), strict=True):
            close, fact = claims.get(seq, (similarity, None))
            because = "" if fact is None else f"fact {fact}"
            out[seq] = Proposal(self._weight * max(close, 0.0), "claims", because)
        return out

    def _asked(self, first: FirstPass) -> Vector:
        """[d] of the whole question: names of speakers, which the first pass leaves out, stand in facts."""
        assert first.vector is not None
        if first.text == first.cue.text:
            return first.vector
        found = self._embed([first.cue.text])
        return first.vector if found is None else found[0]
