"""States of single words from the embedder's own network: the layers below its sentence vector know more of syntax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hippo_agent.embedding.sentence_transformer import SentenceTransformerEmbedder

__all__ = ["LAYERS", "MiniLMWordStates", "WordStates"]

LAYERS = (2, 4, 6)  # of six
_TOKENS = 256
_BATCH = 32


class WordStates(Protocol):
    """Maps sentences, given as words, to one float32 row a word: [words, dim]."""

    @property
    def dim(self) -> int: ...

    def states(self, sentences: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]: ...


class MiniLMWordStates:
    """Concatenated states of three layers of the default embedder, averaged over the pieces of a word.

    A word past the 256th token has a row of zeros.
    """

    def __init__(self, embedder: SentenceTransformerEmbedder | None = None) -> None:
        self._embedder = embedder or SentenceTransformerEmbedder()

    @property
    def dim(self) -> int:
        """3 x 384 for all-MiniLM-L6-v2."""
        return len(LAYERS) * self._embedder.dim

    def states(self, sentences: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        """[words, dim] of each sentence."""
        import torch

        tokenizer, model = self._embedder.transformer()
        out = [np.zeros((len(words), self.dim), dtype=np.float32) for words in sentences]
        order = sorted((at for at, words in enumerate(sentences) if words), key=lambda at: len(sentences[at]))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            encoded = tokenizer(
                [list(sentences[at]) for at in chosen],
                is_split_into_words=True,
                padding=True,
                truncation=True,
                max_length=_TOKENS,
                return_tensors="pt",
            )
            with torch.inference_mode():
                hidden = model(**encoded.to(model.device), output_hidden_states=True).hidden_states
                layers = torch.cat([hidden[layer] for layer in LAYERS], dim=-1).float().cpu().numpy()  # [b, t, dim]
            for row, at in enumerate(chosen):
                owner = np.array([-1 if word is None else word for word in encoded.word_ids(row)])
                for word in range(len(sentences[at])):
                    pieces = owner == word
                    if pieces.any():
                        out[at][word] = layers[row][pieces].mean(axis=0)
        return out
