"""LoCoMo's official format (snap-research/LoCoMo), as `hippo_agent.conversations` reads it, with its evidence.

Evidence that names no turn of the dialogue is ignored; a question without any is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hippo_agent.conversations import Conversation, load
from hippo_agent.errors import DataError
from hippo_agent.evaluation.data.model import Dialogue, Query, Question, Turn

__all__ = ["CATEGORIES", "load_locomo"]

CATEGORIES: Mapping[int, str] = {1: "multi_hop", 2: "temporal", 3: "open_domain", 4: "single_hop", 5: "adversarial"}


def load_locomo(path: Path) -> list[Dialogue]:
    """All dialogues of a file."""
    if not path.is_file():
        raise DataError(f"{str(path)!r} is not a file; name a conversation file in the LoCoMo format")
    return [_dialogue(conversation) for conversation in load(path)]


def _dialogue(conversation: Conversation) -> Dialogue:
    turns = {
        turn.id: Turn(id=turn.id, text=turn.text, session=turn.session, speaker=turn.speaker, time=turn.time)
        for turn in conversation.turns
    }
    if len(turns) < len(conversation.turns):
        raise DataError(f"two turns of {conversation.id!r} have the same 'dia_id'; make them unique")
    questions = []
    for number, asked in enumerate(conversation.questions, start=1):
        evidence = [turns[name] for name in asked.evidence if name in turns]
        if evidence:
            questions.append(
                Question(
                    id=f"{conversation.id}/{number}",
                    query=Query(text=asked.text),
                    answer=asked.answer or "",
                    category=CATEGORIES.get(asked.category, "other"),
                    turns=tuple(turn.id for turn in evidence),
                    sessions=tuple(dict.fromkeys(turn.session for turn in evidence)),
                )
            )
    return Dialogue(
        id=conversation.id,
        turns=tuple(turns.values()),
        questions=tuple(questions),
        left_out=len(conversation.questions) - len(questions),
    )
