"""What planning costs above bare scipy, and what an observation costs as a journal grows; both in one process.

The plan world is a grid of rooms with one passage in ten walled up and costs of 1 to 3; floor: scipy's Dijkstra on the
same arrays. The stream is a random walk over a grid of named rooms, each observation one durable transaction.
"""

from __future__ import annotations

import math
import os
import random
import tempfile
import time
from array import array
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from scipy.sparse.csgraph import dijkstra

from hippo_agent.evaluation.report import versions
from hippo_agent.spatial.graph import ArcTable
from hippo_agent.spatial.map import PlaceMap
from hippo_agent.spatial.place import Edge, Place
from hippo_agent.spatial.places import Places
from hippo_agent.spatial.plan import Planner
from hippo_agent.spatial.store import SpatialStore
from hippo_agent.spatial.weights import PlanConfig
from hippo_agent.storage.database import Database

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["SIZES", "SpatialReport", "grid", "run_plan", "run_stream"]

SIZES = (1_000, 10_000, 100_000)
_WALLED = 0.1  # share of passages left out
_SIDE = 24  # rooms along one side of the streamed world
_WAYS = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}

Tick = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class SpatialReport:
    """Figures by size: places of a map, or observations of a stream. Times are milliseconds, memory is MiB."""

    bench: str
    unit: str
    seed: int
    versions: dict[str, str]
    sizes: dict[int, dict[str, float]] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)  # of the whole run

    def as_dict(self) -> dict[str, Any]:
        return {
            "bench": self.bench,
            "seed": self.seed,
            "versions": self.versions,
            "sizes": {
                str(size): {name: round(value, 4) for name, value in figures.items()}
                for size, figures in self.sizes.items()
            },
            "after": {name: round(value, 4) for name, value in self.after.items()},
        }

    def table(self) -> Table:
        """Figures down, sizes across."""
        from rich.table import Table

        table = Table(title=f"hippo bench {self.bench}: seed {self.seed}")
        table.add_column("figure", no_wrap=True)
        for size in self.sizes:
            table.add_column(f"{size:,} {self.unit}", justify="right")
        for name in next(iter(self.sizes.values()), {}):
            table.add_row(name, *(f"{figures[name]:.3f}" for figures in self.sizes.values()))
        if self.after:
            table.caption = ", ".join(f"{name} {value:.1f}" for name, value in self.after.items())
        return table


def grid(size: int, rng: random.Random) -> PlaceMap:
    """About ``size`` places in a square, each passage walked five times, one in ten missing."""
    side = round(size**0.5)
    places = PlaceMap()
    for number in range(side * side):
        places.add(Place(id=f"p{number}", name=f"room {number}"))
    for number in range(side * side):
        x, y = number % side, number // side
        for action, (dx, dy) in _WAYS.items():
            if 0 <= x + dx < side and 0 <= y + dy < side and rng.random() > _WALLED:
                target = f"p{(y + dy) * side + x + dx}"
                cost = rng.choice((1.0, 2.0, 3.0))
                edge = Edge(source=f"p{number}", action=action, outcomes={target: 5}, last=target, tries=5, cost=cost)
                places.put_edge(edge)
    return places


def run_plan(
    *, sizes: Sequence[int] = SIZES, repeats: int = 30, seed: int = 0, tick: Tick | None = None
) -> SpatialReport:
    """Plans to new goals, to a kept goal, and after a block, beside scipy on the same arrays, in turns."""
    report = SpatialReport(bench="plan", unit="places", seed=seed, versions=versions("-"))
    for number, size in enumerate(sorted(sizes)):
        report.sizes[size] = _plans(size, repeats, random.Random(seed))
        if tick is not None:
            tick(number + 1, len(sizes))
    return report


def _plans(size: int, repeats: int, rng: random.Random) -> dict[str, float]:
    places = grid(size, rng)
    planner = Planner(places)
    ids = list(places.places)
    goal = ids[-1]
    planner.plan(ids[0], goal)  # the arrays are built once
    arcs = ArcTable(places, PlanConfig())
    arcs.sync()
    bare = arcs.view("cost", now=0.0, have=None, guess=False).backward
    ours, floor, kept, blocked, length = [], [], [], [], []
    for _ in range(repeats):
        ours.append(_timed(planner.plan, *rng.sample(ids, 2)))
        floor.append(_timed(dijkstra, bare, indices=rng.randrange(len(ids)), return_predecessors=True))
    planner.plan(ids[0], goal)
    for _ in range(repeats):
        start = rng.choice(ids)
        kept.append(_timed(planner.plan, start, goal))
        length.append(len(planner.plan(start, goal).steps))
    for _ in range(repeats):
        edges = list(places.edges(rng.choice(ids)))
        for edge in edges[:1]:
            places.block(edge.source, edge.action, until=1e18, reason="bench")
        blocked.append(_timed(planner.plan, ids[0], goal, now=1.0))
    return {
        "cold_ratio": median(ours) / median(floor),
        "cold_ms": median(ours),
        "floor_ms": median(floor),
        "kept_goal_ms": median(kept),
        "route_steps": median(length),
        "after_block_ms": median(blocked),
    }


def run_stream(*, observations: int = 1_000_000, seed: int = 0, tick: Tick | None = None) -> SpatialReport:
    """One walk of so many observations; figures at each power of ten, over the observations since the last."""
    report = SpatialReport(bench="stream", unit="observations", seed=seed, versions=versions("-"))
    rng = random.Random(seed)
    marks = [10**power for power in range(3, 8) if 10**power < observations] + [observations]
    with tempfile.TemporaryDirectory(prefix="hippo-bench-") as folder:
        path = Path(folder) / "record.sqlite3"
        with closing(Database(path)) as database:
            places = Places(SpatialStore(database), world="stream")
            at = (0, 0)
            places.observe(_room(at))
            taken = array("d")
            for number in range(1, observations + 1):
                action = rng.choice(tuple(_WAYS))
                dx, dy = _WAYS[action]
                to = (at[0] + dx, at[1] + dy)
                inside = 0 <= to[0] < _SIDE and 0 <= to[1] < _SIDE
                at = to if inside else at
                text = _room(at) if inside else "You can't go that way."
                taken.append(_timed(places.observe, text, action=action))
                if number in marks:
                    resident = _resident()
                    start = time.perf_counter()
                    again = Places(SpatialStore(database), world="stream")
                    opened = time.perf_counter() - start
                    report.sizes[number] = {
                        "observe_p50_ms": median(taken),
                        "observe_mean_ms": sum(taken) / len(taken),
                        "resident_mib": resident,
                        "disk_bytes_per_observation": path.stat().st_size / number,
                        "places": float(len(places.map)),
                        "open_ms": 1000 * opened,
                    }
                    del again
                    taken = array("d")
                if tick is not None and number % 1000 == 0:
                    tick(number, observations)
            start = time.perf_counter()
            places.consolidate()
            report.after.update(consolidate_s=time.perf_counter() - start, peak_mib=_peak())
    return report


def _room(at: tuple[int, int]) -> str:
    x, y = at
    return f"Room {x} {y}\nA room with {x + 2} chairs and {y + 2} tables, painted in colour number {x * 41 + y}."


def _timed(call: Callable[..., object], *arguments: Any, **options: Any) -> float:
    start = time.perf_counter()
    call(*arguments, **options)
    return 1000 * (time.perf_counter() - start)


def _resident() -> float:
    """MiB of this process now."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # not Linux: the most it ever was
        return _peak()
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def _peak() -> float:
    """MiB of this process at its most."""
    try:
        import resource
    except ImportError:  # Windows
        return math.nan
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
