"""Are the recogniser's weights fitted to the games they were watched on? Fit them on half of the games, ask the other.

    python -m hippo_agent.evaluation.mango_fit GAMES [ROUNDS [SEED]]

The fit knows the sign of each weight and nothing else: it starts from +-2 (factors from 1), and tries each weight at
other sizes in turn, keeping what gives more solved routes and a better merge F1 on its half. Both ways round, beside
the shipped weights on the same halves. The terms themselves were written with all games in view; only their weights
are tested here.
"""

from __future__ import annotations

import json
import random
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from hippo_agent.evaluation.suites.mango import Game, GameScore, games, load, outcome_of, score, weighted
from hippo_agent.spatial.evidence import WEIGHTS

__all__ = ["fit", "halves", "main", "measure", "start"]

_SIZES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
_FACTORS = frozenset({"maze"})  # in [0, 1], no log odds


def start() -> dict[str, float]:
    """Weights of which only the sign is known."""
    return {name: 1.0 if name in _FACTORS else (2.0 if value > 0 else -2.0) for name, value in WEIGHTS.items()}


def halves(names: Sequence[str], seed: int = 0) -> tuple[list[str], list[str]]:
    """Two halves of the games, drawn by the seed."""
    dealt = sorted(names)
    random.Random(seed).shuffle(dealt)
    middle = len(dealt) // 2
    return sorted(dealt[:middle]), sorted(dealt[middle:])


def measure(chosen: Sequence[Game], weights: Mapping[str, float]) -> Mapping[str, float]:
    """Figures of all games together."""
    return outcome_of({"fitted": _scores(chosen, weights)}).metrics["fitted"]


def fit(chosen: Sequence[Game], *, rounds: int = 2, seed: int = 0) -> dict[str, float]:
    """Weights by coordinate search on some games."""
    weights = start()
    best = _goal(measure(chosen, weights))
    rng = random.Random(seed)
    for _ in range(rounds):
        for name in rng.sample(sorted(weights), len(weights)):
            sign = 1.0 if weights[name] > 0 else -1.0
            sizes = (0.3, 0.6, 1.0) if name in _FACTORS else _SIZES
            for size in sizes:
                tried = weights | {name: sign * size}
                found = _goal(measure(chosen, tried))
                if found > best:
                    weights, best = tried, found
    return weights


def main(folder: Path, rounds: int = 2, seed: int = 0) -> dict[str, Mapping[str, float]]:
    """Figures on the games that a fit has not seen, both halves both ways, all games together; prints them."""
    parts = [[load(folder, name) for name in half] for half in halves(games(folder), seed)]
    found: dict[str, list[GameScore]] = defaultdict(list)
    for own, other, half in ((0, 1, "second half"), (1, 0, "first half")):
        weights = fit(parts[own], rounds=rounds, seed=seed)
        found["fitted, own games"] += _scores(parts[own], weights)
        for name, used in (("held out", weights), ("start", start()), ("shipped", WEIGHTS)):
            found[f"{name}, {half}"] = _scores(parts[other], used)
            found[name] += found[f"{name}, {half}"]
    table = dict(outcome_of(found).metrics)
    sys.stdout.write(json.dumps({"rounds": rounds, "seed": seed, **table}, indent=1) + "\n")
    return table


def _scores(chosen: Sequence[Game], weights: Mapping[str, float]) -> list[GameScore]:
    mapper = weighted(weights)
    return [score(game, mapper(game.steps)) for game in chosen]


def _goal(found: Mapping[str, float]) -> float:
    return found["route_success"] + found["route_success_macro"] + found["merge_f1"]


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(argument) for argument in sys.argv[2:4]))
