"""Plans on the map: goal trees by scipy, routes read off them, and reasons when there is none.

One Dijkstra from the goal over the arcs turned round serves every start; the trees of recent goals are kept until the
map changes. A plan never writes: unknown places are a reason, not new nodes. (The goal-tree idea is SPTM's.)
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from hippo_agent.errors import InvalidInput
from hippo_agent.spatial.graph import ArcTable, View, guessed, met
from hippo_agent.spatial.map import PlaceMap
from hippo_agent.spatial.place import Edge
from hippo_agent.spatial.weights import Objective, PlanConfig, check_objective, probability, weight

__all__ = ["Plan", "PlanStep", "Planner"]

_UNREACHED = -9999  # scipy's mark


class PlanStep(NamedTuple):
    """One action of a plan."""

    place: str
    action: str  # as the caller last said it
    key: str  # the edge's label
    expected: str  # place it should lead to
    probability: float
    cost: float
    guessed: bool = False  # a way back that was never walked


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A route, or why there is none."""

    found: bool
    start: str
    goal: str | None  # the goal that is reached; None without a route
    objective: Objective
    steps: tuple[PlanStep, ...] = ()
    weight: float = math.inf  # what the objective minimised
    reason: str = ""  # without a route: "unknown place ...", "blocked: ...", "needs ...", "no known way"
    frontier: str | None = None  # nearest place with something untried, when there is no route
    map_version: int = 0

    def __bool__(self) -> bool:
        return self.found

    @property
    def actions(self) -> tuple[str, ...]:
        """What to do, in order."""
        return tuple(step.action for step in self.steps)

    @property
    def cost(self) -> float:
        """Sum of the steps' mean costs."""
        return math.fsum(step.cost for step in self.steps)

    @property
    def probability(self) -> float:
        """That all steps succeed, taken as independent."""
        return math.prod(step.probability for step in self.steps)


@dataclass(frozen=True, slots=True)
class _Tree:
    version: int
    made: float
    expires: float
    distance: NDArray[np.float64]
    following: NDArray[np.int32]  # node -> next node towards the goal


class Planner:
    """Plans on one `PlaceMap`; reads it, never changes it."""

    def __init__(self, places: PlaceMap, config: PlanConfig | None = None) -> None:
        self._map = places
        self.config = config or PlanConfig()
        self._arcs = ArcTable(places, self.config)
        self._trees: OrderedDict[tuple[Any, ...], _Tree] = OrderedDict()

    def plan(
        self,
        start: str,
        goal: str | Collection[str],
        *,
        objective: str = "cost",
        now: float = 0.0,
        have: Mapping[str, str] | None = None,
        guess: bool = False,
    ) -> Plan:
        """The best route to the goal, or to the nearest of several.

        Args:
            start, goal: place ids; an empty collection of goals or an unknown id gives a reason, not an error.
            objective: "steps", "cost" (expected, of tries that may fail) or "reliability".
            now: time that blocks are compared with. have: what is held, for edges with needs; None ignores needs.
            guess: also use ways back that were never walked, marked in the plan.

        Raises:
            InvalidInput: an objective that does not exist, a time that is not a number.
        """
        wanted = check_objective(objective)
        if math.isnan(now):
            raise InvalidInput("now is not a number; pass a time in seconds")
        goals = (goal,) if isinstance(goal, str) else tuple(goal)
        base = Plan(found=False, start=start, goal=None, objective=wanted, map_version=self._map.version)
        missing = [place for place in (start, *goals) if place not in self._map]
        if missing or not goals:
            reason = f"unknown place {missing[0]!r}" if missing else "no goal was given"
            return replace(base, reason=reason)
        start = self._map.find(start)
        targets = tuple(sorted({self._map.find(place) for place in goals}))
        if start in targets:
            return replace(base, found=True, goal=start, weight=0.0)
        held = None if have is None else frozenset(f"{name}: {value}" for name, value in have.items())
        tree = self._tree(targets, wanted, now, held, guess)
        node = self._arcs.index[start]
        if not math.isfinite(tree.distance[node]):
            return self._no_route(start, targets, wanted, now, held, guess, base)
        steps = self._walk(node, tree, wanted, now, held, guess)
        weight = float(tree.distance[node])
        return replace(base, found=True, goal=steps[-1].expected, steps=tuple(steps), weight=weight)

    def distances(
        self, start: str, *, limit: float = math.inf, now: float = 0.0, either_way: bool = False
    ) -> dict[str, float]:
        """Places within so many steps of walked edges with their distance, nearest first. Costs what it visits.

        ``either_way``: nearness, not reachability; a one-way passage counts in both directions, blocked or not.
        """
        first = self._map.place(start).id
        found = {first: 0.0}
        queue = [first]
        for place in queue:
            if found[place] + 1 > limit:
                break
            edges = self._map.edges(place)
            near = [edge.target for edge in edges if either_way or not edge.blocked(now)]
            if either_way:
                near += [source for source, _ in self._map.sources(place)]
            for target in near:
                if target is not None and target not in found and target in self._map.places:
                    found[target] = found[place] + 1.0
                    queue.append(target)
        return found

    def frontier(self, start: str, *, now: float = 0.0, limit: int = 10) -> list[tuple[str, float, list[str]]]:
        """Nearest places where something was never tried: (place, steps away, untried actions)."""
        found = []
        for place, distance in self.distances(start, now=now).items():
            untried = self._map.untried(place)
            if untried:
                found.append((place, distance, untried))
                if len(found) >= limit:
                    break
        return found

    # Inside

    def _tree(
        self, targets: tuple[str, ...], objective: Objective, now: float, held: frozenset[str] | None, guess: bool
    ) -> _Tree:
        version = self._map.version
        key = (targets, objective, held, guess)
        tree = self._trees.get(key)
        fresh = tree is not None and tree.version == version and tree.made <= now < tree.expires
        if fresh and self.config.half_life is None and tree is not None:
            self._trees.move_to_end(key)
            return tree
        self._arcs.sync()
        view = self._arcs.view(objective, now=now, have=held, guess=guess)
        tree = self._grow(view, [self._arcs.index[place] for place in targets], version)
        self._trees[key] = tree
        self._trees.move_to_end(key)
        while len(self._trees) > self.config.trees:
            self._trees.popitem(last=False)
        return tree

    def _grow(self, view: View, roots: Sequence[int], version: int) -> _Tree:
        if len(roots) == 1:
            distance, following = dijkstra(view.backward, indices=roots[0], return_predecessors=True)
        else:
            distance, following, _ = dijkstra(view.backward, indices=roots, return_predecessors=True, min_only=True)
        return _Tree(version, view.made, view.expires, distance, following)

    def _walk(
        self, node: int, tree: _Tree, objective: Objective, now: float, held: frozenset[str] | None, guess: bool
    ) -> list[PlanStep]:
        steps: list[PlanStep] = []
        ids, following = self._arcs.ids, tree.following
        while (after := following.item(node)) != _UNREACHED:
            steps.append(self._best(ids[node], ids[after], objective, now, held, guess))
            node = after
        return steps

    def _best(
        self, place: str, target: str, objective: Objective, now: float, held: frozenset[str] | None, guess: bool
    ) -> PlanStep:
        """The lightest action from one place to the next."""
        best: tuple[float, PlanStep] | None = None
        for edge in self._map.out[place].values():
            if edge.target != target or (edge.blocked_until is not None and edge.blocked(now)):
                continue
            if held is not None and edge.needs and not met(edge, held):
                continue
            chance = probability(edge, now=now, half_life=self.config.half_life)
            load = weight(edge.cost, chance, objective)
            if best is None or load < best[0]:
                best = load, PlanStep(place, edge.spoken or edge.action, edge.action, target, chance, edge.cost)
        if guess:
            for edge in self._guesses(place, target):
                load = weight(edge.cost, self.config.guess, objective)
                back = guessed(self._map, edge)
                if back is not None and (best is None or load < best[0]):
                    best = load, PlanStep(place, back, back, target, self.config.guess, edge.cost, True)
        assert best is not None, "the tree used an arc that the map does not have"
        return best[1]

    def _guesses(self, place: str, target: str) -> list[Edge]:
        """Edges from the target to the place that might be walked backwards."""
        return [edge for edge in self._map.edges(target) if edge.target == place]

    def _no_route(
        self,
        start: str,
        targets: tuple[str, ...],
        objective: Objective,
        now: float,
        held: frozenset[str] | None,
        guess: bool,
        base: Plan,
    ) -> Plan:
        """Why there is no route: would one without blocks and needs exist?"""
        open_tree = self._tree(targets, objective, math.inf, None, guess)
        node = self._arcs.index[start]
        reason = "no known way leads there"
        if math.isfinite(open_tree.distance[node]):
            for step in self._walk(node, open_tree, objective, math.inf, None, guess):
                edge = self._map.edge(step.place, step.key)
                if edge is None:
                    continue
                where = f"{step.action!r} at {self._map.place(step.place).label!r}"
                if edge.blocked(now):
                    reason = f"blocked: {where}" + (f" ({edge.block})" if edge.block else "")
                    break
                if held is not None and not met(edge, held):
                    lacking = ", ".join(f"{name}: {value}" for name, value in sorted(edge.needs.items()))
                    reason = f"needs {lacking}: {where}"
                    break
        nearest = self.frontier(start, now=now, limit=1)
        return replace(base, reason=reason, frontier=nearest[0][0] if nearest else None)
