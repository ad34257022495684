"""The ``textworld`` suite: generated text adventures, explored once and won again from memory.

Twenty games by TextWorld (Cote et al. 2018, arXiv 1806.11532) from the seed: ten mazes to a coin of several sizes, ten
hunts for a thing behind doors, some locked, some with the key in a chest. The player sees text and possible commands,
never the objective; a wrong thing taken loses the game, and there are eight lives to find that out. The revisit is a
fresh episode with at most twice the oracle's steps. Controls: memory off (the same player with an empty map), the
places of what was done dealt out at random, and names as the only identity. Needs ``textworld``.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hippo_agent.errors import MissingExtra
from hippo_agent.evaluation.player import Episode, Player, View
from hippo_agent.evaluation.run import Outcome, Row, Run, sample
from hippo_agent.spatial.file import PlaceFile
from hippo_agent.spatial.places import Places
from hippo_agent.spatial.store import SpatialStore

__all__ = ["GAMES", "TextGame", "generate", "suite"]

#: (kind, level): coin_collector's levels grow the maze and its dead ends, treasure_hunter's add doors, locks, chests.
GAMES = (
    *(("coin_collector", level) for level in (1, 5, 10, 20, 30, 60, 105, 115, 205, 210)),
    *(("treasure_hunter", level) for level in (1, 4, 8, 12, 15, 18, 21, 23, 26, 30)),
)
_PROMPT = re.compile(r"^>.*$", re.MULTILINE)
_END = re.compile(r"\*\*\* The End \*\*\*|\*\*\* You lost! \*\*\*")  # what follows is no place
_TITLE = re.compile(r"-= (.+?) =-")


class TextGame:
    """One compiled game. ``oracle``: commands of its own solution."""

    def __init__(self, path: Path) -> None:
        textworld = _textworld()
        self._env: Any = textworld.start(str(path), textworld.EnvInfos(won=True, lost=True, admissible_commands=True))
        told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        self.oracle: tuple[str, ...] = tuple(told["metadata"]["walkthrough"])

    def reset(self) -> View:
        return self._view(self._env.reset(), over=False, opening=True)

    def step(self, command: str) -> View:
        state, _, over = self._env.step(command)
        return self._view(state, over=bool(over))

    def close(self) -> None:
        self._env.close()

    def _view(self, state: Any, *, over: bool, opening: bool = False) -> View:
        text = _END.split(_PROMPT.sub("", state.feedback))[0]
        found = _TITLE.search(text)
        if found is not None and opening:
            text = text[found.start() :]  # banner and objective are not what is seen there
        text = _TITLE.sub(r"\1", "\n".join(line for line in text.splitlines() if line.strip()))
        commands = tuple(sorted(state.admissible_commands or ()))
        return View(text=text, commands=commands, won=bool(state.won), over=over)


def generate(kind: str, level: int, seed: int, folder: Path) -> TextGame:
    """Make and compile a game; seconds. Raises MissingExtra."""
    _textworld()
    from textworld.challenges import CHALLENGES
    from textworld.generator import GameOptions, compile_game

    options = GameOptions()
    options.seeds = seed
    options.path = str(folder / f"{kind}{level}_{seed}.z8")
    _, make, _ = CHALLENGES[f"tw-{kind}"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a grammar that runs out of adjectives says so
        return TextGame(Path(compile_game(make({"level": level}, options), options)))


def suite(data: Path | None, run: Run) -> Outcome:
    """Explore and revisit each game; success, steps over the oracle's, and the controls."""
    chosen = sample(GAMES, run.limit, run.seed)
    run.expect(len(chosen), each=1)
    rows = []
    with tempfile.TemporaryDirectory(prefix="hippo-eval-") as folder:
        for kind, level in chosen:
            game = generate(kind, level, run.seed * 1000 + _number(kind, level), Path(folder))
            try:
                rows.append(_row(kind, level, game, run.seed))
            finally:
                game.close()
            run.step()
    return Outcome.of(rows)


def _number(kind: str, level: int) -> int:
    """100 and on for mazes, 200 and on for hunts, in the order of `GAMES`."""
    of_kind = [each for each in GAMES if each[0] == kind]
    return (100 if kind == "coin_collector" else 200) + of_kind.index((kind, level))


def _row(kind: str, level: int, game: TextGame, seed: int) -> Row:
    oracle = len(game.oracle)
    found: dict[str, dict[str, Any]] = {}
    metrics: dict[str, Mapping[str, float]] = {}
    systems: dict[str, Callable[[str], str | None]] = {"hippo": lambda _: None, "name": _name}
    for system, key in systems.items():
        player = Player(_places(), key=key)
        first = player.explore(game)
        again = player.revisit(game, most=2 * oracle)
        steps = sum(len(episode.commands) for episode in first)
        found[system] = {"first": steps, "lives": len(first), "revisit": again.commands, "oracle": oracle}
        metrics[system] = {
            "first_success": float(first[-1].won),
            "revisit_success": float(again.won),
            **({"steps_over_oracle": len(again.commands) / oracle} if again.won else {}),
            "first_steps_over_oracle": steps / oracle,
            "places": float(len(player.places.map)),
        }
        if system == "hippo":
            metrics["shuffled"] = {"revisit_success": float(_shuffled(player, game, seed).won)}
    off = Player(_places()).revisit(game, most=2 * oracle)
    metrics["memory-off"] = {"revisit_success": float(off.won)}
    return Row(about={"id": f"{kind}-{level}", "oracle": oracle}, metrics=metrics, found=found)


def _shuffled(player: Player, game: TextGame, seed: int) -> Episode:
    """The same memory, with the places of all that was done dealt out at random."""
    deal = random.Random(seed)
    places = list(player.places.map.places)
    return player.revisit(
        game, most=2 * len(game.oracle), where=lambda _: deal.choice(places), goal_at=deal.choice(places)
    )


def _places() -> Places:
    return Places(SpatialStore(PlaceFile(":memory:")), world="game")


def _name(text: str) -> str | None:
    """The first line, as the one thing that a place is known by."""
    return text.splitlines()[0].strip().casefold() or None if text else None


def _textworld() -> Any:
    try:
        import textworld
    except ImportError as error:
        raise MissingExtra('this suite needs TextWorld: pip install "hippo-agent[worlds]"') from error
    return textworld
