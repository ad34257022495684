"""Retrieval metrics of one question, and their means over groups of questions. All are in [0, 1]."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ["all_at", "first_is", "mean_rows", "recall_at"]


def recall_at(ranked: Sequence[str], gold: Collection[str], k: int) -> float:
    """Share of the gold ids among the first k."""
    wanted = set(gold)
    if not wanted:
        raise ValueError("recall of nothing is not defined: leave out questions without gold ids")
    return len(wanted & set(ranked[:k])) / len(wanted)


def all_at(ranked: Sequence[str], gold: Collection[str], k: int) -> float:
    """1.0 when every gold id is among the first k, else 0.0."""
    return float(recall_at(ranked, gold, k) == 1.0)


def first_is(ranked: Sequence[str], gold: Collection[str]) -> float:
    """1.0 when the first id is a gold one, else 0.0 (precision at 1)."""
    return float(bool(ranked) and ranked[0] in set(gold))


def mean_rows(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric over the rows that have it, in order of first appearance."""
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for name, value in row.items():
            values[name].append(value)
    return {name: sum(found) / len(found) for name, found in values.items()}
