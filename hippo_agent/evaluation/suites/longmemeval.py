"""LongMemEval: which of some fifty chat sessions hold the answer. Each item has a haystack, hence a memory, of its own.

``recall_all@k`` is 1 when all sessions with evidence are among the first k.
"""

from __future__ import annotations

from pathlib import Path

from hippo_agent.evaluation.data import Question, load_longmemeval
from hippo_agent.evaluation.metrics import all_at, recall_at
from hippo_agent.evaluation.pool import Ranking
from hippo_agent.evaluation.run import Outcome, Row, Run, sample_questions

__all__ = ["run"]

DEPTH = 10


def run(data: Path, run: Run) -> Outcome:
    """Session recall, by type of question too; items without an answer in the haystack are left out."""
    asked = sample_questions(load_longmemeval(data), run)
    run.expect(sum(len(questions) for _, questions in asked))
    rows: list[Row] = []
    for dialogue, questions in asked:
        answers = run.ask(run.pool(dialogue.turns), [question.query for question in questions], DEPTH)
        for at, question in enumerate(questions):
            rankings = {name: found[at] for name, found in answers.items()}
            rows.append(
                Row(
                    about={
                        "id": question.id,
                        "question": question.query.text,
                        "category": question.category,
                        "gold_sessions": list(question.sessions),
                    },
                    metrics={name: score(question, ranking) for name, ranking in rankings.items()},
                    found={name: {"sessions": ranking.session_ids} for name, ranking in rankings.items()},
                )
            )
    return Outcome.of(rows)


def score(question: Question, ranking: Ranking) -> dict[str, float]:
    """All metrics of one question."""
    turns, sessions = ranking.turn_ids, ranking.session_ids
    metrics = {f"recall_all@{k}": all_at(sessions, question.sessions, k) for k in (5, 10)}
    metrics |= {f"session_recall@{k}": recall_at(sessions, question.sessions, k) for k in (5, 10)}
    if question.turns:
        metrics |= {f"turn_recall@{k}": recall_at(turns, question.turns, k) for k in (5, 10)}
    metrics[f"recall_all@5_{question.category}"] = metrics["recall_all@5"]
    return metrics
