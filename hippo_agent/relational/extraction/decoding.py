"""From tag probabilities of one predicate to its triple: the best path, and what belongs to the predicate.

"Coke has agreed to pay its bottlers"   ->  (Coke, has agreed to pay, its bottlers)
"Ada is the mayor of Vell"              ->  (Ada, is the mayor of, Vell)
"Bo said that Ada left, which ..."      ->  (Bo, said that, Ada left)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hippo_agent.relational.extraction.grammar import ADVERBS, AUXILIARIES, BE, HAVE, NEGATIONS, PREPOSITIONS, word_set

__all__ = ["SURE", "Reading", "decode", "opens_infinitive"]

SURE = 0.5  # probability from which a word counts as a verb of its own
_EDGE = frozenset({",", ".", ";", ":", "--", "''", '"', "``", "and", "but", "or", "(", ")"})
_CLAUSE = word_set("which who whose whom where when while although though but because whereas")
_NO_NOUN = frozenset({",", ".", ";", ":", "(", ")", "``", "''", '"', "and", "or", "that", "which", "who", "to"})
_READY = ("able", "ely", "ady", "ing")  # "able to", "likely to", "ready to", "going to"
_BEFORE_OF_BE, _BEFORE_OF_VERB = 2, 1  # words that may stand between a verb and the preposition that goes with it


@dataclass(frozen=True, slots=True)
class Reading:
    """A triple as positions of words, with its confidence in [0, 1]."""

    predicate: tuple[int, ...]
    subject: tuple[int, ...]
    object: tuple[int, ...]
    confidence: float
    said: str = ""  # the predicate, when no words of the sentence say it


def decode(
    words: Sequence[str], head: int, chances: NDArray[np.float32], tags: NDArray[np.float32], steady: float
) -> Reading | None:
    """The triple of one predicate; None without a subject or an object.

    Args:
        head: position of the predicate's head.
        chances: [n] how likely each word is the head of a predicate.
        tags: [n, 4] probabilities of outside, predicate, subject, object.
        steady: cost in nats of changing the tag from one word to the next.
    """
    low = [word.lower() for word in words]
    best = _path(tags, head, steady)
    predicate = _before(low, head, best, chances)
    last = _after(low, head, best)
    predicate |= set(range(head + 1, last + 1))
    subject = _trimmed([k for k in range(len(words)) if best[k] == 2 and k not in predicate], low)
    value = [k for k in range(len(words)) if best[k] == 3 and k not in predicate]
    value = _trimmed(_own_clause(value, low, head, chances), low)
    if not subject or not value:
        return None
    sure = [float(tags[k, best[k]]) for k in (*subject, *value, *sorted(predicate)) if best[k] > 0]
    confidence = round(float(chances[head]) * float(np.mean(sure)), 3)
    return Reading(tuple(sorted(predicate)), tuple(subject), tuple(value), confidence)


def opens_infinitive(low: Sequence[str], head: int, chances: NDArray[np.float32]) -> bool:
    """Whether what follows is "to" and a verb, whose triple says this verb too."""
    return head + 2 < len(low) and low[head + 1] == "to" and chances[head + 2] > SURE


def _before(low: Sequence[str], head: int, best: NDArray[np.int64], chances: NDArray[np.float32]) -> set[int]:
    """The head and what belongs to it on its left: auxiliaries, and the verb whose infinitive it is."""
    predicate = {head}

    def take(k: int) -> None:
        while k >= 0 and (best[k] == 1 or low[k] in AUXILIARIES | ADVERBS):
            predicate.add(k)
            k -= 1
        while min(predicate) != head and low[min(predicate)] == "to":
            predicate.discard(min(predicate))

    take(head - 1)
    opener = head - 2
    if opener >= 0 and low[head - 1] == "to":
        ready = low[opener].endswith(_READY) and opener > 0 and low[opener - 1] in BE
        if chances[opener] > SURE or ready:
            predicate |= {opener, head - 1}
            take(opener - 1)
    return predicate


def _after(low: Sequence[str], head: int, best: NDArray[np.int64]) -> int:
    """The last word of the predicate on the head's right: a preposition with what is fixed before it, or "that"."""
    end = head + 1
    if low[head] in BE | HAVE:
        while end < len(low) and low[end] in NEGATIONS | ADVERBS:
            end += 1
    while end < len(low) and best[end] == 1:
        end += 1
    if end + 1 < len(low) and low[end] in PREPOSITIONS and best[end] in (1, 3):
        return end
    place, most = end, _BEFORE_OF_BE if low[head] in BE else _BEFORE_OF_VERB
    while place < len(low) and place - end < most and low[place] not in PREPOSITIONS | _NO_NOUN:
        place += 1
    if end < place < len(low) - 1 and low[place] in PREPOSITIONS and best[place] == 3:
        return place
    return end if end < len(low) and low[end] == "that" and best[end] == 3 else end - 1


def _own_clause(value: list[int], low: Sequence[str], head: int, chances: NDArray[np.float32]) -> list[int]:
    """The object up to where another clause begins: ", which", ", making", "and flows"."""
    for k in value:
        if k <= head or k == value[0]:
            continue
        if low[k] == "," and k > value[0] + 1 and k + 1 < len(low):
            if low[k + 1] in _CLAUSE or low[k + 1].endswith("ing"):
                return [other for other in value if other < k]
        elif low[k] in {"and", "or", "but"}:
            verb = k + 1
            while (
                verb < len(low) - 1
                and verb - k < 4
                and (low[verb] in AUXILIARIES | ADVERBS or low[verb].endswith("ly"))
            ):
                verb += 1
            if verb < len(low) and chances[verb] > SURE and not low[verb].endswith("ing"):
                return [other for other in value if other < k]
    return value


def _path(tags: NDArray[np.float32], head: int, steady: float) -> NDArray[np.int64]:
    """The best sequence of tags (Viterbi) when every change costs ``steady``; the head is the predicate."""
    scores = np.log(tags + 1e-6)
    scores[head] = -9.0
    scores[head, 1] = 0.0
    change = np.full((4, 4), -steady)
    np.fill_diagonal(change, 0.0)
    back = np.zeros(tags.shape, dtype=np.int64)
    now = scores[0]
    for k in range(1, len(tags)):
        options = now[:, None] + change
        back[k] = options.argmax(axis=0)
        now = options.max(axis=0) + scores[k]
    path = [int(now.argmax())]
    for k in range(len(tags) - 1, 0, -1):
        path.append(int(back[k, path[-1]]))
    out = np.array(path[::-1], dtype=np.int64)
    out[head] = 1
    return out


def _trimmed(places: list[int], low: Sequence[str]) -> list[int]:
    while places and low[places[0]] in _EDGE:
        places.pop(0)
    while places and low[places[-1]] in _EDGE:
        places.pop()
    return places
