"""Papers for readers: pools of invented facts that no model has seen, questions about them, and how traces are scored.

Names come from the test split of the generator, so no word of a name was trained on. A condition says how many traces
lie beside the one with the answer, how alike they are, and what is wrong with the cue.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hippo_agent.embedding.base import Embedder
from hippo_agent.model.tiny.names import Split
from hippo_agent.model.tiny.worlds import UNKNOWN, Fact, Sheet, absent, ask, draw

__all__ = ["CONDITIONS", "Condition", "Paper", "papers"]

_EASY, _HARD = 0.3, 0.9  # how many facts share a person or a relation


@dataclass(frozen=True, slots=True)
class Condition:
    """``distractors`` lie beside the trace with the answer. ``cue``: what is asked, and how."""

    distractors: int
    crowding: float = _EASY
    updates: float = 0.0  # share of facts with an older value beside them
    cue: str = "whole"  # "partial": half a name; "misleading": a trace repeats the question; "absent": no answer
    scored: bool = True  # False: readers get no retrieval scores
    raw: bool = False  # names stay as they are asked, echoes keep their scores: the control of `model.cue`

    def __str__(self) -> str:
        """What is drawn depends on it: a control is asked the same."""
        return repr(self).replace(f", raw={self.raw}", "")


CONDITIONS: dict[str, Condition] = {
    "0": Condition(0),
    "4": Condition(4),
    "16": Condition(16),
    "63": Condition(63),
    "255": Condition(255),
    "hard8": Condition(8, _HARD, 0.3),
    "hard32": Condition(32, _HARD, 0.3),
    "unscored16": Condition(16, scored=False),
    "partial16": Condition(16, cue="partial"),
    "misleading16": Condition(16, cue="misleading"),
    "partial16_raw": Condition(16, cue="partial", raw=True),
    "misleading16_raw": Condition(16, cue="misleading", raw=True),
    "absent16": Condition(16, cue="absent"),
}


@dataclass(frozen=True, slots=True)
class Paper:
    """Traces, and questions to be answered from all of them.

    Attributes:
        answers: one a question. gold: [questions], the trace that holds the answer, -1 when none does.
        scores: [questions, traces] of retrieval: cosines.
    """

    traces: tuple[str, ...]
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    gold: tuple[int, ...]
    scores: NDArray[np.float32]


def papers(
    condition: Condition, count: int, *, seed: int, embedder: Embedder, split: Split = "test"
) -> Iterator[Paper]:
    """Papers with ``count`` questions in all; several questions are asked about the same pool."""
    left, number = count, 0
    while left > 0:
        rng = random.Random(f"reader paper:{split}:{seed}:{condition}:{number}")
        paper = _paper(rng, condition, left, embedder, split)
        yield paper
        left -= len(paper.questions)
        number += 1


def _paper(rng: random.Random, condition: Condition, most: int, embedder: Embedder, split: Split) -> Paper:
    size = condition.distractors + 1
    sheet = draw(rng, size, split=split, crowding=condition.crowding, updates=condition.updates)
    facts = sheet.facts[-size:]  # an update brings its older value along
    sheet = Sheet(facts, split)
    if condition.cue == "absent":
        return _absent_paper(rng, sheet, min(most, max(1, size // 2)), embedder)
    asked = sheet.current if condition.cue != "partial" else [fact for fact in sheet.current if _part(fact, facts)]
    rng.shuffle(asked)
    if condition.cue == "misleading":
        asked = asked[:1]  # its question lies among the traces
    asked = asked[:most]
    questions = [ask(rng, fact).text for fact in asked]
    traces = [fact.text for fact in facts]
    if condition.cue == "partial":
        questions = [
            text.replace(fact.subject, _part(fact, facts)) for text, fact in zip(questions, asked, strict=True)
        ]
    if condition.cue == "misleading":
        traces[-1 if facts[-1] is not asked[0] else 0] = f"Somebody asked: {questions[0]}"
    gold = tuple(facts.index(fact) for fact in asked)
    return _made(traces, questions, [fact.value for fact in asked], gold, embedder)


def _absent_paper(rng: random.Random, sheet: Sheet, count: int, embedder: Embedder) -> Paper:
    questions = [absent(rng, sheet).text for _ in range(count)]
    return _made([fact.text for fact in sheet.facts], questions, [UNKNOWN] * count, (-1,) * count, embedder)


def _part(fact: Fact, facts: Sequence[Fact]) -> str:
    """One word of a name of two, if nobody else has it; else nothing."""
    words = fact.subject.split(" ")
    if fact.relation.subject != "person" or len(words) != 2:
        return ""
    others = {word for other in facts if other.subject != fact.subject for word in other.text.rstrip(".").split()}
    return next((word for word in words if word not in others), "")


def _made(
    traces: Sequence[str], questions: Sequence[str], answers: Sequence[str], gold: tuple[int, ...], embedder: Embedder
) -> Paper:
    vectors = embedder.embed([*questions, *traces])
    scores = vectors[: len(questions)] @ vectors[len(questions) :].T
    return Paper(tuple(traces), tuple(questions), tuple(answers), gold, scores.astype(np.float32))
