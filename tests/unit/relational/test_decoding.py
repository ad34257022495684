"""From tags to triples: what belongs to a predicate, where an object ends, which plain verbs are tried."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from hippo_agent.relational.extraction.decoding import decode
from hippo_agent.relational.extraction.tagger import split_words
from hippo_agent.relational.extraction.verbs import with_plain_verbs

TAGS = "-PSO"  # outside, predicate, subject, object


def read(text: str, tags: str, verbs: Sequence[str]) -> tuple[str, str, str] | None:
    """Decode the predicate tagged P; ``verbs``: the words that are verbs for sure."""
    words = split_words(text)
    assert len(words) == len(tags)
    probabilities = np.full((len(words), 4), 0.02, dtype=np.float32)
    for place, tag in enumerate(tags):
        probabilities[place, TAGS.index(tag)] = 0.94
    chances = np.array([0.9 if word in verbs else 0.01 for word in words], dtype=np.float32)
    reading = decode(words, tags.index("P"), chances, probabilities, steady=0.3)
    if reading is None:
        return None
    said = [" ".join(words[k] for k in places) for places in (reading.subject, reading.predicate, reading.object)]
    return said[0], said[1], said[2]


@pytest.mark.parametrize(
    ("text", "tags", "verbs", "expected"),
    [
        ("Ada was sent to Vell", "S-POO", ["sent"], ("Ada", "was sent to", "Vell")),
        ("Ada is the mayor of Vell", "SPOOOO", ["is"], ("Ada", "is the mayor of", "Vell")),
        ("Ada is the very first mayor of Vell", "SPOOOOOO", ["is"], ("Ada", "is", "the very first mayor of Vell")),
        ("Ada isn't aware of Bo", "SPOOOO", ["is"], ("Ada", "is n't aware of", "Bo")),
        ("Ada never visited Vell", "S-PO", ["visited"], ("Ada", "never visited", "Vell")),
        ("Ada took part in races", "SPOOO", ["took"], ("Ada", "took part in", "races")),
        ("Bo has agreed to pay its crew", "S---POO", ["agreed", "pay"], ("Bo", "has agreed to pay", "its crew")),
        ("Ada is able to swim far", "S---PO", ["swim"], ("Ada", "is able to swim", "far")),
        ("Bo said that Ada left", "SPOOO", ["said", "left"], ("Bo", "said that", "Ada left")),
        ("Bo built the mill, which burnt", "SPOOOOO", ["built", "burnt"], ("Bo", "built", "the mill")),
        ("It enters Vell and flows on", "SPOOOO", ["enters", "flows"], ("It", "enters", "Vell")),
        ("It enters Vell and Luno", "SPOOO", ["enters"], ("It", "enters", "Vell and Luno")),
        ("enters Vell", "PO", ["enters"], None),
        ("Ada enters", "SP", ["enters"], None),
    ],
)  # fmt: skip
def test_a_predicate_takes_what_goes_with_it_and_an_object_ends_with_its_clause(
    text: str, tags: str, verbs: list[str], expected: tuple[str, str, str] | None
) -> None:
    assert read(text, tags, verbs) == expected


def test_the_best_path_fills_a_hole() -> None:
    words = split_words("The old king was sent to the island")
    tags = np.full((8, 4), 0.1, dtype=np.float32)
    for place, tag in enumerate((2, 2, 2, 0, 1, 3, 3, 3)):
        tags[place, tag] = 0.7
    tags[1] = (0.3, 0.1, 0.29, 0.1)  # a hole in the subject
    reading = decode(words, 4, np.full(8, 0.9, dtype=np.float32), tags, steady=0.5)
    assert reading is not None
    assert [words[k] for k in reading.subject] == ["The", "old", "king"]


@pytest.mark.parametrize(
    ("text", "lifted"),
    [
        ("Ada is ill .", ["is"]),
        ("Ada has a boat .", ["has"]),
        ("Ada may be ill .", ["be"]),
        ("Ada has been ill .", ["been"]),
        ("Ada is still not ill .", ["is"]),
        ("Ada has walked home .", []),
        ("Ada is eating soup .", []),
        ("Ada 's boat sank .", []),
        ("Ada has to go .", []),
    ],
)
def test_a_plain_be_or_have_is_tried_as_a_predicate(text: str, lifted: list[str]) -> None:
    words = text.split()
    chances = with_plain_verbs(words, np.zeros(len(words), dtype=np.float32), 0.6)
    assert [word for word, chance in zip(words, chances, strict=True) if chance > 0] == lifted


def test_an_auxiliary_of_a_known_verb_is_left_alone() -> None:
    words = ["Ada", "has", "sung", "it", "."]
    chances = np.array([0, 0, 0.9, 0, 0], dtype=np.float32)
    assert with_plain_verbs(words, chances, 0.6).tolist() == chances.tolist()
