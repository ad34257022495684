import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippo_agent.episodic.controller import DeferredBudget, RateController, Recent
from hippo_agent.errors import ConfigError


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["uniform", "constant", "rising", "falling", "two levels"])
def test_online_controller_holds_its_rate(rate: float, kind: str) -> None:
    """Within two points after 3,000 scores, however the scores are distributed or drift."""
    rng = random.Random(1)
    make = {
        "uniform": lambda i: rng.random(),
        "constant": lambda i: 0.5,
        "rising": lambda i: i / 3000,
        "falling": lambda i: 1 - i / 3000,
        "two levels": lambda i: float(rng.random() < 0.5),
    }[kind]
    controller = RateController(rate)
    kept = sum(controller.admit(make(i)) for i in range(3000))

    assert kept / 3000 == pytest.approx(rate, abs=0.02)


def test_online_controller_prefers_high_scores() -> None:
    """At equal rates the kept scores are far above the mean of all; for shuffled scores nothing is gained."""
    rng = random.Random(2)
    scores = [rng.random() for _ in range(2000)]
    controller = RateController(0.3)
    kept = [controller.admit(score) for score in scores]
    chosen = [score for score, keep in zip(scores, kept, strict=True) if keep]
    shuffled = scores[:]
    rng.shuffle(shuffled)
    blind = [score for score, keep in zip(shuffled, kept, strict=True) if keep]

    assert sum(chosen) / len(chosen) > 0.8
    assert sum(blind) / len(blind) == pytest.approx(0.5, abs=0.04)


def test_deferred_budget_keeps_the_best_of_a_conversation() -> None:
    """Four of eight at a budget of one half: the four highest scores, in order of arrival."""
    budget = DeferredBudget(0.5, urgent=0.0)
    for i, score in enumerate([0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6]):
        assert not budget.offer(str(i), score, conversation="a")
    kept, dropped = budget.settle("a")

    assert [token for token, _ in kept] == ["1", "3", "5", "7"]
    assert [token for token, _ in dropped] == ["0", "2", "4", "6"]
    assert budget.settle("a") == ([], [])


def test_deferred_budget_carries_fractions_over() -> None:
    """Three items at one half leave half an item, which the next conversation gets."""
    budget = DeferredBudget(0.5, urgent=0.0)
    sizes = []
    for name in "abcd":
        for i in range(3):
            budget.offer(f"{name}{i}", i / 10, conversation=name)
        sizes.append(len(budget.settle(name)[0]))

    assert sizes == [1, 2, 1, 2]


def test_clearly_good_items_are_kept_at_once() -> None:
    """After 30 scores, an item far above the others does not wait."""
    budget = DeferredBudget(0.4, urgent=0.5)
    early = [budget.offer(str(i), 0.1 + i / 1000, conversation="a") for i in range(30)]

    assert not any(early)
    assert budget.offer("good", 0.95, conversation="a") is True
    assert budget.offer("poor", 0.05, conversation="a") is False


@given(
    st.floats(0.05, 1.0),
    st.floats(0.0, 1.0),
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1), st.booleans()), max_size=200),
)
def test_deferred_budget_is_never_exceeded(rate: float, urgent: float, items: list[tuple[str, float, bool]]) -> None:
    """Whatever arrives in whatever order, and whenever a conversation is settled; and every item is decided once."""
    budget = DeferredBudget(rate, urgent=urgent)
    decided: list[str] = []
    kept = 0
    for i, (name, score, settle) in enumerate(items):
        if budget.offer(str(i), score, conversation=name):
            decided.append(str(i))
            kept += 1
        if settle:
            good, bad = budget.settle(name)
            kept += len(good)
            decided += [token for token, _ in good + bad]
        assert kept <= rate * (i + 1) + 1e-6
    for name in budget.conversations():
        good, bad = budget.settle(name)
        kept += len(good)
        decided += [token for token, _ in good + bad]

    assert sorted(decided) == sorted(str(i) for i in range(len(items)))
    assert kept <= rate * len(items) + 1e-6


def test_a_withdrawn_item_is_not_settled() -> None:
    """A forgotten event leaves the buffer."""
    budget = DeferredBudget(1.0, urgent=0.0)
    budget.offer("x", 0.5, conversation="a")
    budget.offer("y", 0.4, conversation="a")
    budget.withdraw("x")

    assert [token for token, _ in budget.settle("a")[0]] == ["y"]


def test_state_survives_json() -> None:
    """A controller restored from JSON decides on as the original does."""
    rng = random.Random(3)
    online, late = RateController(0.4), DeferredBudget(0.4)
    for i in range(100):
        online.admit(rng.random())
        late.offer(str(i), rng.random(), conversation="a")
    online2, late2 = RateController(0.4), DeferredBudget(0.4)
    online2.restore(json.loads(json.dumps(online.state())))
    late2.restore(json.loads(json.dumps(late.state())))
    rest = [rng.random() for _ in range(100)]

    assert [online.admit(s) for s in rest] == [online2.admit(s) for s in rest]
    assert [late.offer(str(s), s, conversation="a") for s in rest] == [
        late2.offer(str(s), s, conversation="a") for s in rest
    ]
    assert late.settle("a") == late2.settle("a")


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.1, float("nan")])
def test_an_impossible_budget_is_refused(rate: float) -> None:
    """The error names the value."""
    with pytest.raises(ConfigError, match="budget"):
        RateController(rate)
    with pytest.raises(ConfigError, match="budget"):
        DeferredBudget(rate)


def test_recent_forgets_the_oldest() -> None:
    """A window of three holds the last three, sorted for quantiles."""
    recent = Recent(3)
    for score in (0.9, 0.1, 0.2, 0.3):
        recent.add(score)

    assert recent.scores() == [0.1, 0.2, 0.3]
    assert recent.top(0.34) == 0.2
    assert recent.top(0.01) == 0.3
