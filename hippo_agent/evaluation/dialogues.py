"""Asking every question of every dialogue, each dialogue a memory of its own: what LoCoMo and LongMemEval share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hippo_agent.evaluation.data import Dialogue, Question
from hippo_agent.evaluation.pool import Ranking
from hippo_agent.evaluation.run import Outcome, Row, Run, sample_questions

__all__ = ["ask_dialogues"]


def ask_dialogues(
    dialogues: Sequence[Dialogue],
    run: Run,
    *,
    depth: int,
    score: Callable[[Question, Ranking], Mapping[str, float]],
    found: Callable[[Ranking], Mapping[str, Any]],
) -> Outcome:
    """One row per question: ``score`` gives its metrics, ``found`` what is kept of a ranking of ``depth``."""
    asked = sample_questions(dialogues, run)
    run.expect(sum(len(questions) for _, questions in asked))
    rows: list[Row] = []
    for dialogue, questions in asked:
        answers = run.ask(run.pool(dialogue.turns), [question.query for question in questions], depth)
        for at, question in enumerate(questions):
            rankings = {name: of_system[at] for name, of_system in answers.items()}
            rows.append(
                Row(
                    about={
                        "id": question.id,
                        "question": question.query.text,
                        "category": question.category,
                        "gold": list(question.turns),
                        "gold_sessions": list(question.sessions),
                    },
                    metrics={name: score(question, ranking) for name, ranking in rankings.items()},
                    found={name: found(ranking) for name, ranking in rankings.items()},
                )
            )
    return Outcome.of(rows)
