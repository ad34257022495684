"""Any data file as one run of episodes: the turns of all its dialogues, or the paragraphs of a text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hippo_agent.evaluation.data.locomo import load_locomo
from hippo_agent.evaluation.data.model import Turn
from hippo_agent.evaluation.data.text import load_text

__all__ = ["load_episodes"]


def load_episodes(path: Path, *, min_words: int = 1) -> list[Turn]:
    """Episodes of at least ``min_words`` words. A ``.json`` file is read as LoCoMo, any other as plain text."""
    if path.suffix != ".json":
        turns = load_text(path)
    else:
        turns = [
            replace(turn, id=f"{dialogue.id}/{turn.id}", session=f"{dialogue.id}/{turn.session}")
            for dialogue in load_locomo(path)
            for turn in dialogue.turns
        ]
    return [turn for turn in turns if len(turn.text.split()) >= min_words]
