"""Room for what is trusted: a flood of untrusted traces must not push it out of a recall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hippo_agent.storage.base import Mask, Scores, Seqs

__all__ = ["with_room"]

_NEAR = 1 / 3  # of the best score, which an attacker can raise: a trusted trace that reaches it gets its place
_SHARE = 0.5  # of the k places at most are kept for such traces


def with_room(order: Seqs, scores: Scores, trusted: Mask, k: int) -> Seqs:
    """The order, best first, with up to half of the first k places for trusted traces that are nearly as good.

    order: [m] candidates by falling score; scores, trusted: [m] of each candidate. Unchanged when all are trusted, or
    none is, or enough are among the first k anyway.
    """
    head = order[:k]
    good = order[trusted[order] & (scores[order] >= _NEAR * scores[order[0]])] if len(order) else order
    due: NDArray[np.int64] = good[: max(1, int(_SHARE * k))]
    missing = due[~np.isin(due, head)]
    if not len(missing):
        return order
    outsiders = head[~trusted[head]]
    kept = head[~np.isin(head, outsiders[len(outsiders) - len(missing) :])]
    first = np.concatenate([kept, missing])
    first = first[np.argsort(-scores[first], kind="stable")]
    return np.concatenate([first, order[~np.isin(order, first)]])
