import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippo_agent.episodic.surprise import ModelSurprise, Welford, WordStatistics, rarity
from hippo_agent.errors import InvalidInput


def test_inverse_frequency_is_information() -> None:
    """ln((n + 1) / (count + 1/2)): a word of every text is worth nothing, a new one the most."""
    statistics = WordStatistics()
    assert statistics.inverse_frequency("cat") == 0.0
    for _ in range(9):
        statistics.observe({"cat"})

    assert statistics.inverse_frequency("cat") == pytest.approx(math.log(10 / 9.5))
    assert statistics.inverse_frequency("dog") == pytest.approx(math.log(20))


def test_rare_words_are_worth_more_than_common_ones() -> None:
    """Function words are worth nothing in the background, listed words less than unlisted ones."""
    empty = WordStatistics()
    worth = [rarity(stem, empty, running_share=0.25, common=7.0) for stem in ("the", "hous", "telescop", "xylophon")]

    assert worth[0] == 0.0
    assert worth == sorted(worth)
    assert worth[3] > worth[1] + 1.0


def test_changes_are_rows_to_write() -> None:
    """Only what changed since the last call; a count of 0 deletes the row; rows restore the statistics."""
    statistics = WordStatistics()
    statistics.observe(["b", "a", "a"])
    assert statistics.take_changes() == {"a": 1, "b": 1}
    statistics.observe(["a"])
    statistics.forget(["b", "a"])
    again = WordStatistics(statistics.rows(), texts=statistics.texts)

    assert statistics.take_changes() == {"a": 1, "b": 0}
    assert statistics.rows() == [("a", 1)]
    assert again.inverse_frequency("a") == statistics.inverse_frequency("a")


@given(st.lists(st.sets(st.sampled_from("abcde")), max_size=20), st.sets(st.sampled_from("abcde")))
def test_forgetting_undoes_observing(texts: list[set[str]], extra: set[str]) -> None:
    """As if the text had never been seen."""
    without, with_it = WordStatistics(), WordStatistics()
    for text in texts:
        without.observe(text)
        with_it.observe(text)
    with_it.observe(extra)
    with_it.forget(extra)

    assert with_it.rows() == without.rows()
    assert with_it.texts == without.texts


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=50))
def test_welford_is_mean_and_deviation(values: list[float]) -> None:
    """Equal to the two-pass formulas."""
    running = Welford()
    for value in values:
        running.add(value)
    mean = sum(values) / len(values)

    assert running.mean == pytest.approx(mean, abs=1e-6)
    assert running.sigma == pytest.approx(math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1)), abs=1e-5)


def test_model_surprise_is_relative_to_the_source() -> None:
    """The same NLL is nothing new from a source that always surprises, and much from a dull one."""
    model = ModelSurprise()
    assert model.standardise([2.0], source="user") == 0.5
    for i in range(20):
        model.standardise([2.0 + 0.1 * (i % 2)], source="user")
        model.standardise([8.0 + 0.1 * (i % 2)], source="web")

    assert model.standardise([8.0, 8.0], source="user") == 1.0
    assert model.standardise([7.9], source="web") == 0.0
    assert ModelSurprise.from_state(model.state()).by_source == model.by_source


def test_a_broken_model_is_named() -> None:
    """NaN changes nothing and is a typed error; no tokens are no surprise."""
    model = ModelSurprise()
    with pytest.raises(InvalidInput, match="nan"):
        model.standardise([float("nan")], source="user")
    with pytest.raises(InvalidInput, match="inf"):
        Welford().add(float("inf"))

    assert model.standardise([], source="user") == 0.0
    assert all(w.n == 0 for w in model.by_source.values())
