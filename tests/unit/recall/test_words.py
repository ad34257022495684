"""How words are cut, stemmed, corrected and told apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippo_agent.recall.spelling import letters, one_slip_away
from hippo_agent.recall.vocabulary import Vocabulary, information
from hippo_agent.recall.words import cut, stem


def test_words_are_folded_and_cut_like_full_text() -> None:
    assert cut("Don't go to DÉNIA, on 7-May_2023!") == ["don", "t", "go", "to", "denia", "on", "7", "may", "2023"]
    assert cut(" ?! ") == []


def test_stems_join_the_forms_of_a_word() -> None:
    assert stem("moved") == stem("moving") == stem("moves") == "move"
    assert stem("lisbon") == "lisbon"
    assert stem("is") == "is" and stem("his") == "his"


@pytest.mark.parametrize("slip", ["lsibon", "libon", "lissbon", "lisbom", "lisbo", "lisbonn"])
def test_one_slip_is_a_letter_swapped_dropped_added_or_replaced(slip: str) -> None:
    assert one_slip_away("lisbon", slip)
    assert one_slip_away(slip, "lisbon")


@pytest.mark.parametrize("other", ["lisbon", "lsbion", "lison2", "nobsil", ""])
def test_no_slip_and_two_slips_are_not_one(other: str) -> None:
    assert not one_slip_away("lisbon", other)


@given(st.text("abcde", max_size=6), st.text("abcde", max_size=6))
def test_the_filter_by_letters_loses_no_slip(a: str, b: str) -> None:
    if one_slip_away(a, b):
        assert np.abs(letters(a).astype(int) - letters(b).astype(int)).sum() <= 2


def test_vocabulary_counts_traces_not_occurrences() -> None:
    words = Vocabulary()
    first, second = words.add(["move", "moved", "move", "house"]), words.add(["moves"])
    words.count(np.concatenate([first, second]), np.array([0, 0, 0, 0, 1]), 1)
    assert words.frequency([words.stem_id("moving")]) == 2
    assert words.frequency([words.stem_id("house"), words.stem_id("nowhere")]) == 1
    words.count(second, np.array([7]), -1)
    assert words.frequency([words.stem_id("moving")]) == 1


def test_only_words_in_use_correct_a_slip() -> None:
    words = Vocabulary()
    ids = words.add(["lisbon", "listen"])
    words.count(ids, np.array([0, 0]), 1)
    assert words.words(words.slips("lisbom")) == ("lisbon",)
    words.count(ids, np.array([0, 0]), -1)
    assert words.slips("lisbom") == []


def test_alike_words_come_from_the_embedder_of_words() -> None:
    vectors = {"bought": [1.0, 0.0], "purchased": [0.8, 0.6], "rain": [-1.0, 0.0]}

    def embed(words: list[str]) -> np.ndarray:  # type: ignore[type-arg]
        return np.array([vectors[word] for word in words], dtype=np.float32)

    words = Vocabulary(embed)  # type: ignore[arg-type]
    ids = words.add(["purchased", "rain"])
    assert words.alike(["bought", "purchased"], ids) == pytest.approx(np.array([[0.8, 0.0], [1.0, 0.0]]))
    assert Vocabulary().alike(["bought"], ids).tolist() == [[0.0, 0.0]]


def test_information_falls_with_frequency_and_is_never_negative() -> None:
    assert information(100, 1) == pytest.approx(np.log(1 + 99.5 / 1.5))
    assert information(100, 1) > information(100, 50) > information(100, 100) > 0.0
    assert information(10, 99) == information(10, 10)
