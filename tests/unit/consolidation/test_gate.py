"""The gate: promote, weaken or reject, by what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from hippo_agent.consolidation import gate
from hippo_agent.consolidation.config import GateLimits
from hippo_agent.consolidation.encode import Encoded
from hippo_agent.consolidation.gate import Examination, Marks, judge
from hippo_agent.consolidation.guard import Abilities

LIMITS = GateLimits()
BASE: dict[str, Any] = {
    "taught": 0.0, "paraphrase": 0.0, "form": 0.0, "earlier": None, "with_memory": 0.98, "locality": 1.0,
    "canaries": None, "loss": 1.0, "in_context": 0.95, "abstention": 0.97,
}  # fmt: skip
LEARNT: dict[str, Any] = {**BASE, "taught": 0.99, "paraphrase": 0.95, "form": 0.97}


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What each examination gives, in order; `scaled` is noted instead of done."""
    scales: list[float] = []

    class _Scaled:
        def __init__(self, model: Any, factor: float) -> None:
            scales.append(factor)

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    def use(given: Sequence[dict[str, Any]]) -> list[float]:
        left = iter(given)
        monkeypatch.setattr(gate, "examine", lambda model, asked: Marks(**next(left)))
        monkeypatch.setattr(gate, "scaled", _Scaled)
        return scales

    return use


_TEXT = Encoded((1, 2), (0.0, 1.0), 1)
ASKED = Examination(
    taught=(), paraphrase=(), form=(), earlier=(), with_memory=[_TEXT] * 200, neighbours=[_TEXT] * 50,
    canaries=[_TEXT] * 50, abilities=Abilities(language=(), in_context=(_TEXT,) * 200, strangers=(_TEXT,) * 200), pad=0,
)  # fmt: skip


def test_what_learnt_and_lost_nothing_is_promoted(marks: Any) -> None:
    marks([LEARNT])
    verdict = judge(None, ASKED, Marks(**BASE), LIMITS)
    assert verdict.promoted
    assert (verdict.scale, verdict.reasons) == (1.0, ("passed",))


@pytest.mark.parametrize(("what", "value"), [("taught", 0.5), ("paraphrase", 0.5), ("form", 0.5), ("earlier", 0.5)])
def test_what_did_not_learn_is_rejected_with_the_reason(marks: Any, what: str, value: float) -> None:
    scales = marks([{**LEARNT, what: value}])
    verdict = judge(None, ASKED, Marks(**BASE), LIMITS)
    assert not verdict.promoted
    assert "0.500 is below" in verdict.reasons[0]
    assert scales == []


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("loss", 1.5),
        ("in_context", 0.6),
        ("abstention", 0.6),
        ("locality", 0.6),
        ("with_memory", 0.6),
        ("canaries", 0.6),
    ],
)
def test_what_lost_the_base_at_every_scale_is_rejected(marks: Any, what: str, value: float) -> None:
    scales = marks([{**LEARNT, what: value}] * 7)
    verdict = judge(None, ASKED, Marks(**BASE), LIMITS)
    assert not verdict.promoted
    assert len(scales) == LIMITS.halvings
    assert min(scales) >= LIMITS.least_scale


@pytest.mark.parametrize(
    ("what", "passes", "fails"), [("in_context", 0.925, 0.92), ("locality", 0.92, 0.88), ("abstention", 0.905, 0.895)]
)
def test_a_loss_beyond_the_limit_counts_when_it_is_more_than_the_error_of_the_questions(
    marks: Any, what: str, passes: float, fails: float
) -> None:
    """In context: 1.5 points of .95 are allowed, and of 200 questions one standard error more."""
    marks([{**LEARNT, what: passes}])
    assert judge(None, ASKED, Marks(**BASE), LIMITS).promoted
    marks([{**LEARNT, what: fails}] * 7)
    assert not judge(None, ASKED, Marks(**BASE), LIMITS).promoted


def test_what_lost_too_much_is_weakened_to_the_largest_scale_that_passes(marks: Any) -> None:
    lost, fine = {**LEARNT, "loss": 1.5}, LEARNT
    marks([lost, fine, lost, fine, fine, fine, fine])  # whole; then .65, .825, .738, .781, ...
    verdict = judge(None, ASKED, Marks(**BASE), LIMITS)
    assert verdict.promoted
    assert 0.8 < verdict.scale < 0.825
    assert verdict.after == Marks(**fine)


def test_weakened_until_it_knows_its_lessons_no_more_it_is_rejected(marks: Any) -> None:
    marks([{**LEARNT, "loss": 1.5}, *[{**LEARNT, "taught": 0.4}] * 6])
    verdict = judge(None, ASKED, Marks(**BASE), LIMITS)
    assert not verdict.promoted
    assert any("of its strength: taught" in reason for reason in verdict.reasons)


def test_without_the_gate_everything_is_promoted(marks: Any) -> None:
    marks([{**LEARNT, "loss": 9.0, "taught": 0.0}])
    assert judge(None, ASKED, Marks(**BASE), GateLimits(enabled=False)).promoted
