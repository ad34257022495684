"""The shared vectors of a run."""

from __future__ import annotations

from hippo_agent.evaluation.pool import CachedEmbedder
from tests.unit.evaluation.worlds import WrittenDown


def test_a_text_is_embedded_once_and_every_asker_gets_the_same_rows() -> None:
    inner = WrittenDown({"a": (1.0, 0.0), "b": (0.6, 0.8)})
    cached = CachedEmbedder(inner)
    assert cached.embed(["a", "b", "a"]).tolist() == cached.embed(["a", "b", "a"]).tolist()
    assert inner.asked == ["a", "b"]
    assert (cached.id, cached.dim) == ("written-down", 2)


def test_no_texts_give_no_rows() -> None:
    assert CachedEmbedder(WrittenDown({})).embed([]).shape == (0, 2)
