"""The hashing embedder is deterministic, unit norm and never silent."""

from __future__ import annotations

import logging
import subprocess
import sys

import numpy as np
import pytest

from hippo_agent.embedding.hashing import HashingEmbedder

TEXTS = ["my dog is called Rex", "the dog Rex", "interest rates rose"]


def test_shared_words_are_near_and_others_far() -> None:
    vectors = HashingEmbedder(quiet=True).embed(TEXTS)
    assert vectors[0] @ vectors[1] > 0.4 > 0.2 > vectors[0] @ vectors[2]


def test_rows_have_unit_norm_even_without_words() -> None:
    vectors = HashingEmbedder(64, quiet=True).embed(["", "a", "\U0001f600", *TEXTS])
    assert vectors.shape == (6, 64)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_no_texts_give_no_rows() -> None:
    assert HashingEmbedder(quiet=True).embed([]).shape == (0, 384)


def test_another_process_gives_the_same_vector() -> None:
    code = (
        "from hippo_agent.embedding.hashing import HashingEmbedder as H\n"
        "print(H(quiet=True).embed(['Rex barks'])[0].argmax())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(other) == int(HashingEmbedder(quiet=True).embed(["Rex barks"])[0].argmax())


def test_it_says_loudly_that_it_knows_no_meaning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        HashingEmbedder()
    assert "spelling, not meaning" in caplog.text
