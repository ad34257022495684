"""Metrics, against values worked out by hand."""

from __future__ import annotations

import pytest

from hippo_agent.evaluation.metrics import all_at, first_is, mean_rows, recall_at

RANKED = ["b", "a", "d", "c"]


@pytest.mark.parametrize(
    ("gold", "k", "share"),
    [(["a"], 1, 0.0), (["a"], 2, 1.0), (["a", "c"], 2, 0.5), (["a", "c", "x"], 4, 2 / 3), (["x"], 4, 0.0)],
)
def test_recall_is_the_share_of_gold_ids_among_the_first_k(gold: list[str], k: int, share: float) -> None:
    assert recall_at(RANKED, gold, k) == pytest.approx(share)


def test_a_gold_id_that_is_named_twice_counts_once() -> None:
    assert recall_at(RANKED, ["a", "a", "c"], 2) == 0.5


def test_recall_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="without gold ids"):
        recall_at(RANKED, [], 5)


def test_all_gold_needs_every_one() -> None:
    assert all_at(RANKED, ["a", "c"], 3) == 0.0
    assert all_at(RANKED, ["a", "c"], 4) == 1.0


def test_precision_at_1_looks_at_the_first_only() -> None:
    assert first_is(RANKED, ["b", "z"]) == 1.0
    assert first_is(RANKED, ["a"]) == 0.0
    assert first_is([], ["a"]) == 0.0


def test_a_metric_is_averaged_over_the_rows_that_have_it() -> None:
    rows = [{"r": 1.0, "r_temporal": 1.0}, {"r": 0.0}, {"r": 0.5, "r_temporal": 0.5}]
    assert mean_rows(rows) == {"r": 0.5, "r_temporal": 0.75}
