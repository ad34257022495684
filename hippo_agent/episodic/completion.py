"""Completion: a partial cue finds the full episode, and the slots that it did not have come back filled.

Scoring is slot-masked (`codes.slot_similarity`); what is here reads the result: how well an episode agrees with the
cue, value by value, which slots it fills, and how ambiguous the cue was. A modern-Hopfield step can be switched on;
with beta large enough to be of use it returns the best cosine match, and it never found more than that
(docs/stores/episodic.md).
"""

from __future__ import annotations

from difflib import SequenceMatcher
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hippo_agent.episodic.iso_dates import overlap
from hippo_agent.episodic.words import tokens
from hippo_agent.types import SLOT_NAMES, Slots

__all__ = ["BETA", "agreement", "ambiguity", "complete_slots", "hopfield"]

Floats = NDArray[np.float32]

#: Inverse temperature for unit vectors: below about 20 the softmax averages over a cluster instead of choosing in it.
BETA = 50.0


def complete_slots(cue: Slots, stored: Slots) -> Slots:
    """The cue's slots, and the stored episode's for those that the cue lacks."""
    return Slots(**{name: getattr(cue, name) or getattr(stored, name) for name in SLOT_NAMES})


def agreement(cue: Slots, stored: Slots) -> float:
    """In [0, 1]: mean over the cue's slots of how much of their values the stored slots hold; 0 for an empty cue.

    Names and words agree by their best word match, typos included; dates by overlap in time.
    """
    shares = []
    for name in SLOT_NAMES:
        wanted, held = getattr(cue, name), getattr(stored, name)
        if wanted:
            alike = overlap if name == "when" else _alike
            shares.append(
                sum(max((alike(value, other) for other in held), default=0.0) for value in wanted) / len(wanted)
            )
    return sum(shares) / len(shares) if shares else 0.0


def ambiguity(scores: Floats, *, beta: float = BETA) -> float:
    """In [0, 1]: entropy of softmax(beta * scores) over its maximum. 0: a clear winner, or one score; 1: all alike."""
    if len(scores) < 2:
        return 0.0
    weights = _softmax(beta * scores.astype(np.float64))
    entropy = -float(np.sum(weights * np.log(np.maximum(weights, 1e-300))))
    return min(1.0, max(0.0, entropy / float(np.log(len(scores)))))


def hopfield(cue: Floats, patterns: Floats, *, beta: float = BETA, steps: int = 1) -> Floats:
    """The cue after modern-Hopfield steps softmax(beta X q) X, at unit norm (Ramsauer et al. 2020, arXiv 2008.02217).

    cue: [d]; patterns X: [n, d], unit norm, usually the top 32 candidates. No patterns: the cue itself.
    """
    state = cue.astype(np.float64)
    for _ in range(steps if len(patterns) else 0):
        state = _softmax(beta * (patterns @ state)) @ patterns
        state /= max(float(np.linalg.norm(state)), 1e-12)
    return state.astype(np.float32)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised: NDArray[np.float64] = np.exp(logits - logits.max())
    raised /= raised.sum()
    return raised


def _alike(wanted: str, held: str) -> float:
    """Mean over the words of ``wanted`` of their best match in ``held``; matches below 0.7 count nothing."""
    words, others = _words(wanted), _words(held)
    if not words or not others:
        return float(wanted == held)
    return sum(max(_ratio(word, other) for other in others) for word in words) / len(words)


@lru_cache(maxsize=4096)
def _words(value: str) -> tuple[str, ...]:
    return tuple(token.low for token in tokens(value))


@lru_cache(maxsize=16384)
def _ratio(a: str, b: str) -> float:
    if a == b:
        return 1.0
    ratio = SequenceMatcher(None, a, b).ratio()
    return ratio if ratio >= 0.7 else 0.0
