"""The ``minigrid`` suite: recognition under slipping steps, and macros on BabyAI, with what an agent sees and no more.

*FourRooms*: a random walk whose actions do nothing in 5 % of the cases; the walker knows its actions and its egocentric
view. Nodes per true pose and purity (share of steps at the majority pose of their node), for our tracker and for two
controls: the view alone, and counted steps alone. *BabyAI*: the oracle bot's successful episodes teach macros; on
held-out episodes a decision may take a macro that agrees with what the bot wants next, step by step, executed for real.
Needs ``gymnasium`` and ``minigrid``.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hippo_agent.errors import MissingExtra
from hippo_agent.evaluation.run import Outcome, Row, Run, sample
from hippo_agent.spatial.macros import Act, MacroConfig, Trajectory, distil
from hippo_agent.spatial.pose import PoseConfig, PoseTracker

__all__ = ["BabyOutcome", "Identity", "baby", "four_rooms", "identity", "make", "suite"]

_ACTIONS = {"left": 0, "right": 1, "forward": 2}
_NAMES = ("left", "right", "forward", "pickup", "drop", "toggle", "done")
LEVELS = ("BabyAI-UnlockPickup-v0", "BabyAI-BlockedUnlockPickup-v0", "BabyAI-GoToObjMazeS7-v0", "BabyAI-SynthLoc-v0")
_SOLID = (2, 4)  # wall, closed door: what the cell in front is coded as


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """How well nodes stand for true poses."""

    nodes: int
    poses: int
    purity: float

    @property
    def nodes_per_pose(self) -> float:
        return self.nodes / self.poses


@dataclass(frozen=True, slots=True, kw_only=True)
class BabyOutcome:
    """Decisions needed with macros, as a share of the actions taken; success with and without them."""

    level: str
    macros: int
    episodes: int
    decisions: float
    decisions_shuffled: float  # the same macros with their steps in another order
    success: float
    success_without: float


def identity(nodes: Sequence[Hashable], truth: Sequence[Hashable]) -> Identity:
    """Compare the node of each step with its true pose."""
    at: dict[Hashable, Counter[Hashable]] = defaultdict(Counter)
    for node, pose in zip(nodes, truth, strict=True):
        at[node][pose] += 1
    pure = sum(counts.most_common(1)[0][1] for counts in at.values())
    return Identity(nodes=len(at), poses=len(set(truth)), purity=pure / len(truth))


def four_rooms(*, steps: int = 20_000, slip: float = 0.05, seed: int = 0) -> dict[str, Identity]:
    """One random walk; "ours", "view" (name-only identity) and "steps" (dead reckoning)."""
    env = make("MiniGrid-FourRooms-v0")
    observation, _ = env.reset(seed=seed)
    env.max_steps = steps + 1
    rng = random.Random(seed)
    tracker = PoseTracker(_look(observation), config=PoseConfig(slip=slip))
    truth = [_pose(env)]
    views, counted = [_look(observation)], [(0, 0, 0)]
    for _ in range(steps):
        action = rng.choice(("left", "right", "forward", "forward"))
        blocked = action == "forward" and int(observation["image"][3, 5, 0]) in _SOLID
        if rng.random() >= slip:
            observation, *_ = env.step(_ACTIONS[action])
        tracker.step(action, _look(observation), blocked=blocked)
        counted.append(_counted(counted[-1], action, blocked))
        truth.append(_pose(env))
        views.append(_look(observation))
    return {
        "ours": identity(tracker.path(), truth),
        "view": identity(views, truth),
        "steps": identity(counted, truth),
    }


def baby(level: str, *, train: int = 60, test: int = 40, seed: int = 0) -> BabyOutcome:
    """Macros from the bot's successes on ``train`` episodes, used on ``test`` others."""
    learnt = [_episode(level, seed + number) for number in range(train)]
    trajectories = [
        Trajectory(id=str(number), acts=tuple(Act(_NAMES[action]) for action in actions), success=success)
        for number, (actions, success) in enumerate(learnt)
    ]
    macros = distil(trajectories, MacroConfig(most=40))
    shapes = sorted((macro.steps for macro in macros), key=len, reverse=True)
    deal = random.Random(seed)
    mixed = sorted((tuple(deal.sample(shape, len(shape))) for shape in shapes), key=len, reverse=True)
    without_order = 0
    decisions = taken = solved = solved_without = 0
    for number in range(test):
        where = seed + 10_000 + number
        wanted, alone = _episode(level, where)
        solved_without += alone
        env = make(level)
        env.reset(seed=where)
        at, reward = 0, 0.0
        names = [_NAMES[action] for action in wanted]
        without_order += _decisions(names, mixed)
        while at < len(wanted):
            chosen = next((shape for shape in shapes if tuple(names[at : at + len(shape)]) == shape), (names[at],))
            decisions += 1
            for name in chosen:
                _, reward, ended, cut, _ = env.step(_NAMES.index(name))
                taken, at = taken + 1, at + 1
                if ended or cut:
                    break
        solved += reward > 0
    return BabyOutcome(
        level=level,
        macros=len(macros),
        episodes=test,
        decisions=decisions / taken if taken else 0.0,
        decisions_shuffled=without_order / taken if taken else 0.0,
        success=solved / test,
        success_without=solved_without / test,
    )


def suite(data: Path | None, run: Run) -> Outcome:
    """Three walks through FourRooms and four levels of BabyAI; ``limit`` keeps so many of these seven."""
    tasks = [
        *(("four-rooms", str(seed)) for seed in range(run.seed, run.seed + 3)),
        *(("babyai", level) for level in LEVELS),
    ]
    rows = []
    chosen = sample(tasks, run.limit, run.seed)
    run.expect(len(chosen), each=1)
    for kind, name in chosen:
        metrics: dict[str, dict[str, float]]
        if kind == "four-rooms":
            found = four_rooms(seed=int(name))
            names = {"ours": "hippo", "view": "name", "steps": "counted-steps"}
            metrics = {
                names[system]: {"nodes_per_pose": each.nodes_per_pose, "purity": each.purity}
                for system, each in found.items()
            }
        else:
            outcome = baby(name, seed=run.seed)
            metrics = {
                "hippo": {"decisions": outcome.decisions, "success": outcome.success},
                "shuffled": {"decisions": outcome.decisions_shuffled, "success": outcome.success_without},
                "memory-off": {"decisions": 1.0, "success": outcome.success_without},
            }
        about = {"id": f"{kind} {name}"}
        labelled = {
            system: {f"{metric}_{_short(kind, name)}": value for metric, value in each.items()}
            for system, each in metrics.items()
        }
        rows.append(Row(about=about, metrics=labelled))
        run.step()
    return Outcome.of(rows)


def _short(kind: str, name: str) -> str:
    return f"{kind}_{name}" if kind == "four-rooms" else name.removeprefix("BabyAI-").removesuffix("-v0")


def _decisions(names: Sequence[str], shapes: Sequence[tuple[str, ...]]) -> int:
    """Decisions for a sequence when a shape that fits counts as one, the longest first."""
    at = count = 0
    while at < len(names):
        fitting = next((shape for shape in shapes if tuple(names[at : at + len(shape)]) == shape), (names[at],))
        at, count = at + len(fitting), count + 1
    return count


def _episode(level: str, seed: int) -> tuple[list[int], bool]:
    from minigrid.utils.baby_ai_bot import BabyAIBot

    env = make(level)
    env.reset(seed=seed)
    bot: Any = BabyAIBot(env)
    actions: list[int] = []
    last: int | None = None
    while True:
        try:
            last = int(bot.replan(last))
        except (AssertionError, IndexError, ValueError, TypeError, AttributeError):  # what the bot raises, given up
            return actions, False
        _, reward, ended, cut, _ = env.step(last)
        actions.append(last)
        if ended or cut:
            return actions, bool(reward > 0)


def make(name: str) -> Any:
    """A world by its id, without wrappers. Raises MissingExtra."""
    try:
        import gymnasium
        import minigrid  # noqa: F401
    except ImportError as error:
        raise MissingExtra('this suite needs MiniGrid: pip install "hippo-agent[worlds]"') from error
    return gymnasium.make(name).unwrapped


def _look(observation: Any) -> str:
    return hashlib.blake2b(observation["image"].tobytes(), digest_size=8).hexdigest()


def _pose(env: Any) -> tuple[int, int, int]:
    return int(env.agent_pos[0]), int(env.agent_pos[1]), int(env.agent_dir)


def _counted(pose: tuple[int, int, int], action: str, blocked: bool) -> tuple[int, int, int]:
    x, y, heading = pose
    if action != "forward":
        return x, y, (heading + (1 if action == "right" else -1)) % 4
    if blocked:
        return pose
    dx, dy = ((1, 0), (0, 1), (-1, 0), (0, -1))[heading]
    return x + dx, y + dy, heading
