"""HashingEmbedder: words and character trigrams hashed into a vector. No weights, no meaning.

For tests and for machines where no model can be had. It matches spelling, not sense, so it is never chosen silently:
pass it yourself, and it warns once.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)
_WORD = re.compile(r"\w+")


class HashingEmbedder:
    """Deterministic bag of hashed words and trigrams, signed, unit norm."""

    def __init__(self, dim: int = 384, *, quiet: bool = False) -> None:
        self.dim = dim
        self.id = f"hashing-v1-{dim}"
        self._places: dict[str, tuple[int, float]] = {}
        if not quiet:
            logger.warning("HashingEmbedder matches spelling, not meaning; install hippo-agent[offline] for a real one")

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[n, dim] float32 unit rows; a text without any word gives the first unit vector."""
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(out, texts, strict=True):
            for feature, weight in _features(text):
                place, sign = self._place(feature)
                row[place] += sign * weight
            norm = float(np.linalg.norm(row))
            if norm == 0.0:
                row[0] = 1.0
            else:
                row /= norm
        return out

    def _place(self, feature: str) -> tuple[int, float]:
        found = self._places.get(feature)
        if found is None:
            digest = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "big")
            found = (digest % self.dim, 1.0 if digest >> 63 else -1.0)
            if len(self._places) < 100_000:
                self._places[feature] = found
        return found


def _features(text: str) -> list[tuple[str, float]]:
    features: list[tuple[str, float]] = []
    for word in _WORD.findall(text.casefold()):
        features.append((word, 1.0))
        padded = f"<{word}>"
        features.extend((padded[i : i + 3], 0.3) for i in range(len(padded) - 2))
    return features
