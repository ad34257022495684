"""Recall over links between texts with headings: the passage that a question needs but never names."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from hippo_agent.recall.sources import FirstPass, Proposal
from hippo_agent.relational.associations import Associations

__all__ = ["LinkSource"]

logger = logging.getLogger(__name__)

_LEAST = 0.01  # points below which a link is not worth proposing


class LinkSource:
    """Points of `Associations`, which one thread asks at a time. Texts without a heading take no part."""

    def __init__(self, associations: Associations, *, weight: float, limit: int) -> None:
        self._associations = associations
        self._weight = weight
        self._limit = limit
        self._lock = threading.Lock()
        self._resting = False

    def propose(self, first: FirstPass) -> Mapping[int, Proposal]:
        """What the best passages, and the headings that the question names, lead to."""
        if not self._weight or not first.question or first.vector is None:
            return {}
        with self._lock:
            index = self._associations.refresh(most=self._limit)
            if len(index) > self._limit:
                if not self._resting:
                    logger.warning("more than %d texts with headings: recall over links rests", self._limit)
                self._resting = True
                return {}
            if not len(index):
                return {}
            held = index.seqs()
            seqs = held[held >= 0]
            seqs = seqs[first.allowed(seqs)]
            if not len(seqs):
                return {}
            close = first.columns.vectors[first.columns.positions(seqs)] @ first.vector
            found = self._associations.expand(
                first.cue.text,
                first.vector,
                {seq: first.points.get(seq, 0.0) for seq in seqs.tolist()},
                dict(zip(seqs.tolist(), close.tolist(), strict=True)),
            )
        out = {}
        for seq, item in found.items():
            points = self._weight * item.points
            if points >= _LEAST:
                because = f"named in the question: {item.name}" if item.source is None else f"over {item.name!r}"
                out[seq] = Proposal(points, "links", because)
        return out
