"""The graph: PageRank as networkx computes it, incremental, exported."""

from __future__ import annotations

import json
import random
from pathlib import Path

import networkx
import pytest

from hippo_agent.errors import ConfigError, InvalidInput
from hippo_agent.relational.export import json_ld, write_graph
from hippo_agent.relational.graph import Edge, KnowledgeGraph, Node


def edge(number: int, subject: str, value: str, *traces: str) -> Edge:
    return Edge(fact=number, subject=subject, predicate="knows", object=value, traces=traces or ("t0",))


def some(count: int) -> list[Edge]:
    rng = random.Random(7)
    return [edge(n, f"e{rng.randrange(40)}", f"e{rng.randrange(40)}", f"t{rng.randrange(30)}") for n in range(count)]


def test_pagerank_equals_networkx() -> None:
    graph = KnowledgeGraph(some(200))
    seeds: dict[Node, float] = {("entity", "e3"): 2.0, ("passage", "t5"): 1.0}
    ours = graph.pagerank(seeds, tolerance=1e-10)
    theirs = networkx.pagerank(graph.networkx(), alpha=0.5, personalization=seeds, tol=1e-12)
    assert sum(ours.values()) == pytest.approx(1.0)
    for node, value in theirs.items():
        assert ours.get(node, 0.0) == pytest.approx(value, abs=1e-6)
    assert list(graph.pagerank(seeds, top=5)) == sorted(ours, key=lambda node: -ours[node])[:5]


def test_a_graph_that_grew_equals_one_that_was_built() -> None:
    edges = some(60)
    grown = KnowledgeGraph(edges[:30])
    grown.pagerank({("entity", "e3"): 1.0})
    for one in edges[30:]:
        grown.add(one)
    grown.add(edge(999, "x", "y"))
    grown.remove(999)
    grown.remove(12345)
    built = KnowledgeGraph(edges)
    seeds: dict[Node, float] = {("entity", "e3"): 1.0}
    ours, theirs = grown.pagerank(seeds), built.pagerank(seeds)
    assert ours.keys() == theirs.keys()
    assert all(ours[node] == pytest.approx(theirs[node], abs=1e-6) for node in ours)
    assert ("entity", "x") not in grown.nodes()


def test_bad_seeds_and_settings() -> None:
    graph = KnowledgeGraph(some(5))
    assert graph.pagerank({("entity", "nobody"): 1.0}) == {}
    with pytest.raises(InvalidInput, match="damping"):
        graph.pagerank({}, damping=1.0)
    with pytest.raises(InvalidInput, match="no fact"):
        graph.fact(99)


def test_export_to_graphml_and_json_ld(tmp_path: Path) -> None:
    graph = KnowledgeGraph([edge(1, "Ada & <Co>\x01", "Rome")])
    path = write_graph(graph, tmp_path / "graph.graphml")
    read = networkx.read_graphml(path)
    assert sorted(data["kind"] for _, data in read.nodes(data=True)) == ["entity", "entity", "fact", "passage"]
    items = json.loads(json_ld(graph))["@graph"]
    assert items[-1]["object"] == "urn:hippo:entity:rome"
    assert write_graph(graph, tmp_path / "graph.jsonld").read_text("utf-8") == json_ld(graph)
    with pytest.raises(ConfigError, match="graphml"):
        write_graph(graph, tmp_path / "graph.pickle")
