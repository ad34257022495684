"""LoCoMo: which turns, and which sessions, of a long dialogue answer a question. Each dialogue is its own memory."""

from __future__ import annotations

from pathlib import Path

from hippo_agent.evaluation.data import Question, load_locomo
from hippo_agent.evaluation.dialogues import ask_dialogues
from hippo_agent.evaluation.metrics import all_at, first_is, recall_at
from hippo_agent.evaluation.pool import Ranking
from hippo_agent.evaluation.run import Outcome, Run

__all__ = ["run"]

DEPTH = 10


def run(data: Path, run: Run) -> Outcome:
    """Turn and session recall, with and without the adversarial questions, and by category."""
    return ask_dialogues(
        load_locomo(data),
        run,
        depth=DEPTH,
        score=score,
        found=lambda ranking: {"turns": ranking.turn_ids, "sessions": ranking.session_ids},
    )


def score(question: Question, ranking: Ranking) -> dict[str, float]:
    """All metrics of one question; those of a group are there only when it belongs to the group."""
    turns, sessions = ranking.turn_ids, ranking.session_ids
    metrics = {
        "turn_recall@5": recall_at(turns, question.turns, 5),
        "turn_recall@10": recall_at(turns, question.turns, 10),
        "session_recall@5": recall_at(sessions, question.sessions, 5),
        "session_recall@10": recall_at(sessions, question.sessions, 10),
        "all_gold@5": all_at(turns, question.turns, 5),
        "p@1": first_is(turns, question.turns),
    }
    plain = dict(metrics)
    if question.category != "adversarial":
        metrics |= {f"{name}_no_adversarial": value for name, value in plain.items()}
    for name in ("turn_recall@5", "turn_recall@10"):
        metrics[f"{name}_{question.category}"] = plain[name]
    return metrics
