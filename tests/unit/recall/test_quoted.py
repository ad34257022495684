"""A cue whose words all stand in one trace, in order, is a piece of it, even if it looks like a question."""

from __future__ import annotations

from pathlib import Path

import pytest

from hippo_agent import HashingEmbedder, Memory


@pytest.mark.parametrize(
    ("cue", "question"),
    [
        ("what your sister the harbour", False),  # a piece of the first text
        ("what does Runa mend?", True),
        ("what sister harbour your the", True),  # the same words in another order
        ("your sister", False),
    ],
)
def test_a_piece_of_a_question_is_read_as_a_fragment(tmp_path: Path, cue: str, question: bool) -> None:
    with Memory(tmp_path / "bank", embedder=HashingEmbedder(quiet=True)) as memory:
        memory.write("So what did your sister say about the nets in the harbour?", speaker="Bo")
        memory.write("Runa mends the nets. Her sister sells the fish that your boat brings.", speaker="Ada")
        found = memory.recall(cue)
        assert found.question is question
        if not question:
            assert "what did your sister" in found.traces[0].text
