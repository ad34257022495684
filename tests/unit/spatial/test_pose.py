"""A pose on a grid, from actions that sometimes do nothing and looks that repeat."""

from __future__ import annotations

import random

import pytest

from hippo_agent.errors import ConfigError, InvalidInput
from hippo_agent.spatial.pose import Pose, PoseConfig, PoseTracker

SIZE = 7


def look(pose: Pose, rng: random.Random) -> str:
    """One pose in five look like others."""
    return f"plain {pose[2]}" if rng.random() < 0.2 else f"{pose}"


def walk(steps: int, slip: float, seed: int) -> tuple[PoseTracker, list[Pose]]:
    rng = random.Random(seed)
    world = {
        (x, y, h): look((x, y, h), random.Random(f"{x} {y} {h}"))
        for x in range(SIZE)
        for y in range(SIZE)
        for h in range(4)
    }
    pose: Pose = (3, 3, 0)
    tracker = PoseTracker(world[pose], config=PoseConfig(slip=max(slip, 0.01)))
    truth = [pose]
    for _ in range(steps):
        action = rng.choice(("left", "right", "forward", "forward"))
        x, y, h = pose
        ahead = (x + (1, 0, -1, 0)[h], y + (0, 1, 0, -1)[h], h)
        blocked = ahead not in world
        if rng.random() >= slip:
            turned = (x, y, (h + (1 if action == "right" else -1)) % 4)
            pose = (pose if blocked else ahead) if action == "forward" else turned
        tracker.step(action, world[pose], blocked=blocked)
        truth.append(pose)
    return tracker, truth


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_slips_are_noticed(seed: int) -> None:
    tracker, truth = walk(400, 0.05, seed)
    path = [(x + 3, y + 3, h) for x, y, h in tracker.path()]
    right = sum(a == b for a, b in zip(path, truth, strict=True)) / len(truth)
    assert right >= 0.9
    assert len(set(path)) / len(set(truth)) <= 1.15


def test_without_slips_it_is_exact() -> None:
    tracker, truth = walk(300, 0.0, 4)
    assert [(x + 3, y + 3, h) for x, y, h in tracker.path()] == truth
    assert tracker.pose == tracker.path()[-1] and tracker.poses == len(set(truth))


def test_bad_arguments() -> None:
    with pytest.raises(InvalidInput):
        PoseTracker("a").step("jump", "b")
    for bad in ({"slip": 1.0}, {"agree": 0.0}, {"particles": 0}):
        with pytest.raises(ConfigError):
            PoseConfig(**bad)  # type: ignore[arg-type]
