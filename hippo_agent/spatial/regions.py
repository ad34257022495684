"""Regions: parts of a map that hang together. The caller's hints first, else communities of the walked passages."""

from __future__ import annotations

from collections import defaultdict

import networkx as nx

from hippo_agent.spatial.map import PlaceMap

__all__ = ["portals", "regions", "to_networkx"]


def to_networkx(places: PlaceMap) -> nx.MultiDiGraph:
    """The map as a networkx graph, for export: one node per place, one edge per action that leads somewhere."""
    graph = nx.MultiDiGraph()
    for place in places.places.values():
        graph.add_node(place.id, title=place.label, visits=place.visits)
    for edge in places.all_edges():
        if edge.target is not None:
            graph.add_edge(
                edge.source,
                edge.target,
                key=edge.action,
                action=edge.spoken or edge.action,
                cost=edge.cost,
                probability=edge.reliability,
            )
    return graph


def regions(places: PlaceMap, *, seed: int = 0) -> dict[str, str]:
    """Region of each place: its hint, or the label of the oldest place of its community (Louvain)."""
    found = {place.id: place.region for place in places.places.values() if place.region}
    graph = nx.Graph()
    rest = [place for place in places.places if place not in found]
    graph.add_nodes_from(rest)
    for edge in places.all_edges():
        target = edge.target
        if target is not None and edge.source not in found and target not in found and edge.source != target:
            known = graph.get_edge_data(edge.source, target, {"weight": 0.0})["weight"]
            graph.add_edge(edge.source, target, weight=known + edge.hits)
    if graph.number_of_edges():
        parts = nx.community.louvain_communities(graph, weight="weight", seed=seed)
    else:
        parts = [{place} for place in rest]
    order = {place: number for number, place in enumerate(places.places)}
    for part in parts:
        first = min(part, key=order.__getitem__)
        for place in part:
            found[place] = places.place(first).label
    return found


def portals(places: PlaceMap, region_of: dict[str, str]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Passages between regions: (region, region) -> [(place, action), ...]."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for edge in places.all_edges():
        if edge.target is not None and region_of[edge.source] != region_of[edge.target]:
            found[region_of[edge.source], region_of[edge.target]].append((edge.source, edge.action))
    return dict(found)
