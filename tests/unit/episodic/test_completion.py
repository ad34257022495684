"""A partial cue is completed from the stored episode; agreement, ambiguity and the Hopfield step read plainly."""

from __future__ import annotations

import numpy as np
import pytest

from hippo_agent.episodic.completion import MISPLACED, agreement, ambiguity, complete_slots, hopfield
from hippo_agent.types import Slots

STORED = Slots(who=("Sam", "Orla Venn"), what=("bicycles", "3"), where=("Corvin market",), when=("2023-05-07",))


def test_missing_slots_are_filled_and_given_ones_kept() -> None:
    assert complete_slots(Slots(who=("Orla",), when=("2023-05",)), STORED) == Slots(
        who=("Orla",), what=("bicycles", "3"), where=("Corvin market",), when=("2023-05",)
    )


@pytest.mark.parametrize(
    ("cue", "expected"),
    [
        (STORED, 1.0),
        (Slots(who=("Orla",)), 1.0),
        (Slots(when=("2023-05",)), 1.0),
        (Slots(when=("2023-06",)), 0.0),
        (Slots(who=("Zoltan",), where=("Corvin",)), 0.5),
        (Slots(what=("3",)), 1.0),
        (Slots(what=("4",)), 0.0),
        (Slots(what=("13", "bicycles")), 1 / 3),
        (Slots(where=("Orla",)), MISPLACED),
        (Slots(), 0.0),
    ],
)
def test_agreement(cue: Slots, expected: float) -> None:
    assert agreement(cue, STORED) == pytest.approx(expected)


def test_agreement_survives_typos() -> None:
    assert 0.5 < agreement(Slots(what=("bicylces",)), STORED) < 1.0


def test_ambiguity_is_zero_for_a_clear_winner_and_one_for_a_tie() -> None:
    assert ambiguity(np.array([0.9, 0.1, 0.1], dtype=np.float32)) < 0.01
    assert ambiguity(np.full(8, 0.5, dtype=np.float32)) == pytest.approx(1.0)
    assert ambiguity(np.array([0.4], dtype=np.float32)) == 0.0
    assert ambiguity(np.array([], dtype=np.float32)) == 0.0


def _patterns() -> np.ndarray:
    """A cluster of 100 unit vectors, cosine .5 to each other or so: [100, 64]."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((100, 64)) + rng.standard_normal(64)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_hopfield_with_a_large_beta_returns_the_nearest_pattern_and_with_a_small_one_the_mean() -> None:
    patterns = _patterns()
    cue = patterns[17] + 0.05 * np.random.default_rng(1).standard_normal(64).astype(np.float32)
    sharp, flat = hopfield(cue, patterns, beta=200.0), hopfield(cue, patterns, beta=0.01)
    assert sharp @ patterns[17] > 0.999
    mean = patterns.mean(axis=0)
    assert flat @ mean / np.linalg.norm(mean) > 0.999


def test_hopfield_without_patterns_is_the_cue() -> None:
    cue = np.array([0.6, 0.8], dtype=np.float32)
    np.testing.assert_allclose(hopfield(cue, np.empty((0, 2), dtype=np.float32)), cue)
