"""kill -9 while an agent walks: no acknowledged step, link or verdict is lost, and the map holds together."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hippo_agent import HashingEmbedder, Memory

MAPPER = Path(__file__).with_name("mapper.py")


def killed(folder: Path, count: int, seconds: float) -> list[str]:
    """What a walk acknowledged before it was killed, some time after so many lines."""
    walk = subprocess.Popen(
        [sys.executable, str(MAPPER), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(MAPPER.parents[2])},
    )
    assert walk.stdout is not None
    first = [walk.stdout.readline().strip() for _ in range(count)]
    time.sleep(seconds)
    walk.send_signal(signal.SIGKILL)
    rest, _ = walk.communicate()
    return [*first, *rest.split("\n")[:-1]]


def check(folder: Path, lines: list[str]) -> int:
    """Compare what was acknowledged with what a fresh opening holds; one step more may have been done than said."""
    steps, uses = (int(part) for part in lines[0].split()[1:])
    seen = lines.count("seen")
    with Memory(folder, embedder=HashingEmbedder(quiet=True)) as memory:
        places = memory.places
        assert memory.verify().clean
        assert len(list(places.journal())) - steps in (seen, seen + 1)
        assert places.macros[0].uses - uses in (lines.count("judged"), lines.count("judged") + 1)
        for line in lines:
            if line.startswith("wrote"):
                _, trace, place = line.split()
                assert places.places_of(trace) == [place]
        corners = {place.title for place in places.map.places.values() if place.title}
        assert corners == {f"Corner {number}" for number in range(4) if f"Corner {number}" in corners}
        assert len(places.map) == len(corners)
        edges = [edge for edge in places.map.all_edges() if edge.target is not None]
        assert all(edge.target in places.map for edge in edges)
    return seen


@pytest.mark.slow
def test_kill_nine_while_an_agent_walks(tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(5):
        assert check(tmp_path, killed(tmp_path, chance.randint(5, 30), chance.uniform(0.0, 0.05))) > 2
