"""A bot in a maze of rooms sees its own cell and little else: it explores, then plans from memory, and acts by habit.

    python examples/minigrid_bot.py

MiniGrid makes the world (pip install "hippo-agent[worlds]"); no model and no network is needed. The bot stands on a
cell, looks north, east, south and west, and goes one cell at a time. Beside it plays the same bot without a memory. At
the end lies a picture of the map it made: minigrid_bot.html.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hippo_agent import Config, HashingEmbedder, Memory
from hippo_agent.evaluation.suites.minigrid import make
from hippo_agent.spatial.macros import MacroConfig
from hippo_agent.spatial.pictures import draw
from hippo_agent.spatial.places import Places

WAYS = {"east": 0, "south": 1, "west": 2, "north": 3}  # MiniGrid's headings
LEFT, FORWARD = 0, 2
MOST = 3_000  # steps of an exploration


class Maze:
    """MiniGrid's FourRooms, one cell at a time: each step turns to a side of the world and goes."""

    def __init__(self, seed: int) -> None:
        self._env: Any = make("MiniGrid-FourRooms-v0")
        self._seed = seed

    def reset(self) -> str:
        self._env.reset(seed=self._seed)
        self._env.max_steps = 10**9
        self.won, self.steps = False, 0
        return self.look()

    def go(self, way: str) -> str:
        while self._env.agent_dir != WAYS[way]:
            self._env.step(LEFT)
        _, _, self.won, _, _ = self._env.step(FORWARD)
        self.steps += 1
        return self.look()

    def open_ways(self) -> list[str]:
        """Where no wall is."""
        x, y = self._env.agent_pos
        ahead = {"east": (x + 1, y), "south": (x, y + 1), "west": (x - 1, y), "north": (x, y - 1)}
        cells = {way: self._env.grid.get(*at) for way, at in ahead.items()}
        return [way for way, cell in cells.items() if cell is None or cell.can_overlap()]

    def look(self) -> str:
        x, y = self._env.agent_pos
        return f"Cell {x} {y}\nOpen ways: {', '.join(self.open_ways())}."


def explore(maze: Maze, places: Places, *, most: int = MOST) -> None:
    """To the nearest way never tried, until the goal is found."""
    begin(maze, places)
    while not maze.won and maze.steps < most:
        found = places.frontier(limit=1)
        if not found:
            break
        place, _, untried = found[0]
        route = places.plan(place, objective="steps").actions if place != places.current else (untried[0],)
        step(maze, places, route[0])


def revisit(maze: Maze, places: Places, goal: str, *, habits: bool) -> int:
    """To the goal from memory; returns how many decisions that took."""
    begin(maze, places)
    decisions = 0
    while not maze.won and maze.steps < MOST:
        plan = places.plan(goal, objective="steps")
        if not plan.steps:
            break
        decisions += 1
        fitting = [macro for macro, _ in places.suggest_macros(plan=plan.actions, k=50) if habits]
        fitting = [macro for macro in fitting if macro.steps == plan.actions[: len(macro.steps)]]
        if not fitting:
            step(maze, places, plan.actions[0])
            continue
        places.run_macro(max(fitting, key=lambda macro: len(macro.steps)).id)
        while not maze.won and (action := places.next_step()) is not None:
            step(maze, places, action)
            places.report_step()
    places.finish(maze.won)
    return decisions


def begin(maze: Maze, places: Places) -> None:
    places.restart()
    places.observe(maze.reset(), exits=maze.open_ways())


def step(maze: Maze, places: Places, way: str) -> None:
    text = maze.go(way)
    places.observe(text, action=way, exits=maze.open_ways(), reward=1.0 if maze.won else 0.0)


def main(picture: Path) -> None:
    maze = Maze(seed=0)
    config = Config(macros=MacroConfig(starts=1))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "memory"
        with Memory(folder, embedder=HashingEmbedder(quiet=True), config=config) as memory:
            explore(maze, memory.places)
            print(f"Exploring: {'won' if maze.won else 'lost'} in {maze.steps} steps, {len(memory.places.map)} cells.")
            memory.write("The green goal square is here.", source="tool", session="maze", pin=True)
            memory.places.finish(maze.won)

        with Memory(folder, embedder=HashingEmbedder(quiet=True), config=config) as memory:  # another day
            places = memory.places
            trace = memory.recall("where is the green goal?", k=1).traces[0]
            goal = places.places_of(trace.id)[0]
            print(f"Recalled: {trace.text} It was at {places.place(goal).label}.")
            for _ in range(3):
                decisions = revisit(maze, places, goal, habits=False)
            print(f"From memory: {'won' if maze.won else 'lost'} in {maze.steps} steps, {decisions} decisions.")
            places.consolidate()
            decisions = revisit(maze, places, goal, habits=True)
            print(f"By habit: {'won' if maze.won else 'lost'} in {maze.steps} steps, {decisions} decisions.")
            steps = maze.steps
            start = next(places.journal()).place
            draw(places.map, picture, plan=places.plan(goal, start=start), here=start, macros=places.macros)
            print(f"The map is drawn in {picture.name}.")

        with Memory(Path(scratch) / "empty", embedder=HashingEmbedder(quiet=True)) as nothing:
            explore(maze, nothing.places, most=steps)
            print(f"Memory off: {'won' if maze.won else 'not won'} in {maze.steps} steps.")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("minigrid_bot.html"))
