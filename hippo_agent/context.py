"""What an agent's turn takes from memory and gives to it: shared by the integrations.

Taking: the best traces that the model does not see anyway, as one block. Giving: a message as episodes, without what
memory itself had put into it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from hashlib import blake2b

from hippo_agent.episodic.segmentation import segment
from hippo_agent.memory import Memory
from hippo_agent.recall import Recall
from hippo_agent.recall.budget import estimate_tokens, fit
from hippo_agent.types import Cue, Event

__all__ = ["MAX_PIECES", "as_episodes", "digest", "recall_beside", "without_recall"]

MAX_PIECES = 64  # episodes that one message may become; what is past them is left out, and the last one says so
_CUE_CHARS = 4_000  # of a long message, its end is the cue

_RECALL = re.compile(r"<(memories|facts|place)\b[^>]*>.*?</\1>", re.DOTALL)


def recall_beside(memory: Memory, cue: Cue, *, visible: Collection[str] = ()) -> Recall:
    """The best ``cue.k`` traces whose keys are not among the visible ones; nothing for a cue without words."""
    text = cue.text[-_CUE_CHARS:].strip()
    if not text:
        return Recall(cue=cue, hits=())
    found = memory.recall(replace(cue, text=text, k=cue.k + len(visible), budget_tokens=None))
    hits = [hit for hit in found.hits if hit.trace.key not in visible][: cue.k]
    return replace(found, cue=cue, hits=tuple(fit(hits, cue.budget_tokens, estimate_tokens)))


def without_recall(text: str) -> str:
    """The text without quoted recall: what memory said is never remembered again."""
    return _RECALL.sub("", text) if "</" in text else text


def as_episodes(event: Event) -> list[Event]:
    """The event, cut into several when its text is long; each has its own key."""
    texts = segment(event.text)
    if len(texts) == 1:
        return [event]
    left_out = len(texts) - MAX_PIECES
    texts = texts[:MAX_PIECES]
    if left_out > 0:
        texts[-1] += f" [{left_out} more parts were left out]"
    return [
        replace(event, text=text, key=None if event.key is None else f"{event.key}/{number}")
        for number, text in enumerate(texts)
        if text.strip()
    ]


def digest(*parts: str) -> str:
    """A short name for some texts: 32 hexadecimal digits."""
    return blake2b("\x00".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
