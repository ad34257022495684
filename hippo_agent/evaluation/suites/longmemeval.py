"""LongMemEval: which of some fifty chat sessions hold the answer. Each item has a haystack, hence a memory, of its own.

``recall_all@k`` is 1 when all sessions with evidence are among the first k.
"""

from __future__ import annotations

from pathlib import Path

from hippo_agent.evaluation.data import Question, load_longmemeval
from hippo_agent.evaluation.dialogues import ask_dialogues
from hippo_agent.evaluation.metrics import all_at, recall_at
from hippo_agent.evaluation.pool import Ranking
from hippo_agent.evaluation.run import Outcome, Run

__all__ = ["run"]

DEPTH = 10


def run(data: Path, run: Run) -> Outcome:
    """Session recall, by type of question too; items without an answer in the haystack are left out."""
    return ask_dialogues(
        load_longmemeval(data),
        run,
        depth=DEPTH,
        score=score,
        found=lambda ranking: {"sessions": ranking.session_ids},
    )


def score(question: Question, ranking: Ranking) -> dict[str, float]:
    """All metrics of one question."""
    turns, sessions = ranking.turn_ids, ranking.session_ids
    metrics = {f"recall_all@{k}": all_at(sessions, question.sessions, k) for k in (5, 10)}
    metrics |= {f"session_recall@{k}": recall_at(sessions, question.sessions, k) for k in (5, 10)}
    if question.turns:
        metrics |= {f"turn_recall@{k}": recall_at(turns, question.turns, k) for k in (5, 10)}
    metrics[f"recall_all@5_{question.category}"] = metrics["recall_all@5"]
    return metrics
