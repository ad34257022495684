"""Which words are tried as predicates beyond what the head says: its training data knows no plain "is" or "has"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hippo_agent.relational.extraction.grammar import ADVERBS, BE, HAVE, MODALS, NEGATIONS

__all__ = ["with_plain_verbs"]

_PLAIN = (BE | HAVE) - {"having", "being", "'s"}  # "'s" is mostly a possessive
_BETWEEN = NEGATIONS | ADVERBS | {"all", "both", "so"}
_VERB = 0.3  # probability from which the next word is taken for the verb that an auxiliary goes with


def with_plain_verbs(words: Sequence[str], chances: NDArray[np.float32], chance: float) -> NDArray[np.float32]:
    """[n] probabilities in which a be or have that is no auxiliary has at least ``chance``."""
    out, low = chances.copy(), [word.lower() for word in words]
    for k in range(1, len(words) - 1):
        if low[k] not in _PLAIN:
            continue
        if low[k] == "be" and not any(word in MODALS | NEGATIONS | {"to"} for word in low[max(0, k - 2) : k]):
            continue
        if low[k] == "been" and not any(word in HAVE for word in low[max(0, k - 3) : k]):
            continue
        following = k + 1
        while following < k + 4 and following < len(low) and _skipped(low[following]):
            following += 1
        if following < min(k + 4, len(low)) and not _is_verb(low[following], float(chances[following])):
            out[k] = max(float(out[k]), chance)
    return out


def _skipped(word: str) -> bool:
    return word in _BETWEEN or word.endswith("ly")


def _is_verb(word: str, chance: float) -> bool:
    return chance > _VERB or word.endswith(("ed", "ing")) or word in {"be", "been", "being", "had", "to"}
