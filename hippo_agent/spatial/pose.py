"""Where one stands on a grid when steps may slip: several readings are followed, each drawing its own map (FastSLAM).

Each reading holds a pose and its own map of what was seen at each pose. A step splits it into "it worked" and "it
slipped"; what is seen then decides between them, by the reading's own map; the likeliest readings are kept, and kept
apart as long as their maps differ: a wrong reading may lead for a while, and it shows only when a known place is seen
again. Two independent evidences have to agree before a place counts as known: dead reckoning and the look (RatSLAM's
rule).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hippo_agent.errors import ConfigError, InvalidInput

__all__ = ["Pose", "PoseConfig", "PoseTracker"]

Pose = tuple[int, int, int]  # x, y, heading in quarter turns (0: +x, 1: +y, 2: -x, 3: -y)

_NEGLIGIBLE = 1e-20  # weight, relative to the best, below which a reading is given up
_STEP = ((1, 0), (0, 1), (-1, 0), (0, -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseConfig:
    """``slip``: share of actions that do nothing. ``particles``: how many readings are followed."""

    slip: float = 0.05
    particles: int = 100
    agree: float = 0.9999  # probability that a known pose looks as before
    novel: float = 0.5  # probability that a new pose looks like none before

    def __post_init__(self) -> None:
        if not 0 <= self.slip < 1 or not 0 < self.agree < 1 or not 0 < self.novel < 1:
            raise ConfigError("slip must be in [0, 1), agree and novel in (0, 1)")
        if self.particles < 1:
            raise ConfigError(f"particles must be at least 1, not {self.particles!r}")


@dataclass(slots=True)
class _Particle:
    pose: Pose
    looks: dict[Pose, str] = field(default_factory=dict)
    trail: tuple[object, Pose] | None = None  # linked list of poses, newest first
    weight: float = 1.0
    mark: int = 0  # of its map: equal for equal maps


class PoseTracker:
    """Tracks a pose by actions "left", "right" and "forward" and what is seen after each."""

    def __init__(self, first: str, *, config: PoseConfig | None = None) -> None:
        """``first``: what is seen at the start, which is pose (0, 0, 0)."""
        self.config = config or PoseConfig()
        start: Pose = (0, 0, 0)
        self._particles = [_Particle(start, {start: first}, (None, start))]
        self._looks: dict[str, int] = {first: 0}
        self._held: Counter[str] = Counter([first])  # poses of the likeliest map by their look
        self._counted = 1
        self._look = first
        self._done: Counter[str] = Counter()
        self._same: Counter[str] = Counter()
        self._fresh = 0.0  # probability of the present look at a pose never seen
        self._best = self._particles[0]

    @property
    def pose(self) -> Pose:
        """The likeliest pose."""
        return self._best.pose

    @property
    def poses(self) -> int:
        """How many poses the likeliest map holds."""
        return len(self._best.looks)

    def path(self) -> list[Pose]:
        """The likeliest way from the start, one pose per observation."""
        found: list[Pose] = []
        node = self._best.trail
        while node is not None:
            found.append(node[1])
            node = node[0]  # type: ignore[assignment]
        return found[::-1]

    def step(self, action: str, look: str, *, blocked: bool = False) -> Pose:
        """Take in one action and what is seen after it; ``blocked``: something stood in the way before the step."""
        if action not in ("left", "right", "forward"):
            raise InvalidInput(f"action {action!r} is not left, right or forward")
        worked = 0.02 if blocked and action == "forward" else 1 - self.config.slip
        before = self._held[look]
        self._fresh = self.config.novel if not before else (1 - self.config.novel) * before / self._counted
        if not (blocked and action == "forward"):
            self._done[action] += 1
            self._same[action] += look == self._look
            if look == self._look:  # how often a step that worked shows the same again
                share = (self._same[action] + 1) / (self._done[action] + 10)
                self._fresh = max(0.001, (share - self.config.slip) / (1 - self.config.slip))
        self._look = look
        children: list[tuple[float, int, _Particle, Pose]] = []
        for order, particle in enumerate(self._particles):
            moved, stayed = _moved(particle.pose, action), particle.pose
            for chance, pose in ((worked, moved), (1 - worked, stayed)):
                weight = particle.weight * chance * self._likelihood(particle, pose, look)
                children.append((weight, -order, particle, pose))
        children.sort(key=lambda child: child[:2], reverse=True)
        best = children[0][0]
        if best <= 0:
            return self._best.pose
        distinct: dict[tuple[Pose, int], tuple[float, int, _Particle, Pose]] = {}
        for child in children:  # readings with one map at one pose differ in their past only: the likeliest stands
            distinct.setdefault((child[3], self._mark(child[2], child[3], look)), child)
        kept = [child for child in list(distinct.values())[: self.config.particles] if child[0] > _NEGLIGIBLE * best]
        self._particles = [
            _Particle(pose, particle.looks, (particle.trail, pose), weight / best, particle.mark)
            for weight, _, particle, pose in kept
        ]
        for particle in self._particles:  # maps are shared until one learns something
            if particle.pose not in particle.looks:
                particle.mark = self._mark(particle, particle.pose, look)
                particle.looks = {**particle.looks, particle.pose: look}
        self._best = self._particles[0]
        if len(self._best.looks) > self._counted:
            self._counted = len(self._best.looks)
            self._held[look] += 1
        return self._best.pose

    def _mark(self, particle: _Particle, pose: Pose, look: str) -> int:
        """Of the particle's map with this look at this pose."""
        if pose in particle.looks:
            return particle.mark
        number = self._looks.setdefault(look, len(self._looks))
        return particle.mark ^ hash((*pose, number))  # of numbers only: the same in every process

    def _likelihood(self, particle: _Particle, pose: Pose, look: str) -> float:
        known = particle.looks.get(pose)
        if known is not None:
            return self.config.agree if known == look else 1 - self.config.agree
        return self._fresh


def _moved(pose: Pose, action: str) -> Pose:
    x, y, heading = pose
    if action == "left":
        return x, y, (heading - 1) % 4
    if action == "right":
        return x, y, (heading + 1) % 4
    dx, dy = _STEP[heading]
    return x + dx, y + dy, heading
