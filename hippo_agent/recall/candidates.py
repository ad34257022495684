"""Candidates: the union of what vectors, words, the cue's time and its slots bring up, with the turns around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hippo_agent.recall.config import RecallConfig
from hippo_agent.recall.query import Query
from hippo_agent.storage.base import Allowed, Mask, RecordStore, Scores, Seqs, Vector
from hippo_agent.storage.columns import Columns
from hippo_agent.storage.index.managed import ManagedIndex

__all__ = ["REACH", "Candidates", "allow", "gather", "widened"]

REACH = 2  # turns before and after a candidate that are candidates too


@dataclass(frozen=True, slots=True)
class Candidates:
    """m visible rows in order of position, and where each one's neighbours are among them."""

    positions: Seqs  # [m] positions in the columns
    around: NDArray[np.int64]  # [m, 4] index into positions of the turns at -2, -1, 1, 2; -1: none


def allow(columns: Columns, mask: Mask) -> Allowed:
    """The mask as a function of seqs."""

    def allowed(seqs: Seqs) -> Mask:
        at = columns.positions(seqs)
        found: Mask = (at >= 0) & mask[at]
        return found

    return allowed


def gather(
    query: Query,
    vector: Vector | None,
    slot_scores: Scores | None,
    *,
    columns: Columns,
    visible: Mask,
    record: RecordStore,
    index: ManagedIndex,
    config: RecallConfig,
) -> Candidates:
    """The union; every filter holds before each cut. vector: [d] of the cue; slot_scores: [n]."""
    found: list[Seqs] = []
    words = _match_words(query)
    masks = [(visible, config.dense, config.lexical)]
    for date in query.dates:
        masks.append((visible & (date.near >= 0.5), config.dated, config.dated))
    everything = bool(visible.all())
    for mask, dense, lexical in masks:
        allowed = None if everything and mask is visible else allow(columns, mask)
        if vector is not None and dense:
            found.append(index.search(vector, dense, mask=mask, columns=columns)[0])
        if words and lexical:
            found.append(columns.positions(record.match(words, limit=lexical, allowed=allowed)[0]))
    if slot_scores is not None and config.slotted:
        scores = np.where(visible, slot_scores, -np.inf)
        best = np.argpartition(-scores, min(config.slotted, len(scores)) - 1)[: config.slotted]
        found.append(best[scores[best] > 0.0].astype(np.int64))
    return _with_neighbours(np.zeros(0, np.int64), np.concatenate([np.zeros(0, np.int64), *found]), columns, visible)


def widened(candidates: Candidates, more: Seqs, *, columns: Columns, visible: Mask) -> Candidates:
    """The candidates and more positions, with the turns around those."""
    return _with_neighbours(candidates.positions, more, columns, visible)


def _with_neighbours(held: Seqs, found: Seqs, columns: Columns, visible: Mask) -> Candidates:
    new = _seen(np.unique(found), visible)
    near = columns.neighbours(new, REACH)
    positions = np.union1d(held, _seen(np.union1d(new, near.ravel()), visible))
    around = columns.neighbours(positions, REACH)
    at = np.minimum(np.searchsorted(positions, around), max(0, len(positions) - 1))
    if len(positions):
        around = np.where((around >= 0) & (positions[at] == around), at, -1)
    return Candidates(positions, around)


def _match_words(query: Query) -> list[str]:
    """The words to match: function words only when the cue has nothing else or is a fragment."""
    asked = [term for term in query.terms if not (query.question and term.common)] or list(query.terms)
    words = [term.word for term in asked]
    words += [word for term in asked for word in term.fixed]
    words += [word for date in query.dates for word in date.words]
    return words


def _seen(positions: Seqs, visible: Mask) -> Seqs:
    inside = positions[positions >= 0]
    return inside[visible[inside]]
