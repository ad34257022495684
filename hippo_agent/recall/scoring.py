"""Fusion: points for each reason, on one scale, added up.

All points are shares of what the cue asks for or fixed small bonuses, so no statistics of the pool enter a score: the
same trace and cue have the same score in a bank of ten traces and of a hundred thousand (but for what words are worth).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hippo_agent.recall.association import completed, sparse_overlap
from hippo_agent.recall.candidates import Candidates
from hippo_agent.recall.config import RecallConfig
from hippo_agent.recall.coverage import cover, in_order, told, windowed
from hippo_agent.recall.lexicon import Lexicon, Lines
from hippo_agent.recall.query import Query
from hippo_agent.recall.words import cut, is_exact
from hippo_agent.storage.base import Scores, Vector
from hippo_agent.storage.columns import Columns

__all__ = ["Points", "score"]

Column = NDArray[np.float32]  # [m] points

_ORDERED = 20  # best traces of a fragment whose word order is looked at


@dataclass(frozen=True, slots=True)
class Points:
    """Points of m candidates by reason, and what they add up to."""

    reasons: dict[str, Column]
    total: Column

    def of(self, at: int) -> dict[str, float]:
        """The reasons of one candidate that count, most points first."""
        found = {name: float(column[at]) for name, column in self.reasons.items()}
        return dict(sorted(((n, p) for n, p in found.items() if abs(p) > 5e-4), key=lambda item: -item[1]))

    def plus(self, added: Mapping[str, Column]) -> Points:
        """With more reasons."""
        return Points({**self.reasons, **added}, self.total + _added(added, len(self.total)))


def score(
    query: Query,
    vector: Vector | None,
    slot_scores: Scores | None,
    candidates: Candidates,
    lines: Lines,
    *,
    columns: Columns,
    lexicon: Lexicon,
    config: RecallConfig,
) -> Points:
    """Points of the candidates. vector: [d] of the cue, None without one; slot_scores: [n], None without slots."""
    positions = candidates.positions
    own = cover(query, lines, positions, columns, lexicon, config)
    weights = np.array([term.weight for term in query.terms] + [date.weight for date in query.dates], dtype=np.float32)
    weights /= max(float(weights.sum()), 1e-9)
    timed = len(query.terms)
    reasons: dict[str, Column] = {
        "words": weights[:timed] @ own[:timed],
        "time": weights[timed:] @ own[timed:],
    }
    if vector is not None:
        factor = config.meaning if query.question else config.meaning_of_fragment
        vectors = columns.vectors[positions]
        if config.hopfield and len(vectors):
            vector = completed(vector, vectors, beta=config.hopfield)
        reasons["meaning"] = np.float32(factor) * np.maximum(vectors @ vector, 0.0)
        if config.sparse and len(vectors):
            reasons["sparse"] = np.float32(config.sparse) * sparse_overlap(vector, vectors)
    if slot_scores is not None:
        reasons["slots"] = np.float32(config.slots) * np.maximum(slot_scores[positions], 0.0)
    particulars = [own[at] for at, term in enumerate(query.terms) if is_exact(term.word)]
    particulars += [told(date, lines, positions, columns, lexicon) for date in query.dates]
    if particulars and config.particulars:
        reasons["particulars"] = np.float32(config.particulars) * np.minimum(np.mean(particulars, axis=0), 1.0)
    if query.question:
        reasons["context"] = weights @ (windowed(own, candidates.around, config) - own)
        direct = _added(reasons, len(positions))
        around, count = _around(direct, candidates)
        reasons["neighbours"] = _levelled(direct, around, count, config.neighbours)
        reasons["session"] = np.float32(config.session) * _best_of_session(weights @ own, columns.session[positions])
        spoken = np.isin(columns.speaker[positions], query.named)
        reasons["speaker"] = np.float32(config.speaker) * spoken.astype(np.float32)
        reasons["asks"] = np.float32(config.asks) * lines.asks.astype(np.float32)
    total = _added(reasons, len(positions))
    if not query.question and config.order:
        reasons["order"] = _order(query, total, lines, lexicon, config)
        total = total + reasons["order"]
    return Points(reasons, total)


def _added(reasons: Mapping[str, Column], count: int) -> Column:
    """[m]: all points of each candidate."""
    return np.sum(list(reasons.values()), axis=0, dtype=np.float32) if reasons else np.zeros(count, np.float32)


def _around(points: Column, candidates: Candidates) -> tuple[Column, Column]:
    """[m] the points of the turns before and after, added, and [m] how many of them there are."""
    total, count = np.zeros_like(points), np.zeros_like(points)
    for column in (1, 2):
        there = candidates.around[:, column]
        total += np.where(there >= 0, points[there], np.float32(0.0))
        count += there >= 0
    return total, count


def _levelled(points: Column, around: Column, count: Column, weight: float) -> Column:
    """[m]: what a weighted mean with the neighbours, on the scale of a trace that has both, adds to the own points.

    A mean, so that the first and the last turn of a session, or a trace without one, lose nothing.
    """
    mean = (points + np.float32(weight) * around) / (1.0 + np.float32(weight) * count)
    levelled: Column = mean * np.float32(1.0 + 2.0 * weight) - points
    return levelled


def _best_of_session(covered: Column, sessions: NDArray[np.int32]) -> Column:
    """[m]: the best coverage among the candidates of the same session, 0 without a session."""
    best = np.zeros(int(sessions.max(initial=-1)) + 2, dtype=np.float32)
    np.maximum.at(best, sessions + 1, covered)
    best[0] = 0.0
    return best[sessions + 1]


def _order(query: Query, total: Column, lines: Lines, lexicon: Lexicon, config: RecallConfig) -> Column:
    out = np.zeros_like(total)
    cue = [found for word in cut(query.text) if (found := lexicon.vocabulary.id(word)) >= 0]
    if len(cue) > 1:
        for at in np.argsort(-total, kind="stable")[:_ORDERED]:
            out[at] = config.order * in_order(cue, lines.line(int(at)))
    return out
