"""The token budget: which hits fit when they are rendered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hippo_agent.recall.rendering import frame, line
from hippo_agent.types import Hit

__all__ = ["CountTokens", "estimate_tokens", "fit"]

CountTokens = Callable[[str], int]


def estimate_tokens(text: str) -> int:
    """Tokens of a text without a tokenizer, rather too many than too few: UTF-8 bytes / 3, at least its words."""
    return max(-(-len(text.encode("utf-8", "replace")) // 3), len(text.split()))


def fit(hits: Sequence[Hit], budget: int | None, count: CountTokens = estimate_tokens) -> list[Hit]:
    """The hits that fit into the budget together with the block around them, best first; a smaller one may follow."""
    if budget is None:
        return list(hits)
    left = budget - sum(map(count, frame(hits)))
    kept: list[Hit] = []
    for hit in hits:
        cost = count(line(len(kept) + 1, hit.trace) + "\n")
        if cost <= left:
            kept.append(hit)
            left -= cost
    return kept
