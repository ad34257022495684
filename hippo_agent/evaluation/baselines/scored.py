"""Baselines that score every turn of a pool: BM25, exact dense search, and two simple ways to put them together."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hippo_agent.evaluation.baselines.bm25 import BM25, STOP_WORDS
from hippo_agent.evaluation.data import Query
from hippo_agent.evaluation.pool import Pool, Ranker, Ranking, best_first

__all__ = ["ScoredSystem", "bm25", "dense", "neighbours", "reciprocal_ranks", "rrf", "simple", "z_scores"]

Scores = NDArray[np.float64]
Score = Callable[[str], Scores]  # query text -> [n]

RRF_K = 60  # Cormack, Clarke and Buettcher 2009
NEIGHBOUR_SHARE = 0.25


@dataclass(frozen=True)
class ScoredSystem:
    """A baseline that is nothing but a function from the pool to a scoring of queries."""

    name: str
    score: Callable[[Pool], Score]

    @contextmanager
    def open(self, pool: Pool) -> Iterator[Ranker]:
        yield _Scored(pool, self.score(pool))


@dataclass(frozen=True)
class _Scored:
    pool: Pool
    score: Score

    def rank(self, query: Query, k: int) -> Ranking:
        return best_first(self.pool, self.score(query.text), k)


def bm25(pool: Pool) -> Score:
    """Over the lines; where cues are fragments of the texts, function words count too."""
    return BM25(pool.lines, stop_words=() if pool.fragments else STOP_WORDS).scores


def dense(pool: Pool) -> Score:
    """Cosine to every vector."""
    vectors = pool.vectors

    def score(query: str) -> Scores:
        return np.asarray(vectors @ pool.embedder.embed([query])[0], dtype=np.float64)

    return score


def rrf(pool: Pool) -> Score:
    """Plain reciprocal rank fusion of both; a turn that BM25 does not find has no rank there."""
    words, meaning = bm25(pool), dense(pool)

    def score(query: str) -> Scores:
        found = words(query)
        return np.where(found > 0, reciprocal_ranks(found), 0.0) + reciprocal_ranks(meaning(query))

    return score


def simple(pool: Pool) -> Score:
    """The sum of both z-scores, plus a quarter of that of the turn before and the turn after."""
    words, meaning = bm25(pool), dense(pool)
    sessions = pool.sessions

    def score(query: str) -> Scores:
        both = z_scores(words(query)) + z_scores(meaning(query))
        return both + NEIGHBOUR_SHARE * neighbours(both, sessions)

    return score


def reciprocal_ranks(scores: Scores) -> Scores:
    """1 / (60 + rank), ranks from 1; ties in the pool's order."""
    out = np.empty(len(scores))
    out[np.argsort(-scores, kind="stable")] = 1.0 / (RRF_K + 1 + np.arange(len(scores)))
    return out


def z_scores(scores: Scores) -> Scores:
    """Mean 0, deviation 1; all zero when the scores are all equal."""
    deviation = scores.std()
    return (scores - scores.mean()) / deviation if deviation > 0 else np.zeros(len(scores))


def neighbours(scores: Scores, sessions: tuple[str, ...]) -> Scores:
    """[n] sum of the scores of the turn before and the turn after in the same session."""
    out = np.zeros(len(scores))
    joined = np.array([left == right for left, right in itertools.pairwise(sessions)], dtype=bool)
    out[1:][joined] += scores[:-1][joined]
    out[:-1][joined] += scores[1:][joined]
    return out
