"""Passages ranked by personalised PageRank over a graph of triples, with each part of the graph left out in turn.

The recipe is HippoRAG 2's (arXiv 2502.14802): the triples nearest to the question seed the walk with their ends, every
passage seeds it a little by its own similarity, synonyms are joined. Ours to judge by, not what recall uses: links
weighed by question (`relational.association`) rank better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hippo_agent.evaluation.data import Query
from hippo_agent.evaluation.pool import CachedEmbedder, Pool, Ranker, Ranking, best_first
from hippo_agent.relational.entities import key, same_thing, shape
from hippo_agent.relational.graph import Edge, KnowledgeGraph, Node
from hippo_agent.relational.promotion import PromotionConfig, Support, promote
from hippo_agent.relational.schema import Schemas

__all__ = ["ROWS", "GraphConfig", "PageRankSystem", "TripleSets"]

Triples = Sequence[Sequence[tuple[str, str, str]]]

_SEEDS = 5  # triples, or nodes, that the question is linked to
_PASSAGE = 0.05  # weight of a passage as seed, times its similarity scaled to [0, 1]
_ALIKE = 0.8  # cosine of two names from which they are joined
_BLOCK = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphConfig:
    """The parts of the graph."""

    schema: bool = True  # only triples that promotion lets in
    synonyms: bool = True  # names that embed alike are joined
    passages: bool = True  # passages are nodes, else a passage is worth its facts
    by_triple: bool = True  # the question is linked to triples, else to names


ROWS = {
    "pagerank": GraphConfig(),
    "pagerank - schema": GraphConfig(schema=False),
    "pagerank - synonym edges": GraphConfig(synonyms=False),
    "pagerank - passage nodes": GraphConfig(passages=False),
    "pagerank, linked by node": GraphConfig(by_triple=False),
}


@dataclass
class TripleSets:
    """The triples of a pool as the rows share them: vectors and synonyms are computed once."""

    triples: Triples  # by passage
    embedder: CachedEmbedder
    _pairs: list[tuple[str, str]] | None = field(default=None, init=False)

    def fitting(self) -> list[set[int]]:
        """By passage, the numbers of the triples that fit the schemas that all of them induce."""
        schemas = Schemas(item for found in self.triples for item in found)
        support = [Support("corpus", 1.0, 1.0)]
        config = PromotionConfig()
        return [
            {
                number
                for number, item in enumerate(found)
                if promote(schemas.fit(*item), support, there=False, config=config)[0] == "route"
            }
            for found in self.triples
        ]

    def synonyms(self) -> list[tuple[str, str]]:
        """Pairs of names that mean one thing by their letters, or that embed alike."""
        if self._pairs is None:
            names = {key(end): end for found in self.triples for s, _, o in found for end in (s, o)}
            kept = [name for name in names.values() if shape(name) in {"name", "phrase"} and len(key(name)) > 2]
            vectors = self.embedder.embed(kept)
            self._pairs = []
            for start in range(0, len(kept), _BLOCK):
                close = vectors[start : start + _BLOCK] @ vectors.T
                for row, other in zip(*np.nonzero(close >= _ALIKE), strict=True):
                    a, b = start + int(row), int(other)
                    if a < b and (same_thing(kept[a], kept[b], float(close[row, other])) or _embeds(kept[a], kept[b])):
                        self._pairs.append((kept[a], kept[b]))
        return self._pairs


def _embeds(first: str, second: str) -> bool:
    """Names with different numbers in them embed alike and are not one thing."""
    return not any(c.isdigit() for c in first + second)


@dataclass(frozen=True)
class PageRankSystem:
    """The graph as a system of a run."""

    name: str
    sets: TripleSets
    config: GraphConfig

    @contextmanager
    def open(self, pool: Pool) -> Iterator[Ranker]:
        yield _Ranker(pool, self.sets, self.config)


class _Ranker:
    def __init__(self, pool: Pool, sets: TripleSets, config: GraphConfig) -> None:
        self._pool = pool
        self._config = config
        fitting = sets.fitting() if config.schema else None
        self._edges = [
            Edge(fact=0, subject=s, predicate=p, object=o, traces=(str(at),))
            for at, found in enumerate(sets.triples)
            for number, (s, p, o) in enumerate(found)
            if key(s) and key(o) and (fitting is None or number in fitting[at])
        ]
        self._edges = [
            Edge(fact=n, subject=e.subject, predicate=e.predicate, object=e.object, traces=e.traces)
            for n, e in enumerate(self._edges)
        ]
        self._graph = KnowledgeGraph(
            edge if config.passages else Edge(fact=edge.fact, subject=edge.subject, predicate=edge.predicate,
                                              object=edge.object, traces=())
            for edge in self._edges
        )  # fmt: skip
        if config.synonyms:
            for first, second in sets.synonyms():
                self._graph.join(first, second)
        if config.by_triple:
            self._anchors = [(key(e.subject), key(e.object)) for e in self._edges]
            texts = [f"{e.subject} {e.predicate} {e.object}" for e in self._edges]
        else:
            names = {key(end): end for e in self._edges for end in (e.subject, e.object)}
            self._anchors = [(name, name) for name in names]
            texts = list(names.values())
        self._vectors = pool.embedder.embed(texts)

    def rank(self, query: Query, k: int) -> Ranking:
        vector = self._pool.embedder.embed([query.text])[0]
        close = self._pool.vectors @ vector
        scaled = (close - close.min()) / max(float(close.max() - close.min()), 1e-9)
        seeds = self._seeds(vector)
        if not seeds:  # nothing to link to: what is left is similarity
            return best_first(self._pool, close.astype(np.float64), k)
        if self._config.passages:
            seeds |= {("passage", str(at)): _PASSAGE * float(value) for at, value in enumerate(scaled)}
        found = self._graph.pagerank(seeds)
        scores: NDArray[np.float64] = 1e-9 * scaled.astype(np.float64)  # passages that no walk reaches: by similarity
        if self._config.passages:
            for (kind, name), value in found.items():
                if kind == "passage":
                    scores[int(name)] += value
        else:
            for edge in self._edges:
                scores[int(edge.traces[0])] += found.get(("fact", str(edge.fact)), 0.0)
        return best_first(self._pool, scores, k)

    def _seeds(self, vector: NDArray[np.float32]) -> dict[Node, float]:
        """Ends of the nearest triples (or the nearest names): the mean of the similarities that lead to each."""
        if not len(self._vectors):
            return {}
        close = self._vectors @ vector
        given: dict[Node, list[float]] = {}
        for at in np.argsort(-close, kind="stable")[:_SEEDS]:
            for name in set(self._anchors[int(at)]):
                given.setdefault(("entity", name), []).append(max(float(close[at]), 0.0))
        return {node: sum(values) / len(values) for node, values in given.items()}
