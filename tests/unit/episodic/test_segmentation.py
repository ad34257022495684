from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hippo_agent.episodic.segmentation import SegmentationConfig, segment, spans, surprise_boundaries
from hippo_agent.errors import ConfigError, InvalidInput, InvalidVector

BOATS = [f"The boat number {i} sails on the sea with the wind." for i in range(8)]
CAKES = [f"The cake number {i} needs flour, sugar and eggs." for i in range(8)]
TEXT = " ".join(BOATS + CAKES)
SMALL = SegmentationConfig(least=50, most=1000)


def topics(texts: Sequence[str]) -> NDArray[np.float32]:
    """Boats point one way, cakes the other."""
    return np.array([[1.0, 0.0] if "boat" in text else [0.0, 1.0] for text in texts], dtype=np.float32)


def test_surprise_boundaries_follow_mean_plus_gamma_sigma() -> None:
    """A value above the mean by more than gamma deviations of those before it; none in a constant stream."""
    assert surprise_boundaries([1.0, 1.2, 0.8, 1.0, 3.0, 1.0, 1.1]) == [4]
    assert surprise_boundaries([1.0, 1.2, 0.8, 1.0, 1.3], gamma=1.0) == [4]
    assert surprise_boundaries([1.0, 1.2, 0.8, 1.0, 1.3], gamma=3.0) == []
    assert surprise_boundaries([2.0] * 20) == []
    assert surprise_boundaries([5.0] * 4 + [1.0, 1.0, 1.0, 2.0], window=3) == [7]


def test_a_new_topic_begins_an_episode() -> None:
    """By embedding distance, and by a language model's surprise."""

    def nll(text: str) -> list[tuple[int, float]]:
        first = text.index("cake")
        return [(i, 9.0 if i == first else 1.0) for i in range(len(text))]

    for found in (segment(TEXT, config=SMALL, embed=topics), segment(TEXT, config=SMALL, token_nll=nll)):
        assert found == [" ".join(BOATS), " ".join(CAKES)]


def test_a_short_text_is_one_episode() -> None:
    """And an empty one is none."""
    assert segment("Hello there.") == ["Hello there."]
    assert segment(" \n ") == []


def test_paragraphs_are_kept_together() -> None:
    """Without surprise or embeddings a long text is cut between paragraphs."""
    paragraphs = [" ".join(BOATS[:6]), " ".join(CAKES[:6]), " ".join(BOATS[:6])]

    assert segment("\n\n".join(paragraphs), config=SegmentationConfig(least=100, most=400)) == paragraphs


@given(
    st.text(alphabet="ab .!?\n。", max_size=300),
    st.integers(1, 20),
    st.integers(0, 60),
    st.booleans(),
)
def test_nothing_is_lost(text: str, least: int, more: int, embedded: bool) -> None:
    """Episodes cover the text in order, none is blank, none is longer than allowed."""
    config = SegmentationConfig(least=least, most=least + more)
    found = spans(text, config=config, embed=topics if embedded else None)

    assert "".join("".join(text[a:b] for a, b in found).split()) == "".join(text.split())
    assert all(text[a:b] == text[a:b].strip() != "" for a, b in found)
    assert all(b - a <= config.most for a, b in found)
    assert found == sorted(found)


def test_bad_settings_and_models_are_refused() -> None:
    """Typed errors that say what is wrong."""
    with pytest.raises(ConfigError, match="least"):
        SegmentationConfig(least=10, most=5)
    with pytest.raises(InvalidVector, match="sentences"):
        segment(TEXT, config=SMALL, embed=lambda texts: np.full((len(texts), 2), np.nan, dtype=np.float32))
    with pytest.raises(InvalidInput, match="nan"):
        segment(TEXT, config=SMALL, token_nll=lambda text: [(0, float("nan"))])
