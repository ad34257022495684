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
from typing import Any

from hippo_agent.errors import MissingExtra
from hippo_agent.spatial.macros import Act, MacroConfig, Trajectory, distil
from hippo_agent.spatial.pose import PoseConfig, PoseTracker

__all__ = ["BabyOutcome", "Identity", "baby", "four_rooms", "identity"]

_ACTIONS = {"left": 0, "right": 1, "forward": 2}
_NAMES = ("left", "right", "forward", "pickup", "drop", "toggle", "done")
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
    env = _make("MiniGrid-FourRooms-v0")
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
    decisions = taken = solved = solved_without = 0
    for number in range(test):
        where = seed + 10_000 + number
        wanted, alone = _episode(level, where)
        solved_without += alone
        env = _make(level)
        env.reset(seed=where)
        at, reward = 0, 0.0
        names = [_NAMES[action] for action in wanted]
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
        success=solved / test,
        success_without=solved_without / test,
    )


def _episode(level: str, seed: int) -> tuple[list[int], bool]:
    from minigrid.utils.baby_ai_bot import BabyAIBot

    env = _make(level)
    env.reset(seed=seed)
    bot: Any = BabyAIBot(env)
    actions: list[int] = []
    last: int | None = None
    while True:
        try:
            last = int(bot.replan(last))
        except Exception:  # the bot asserts and raises bare errors when it gives up
            return actions, False
        _, reward, ended, cut, _ = env.step(last)
        actions.append(last)
        if ended or cut:
            return actions, bool(reward > 0)


def _make(name: str) -> Any:
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
