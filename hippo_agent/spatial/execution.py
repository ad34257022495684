"""Following a route or a macro one step at a time, checking each.

    run = Execution(planner, steps)
    while (action := run.next_action()) is not None:
        arrival = ...                       # do it, observe
        run.report(arrival.place)

On a mismatch: further along the route, the steps between are skipped; else a new plan to the goal from where one is.
An action that failed and moved nothing skips nothing: being at the right place is not having done it.
It stops with a reason after twice the expected steps or when one action is repeated three times at one place. It only
hands out actions as text; nothing is ever executed here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from hippo_agent.spatial.plan import Plan, PlanStep

__all__ = ["Execution", "Pace"]

State = Literal["running", "done", "failed"]

_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """One step to take: the action, where it starts and where it may lead (empty: anywhere)."""

    action: str
    place: str = ""
    expected: frozenset[str] = frozenset()


Replan = Callable[[str, frozenset[str]], Plan]  # (where one is, where one wants to be) -> plan


class Execution:
    """One walk along given steps."""

    def __init__(
        self,
        steps: Sequence[Pace],
        *,
        replan: Replan | None = None,
        find: Callable[[str], str] = lambda place: place,
        failed: Callable[[str, str], None] | None = None,
        blocked: Callable[[str, str], bool] = lambda place, action: False,
    ) -> None:
        """``find`` reads place ids through the aliases; ``failed`` is told (place, action) of each mismatch.

        ``blocked`` says whether an action is blocked at a place by now: then a new way is taken at once.
        """
        self._steps = list(steps)
        self._at = 0
        self._replan = replan
        self._find = find
        self._failed = failed
        self._blocked = blocked
        self._budget = max(4, 2 * len(self._steps))
        self._was = self._steps[0].place if self._steps else ""  # where the running step began, "" when not known
        self._taken: Counter[tuple[str, str]] = Counter()
        self.state: State = "running" if self._steps else "done"
        self.reason = ""
        self.actions_given = 0
        self.mismatches = 0

    @classmethod
    def of_plan(cls, plan: Plan, **options: object) -> Execution:
        """Along a plan."""
        return cls(_paces(plan.steps), **options)  # type: ignore[arg-type]

    @property
    def goal(self) -> frozenset[str]:
        """Where it should end; empty when that is not known."""
        return self._steps[-1].expected if self._steps else frozenset()

    @property
    def remaining(self) -> tuple[str, ...]:
        return tuple(step.action for step in self._steps[self._at :])

    def next_action(self) -> str | None:
        """What to do now; None when done or given up."""
        if self.state != "running" or not self._clear():
            return None
        step = self._steps[self._at]
        self._taken[step.place, step.action] += 1
        if step.place and self._taken[step.place, step.action] > _REPEATS:
            self._stop(f"{step.action!r} was tried {_REPEATS} times at the same place")
            return None
        if self.actions_given >= self._budget:
            self._stop(f"took {self.actions_given} steps, twice what was expected")
            return None
        self.actions_given += 1
        return step.action

    def report(self, place: str | None = None, *, ok: bool | None = None) -> State:
        """What came of it: the place one is at now, or just whether it worked."""
        if self.state != "running":
            return self.state
        step = self._steps[self._at]
        here = None if place is None else self._find(place)
        stuck = here is not None and here == self._find(self._was)
        self._was = here or ""
        if ok is not False and (not step.expected or here is None or self._is(here, step.expected)):
            self._at += 1
            if self._at == len(self._steps):
                self.state = "done"
            return self.state
        self.mismatches += 1
        if self._failed is not None and step.place:
            self._failed(step.place, step.action)
        if here is not None and not stuck and self._rejoin(here):
            return self.state
        if here is not None and self._replan is not None and self.goal and not (stuck and self._is(here, self.goal)):
            self._turn(self._replan(here, self.goal))
            return self.state
        self._stop(f"{step.action!r} did not " + ("work" if stuck else "lead where it should"))
        return self.state

    def _clear(self) -> bool:
        """Whether something is left to do: around what was blocked meanwhile, if there is a way around."""
        ahead = self._steps[self._at :]
        if self._replan is not None and any(self._blocked(step.place, step.action) for step in ahead if step.place):
            self._turn(self._replan(ahead[0].place or self._was, self.goal))
        return self.state == "running"

    def _turn(self, plan: Plan) -> None:
        """Go on along another plan, or stop with its reason."""
        if not plan.found:
            self._stop(plan.reason)
            return
        self._steps, self._at = _paces(plan.steps), 0
        if not self._steps:
            self.state = "done"

    def _rejoin(self, here: str) -> bool:
        """Further along the same route: go on from there."""
        for position in range(len(self._steps) - 1, self._at - 1, -1):
            if self._is(here, self._steps[position].expected):
                self._at = position + 1
                if self._at == len(self._steps):
                    self.state = "done"
                return True
        return False

    def _is(self, here: str, expected: Collection[str]) -> bool:
        return any(self._find(place) == here for place in expected)

    def _stop(self, reason: str) -> None:
        self.state, self.reason = "failed", reason


def _paces(steps: Sequence[PlanStep]) -> list[Pace]:
    return [Pace(step.action, step.place, frozenset({step.expected})) for step in steps]
