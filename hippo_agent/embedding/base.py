"""The Embedder seam: text in, unit vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Embedder(Protocol):
    """Maps texts to float32 unit vectors; equal text gives equal vectors.

    ``id`` names the weights, not only the architecture: it is stored in the bank, and vectors of two ids are never
    compared.
    """

    @property
    def id(self) -> str: ...

    @property
    def dim(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[n, dim] float32, each row of norm 1. An empty sequence gives shape [0, dim]."""
        ...


@runtime_checkable
class WordEmbedder(Protocol):
    """What an embedder may offer besides: vectors of single words, so that recall can tell that two words are alike."""

    def word_vectors(self, words: Sequence[str]) -> NDArray[np.float32]:
        """[n, w] float32, rows of norm 1 (or 0 for a word without a vector); no context, no forward pass."""
        ...
