"""Facts by pattern, by tagger and by a language model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone

import numpy as np
import pytest
from numpy.typing import NDArray

from hippo_agent.errors import InvalidInput
from hippo_agent.relational.extraction.base import Source
from hippo_agent.relational.extraction.dates import find_date, moment
from hippo_agent.relational.extraction.lm import LMExtractor, chat_of
from hippo_agent.relational.extraction.nominal import nominal
from hippo_agent.relational.extraction.patterns import PatternExtractor
from hippo_agent.relational.extraction.tagger import WEIGHTS, TaggerExtractor, split_words
from hippo_agent.relational.extraction.training_data import align
from hippo_agent.relational.facts import Triple


def read(text: str, speaker: str | None = None) -> list[tuple[str, str, str, bool, str]]:
    found = PatternExtractor().extract([Source(text=text, speaker=speaker)])[0]
    return [(t.subject, t.predicate, t.object, t.denied, t.when) for t in found]


@pytest.mark.parametrize(
    ("text", "speaker", "expected"),
    [
        ("I moved to Porto in May 2021.", "Mira", [("Mira", "lives in", "Porto", False, "2021-05")]),
        ("The capital of Vell is Orano.", None, [("Vell", "capital", "Orano", False, "")]),
        ("Tim Cook is the CEO of Apple.", None, [("Apple", "chief executive", "Tim Cook", False, "")]),
        ("Halden hired Ines.", None, [("Ines", "works for", "Halden", False, "")]),
        ("Teo no longer works for Halden.", None, [("Teo", "works for", "Halden", True, "")]),
        ("Ada used to live in Rome.", None, [("Ada", "lives in", "Rome", True, "")]),
        ("It is not true that Ada lives in Lisbon.", None, [("Ada", "lives in", "Lisbon", True, "")]),
        ("Forget that Ada lives in Lisbon.", "user", [("Ada", "lives in", "Lisbon", True, "")]),
        (
            "Correction: Teo's boss is Ines, not Paul.",
            None,
            [("Teo", "boss", "Paul", True, ""), ("Teo", "boss", "Ines", False, "")],
        ),
        (
            "Lena is married to Kurt. She works for Halden and her boss is Ines.",
            None,
            [
                ("Lena", "spouse", "Kurt", False, ""),
                ("Lena", "works for", "Halden", False, ""),
                ("Lena", "boss", "Ines", False, ""),
            ],
        ),
        ("The headquarters of Halden is in Vell.", None, [("Halden", "headquarters", "Vell", False, "")]),
        ("My sister lives in Rome now.", "Mira", [("Mira's sister", "lives in", "Rome", False, "")]),
        ("Ada was born on 3 May 1980.", None, [("Ada", "born on", "3 May 1980", False, "")]),
        ("Where does Teo live?", None, []),
        ("If Ada lives in Rome, tell me.", None, []),
        ("Ada would like to live in Rome.", None, []),
        ("I moved to Porto.", None, []),
        ("", None, []),
    ],
)
def test_what_is_said_is_read(text: str, speaker: str | None, expected: list[tuple[str, str, str, bool, str]]) -> None:
    assert read(text, speaker) == expected


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("on 3 May 2021", "2021-05-03"),
        ("on May 3, 2021", "2021-05-03"),
        ("in May 2021", "2021-05"),
        ("since 2019", "2019"),
        ("on 2021-05-03", "2021-05-03"),
        ("in 2021-05-03", "2021-05-03"),
        ("yesterday", "2024-02-29"),
    ],
)
def test_dates_keep_the_precision_they_were_said_with(text: str, iso: str) -> None:
    found = find_date(text, datetime(2024, 3, 1, tzinfo=timezone.utc))
    assert found is not None
    assert found[0] == iso


def test_what_is_no_date_is_none() -> None:
    assert find_date("on 31 February 2021") is None
    assert find_date("yesterday") is None
    assert moment("2021-13") is None
    assert moment("2021-05") == datetime(2021, 5, 1, tzinfo=timezone.utc)


def test_verbless_facts() -> None:
    words = split_words("Ada Rook, the mayor of Vell, met President Tam Orr in Luno, Orano.")
    found = {rule: [" ".join(words[k] for k in side) for side in (a, b)] for rule, a, _, b in nominal(words)}
    assert found["apposition"] == ["Ada Rook", "the mayor of Vell"]
    assert found["title"] == ["Tam Orr", "President"]
    assert found["place"] == ["Luno", "Orano"]


def test_phrases_are_laid_back_onto_the_nearest_words() -> None:
    words = split_words("the cat saw the dog and the dog ran")
    assert align(words, ["the", "dog"], 8) == {6, 7}
    assert align(words, ["the", "dog"], 2) == {3, 4}
    assert align(words, ["horse"], 2) == set()


def test_the_shipped_heads_are_small() -> None:
    tagger = TaggerExtractor(_Zeros())
    assert WEIGHTS.stat().st_size <= 5_000_000
    assert tagger.parameters == 1_843_210


class _Zeros:
    dim = 1152

    def states(self, sentences: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        return [np.zeros((len(words), self.dim), dtype=np.float32) for words in sentences]


def test_known_relations_are_read_by_pattern_and_verbless_facts_by_rule() -> None:
    found = TaggerExtractor(_Zeros()).extract(
        [Source(text="Teo works for Halden. Ada Rook, the mayor of Vell, slept.")]
    )
    assert ("Teo", "works for", "Halden") in [(t.subject, t.predicate, t.object) for t in found[0]]
    assert ("Ada Rook", "is", "the mayor of Vell") in [(t.subject, t.predicate, t.object) for t in found[0]]


class _Noise:
    """States that depend on the word alone, so that a sentence has the same ones in any company."""

    dim = 1152

    def states(self, sentences: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        def state(word: str) -> NDArray[np.float32]:
            return np.random.default_rng(len(word)).standard_normal(self.dim).astype(np.float32)

        return [np.stack([state(word) for word in words]) for words in sentences]


def test_a_sentence_is_read_alone_as_among_others() -> None:
    sentences = [
        split_words(text) for text in ("Ada has a boat.", "Bo, who was ill, sold the old mill to Ines.", "Go.")
    ]
    tagger = TaggerExtractor(_Noise())
    together = tagger.read(sentences)
    assert sum(map(len, together)) > 0
    for words, found in zip(sentences, together, strict=True):
        alone = tagger.read([words])[0]
        assert [(r.predicate, r.subject, r.object) for r in alone] == [
            (r.predicate, r.subject, r.object) for r in found
        ]
        assert [r.confidence for r in alone] == pytest.approx([r.confidence for r in found], abs=2e-3)


def test_words_and_marks_are_split_as_in_training() -> None:
    assert split_words("Ada's cat isn't here.") == ["Ada", "'s", "cat", "is", "n't", "here", "."]


def lm(reply: str) -> list[Triple]:
    return LMExtractor(lambda prompt: reply, PatternExtractor()).extract([Source(text="Ada lives in Rome.")])[0]


def test_a_models_facts_are_taken_when_they_stand_in_the_text() -> None:
    said = {"subject": "Ada", "predicate": "resides in", "object": "Rome", "denied": False, "when": ""}
    invented = {"subject": "Ada", "predicate": "rules", "object": "Mars"}
    found = lm("Sure:\n```json\n" + json.dumps({"facts": [said, invented]}) + "\n```")
    assert [(t.subject, t.predicate, t.object) for t in found] == [("Ada", "resides in", "Rome")]


@pytest.mark.parametrize("reply", ["", "I cannot", "{", '{"facts": 3}', '{"facts": [{"subject": ""}]}', "[]"])
def test_any_failure_of_the_model_falls_back(reply: str) -> None:
    assert [(t.subject, t.predicate, t.object) for t in lm(reply)] == [("Ada", "lives in", "Rome")]


class _ApiError(Exception):
    """A client's own error, of no family that we know."""


def test_a_client_that_fails_in_whatever_way_falls_back() -> None:
    def chat(prompt: str) -> str:
        raise _ApiError("quota")

    found = LMExtractor(chat, PatternExtractor()).extract([Source(text="Ada lives in Rome.")])
    assert [(t.subject, t.predicate, t.object) for t in found[0]] == [("Ada", "lives in", "Rome")]


class _Message:
    def __init__(self, content: object) -> None:
        self.content = content


class _Chain:
    def invoke(self, prompt: str) -> _Message:
        return _Message([{"type": "text", "text": "re: "}, prompt])


class _Local:
    def generate(self, prompt: str, *, max_new_tokens: int) -> str:
        return f"{prompt} {max_new_tokens}"


def test_chat_models_of_three_kinds_are_functions_from_prompt_to_reply() -> None:
    assert chat_of(lambda prompt: prompt.upper())("a") == "A"
    assert chat_of(lambda prompt: _Message(prompt))("a") == "a"
    assert chat_of(_Chain())("a") == "re: a"
    assert chat_of(_Local())("a") == "a 512"
    with pytest.raises(InvalidInput, match="no chat model"):
        chat_of("gpt")
    with pytest.raises(TypeError, match="int"):
        chat_of(lambda prompt: 3)("a")
