"""A pool of turns with their vectors, and the rankings that systems make of it.

Every system of a run embeds through one CachedEmbedder, so that a text is embedded once and all see the same vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hippo_agent.embedding.base import Embedder, WordEmbedder
from hippo_agent.evaluation.data import Query, Turn

__all__ = ["CachedEmbedder", "Pool", "Ranked", "Ranker", "Ranking", "System", "best_first", "sessions_of"]

Ranked = tuple[str, float]  # id, score; higher is better


@dataclass(frozen=True, slots=True)
class Ranking:
    """Turns and sessions, best first."""

    turns: tuple[Ranked, ...]
    sessions: tuple[Ranked, ...]

    @property
    def turn_ids(self) -> list[str]:
        return [name for name, _ in self.turns]

    @property
    def session_ids(self) -> list[str]:
        return [name for name, _ in self.sessions]


class Ranker(Protocol):
    """A system that has taken in a pool."""

    def rank(self, query: Query, k: int) -> Ranking:
        """At most k turns and k sessions."""
        ...


class System(Protocol):
    """Something to be measured."""

    @property
    def name(self) -> str: ...

    def open(self, pool: Pool) -> AbstractContextManager[Ranker]:
        """Take in the pool; what that needs on disk is gone afterwards."""
        ...


class CachedEmbedder:
    """An Embedder that remembers its vectors in memory: for runs that ask several systems the same."""

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner
        self._known: dict[str, NDArray[np.float32]] = {}
        if isinstance(inner, WordEmbedder):
            self.word_vectors = inner.word_vectors

    @property
    def id(self) -> str:
        return self._inner.id

    @property
    def dim(self) -> int:
        return self._inner.dim

    def __getattr__(self, name: str) -> Any:
        """Whatever else the embedder offers, such as vectors of words."""
        return getattr(self._inner, name)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[n, dim] float32 unit rows."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if new:
            self._known.update(zip(new, self._inner.embed(new), strict=True))
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        return np.stack([self._known[text] for text in texts])


@dataclass(frozen=True)
class Pool:
    """The turns that are searched together. ``fragments``: cues are parts of texts, so baselines read these alone."""

    turns: tuple[Turn, ...]
    embedder: CachedEmbedder
    fragments: bool = False

    @cached_property
    def ids(self) -> tuple[str, ...]:
        return tuple(turn.id for turn in self.turns)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        return tuple(turn.text if self.fragments else turn.line for turn in self.turns)

    @cached_property
    def sessions(self) -> tuple[str, ...]:
        return tuple(turn.session for turn in self.turns)

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """[n, dim], of the lines."""
        return self.embedder.embed(self.lines)


def best_first(pool: Pool, scores: NDArray[np.float64], k: int) -> Ranking:
    """The ranking that scores of all turns make; a session is as good as its best turn. Ties keep the pool's order."""
    order = np.argsort(-scores, kind="stable")
    turns = tuple((pool.ids[at], float(scores[at])) for at in order[:k])
    return Ranking(turns, sessions_of(((pool.sessions[at], float(scores[at])) for at in order), k))


def sessions_of(ranked: Iterable[Ranked], k: int) -> tuple[Ranked, ...]:
    """The first k different sessions of (session, score) pairs that come best first."""
    found: dict[str, float] = {}
    for session, score in ranked:
        found.setdefault(session, score)
        if len(found) == k:
            break
    return tuple(found.items())
