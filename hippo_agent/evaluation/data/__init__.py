"""Loaders of evaluation data; each raises DataError for a file that is not of its format."""

from hippo_agent.evaluation.data.episodes import load_episodes
from hippo_agent.evaluation.data.locomo import load_locomo
from hippo_agent.evaluation.data.longmemeval import load_longmemeval
from hippo_agent.evaluation.data.model import Dialogue, Query, Question, Turn
from hippo_agent.evaluation.data.text import load_text

__all__ = [
    "Dialogue",
    "Query",
    "Question",
    "Turn",
    "load_episodes",
    "load_locomo",
    "load_longmemeval",
    "load_text",
]
