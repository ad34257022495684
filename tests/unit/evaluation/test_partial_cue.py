"""Partial cues keep, damage or pick exactly what they say."""

from __future__ import annotations

import pytest

from hippo_agent.evaluation.partial_cue import keep_words, misspell, slot_cues
from hippo_agent.types import Slots

TEXT = "Orla bought three old bicycles at the Corvin market on Saturday"


@pytest.mark.parametrize(("share", "words"), [(1.0, 11), (0.8, 9), (0.6, 7), (0.4, 4), (0.2, 2), (0.0, 1)])
def test_keep_words_keeps_the_share(share: float, words: int) -> None:
    assert len(keep_words(TEXT, share, seed=0).split()) == words


def test_misspell_changes_every_longer_word_and_no_other() -> None:
    for seed in range(20):
        for before, after in zip(TEXT.split(), misspell(TEXT, seed=seed).split(), strict=True):
            assert (before != after) == (len(before) >= 4)
            assert before[0] == after[0]
            assert abs(len(before) - len(after)) <= 1


def test_slot_cues_are_unique_as_a_combination() -> None:
    episodes = [
        Slots(who=("Orla",), what=("song",), where=("Oslo",)),
        Slots(who=("Orla",), what=("song",), where=("Bergen",)),
        Slots(who=("Mira",), what=("song",), where=("Oslo",)),
        Slots(what=("song",)),
    ]
    cues = slot_cues(episodes, per_episode=9)
    assert {(cue.answer, cue.filled) for cue in cues} == {
        (0, "who+where"), (0, "who+what+where"),
        (1, "who+where"), (1, "what+where"), (1, "who+what+where"),
        (2, "who+where"), (2, "who+what"), (2, "who+what+where"),
    }  # fmt: skip
    assert next(cue.text for cue in cues if cue.filled == "who+where" and cue.answer == 1) == "Orla Bergen"
    assert slot_cues(episodes, seed=5) == slot_cues(episodes, seed=5)
