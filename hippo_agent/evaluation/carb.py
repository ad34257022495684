"""CaRB's rule for scoring open information extraction (Bhardwaj, Aggarwal and Mausam 2019), re-implemented.

Two tuples match by their words: the predicates must share one, then the shared words of predicate, subject and the
rest give a
precision and a recall. Precision pairs each prediction with at most one gold tuple (best first); recall takes for
each gold
tuple its best prediction. The threshold runs over the confidences; the area is under precision by recall, with (1, 0)
added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CarbScore", "Prediction", "carb", "match"]

Words = tuple[str, ...]  # predicate, subject, further arguments
_BE = ("be", "is", "am", "are", "was", "were", "been", "being")
_SAID = ("said", "told", "added", "adds", "says")


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted tuple with its confidence."""

    confidence: float
    words: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class CarbScore:
    """The best F1 over all thresholds, F1 at a threshold fixed beforehand, and the area under the curve."""

    f1: float
    precision: float
    recall: float
    threshold: float
    fixed_f1: float
    auc: float


def match(gold: Words, predicted: Words) -> tuple[float, float]:
    """Precision and recall of a predicted tuple against a gold one; (0, 0) when they do not match."""
    ours, theirs = _binary(predicted), _binary(gold)
    found = _overlap(theirs, ours)
    if any(verb in gold[0] for verb in _SAID) and len(predicted) >= 3:
        found = max(found, _overlap(theirs, (ours[0], ours[2], ours[1])))
    return found


def carb(
    gold: Mapping[str, Sequence[Words]], predicted: Mapping[str, Sequence[Prediction]], *, threshold: float = 0.5
) -> CarbScore:
    """Score predictions by sentence. ``threshold``: the confidence fixed beforehand for ``fixed_f1``."""
    steps = sorted({item.confidence for items in predicted.values() for item in items})
    place = {confidence: at for at, confidence in enumerate(steps)}
    sums = np.zeros((4, len(steps)))  # matched precision, predictions, matched recall, gold
    for sentence, tuples in gold.items():
        items = predicted.get(sentence, ())
        pairs = np.array([[match(g, p.words) for p in items] for g in tuples]).reshape(len(tuples), len(items), 2)
        start = 0
        for confidence in sorted({item.confidence for item in items}):
            chosen = [at for at, item in enumerate(items) if item.confidence >= confidence]
            end = place[confidence] + 1
            sums[:, start:end] += np.array(
                [[_paired(pairs[:, chosen, 0])], [len(chosen)], [pairs[:, chosen, 1].max(axis=1).sum()], [len(tuples)]]
            ).reshape(4, 1)
            start = end
        sums[3, start:] += len(tuples)
    if not steps:
        return CarbScore(f1=0.0, precision=0.0, recall=0.0, threshold=0.0, fixed_f1=0.0, auc=0.0)
    precision = np.divide(sums[0], sums[1], out=np.ones(len(steps)), where=sums[1] > 0)
    recall = np.divide(sums[2], sums[3], out=np.zeros(len(steps)), where=sums[3] > 0)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-20)
    best = int(f1.argmax())
    fixed = int(np.searchsorted(steps, threshold))
    p, r = np.append(precision, 1.0), np.append(recall, 0.0)
    area = float(np.sum((r[:-1] - r[1:]) * (p[:-1] + p[1:]) / 2))
    return CarbScore(
        f1=float(f1[best]),
        precision=float(precision[best]),
        recall=float(recall[best]),
        threshold=float(steps[best]),
        fixed_f1=float(f1[fixed]) if fixed < len(steps) else 0.0,
        auc=area,
    )


def _binary(words: Words) -> Words:
    """Predicate, subject, and all further arguments as one."""
    return words if len(words) < 3 else (words[0], words[1], " ".join(words[2:]))


def _overlap(gold: Words, predicted: Words) -> tuple[float, float]:
    ours, theirs = predicted[0].split(), gold[0].split()
    shared = _shared(theirs, ours)
    if "be" in ours and any(form in theirs for form in _BE):
        shared += 1
        ours.remove("be")
    if not shared:
        return 0.0, 0.0
    counts = [shared, len(predicted[0].split()), len(theirs)]
    for at in range(1, len(gold)):
        theirs = gold[at].split()
        counts[2] += len(theirs)
        if at >= len(predicted):
            return 0.0, 0.0
        counts[1] += len(predicted[at].split())
        counts[0] += _shared(theirs, predicted[at].split())
    return counts[0] / counts[1], counts[0] / counts[2]


def _shared(gold: Sequence[str], predicted: list[str]) -> int:
    """Words in both, each counted as often as both have it; they are taken out of ``predicted``."""
    count = 0
    for word in gold:
        if word in predicted:
            predicted.remove(word)
            count += 1
    return count


def _paired(precision: NDArray[np.float64]) -> float:
    """Sum of the best pairs of rows and columns, taken greedily, each used once."""
    left, total = precision.copy(), 0.0
    for _ in range(min(left.shape)):
        row, column = np.unravel_index(left.argmax(), left.shape)
        total += float(left[row, column])
        left[row, :] = -1.0
        left[:, column] = -1.0
    return total
