"""Habits in a world that changes under them: learnt, used, set aside after two failures, dropped below half."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hippo_agent.errors import InvalidInput
from hippo_agent.spatial.file import PlaceFile
from hippo_agent.spatial.macros import Macro, MacroConfig
from hippo_agent.spatial.places import Places
from hippo_agent.spatial.store import SpatialStore

ROOMS = ("Cellar\nBarrels stand along the walls of this cold room.", "Attic\nDust and old trunks under a sloping roof.")


@pytest.fixture
def file() -> PlaceFile:
    return PlaceFile(":memory:")


def taught(file: PlaceFile, config: MacroConfig | None = None) -> Places:
    """Four successes in two rooms: open the box, take the coin."""
    places = Places(SpatialStore(file), world="w", macros=config)
    for number in range(4):
        places.observe(ROOMS[number % 2])
        places.observe("You open the box.", action="open box")
        places.observe("You take the coin.", action="take coin")
        places.finish(True)
    places.consolidate()
    [habit] = places.macros
    assert habit.steps == ("open box", "take coin")
    places.observe(ROOMS[0])
    return places


def tried(places: Places, works: Callable[[int], bool], times: int) -> int:
    """Ask for a habit and run it, as often as one is offered; returns the actions that led nowhere."""
    wasted = 0
    for number in range(times):
        found = places.suggest_macros("coin")
        if not found:
            break
        places.run_macro(found[0][0].id)
        while (action := places.next_step()) is not None:
            fine = works(number) or action != "open box"
            places.observe("Done." if fine else "The lid is stuck.", action=action, ok=fine)
            wasted += not fine
            places.report_step(ok=fine, note="" if fine else "the lid is stuck")
    return wasted


def habit(places: Places) -> Macro:
    [found] = places.macros
    return found


def test_a_habit_that_the_world_no_longer_allows_is_set_aside_after_two_failures(file: PlaceFile) -> None:
    places = taught(file)
    assert tried(places, lambda _: False, 20) == 2
    assert (habit(places).status, habit(places).uses, habit(places).successes) == ("quarantined", 2, 0)
    assert habit(places).not_when == ("the lid is stuck", "the lid is stuck")
    with pytest.raises(InvalidInput, match="is quarantined; it failed too often"):
        places.run_macro(habit(places).id)


def test_without_quarantine_every_try_is_wasted(file: PlaceFile) -> None:
    """The control: the same world, the same habit, and nothing is ever given up."""
    places = taught(file, MacroConfig(patience=1000, trial=1000))
    assert tried(places, lambda _: False, 20) == 20 and habit(places).status == "active"


def test_a_habit_that_mostly_fails_is_dropped_after_three_uses(file: PlaceFile) -> None:
    places = taught(file)
    assert tried(places, lambda number: number == 1, 20) == 2
    assert (habit(places).status, habit(places).uses, habit(places).successes) == ("dropped", 3, 1)


def test_a_habit_that_fails_now_and_then_is_kept(file: PlaceFile) -> None:
    places = taught(file)
    assert tried(places, lambda number: number % 2 == 0, 20) == 10
    assert (habit(places).status, habit(places).uses, habit(places).successes) == ("active", 20, 10)


def test_what_was_given_up_stays_so_over_night_and_in_another_process(file: PlaceFile) -> None:
    places = taught(file)
    tried(places, lambda _: False, 2)
    places.consolidate()
    assert habit(places).status == "quarantined"
    again = Places(SpatialStore(file), world="w")
    assert habit(again).status == "quarantined" and again.suggest_macros("coin") == []


def square(file: PlaceFile) -> Places:
    """Four rooms in a ring, walked once; one is at the first."""
    places = Places(SpatialStore(file), world="ring")
    rooms = [f"Corner {n}\nThe walls of corner {n} are painted in colour number {n * 7 + 1}." for n in range(4)]
    for way in ("east", "south", "west", "north"):
        places.observe(rooms[0]) if way == "east" else None
        places.observe(rooms[("east", "south", "west", "north").index(way) + 1 - 4], action=way)
    places.tell("corner 0", "south", "corner 3")
    places.tell("corner 3", "east", "corner 2")
    return places


def test_a_block_on_the_way_ahead_is_walked_around_at_once(file: PlaceFile) -> None:
    places = square(file)
    plan = places.plan("corner 2", objective="steps")
    walk = places.follow(plan)
    places.block(plan.steps[1].place, plan.steps[1].action, reason="flooded")
    detour = {("east", "south"): ("south", "east"), ("south", "east"): ("east", "south")}[plan.actions[:2]]  # type: ignore[index]
    assert (places.next_step(), places.ahead) == (detour[0], detour)
    assert walk.state == "running"


def test_a_block_without_a_way_around_ends_the_walk_with_its_reason(file: PlaceFile) -> None:
    places = square(file)
    walk = places.follow(places.plan("corner 2"))
    for way in ("east", "south"):
        places.block(None, way, reason="flooded")
    assert places.next_step() is None
    assert walk.state == "failed" and walk.reason.startswith("blocked: ") and "flooded" in walk.reason
