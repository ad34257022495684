"""A bot plays a text adventure with locks: it explores, and later it plans, and acts by habit, from memory.

    python examples/planning_bot.py

TextWorld makes the game (pip install "hippo-agent[worlds]"); no model and no network is needed. Beside it plays the
same bot without a memory. At the end lies a picture of the map it made: planning_bot.html.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from hippo_agent import Config, HashingEmbedder, Memory
from hippo_agent.evaluation.player import Player
from hippo_agent.evaluation.suites.textworld import TextGame, generate
from hippo_agent.spatial.macros import MacroConfig
from hippo_agent.spatial.pictures import draw


def opened(folder: Path) -> Memory:
    """One game is played here, so a habit may begin at one place only."""
    return Memory(folder, embedder=HashingEmbedder(quiet=True), config=Config(macros=MacroConfig(starts=1)))


def player(memory: Memory) -> Player:
    """What it does is written where it does it."""

    def said(command: str, answer: str) -> None:
        memory.write(f"{command}: {answer}", source="tool")

    return Player(memory.places, said=said)


def main(picture: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        game = generate("treasure_hunter", 30, 209, Path(scratch))
        play(game, Path(scratch), picture)
        game.close()


def play(game: TextGame, scratch: Path, picture: Path) -> None:
    oracle = len(game.oracle)
    with opened(scratch / "memory") as memory:
        lives = player(memory).explore(game)
        steps = sum(len(life.commands) for life in lives)
        found = f"won in {steps} steps and {len(lives)} lives" if lives[-1].won else "did not find it"
        print(f"Exploring: {found}; the game's own solution takes {oracle} steps.")
        print(f"The map: {len(memory.places.map)} places.")

    with opened(scratch / "memory") as memory:  # another day: everything it knows is on disk
        bot = player(memory)
        locked = next((edge for edge in memory.places.map.all_edges() if "unlock" in edge.action and edge.needs), None)
        if locked is not None:
            here = memory.recall_here(locked.spoken, place=locked.source, radius=0, k=1)
            for trace in here.traces:
                print(f"Recalled at {here.label}: {trace.text.splitlines()[0]}")
        for _ in range(3):
            again = bot.revisit(game, most=2 * oracle)
        print(f"From memory: {'won' if again.won else 'lost'} in {len(again.commands)} steps, each one planned.")

        memory.places.consolidate()  # a night: habits come out of what succeeded
        by_habit = bot.revisit(game, most=2 * oracle, habits=True)
        outcome = "won" if by_habit.won else "lost"
        print(f"By habit: {outcome} in {len(by_habit.commands)} steps, {by_habit.decisions} decisions.")
        for name in by_habit.habits[:2]:
            print(f"  habit: {name}")

        steps = list(memory.places.journal())
        won = next(step.place for step in reversed(steps) if step.reward > 0)
        route = memory.places.plan(won, start=steps[0].place, objective="steps")
        draw(memory.places.map, picture, plan=route, here=steps[0].place, macros=memory.places.macros)
        print(f"The map is drawn in {picture.name}.")

    with opened(scratch / "empty") as nothing:  # the control
        lost = player(nothing).revisit(game, most=2 * oracle)
        print(f"Memory off: {'won' if lost.won else 'not won'} in {len(lost.commands)} steps.")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("planning_bot.html"))
