"""The knowledge graph: entity, fact and passage nodes, built from the record, never saved as a file.

Edges join a fact with its subject, its object and the passages that say it; all weigh 1 and have no direction, as in
HippoRAG 2 (arXiv 2502.14802). `pagerank` equals `networkx.pagerank` to 1e-6 and stays fast at 100,000 facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hippo_agent.errors import InvalidInput
from hippo_agent.relational.entities import key

__all__ = ["Edge", "KnowledgeGraph", "Node", "NodeKind"]

NodeKind = Literal["entity", "fact", "passage"]
Node = tuple[NodeKind, str]  # the folded name of an entity, the id of a fact, the id of a trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One accepted fact, as the graph needs it."""

    fact: int
    subject: str
    predicate: str
    object: str
    traces: tuple[str, ...]


class KnowledgeGraph:
    """A graph over facts. `add` and `remove` cost microseconds; the matrix is rebuilt at the next query."""

    def __init__(self, edges: Iterable[Edge] = ()) -> None:
        self._facts: dict[int, Edge] = {}
        self._numbers: dict[Node, int] = {}
        self._nodes: list[Node] = []
        self._names: dict[str, str] = {}  # folded -> as first written
        self._rows: dict[int, tuple[int, ...]] = {}  # fact -> node numbers that it is joined with
        self._joined: dict[tuple[int, int], None] = {}  # node numbers of entities that may be one thing
        self._matrix: _Matrix | None = None
        for edge in edges:
            self.add(edge)

    def __len__(self) -> int:
        return len(self._facts)

    def __contains__(self, node: object) -> bool:
        return node in self._numbers

    def add(self, edge: Edge) -> None:
        """Take in a fact; one that is here already is replaced."""
        for name in (edge.subject, edge.object):
            self._names.setdefault(key(name), name)
        ends: list[Node] = [("entity", key(edge.subject)), ("entity", key(edge.object))]
        ends += [("passage", trace) for trace in edge.traces]
        self._number(("fact", str(edge.fact)))
        self._facts[edge.fact] = edge
        self._rows[edge.fact] = tuple(dict.fromkeys(self._number(node) for node in ends))
        self._matrix = None

    def remove(self, fact: int) -> None:
        """Let a fact go; nodes that nothing joins any more stay without edges until the graph is built anew."""
        if self._facts.pop(fact, None) is not None:
            del self._rows[fact]
            self._matrix = None

    def join(self, first: str, second: str) -> None:
        """Let the walk step between two entities that may be one thing; unknown ones are ignored."""
        a, b = self._numbers.get(("entity", key(first))), self._numbers.get(("entity", key(second)))
        if a is not None and b is not None and a != b:
            self._joined[min(a, b), max(a, b)] = None
            self._matrix = None

    def nodes(self) -> list[Node]:
        """All nodes that an edge joins, in the order they came."""
        live = {("fact", str(fact)) for fact in self._facts}
        live |= {self._nodes[number] for numbers in self._rows.values() for number in numbers}
        return [node for node in self._nodes if node in live]

    @property
    def entities(self) -> int:
        """How many things its facts are about."""
        return len({key(name) for edge in self._facts.values() for name in (edge.subject, edge.object)})

    def name(self, entity: str) -> str:
        """An entity's name as it was first written."""
        return self._names.get(key(entity), entity)

    def fact(self, fact: int) -> Edge:
        """A fact of the graph."""
        if fact not in self._facts:
            raise InvalidInput(f"the graph has no fact {fact!r}; was it invalidated or forgotten?")
        return self._facts[fact]

    def edges(self) -> Iterable[Edge]:
        """All facts, by id."""
        return (self._facts[fact] for fact in sorted(self._facts))

    def pagerank(
        self,
        seeds: Mapping[Node, float],
        *,
        damping: float = 0.5,
        top: int | None = None,
        tolerance: float = 1e-6,
        rounds: int = 100,
    ) -> dict[Node, float]:
        """Personalised PageRank from weighted seeds, the best first; all values sum to 1.

        Only the ``top`` nodes when given. Unknown seeds are ignored; without any known one the result is empty.
        """
        if not 0.0 <= damping < 1.0:
            raise InvalidInput(f"damping must be in [0, 1), not {damping!r}")
        known = {node: weight for node, weight in seeds.items() if node in self._numbers and weight > 0}
        if not known:
            return {}
        matrix = self._current()
        start = np.zeros(len(self._nodes), dtype=np.float64)
        for node, weight in known.items():
            start[self._numbers[node]] = weight
        scores = matrix.walk(start / start.sum(), damping, tolerance, rounds)
        found = np.flatnonzero(scores)
        if top is not None and top < len(found):
            found = found[np.argpartition(-scores[found], top - 1)[:top]]
        found = found[np.lexsort((found, -scores[found]))]
        return {self._nodes[number]: float(scores[number]) for number in found}

    def networkx(self) -> Any:
        """An undirected ``networkx.Graph`` with the same nodes and edges; node attributes: kind, label, predicate."""
        import networkx

        graph = networkx.Graph()
        for edge in self.edges():
            fact: Node = ("fact", str(edge.fact))
            label = f"{edge.subject} {edge.predicate} {edge.object}"
            graph.add_node(fact, kind="fact", label=label, predicate=edge.predicate)
            for name, role in ((edge.subject, "subject"), (edge.object, "object")):
                node: Node = ("entity", key(name))
                graph.add_node(node, kind="entity", label=self.name(name))
                graph.add_edge(fact, node, role=role)
            for trace in edge.traces:
                passage: Node = ("passage", trace)
                graph.add_node(passage, kind="passage", label=trace)
                graph.add_edge(fact, passage, role="said in")
        for a, b in self._joined:
            if self._nodes[a] in graph and self._nodes[b] in graph:
                graph.add_edge(self._nodes[a], self._nodes[b], role="alike")
        return graph

    def _number(self, node: Node) -> int:
        number = self._numbers.get(node)
        if number is None:
            number = self._numbers[node] = len(self._nodes)
            self._nodes.append(node)
        return number

    def _current(self) -> _Matrix:
        if self._matrix is None:
            count = sum(len(ends) for ends in self._rows.values())
            facts = np.fromiter(
                (self._numbers["fact", str(fact)] for fact, ends in self._rows.items() for _ in ends), np.int32, count
            )
            ends = np.fromiter((end for ends in self._rows.values() for end in ends), np.int32, count)
            alike = np.array(list(self._joined), dtype=np.int32).reshape(-1, 2)
            first, second = np.concatenate([facts, alike[:, 0]]), np.concatenate([ends, alike[:, 1]])
            self._matrix = _Matrix(first, second, len(self._nodes))
        return self._matrix


@dataclass(frozen=True)
class _Matrix:
    """Transition probabilities of the random walk; edges in both directions."""

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    size: int

    @cached_property
    def degree(self) -> NDArray[np.int64]:
        return np.bincount(np.concatenate([self.first, self.second]), minlength=self.size)

    @cached_property
    def steps(self) -> Any:
        """Sparse [n, n]: the probability of stepping from a column's node to a row's."""
        from scipy import sparse

        rows = np.concatenate([self.first, self.second])
        columns = np.concatenate([self.second, self.first])
        return sparse.csr_matrix((1.0 / self.degree[columns], (rows, columns)), shape=(self.size, self.size))

    def walk(self, start: NDArray[np.float64], damping: float, tolerance: float, rounds: int) -> NDArray[np.float64]:
        """Power iteration; a walker without a way out starts again, as in networkx."""
        stuck = np.flatnonzero((self.degree == 0) & (start > 0.0))  # no walk leads to a node that nothing joins
        again = (1.0 - damping) * start
        scores: NDArray[np.float64] = start
        for _ in range(rounds):
            following: NDArray[np.float64] = self.steps @ scores
            following *= damping
            following += again
            if len(stuck):
                following += damping * float(scores[stuck].sum()) * start
            if float(np.abs(following - scores).sum()) < tolerance:
                return following
            scores = following
        return scores
