"""Walking a plan or running a macro: what is being followed, one step at a time, and how it is judged at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hippo_agent.errors import InvalidInput
from hippo_agent.spatial.actions import action_key
from hippo_agent.spatial.execution import Execution, Pace, State
from hippo_agent.spatial.macros import MacroConfig
from hippo_agent.spatial.plan import Plan
from hippo_agent.spatial.world import World

__all__ = ["Walker"]


class Walker:
    """At most one walk at a time."""

    def __init__(self, world: World, macros: MacroConfig) -> None:
        self._world = world
        self._config = macros
        self._walk: Execution | None = None
        self._running: str | None = None  # macro being run

    def follow(self, plan: Plan) -> Execution:
        """Begin to walk a plan. Raises InvalidInput for one that found no route."""
        if not plan.found:
            raise InvalidInput(f"there is no route to follow: {plan.reason}")
        self._walk, self._running = Execution.of_plan(plan, **self._options()), None
        return self._walk

    def run(self, macro: str, values: Sequence[str]) -> Execution:
        """Begin a macro. Raises InvalidInput for one that is unknown, not active, or takes other values."""
        found = self._world.macros.get(macro)
        if found is None:
            raise InvalidInput(f"there is no macro {macro!r}; ask suggest_macros()")
        if found.status != "active":
            raise InvalidInput(f"macro {found.name!r} is {found.status}; it failed too often")
        actions = found.bind(values)
        after = found.after or (frozenset(),) * len(actions)
        here = self._world.atlas.trail.current or ""
        starts = [here if number == 0 else "" for number in range(len(actions))]
        paces = [Pace(action, start, expected) for action, start, expected in zip(actions, starts, after, strict=True)]
        self._walk, self._running = Execution(paces, **self._options()), macro
        return self._walk

    def next_step(self) -> str | None:
        """The next action; None when there is none left, or nothing is followed."""
        if self._walk is None:
            return None
        action = self._walk.next_action()
        if self._walk.state == "failed":
            self._settle(self._walk.reason)
        return action

    @property
    def ahead(self) -> tuple[str, ...]:
        """Actions that are left of what is being followed."""
        return self._walk.remaining if self._walk is not None and self._walk.state == "running" else ()

    def report(self, *, ok: bool | None, note: str) -> State:
        """How the step went, by where one is now."""
        if self._walk is None:
            raise InvalidInput("nothing is being followed; call follow(plan) or run_macro(id) first")
        if ok is None and self._world.atlas.trail.current is None:
            raise InvalidInput("it is not known where we are; observe something first, or say whether it worked (ok)")
        state = self._walk.report(self._world.atlas.trail.current, ok=ok)
        if state != "running":
            self._settle(note or self._walk.reason)
        return state

    def drop(self) -> None:
        """Follow nothing any more."""
        self._walk = self._running = None

    def _settle(self, note: str) -> None:
        """Write down how a macro went."""
        macro, self._running = self._running, None
        if macro is None or self._walk is None:
            return
        success = self._walk.state == "done"
        with self._world.changing() as changes:
            found = self._world.macros.get(macro)
            if found is not None:
                self._world.macros[macro] = found.used(success, self._config, note=note)
                changes.macros[macro] = self._world.macros[macro].to_json()

    def _options(self) -> dict[str, Any]:
        world = self._world
        return {
            "replan": lambda here, goal: world.planner.plan(here, tuple(goal), now=world.now()),
            "find": lambda place: world.atlas.map.find(place),
            "blocked": self._blocked,
        }

    def _blocked(self, place: str, action: str) -> bool:
        edge = self._world.atlas.map.edge(place, action_key(action))
        return edge is not None and edge.blocked(self._world.now())
