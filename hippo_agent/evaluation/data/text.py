"""Any text file as a run of episodes: one for each paragraph, long paragraphs cut at sentence ends."""

from __future__ import annotations

import re
from pathlib import Path

from hippo_agent.errors import DataError
from hippo_agent.evaluation.data.files import read_text
from hippo_agent.evaluation.data.model import Turn

__all__ = ["load_text", "split_text"]

_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"'”’)]))\s+(?=[\"'“‘(]*[A-Z0-9])")


def load_text(path: Path, *, max_words: int = 60) -> list[Turn]:
    """Episodes in reading order, all of one session named after the file; a repeated text is kept once."""
    texts = dict.fromkeys(split_text(read_text(path), max_words=max_words))
    if not texts:
        raise DataError(f"{str(path)!r} holds no text; name another file")
    return [
        Turn(id=f"{path.stem}:{number}", text=text, session=path.stem) for number, text in enumerate(texts, start=1)
    ]


def split_text(text: str, *, max_words: int) -> list[str]:
    """Paragraphs on one line each; sentences of a long one are gathered up to ``max_words`` words."""
    episodes: list[str] = []
    for paragraph in _PARAGRAPH.split(text.replace("\r\n", "\n")):
        gathered: list[str] = []
        for sentence in _SENTENCE.split(" ".join(paragraph.split())):
            words = sentence.split()
            if gathered and len(gathered) + len(words) > max_words:
                episodes.append(" ".join(gathered))
                gathered = []
            gathered += words
        if gathered:
            episodes.append(" ".join(gathered))
    return episodes
