"""A player of text adventures with a map and nothing else: it explores, and in a later episode it plans from memory.

It sees the text and the commands that are possible now. While exploring it notes what made a command possible (an open
door, a key in hand) as preconditions on the map; later it works backwards from the command that won.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

from hippo_agent.spatial.actions import action_key, direction
from hippo_agent.spatial.arrival import Arrival
from hippo_agent.spatial.macros import Macro
from hippo_agent.spatial.places import Places

__all__ = ["Episode", "Game", "Player", "View"]

_USEFUL = ("take ", "open ", "unlock ")  # commands that may change what is possible
_DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the game shows: text, possible commands, and whether it is won."""

    text: str
    commands: tuple[str, ...]
    won: bool = False
    over: bool = False


class Game(Protocol):
    """A game that can be begun again."""

    def reset(self) -> View: ...

    def step(self, command: str) -> View: ...


@dataclass(slots=True)
class Episode:
    """What came of one."""

    won: bool = False
    commands: list[str] = field(default_factory=list)
    decisions: int = 0  # commands chosen one by one, and habits
    habits: list[str] = field(default_factory=list)  # names of the macros that were run


class Player:
    """Plays one game through one map.

    Args:
        places: the map; what it holds from earlier episodes is used by `revisit`.
        said: told (command, answer) of each command that is no move: what happened here.
        key: a trusted identity of a text's place, for controls; None: recognition decides.
    """

    def __init__(
        self,
        places: Places,
        *,
        said: Callable[[str, str], None] | None = None,
        key: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self.places = places
        self._said = said or (lambda _command, _answer: None)
        self._key = key
        self._commands: dict[str, tuple[str, ...]] = {}  # place -> possible there when last seen
        self._done: dict[str, None] = {}  # commands that worked in this episode, moves aside
        self._since: set[str] = set()  # places seen since the last thing was taken
        self._deadly: set[tuple[str, str]] = set()  # (place, command) that lost a game
        self._acts: dict[str, str] = {}  # action key -> place where it worked last
        self._episode = Episode()
        self._view = View(text="", commands=())

    def explore(self, game: Game, *, most: int = 500, lives: int = 8) -> list[Episode]:
        """Look everywhere and try what may help until the game is won; what lost one life is not done in the next."""
        episodes: list[Episode] = []
        while len(episodes) < lives and not (episodes and (episodes[-1].won or not self._view.over)):
            episodes.append(self._explore(game, most))
        return episodes

    def _explore(self, game: Game, most: int) -> Episode:
        self._deadly = {(step.place, step.spoken) for step in self.places.journal() if step.reward < 0}
        self._begin(game)
        while not self._view.over and len(self._episode.commands) < most:
            command = self._next_try()
            if command is None:
                break
            self._do(game, command)
        return self._end()

    def revisit(
        self,
        game: Game,
        *,
        most: int,
        habits: bool = False,
        where: Callable[[str], str | None] | None = None,
        goal_at: str | None = None,
    ) -> Episode:
        """Win again from memory; without a memory of winning, explore.

        ``habits``: run a macro where one begins with what is planned. ``where``, ``goal_at``: other places than
        remembered of what was done and of the victory, for controls.
        """
        known = self._won_before()
        if known is not None and goal_at is not None:
            known = (known[0], goal_at)
        self._begin(game)
        while not self._view.over and len(self._episode.commands) < most:
            command = self._next_try() if known is None else self._towards(known, where or self._where)
            if command is None:
                break
            self._episode.decisions += 1
            macro = self._habit(command) if habits else None
            if macro is None:
                self._do(game, command)
            else:
                self._run(game, macro)
        return self._end()

    def _habit(self, command: str) -> Macro | None:
        """The longest active macro that begins here with a command."""
        here, key = self.places.current, action_key(command)
        fitting = [
            macro
            for macro, _ in self.places.suggest_macros(k=100)
            if here in macro.starts and not macro.parameters and macro.steps[0] == key
        ]
        return max(fitting, key=lambda macro: len(macro.steps), default=None)

    def _run(self, game: Game, macro: Macro) -> None:
        """A whole macro, each step checked by where it leads."""
        self._episode.habits.append(macro.name)
        self.places.run_macro(macro.id)
        while not self._view.over and (action := self.places.next_step()) is not None:
            said = next((each for each in self._view.commands if action_key(each) == action_key(action)), None)
            if said is None:
                self.places.report_step(ok=False, note=f"{action!r} is not possible here")
                break
            self._do(game, said)
            self.places.report_step()

    # One command

    def _begin(self, game: Game) -> None:
        self._episode, self._done = Episode(), {}
        self._commands.clear()
        self._since.clear()
        self.places.restart()
        self._view = game.reset()
        self._see(None)

    def _do(self, game: Game, command: str) -> None:
        here = self.places.current
        before = set(self._view.commands)
        self._view = game.step(command)
        self._episode.commands.append(command)
        arrival = self._see(command)
        if direction(action_key(command)) is not None:
            return
        self._done[command] = None
        if command.startswith("take "):
            self._since.clear()
        self._said(command, self._view.text)
        if here is not None and arrival.place == here:
            for new in set(self._view.commands) - before:
                self._enabled(here, new, command)

    def _see(self, command: str | None) -> Arrival:
        view = self._view
        moving = command is None or direction(action_key(command)) is not None
        exits = [each for each in view.commands if direction(action_key(each)) is not None]
        arrival = self.places.observe(
            view.text,
            action=command,
            exits=() if view.over else exits,
            key=self._key(view.text) if moving else None,
            reward=1.0 if view.won else -1.0 if view.over else 0.0,
        )
        self._commands[arrival.place] = view.commands
        self._since.add(arrival.place)
        for each in view.commands:
            for held in self._done:
                if held.startswith("take ") and f" with {_item(held)}" in each:
                    self._enabled(arrival.place, each, held)
        return arrival

    def _enabled(self, place: str, command: str, by: str) -> None:
        """Note on the map that one command became possible by another."""
        if not (command.startswith(_USEFUL) or direction(action_key(command)) is not None) or command == by:
            return
        edge = self.places.map.edge(place, action_key(command))
        needs = {} if edge is None else edge.needs
        if by not in needs:
            self.places.require(place, command, {**needs, by: _DONE})

    def _end(self) -> Episode:
        self._episode.won = self._view.won
        self.places.finish(self._episode.won)
        return self._episode

    # Exploring

    def _next_try(self) -> str | None:
        """Something useful here, else a step towards the nearest place where something was never tried."""
        here = self.places.current
        useful = [each for each in self._view.commands if each.startswith(_USEFUL) and each not in self._done]
        useful = [each for each in useful if (here, each) not in self._deadly]
        if useful:
            return min(useful, key=lambda each: (not each.startswith("take "), not each.startswith("unlock "), each))
        for place, _, untried in self.places.frontier(limit=200):
            possible = [each for each in self._commands.get(place, ()) if action_key(each) in untried]
            if not possible:
                continue
            if place == here:
                return possible[0]
            plan = self.places.plan(place, objective="steps", have=dict.fromkeys(self._done, _DONE))
            if plan.steps:
                return plan.actions[0]
        return self._look_again()

    def _look_again(self) -> str | None:
        """A step to the nearest place not seen since the last thing was taken: it may open something there."""
        for place in self.places.neighbourhood(radius=1000):
            if place not in self._since:
                plan = self.places.plan(place, objective="steps", have=dict.fromkeys(self._done, _DONE))
                if plan.steps:
                    return plan.actions[0]
        return None

    # Remembering

    def _won_before(self) -> tuple[str, str] | None:
        """(command, place) of the last victory."""
        won = None
        for step in self.places.journal():
            if step.action is not None and not step.moved:
                self._acts[step.action] = step.place
            if step.reward > 0 and step.action is not None and step.origin is not None:
                won = (step.spoken, step.origin)
        return won

    def _where(self, command: str) -> str | None:
        """Where a command worked before."""
        found = self._acts.get(action_key(command))
        return None if found is None else self.places.map.find(found)

    def _towards(
        self, goal: tuple[str, str], where: Callable[[str], str | None], pending: Collection[str] = ()
    ) -> str | None:
        """The next command on the way to doing a command at a place, preconditions first."""
        command, place = goal
        here = self.places.current
        edge = self.places.map.edge(place, action_key(command)) if place in self.places.map else None
        needs = [] if edge is None else [need for need in edge.needs if need not in self._done]
        if here is not None and place in self.places.map and here != self.places.map.find(place):
            have = dict.fromkeys(self._done, _DONE)
            plan = self.places.plan(place, objective="steps", have=have)
            if not needs and plan.steps:
                return plan.actions[0]
            if not plan.found:
                free = self.places.plan(place, objective="steps")
                for step in free.steps:
                    passage = self.places.map.edge(step.place, step.key)
                    needs += [need for need in (passage.needs if passage else ()) if need not in self._done]
        for need in needs:
            source = where(need)
            if need not in pending and source is not None:
                found = self._towards((need, source), where, (*pending, need))
                if found is not None:
                    return found
        return command if here == place and command in self._view.commands else None


def _item(take: str) -> str:
    """What a "take" takes."""
    return take.removeprefix("take ").split(" from ")[0]
