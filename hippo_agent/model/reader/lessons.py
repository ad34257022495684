"""What a trained reader learns from: pools of invented facts, questions that see some of them, and unrelated text."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hippo_agent.model.tiny.documents import document
from hippo_agent.model.tiny.names import Split
from hippo_agent.model.tiny.tokens import END
from hippo_agent.model.tiny.worlds import UNKNOWN, Fact, Query, Sheet, absent, ask, draw

__all__ = ["Lesson", "lesson"]

#: Texts -> unit vectors [n, dim].
Embed = Callable[[Sequence[str]], NDArray[np.float32]]
_CROWDING = (0.0, 0.3, 0.6, 0.9)


@dataclass(frozen=True, slots=True)
class Lesson:
    """Traces, questions about them, and text that has nothing to do with them.

    Attributes:
        visible: [questions, traces]; what each question may read. scores: the same shape, retrieval scores.
        sources: the store of each trace. unrelated: text that reads all traces and must stay as it is without them.
        unrelated_scores: [unrelated, traces], what retrieval says of it.
    """

    traces: tuple[str, ...]
    sources: tuple[str, ...]
    queries: tuple[Query, ...]
    visible: NDArray[np.bool_]
    scores: NDArray[np.float32]
    unrelated: tuple[str, ...]
    unrelated_scores: NDArray[np.float32]


def lesson(
    rng: random.Random,
    *,
    split: Split,
    traces: int,
    questions: int,
    distractors: Sequence[int],
    absence: float,
    embed: Embed | None = None,
    unrelated: int = 0,
    prose: Sequence[str] = (),
) -> Lesson:
    """A lesson; a share of ``absence`` of its questions cannot be answered from what they see.

    Each question sees the fact that answers it and, at random, one of these numbers of ``distractors``, half of the
    time those with the best scores. Without ``embed`` all scores are 0. Every second of the ``unrelated`` texts is of
    ``prose``, if there is any; the others are documents about other things.
    """
    sheet = draw(rng, traces, split=split, crowding=rng.choice(_CROWDING), updates=rng.choice((0.0, 0.2)))
    facts = sheet.facts
    queries, visible = [], np.zeros((questions, len(facts)), dtype=bool)
    for _ in range(questions):
        queries.append(_query(rng, sheet, absence))
    others = tuple(rng.choice(prose) if prose and number % 2 else _unrelated(rng, split) for number in range(unrelated))
    every = _scores(embed, [*(query.text for query in queries), *others], [fact.text for fact in facts])
    scores = every[:questions]
    for row, query in enumerate(queries):
        visible[row] = _seen(rng, facts, query, min(rng.choice(list(distractors)), len(facts)), scores[row])
    return Lesson(
        traces=tuple(fact.text for fact in facts),
        sources=tuple(_source(rng, fact) for fact in facts),
        queries=tuple(queries),
        visible=visible,
        scores=scores,
        unrelated=others,
        unrelated_scores=every[questions:],
    )


def _query(rng: random.Random, sheet: Sheet, absence: float) -> Query:
    if rng.random() >= absence:
        return ask(rng, rng.choice(sheet.current))
    if rng.random() < 0.5:
        return absent(rng, sheet)
    asked = ask(rng, rng.choice(sheet.current))  # its fact is in the pool, but hidden
    return Query(asked.text, UNKNOWN, asked.fact, "no context")


def _seen(
    rng: random.Random, facts: Sequence[Fact], query: Query, count: int, scores: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Which facts the question sees: its own with what it replaced, and ``count`` others."""
    own = [at for at, fact in enumerate(facts) if query.fact is not None and fact.key == query.fact.key]
    others = [at for at in range(len(facts)) if at not in own]
    if rng.random() < 0.5:
        chosen = sorted(others, key=lambda at: -scores[at])[:count]
    else:
        chosen = rng.sample(others, min(count, len(others)))
    seen = np.zeros(len(facts), dtype=bool)
    seen[chosen] = True
    if query.absence is None:
        seen[own] = True
    elif not chosen:  # a question without any trace teaches nothing: the reader is silent then
        seen[rng.choice(others) if others else 0] = True
    return seen


def _scores(embed: Embed | None, questions: Sequence[str], facts: Sequence[str]) -> NDArray[np.float32]:
    if embed is None:
        return np.zeros((len(questions), len(facts)), dtype=np.float32)
    vectors = embed([*questions, *facts])
    return np.asarray(vectors[: len(questions)] @ vectors[len(questions) :].T, dtype=np.float32)


def _source(rng: random.Random, fact: Fact) -> str:
    """Routes come from the map; other facts are told or known."""
    if fact.relation.name in ("exit", "way"):
        return "spatial"
    return rng.choice(("episodic", "relational"))


def _unrelated(rng: random.Random, split: Split) -> str:
    """A document about other things, questions and answers included."""
    return "".join(piece.text for piece in document(rng, 0.5, split=split)).replace(END, "\n")
