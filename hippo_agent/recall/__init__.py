"""Recall: a cue to the traces that answer it, with reasons, inside a budget."""

from hippo_agent.recall.config import RecallConfig
from hippo_agent.recall.recaller import Recaller
from hippo_agent.recall.result import Recall

__all__ = ["Recall", "RecallConfig", "Recaller"]
