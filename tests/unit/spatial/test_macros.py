"""Macros: found in successes only, abstracted, checked while they run, given up when they fail."""

from __future__ import annotations

import pytest

from hippo_agent.errors import ConfigError, InvalidInput
from hippo_agent.spatial.execution import Execution, Pace
from hippo_agent.spatial.macros import Act, Macro, MacroConfig, Trajectory, distil, suggest, template, without_loops
from hippo_agent.spatial.plan import Plan


def runs(*texts: str, success: bool = True) -> list[Trajectory]:
    return [
        Trajectory(
            id=f"{'good' if success else 'bad'}{number}", acts=tuple(Act(a) for a in text.split(", ")), success=success
        )
        for number, text in enumerate(texts)
    ]


COOK = [
    "look, take knife, open fridge, take carrot from fridge, slice carrot with knife, wait",
    "north, take knife, open fridge, take apple from fridge, slice apple with knife, south",
    "take knife, open fridge, take onion from fridge, slice onion with knife, look",
    "wait, take knife, open fridge, take plum from fridge, slice plum with knife",
]


def test_a_shared_sequence_becomes_a_macro_with_its_parameter() -> None:
    best = distil(runs(*COOK))[0]
    assert best.steps == ("take knife", "open fridge", "take {1} from fridge", "slice {1} with knife")
    assert best.parameters == (("carrot", "apple", "onion", "plum"),)
    assert best.support == 4 and best.gain > 0
    assert best.bind(["leek"])[2:] == ("take leek from fridge", "slice leek with knife")
    with pytest.raises(InvalidInput):
        best.bind([])


def test_failures_teach_nothing_and_three_successes_are_needed() -> None:
    assert distil(runs(*COOK, success=False)) == []
    assert distil(runs(*COOK[:2])) == []
    assert distil(runs(*COOK[:3]))[0].support == 3


def test_where_places_are_known_two_starts_are_needed() -> None:
    def walk(start: str, number: int) -> Trajectory:
        acts = (Act("pull", start, "b"), Act("push", "b", "c"), Act("turn", "c", "d"))
        return Trajectory(id=f"{start}{number}", acts=acts * 1, success=True)

    one = [walk("a", number) for number in range(6)]
    assert distil(one) == []
    two = [*one, walk("z", 0), walk("z", 1)]
    found = distil(two)
    assert found[0].steps == ("pull", "push", "turn") and found[0].starts == {"a", "z"}
    assert found[0].after == (frozenset({"b"}), frozenset({"c"}), frozenset({"d"}))


def test_a_part_that_is_of_use_elsewhere_stays_beside_its_whole_and_another_does_not() -> None:
    """ "lift > turn" is done without the rest as well; "rest > bow" only ever ends the whole."""
    whole = "lift, turn, rest, bow"
    found = distil(runs(*[f"{name}, {whole}, {name}, lift, turn" for name in "abcd"], "lift, turn", "x, lift, turn, y"))
    assert [macro.steps for macro in found] == [("lift", "turn"), ("lift", "turn", "rest", "bow")]
    assert [macro.support for macro in found] == [6, 4]


def test_the_most_useful_are_kept_when_few_may_be() -> None:
    """Rare long sequences do not push the short common ones out."""
    songs = [
        f"hum, whistle, {rare}, hum, whistle, hum, whistle" for rare in ["one, two, three, four"] * 3 + ["six"] * 3
    ]
    [only] = distil(runs(*songs), MacroConfig(most=1))
    assert only.steps == ("hum", "whistle")


def test_templates() -> None:
    assert template("put big knife in the red box") == ("put * in *", ("big knife", "red box"))
    assert template("north") == ("north", ())
    assert template("look") == ("look", ())


def test_walks_that_led_nowhere_are_left_out() -> None:
    acts = [Act("n", "a", "b"), Act("s", "b", "a"), Act("e", "a", "c"), Act("take", "c", "c")]
    assert [act.action for act in without_loops(acts)] == ["e", "take"]


def test_nothing_in_nothing_out() -> None:
    assert distil([]) == []
    assert distil(runs("look", "look", "look")) == []
    with pytest.raises(ConfigError):
        MacroConfig(shortest=5, longest=2)


def test_use_decides_what_stays() -> None:
    config = MacroConfig()
    macro = Macro(id="m", name="m", steps=("a", "b"))
    once = macro.used(False, config, note="the lid was stuck")
    assert (once.status, once.not_when) == ("active", ("the lid was stuck",))
    assert once.used(False, config).status == "quarantined"
    assert once.used(True, config).failures_in_a_row == 0
    mixed = macro.used(True, config).used(False, config).used(True, config)
    assert mixed.status == "active" and mixed.success_rate == pytest.approx(3 / 5)
    assert macro.used(False, config).used(True, config).used(False, config).status == "dropped"
    assert Macro.from_json("m", mixed.to_json()) == mixed


def test_the_order_of_steps_matters_for_suggestions() -> None:
    first = Macro(id="m1", name="open > take", steps=("open box", "take coin"))
    second = Macro(id="m2", name="take > open", steps=("take coin", "open box"))
    assert [macro.id for macro, _ in suggest([first, second], plan=["open box", "take coin"])] == ["m1"]
    assert [macro.id for macro, _ in suggest([first, second], plan=["take coin", "open box"])] == ["m2"]
    here = Macro(id="m3", name="x", steps=("a", "b"), starts=frozenset({"p1"}))
    assert suggest([here], place="p2") == [] and suggest([here], place="p1")[0][0] is here
    assert suggest([here.used(False, MacroConfig()).used(False, MacroConfig())], place="p1") == []


def test_known_macros_keep_their_record() -> None:
    old = distil(runs(*COOK))[0].used(True, MacroConfig())
    again = distil(runs(*COOK), known=[old])[0]
    assert (again.id, again.uses, again.version) == (old.id, 1, 1)


ROUTE = [Pace("n", "a", frozenset("b")), Pace("e", "b", frozenset("c")), Pace("s", "c", frozenset("d"))]


def test_a_walk_that_goes_as_expected() -> None:
    run = Execution(ROUTE)
    for place in "bcd":
        assert run.next_action() is not None
        run.report(place)
    assert run.state == "done" and run.next_action() is None and run.actions_given == 3


def test_a_shortcut_is_taken() -> None:
    run = Execution(ROUTE)
    run.next_action()
    assert run.report("c") == "running" and run.next_action() == "s"


def test_off_the_route_it_plans_anew_or_gives_up() -> None:
    lost = Execution(ROUTE)
    lost.next_action()
    assert lost.report("z") == "failed" and "'n' did not lead" in lost.reason

    def replan(here: str, goal: frozenset[str]) -> Plan:
        assert here == "z" and goal == frozenset("d")
        return Plan(found=False, start=here, goal=None, objective="cost", reason="no known way leads there")

    hopeless = Execution(ROUTE, replan=replan)
    hopeless.next_action()
    assert hopeless.report("z") == "failed" and hopeless.reason == "no known way leads there"


def test_it_never_loops() -> None:
    def again(here: str, goal: frozenset[str]) -> Plan:
        from hippo_agent.spatial.plan import PlanStep

        step = PlanStep(here, "n", "n", "d", 0.5, 1.0)
        return Plan(found=True, start=here, goal="d", objective="cost", steps=(step,))

    run = Execution(ROUTE, replan=again)
    given = 0
    while run.next_action() is not None:
        given += 1
        run.report("z")
    assert given <= 6 and run.state == "failed" and run.reason
