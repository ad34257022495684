"""Completion: a partial cue finds the full episode, and the slots that it did not have come back filled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hippo_agent.types import Slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """Rows by score, best first, and how ambiguous the cue was."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    ambiguity: float  # in [0, 1]: entropy of the softmax over the rows / its maximum; 0: one clear winner


def fill(cue: Slots, stored: Slots) -> Slots:
    """The cue's slots, with those that it lacks taken from the stored episode."""
    raise NotImplementedError


def ambiguity(scores: NDArray[np.float32], *, beta: float = 50.0) -> float:
    """In [0, 1]: normalised entropy of softmax(beta * scores)."""
    raise NotImplementedError


def hopfield(cue: NDArray[np.float32], patterns: NDArray[np.float32], *, beta: float = 50.0, steps: int = 1) -> NDArray[np.float32]:
    """One or more modern-Hopfield steps: softmax(beta X q) X. patterns: [n, d] unit norm (Ramsauer et al. 2020)."""
    raise NotImplementedError


def agreement(cue: Slots, stored: Slots) -> float:
    """In [0, 1]: mean over the cue's slots of the share of its values that the stored slot holds; dates by overlap."""
    raise NotImplementedError
