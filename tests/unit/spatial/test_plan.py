"""Plans: exact against networkx, reasons, blocks, needs, several goals; reading never writes."""

from __future__ import annotations

import math
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hippo_agent.errors import ConfigError, InvalidInput
from hippo_agent.spatial.map import PlaceMap
from hippo_agent.spatial.place import Edge, Place
from hippo_agent.spatial.plan import Plan, Planner
from hippo_agent.spatial.weights import PlanConfig, probability, weight

NOW = 100.0


def chart(edges: list[tuple[Any, ...]]) -> PlaceMap:
    """A map of (source, action, target, cost, hits, tries, blocked until)."""
    places = PlaceMap()
    for source, action, target, *rest in edges:
        cost, hits, tries, until = [*rest, *[1.0, 1, 1, None][len(rest) :]]
        for name in (source, target):
            if name not in places:
                places.add(Place(id=name, name=name))
        places.put_edge(
            Edge(
                source=source,
                action=action,
                spoken=action,
                outcomes={target: hits},
                last=target,
                tries=max(hits, tries),
                cost=cost,
                blocked_until=until,
            )
        )
    return places


@st.composite
def charts(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    size = draw(st.integers(2, 12))
    edge = st.tuples(
        st.integers(0, size - 1).map("p{}".format),
        st.sampled_from(["north", "south", "east", "west", "climb", "swim"]),
        st.integers(0, size - 1).map("p{}".format),
        st.floats(0, 10, allow_subnormal=False),
        st.integers(1, 5),
        st.integers(1, 8),
        st.sampled_from([None, 50.0, 150.0, math.inf]),
    )
    return draw(st.lists(edge, min_size=1, max_size=40, unique_by=lambda row: row[:2]))


def oracle(places: PlaceMap, objective: Any) -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(places.places)
    for edge in places.all_edges():
        if edge.target is not None and not edge.blocked(NOW):
            chance = probability(edge, now=NOW, half_life=None)
            graph.add_edge(edge.source, edge.target, weight=weight(edge.cost, chance, objective))
    return graph


@given(charts(), st.sampled_from(["steps", "cost", "reliability"]))
@settings(max_examples=200)
def test_every_plan_weighs_what_networkx_finds(edges: list[tuple[Any, ...]], objective: Any) -> None:
    places = chart(edges)
    planner = Planner(places)
    graph = oracle(places, objective)
    for start in places.places:
        lengths = nx.single_source_dijkstra_path_length(graph, start)
        for goal in places.places:
            plan = planner.plan(start, goal, objective=objective, now=NOW)
            assert plan.found == (goal in lengths)
            if plan.found:
                assert plan.weight == pytest.approx(lengths[goal], rel=1e-9, abs=1e-9)
                assert follow(places, plan) == goal
            else:
                assert plan.reason and not plan.steps


@given(charts(), st.data())
def test_a_plan_stays_exact_while_the_map_changes(edges: list[tuple[Any, ...]], data: st.DataObject) -> None:
    """Blocks, unblocks, new tries, merges and removals between plans: the arrays follow the map."""
    places = chart(edges)
    planner = Planner(places)
    for _ in range(6):
        ids = sorted(places.places)
        if len(ids) < 2:
            return
        start, goal = data.draw(st.sampled_from(ids)), data.draw(st.sampled_from(ids))
        change = data.draw(st.sampled_from(["block", "unblock", "record", "fail", "merge", "remove"]))
        some = data.draw(st.sampled_from(ids))
        if change == "block":
            places.block(some, "north", until=math.inf, reason="locked")
        elif change == "unblock":
            places.unblock(some, "north")
        elif change == "record":
            places.record(some, data.draw(st.sampled_from(["north", "dig"])), goal, at=NOW, cost=2.0)
        elif change == "fail":
            places.record(some, "north", None, at=NOW)
        elif change == "merge" and len(ids) > 2:
            places.merge(some, data.draw(st.sampled_from(ids)))
        elif change == "remove" and len(ids) > 3:
            places.remove(some)
        start, goal = (place if place in places else next(iter(places.places)) for place in (start, goal))
        start, goal = places.find(start), places.find(goal)
        lengths = nx.single_source_dijkstra_path_length(oracle(places, "cost"), start)
        plan = planner.plan(start, goal, now=NOW)
        assert plan.found == (goal in lengths)
        if plan.found:
            assert plan.weight == pytest.approx(lengths[goal])


def follow(places: PlaceMap, plan: Plan) -> str:
    here = plan.start
    for step in plan.steps:
        edge = places.edge(here, step.key)
        assert step.place == here and edge is not None and not edge.blocked(NOW)
        assert edge.target == step.expected
        here = step.expected
    return here


ROOMS = [
    ("hall", "north", "kitchen"),
    ("kitchen", "south", "hall"),
    ("hall", "east", "study"),
    ("study", "east", "attic"),
    ("kitchen", "up", "attic", 5.0),
]


def test_objectives_differ() -> None:
    edges = [("a", "swim", "b", 1.0, 1, 8), ("a", "north", "c", 1.0, 5, 5), ("c", "east", "b", 1.0, 5, 5)]
    planner = Planner(chart(edges))
    assert planner.plan("a", "b", objective="steps").actions == ("swim",)
    assert planner.plan("a", "b", objective="cost").actions == ("north", "east")
    assert planner.plan("a", "b", objective="cost").weight == pytest.approx(2 * 7 / 6)
    surest = planner.plan("a", "b", objective="reliability")
    assert surest.probability == pytest.approx((6 / 7) ** 2)
    assert surest.weight == pytest.approx(-math.log(surest.probability))


def test_the_nearest_of_several_goals() -> None:
    planner = Planner(chart(ROOMS))
    plan = planner.plan("hall", ["attic", "study"], objective="steps")
    assert (plan.goal, plan.actions) == ("study", ("east",))
    assert planner.plan("hall", ["attic", "hall"]).steps == ()


def test_a_block_is_planned_around_and_ends() -> None:
    places = chart(ROOMS)
    planner = Planner(places)
    assert planner.plan("hall", "attic", now=1.0).actions == ("east", "east")
    places.block("hall", "east", until=10.0, reason="flooded")
    assert planner.plan("hall", "attic", now=1.0).actions == ("north", "up")
    assert planner.plan("hall", "attic", now=10.0).actions == ("east", "east")
    places.block("hall", "north", until=math.inf, reason="on fire")
    assert planner.plan("hall", "attic", now=1.0).reason in (
        "blocked: 'east' at 'hall' (flooded)",
        "blocked: 'north' at 'hall' (on fire)",
    )


def test_needs_count_when_it_is_said_what_is_held() -> None:
    places = chart(ROOMS)
    places.require("hall", "east", {"has": "brass key"})
    planner = Planner(places)
    assert planner.plan("hall", "study").actions == ("east",)
    assert planner.plan("hall", "study", have={"has": "brass key"}).actions == ("east",)
    assert planner.plan("hall", "study", have={}).reason == "needs has: brass key: 'east' at 'hall'"
    assert planner.plan("hall", "attic", have={}).actions == ("north", "up")


def test_guesses_are_used_only_when_asked_for_and_are_marked() -> None:
    planner = Planner(chart(ROOMS))
    assert planner.plan("attic", "hall").reason == "no known way leads there"
    plan = planner.plan("attic", "hall", guess=True, objective="steps")
    assert plan.actions == ("west", "west") and all(step.guessed for step in plan.steps)


def test_no_route_names_the_nearest_frontier() -> None:
    places = chart([*ROOMS, ("cellar", "up", "cellar")])
    places.place("study").text = "a stair leads up and a door leads east."
    plan = Planner(places).plan("hall", "cellar")
    assert not plan and plan.frontier == "study"


def test_reading_never_writes() -> None:
    places = chart(ROOMS)
    planner = Planner(places)
    version = places.version
    assert planner.plan("hall", "nowhere").reason == "unknown place 'nowhere'"
    assert planner.plan("nowhere", "hall").reason == "unknown place 'nowhere'"
    assert planner.plan("hall", []).reason == "no goal was given"
    assert planner.plan("hall", "hall").found
    planner.frontier("hall"), planner.distances("hall")
    assert places.version == version and len(places) == 4


def test_bad_arguments() -> None:
    planner = Planner(chart(ROOMS))
    with pytest.raises(InvalidInput, match="'fastest' is not one of steps, cost, reliability"):
        planner.plan("hall", "study", objective="fastest")
    with pytest.raises(InvalidInput):
        planner.plan("hall", "study", now=math.nan)
    with pytest.raises(ConfigError):
        PlanConfig(half_life=0)


def test_old_knowledge_fades() -> None:
    edge = Edge(source="a", action="north", outcomes={"b": 8}, last="b", tries=8, last_ok=0.0)
    assert edge.reliability == pytest.approx(0.9)
    assert probability(edge, now=10.0, half_life=10.0) == pytest.approx(0.7)
    places = chart([("a", "swim", "b"), ("a", "north", "b")])
    places.put_edge(Edge(source="a", action="swim", outcomes={"b": 9}, last="b", tries=9, last_ok=0.0))
    places.put_edge(Edge(source="a", action="north", outcomes={"b": 2}, last="b", tries=2, last_ok=1000.0))
    assert Planner(places).plan("a", "b", now=1000.0).actions == ("swim",)
    assert Planner(places, PlanConfig(half_life=100.0)).plan("a", "b", now=1000.0).actions == ("north",)


def test_ten_thousand_plans_on_larger_maps_equal_networkx() -> None:
    """100 maps of 60 places with one-way edges, costs and blocks; 100 plans on each."""
    import random

    rng = random.Random(7)
    wrong = 0
    for _ in range(100):
        rows = {}
        for _ in range(180):
            source, target = rng.sample(range(60), 2)
            until = NOW + 1 if rng.random() < 0.1 else None
            rows[source, f"go {target % 7}"] = (
                f"p{source}",
                f"go {target % 7}",
                f"p{target}",
                rng.choice([0.0, 0.5, 1.0, 3.0]),
                rng.randint(1, 4),
                rng.randint(1, 6),
                until,
            )
        places = chart(list(rows.values()))
        planner, graph = Planner(places), oracle(places, "cost")
        ids = sorted(places.places)
        for start in rng.choices(ids, k=10):
            lengths = nx.single_source_dijkstra_path_length(graph, start)
            for goal in rng.choices(ids, k=10):
                plan = planner.plan(start, goal, now=NOW)
                good = plan.found == (goal in lengths)
                wrong += not (good and (not plan.found or math.isclose(plan.weight, lengths[goal], abs_tol=1e-9)))
    assert wrong == 0
