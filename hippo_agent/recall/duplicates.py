"""Near-duplicates: a hit that says word for word the same as a better one is left out.

"The same" means the same stems, function words aside, in the same order, from the same speaker. Episodes that differ
in a single name, number or date are different episodes and both stay.
"""

from __future__ import annotations

from collections.abc import Sequence

from hippo_agent.recall.words import FUNCTION_WORDS, cut, stem
from hippo_agent.types import Hit

__all__ = ["without_duplicates"]


def without_duplicates(hits: Sequence[Hit]) -> list[Hit]:
    """The hits in order, each saying something new."""
    seen: set[tuple[str | None, tuple[str, ...]]] = set()
    kept = []
    for hit in hits:
        words = cut(hit.trace.text)
        said = tuple(stem(word) for word in words if word not in FUNCTION_WORDS) or tuple(words) or (hit.trace.text,)
        mark = (hit.trace.speaker, said)
        if mark not in seen:
            seen.add(mark)
            kept.append(hit)
    return kept
