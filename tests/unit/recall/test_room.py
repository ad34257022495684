"""Trusted traces that are nearly as good keep up to half of the places."""

from __future__ import annotations

import numpy as np

from hippo_agent.recall.room import with_room


def ordered(scores: list[float], trusted: list[bool], k: int) -> list[int]:
    points = np.array(scores, np.float32)
    return with_room(np.argsort(-points, kind="stable"), points, np.array(trusted), k)[:k].tolist()


def test_a_flood_does_not_push_out_what_is_trusted_and_nearly_as_good() -> None:
    scores = [1.0, 0.99, 0.98, 0.97, 0.9, 0.8, 0.3]
    trusted = [False, False, False, False, True, True, True]
    assert ordered(scores, trusted, 4) == [0, 1, 4, 5]
    assert ordered(scores, trusted, 2) == [0, 4]
    assert ordered(scores, trusted, 1) == [4], "the one place goes to the trusted trace"


def test_far_worse_trusted_traces_get_no_place() -> None:
    assert ordered([1.0, 0.9, 0.8, 0.3], [False, False, False, True], 2) == [0, 1]


def test_nothing_changes_where_all_are_alike_or_enough_are_there() -> None:
    scores = [1.0, 0.9, 0.8, 0.7]
    for trusted in ([True] * 4, [False] * 4, [True, True, False, False], [False, True, False, True]):
        assert ordered(scores, trusted, 2) == [0, 1]
    assert with_room(np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, bool), 3).tolist() == []
