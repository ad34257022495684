"""Interim."""

from hippo_agent.recall.interim import Recall, RecallConfig, Recaller

__all__ = ["Recall", "RecallConfig", "Recaller"]
