"""What an edge weighs under each objective. Dijkstra needs weights that are finite and not negative."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from hippo_agent.errors import ConfigError, InvalidInput
from hippo_agent.spatial.place import Edge

__all__ = ["OBJECTIVES", "Objective", "PlanConfig", "check_objective", "probability", "weight"]

Objective = Literal["steps", "cost", "reliability"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)

_LEAST_PROBABILITY = 0.05  # an edge that always fails costs at most twenty times its cost


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanConfig:
    """How edges are weighed and how much is kept.

    ``half_life``: seconds after which what was learned of an edge counts half; None: for ever.
    ``guess``: probability of a way back that was never walked. ``trees``: goals whose routes are kept at hand.
    """

    half_life: float | None = None
    guess: float = 0.5
    trees: int = 32

    def __post_init__(self) -> None:
        if self.half_life is not None and not self.half_life > 0:
            raise ConfigError(f"half_life must be positive, not {self.half_life!r}; None keeps knowledge for ever")
        if not 0 < self.guess < 1:
            raise ConfigError(f"guess must be in (0, 1), not {self.guess!r}")
        if self.trees < 1:
            raise ConfigError(f"trees must be at least 1, not {self.trees!r}")


def check_objective(objective: str) -> Objective:
    """One of the known objectives."""
    for known in OBJECTIVES:
        if objective == known:
            return known
    raise InvalidInput(f"objective {objective!r} is not one of {', '.join(OBJECTIVES)}")


def probability(edge: Edge, *, now: float, half_life: float | None) -> float:
    """Success probability of an edge; old knowledge fades towards 1/2."""
    known = edge.reliability
    if half_life is None:
        return known
    last = max(edge.last_ok or 0.0, edge.last_fail or 0.0)
    return 0.5 + (known - 0.5) * math.pow(0.5, max(0.0, now - last) / half_life)


def weight(cost: float, chance: float, objective: Objective) -> float:
    """steps: 1. cost: expected cost, cost / p. reliability: -log p."""
    if objective == "steps":
        return 1.0
    if objective == "cost":
        return cost / max(chance, _LEAST_PROBABILITY)
    return -math.log(chance)
