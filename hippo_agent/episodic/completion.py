"""Completion: a partial cue finds the full episode, and the slots that it did not have come back filled.

Scoring is slot-masked (`codes.slot_similarity`); what is here reads the result: how well an episode agrees with the
cue, value by value, which slots it fills, and how ambiguous the cue was. A modern-Hopfield step can be switched on;
with beta large enough to be of use it returns the best cosine match, and it never found more than that
(docs/stores/episodic.md).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hippo_agent.episodic.iso_dates import overlap
from hippo_agent.episodic.words import tokens
from hippo_agent.types import SLOT_NAMES, Slots

__all__ = ["BETA", "MISPLACED", "agreement", "ambiguity", "complete_slots", "hopfield"]

Floats = NDArray[np.float32]

#: Inverse temperature for unit vectors: below about 20 the softmax averages over a cluster instead of choosing in it.
BETA = 50.0
#: What a name counts that is held in another slot than the cue's.
MISPLACED = 0.8
#: What a number counts among the words of a slot: it is seldom said in vain.
NUMBER_WEIGHT = 2.0


def complete_slots(cue: Slots, stored: Slots) -> Slots:
    """The cue's slots, and the stored episode's for those that the cue lacks."""
    return Slots(**{name: getattr(cue, name) or getattr(stored, name) for name in SLOT_NAMES})


def agreement(cue: Slots, stored: Slots) -> float:
    """In [0, 1]: mean over the cue's slots of how much of their values the stored slots hold; 0 for an empty cue.

    Names and words agree by their best word match, typos included, numbers only with themselves, dates by overlap in
    time. A name held in another slot counts `MISPLACED`: a short cue often does not say which slot it means.
    """
    shares = []
    for name in SLOT_NAMES:
        wanted = getattr(cue, name)
        if wanted:
            weights = [NUMBER_WEIGHT if value.isdigit() else 1.0 for value in wanted]
            held = sum(weight * _held(value, name, stored) for value, weight in zip(wanted, weights, strict=True))
            shares.append(held / sum(weights))
    return sum(shares) / len(shares) if shares else 0.0


def _held(value: str, name: str, stored: Slots) -> float:
    if name == "when":
        return max((overlap(value, other) for other in stored.when), default=0.0)
    best = max((_alike(value, other) for other in getattr(stored, name)), default=0.0)
    for elsewhere in ("who", "what", "where"):
        if best < MISPLACED and elsewhere != name:
            best = max(best, *(MISPLACED * _alike(value, other) for other in getattr(stored, elsewhere)), 0.0)
    return best


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
    """Mean over the words of ``wanted`` of their best match in ``held``; matches below 0.5 count nothing."""
    words, others = _words(wanted), _words(held)
    if not words or not others:
        return float(wanted == held)
    return sum(max([_dice(word, other) for other in others]) for word in words) / len(words)


@lru_cache(maxsize=8192)
def _words(value: str) -> tuple[str, ...]:
    return tuple(token.low for token in tokens(value))


def _dice(a: str, b: str) -> float:
    """Shared character pairs, in [0, 1]; 0 for different numbers and for words that hardly share any."""
    if a == b:
        return 1.0
    if a.isdigit() or b.isdigit():
        return 0.0
    pairs, others = _pairs(a), _pairs(b)
    dice = 2 * len(pairs & others) / (len(pairs) + len(others))
    return dice if dice >= 0.5 else 0.0


@lru_cache(maxsize=8192)
def _pairs(word: str) -> frozenset[str]:
    bounded = f"^{word}$"
    return frozenset(bounded[i : i + 2] for i in range(len(bounded) - 1))
