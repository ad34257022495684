"""The vectors of one bank: one embedder, checked against the record before its first use.

Without a model the memory still works: texts are stored and found by their words, and get their vectors as soon as a
model is there. That is logged, shown in receipts and in `stats`, never silent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hippo_agent.embedding.base import Embedder, WordEmbedder
from hippo_agent.errors import EmbedderMismatch, InvalidVector, ModelUnavailable
from hippo_agent.storage.record import SqliteRecord

__all__ = ["BankVectors"]

logger = logging.getLogger(__name__)
_BATCH = 256


class BankVectors:
    """Texts to vectors for one record; refuses an embedder whose vectors the bank does not hold."""

    def __init__(self, embedder: Embedder, record: SqliteRecord) -> None:
        self.embedder = embedder
        self._record = record
        self._checked = False
        self.missing: str | None = None  # why there are no vectors now

    @property
    def id(self) -> str:
        """The embedder's id, which names its weights."""
        return self.embedder.id

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        """[n, d] float32 unit rows; None (with `missing` set) when no model is here.

        Raises EmbedderMismatch, InvalidVector (NaN, infinity, zero norm, wrong shape).
        """
        try:
            self._check()
            vectors = self.embedder.embed(texts)
        except ModelUnavailable as exc:
            if self.missing is None:
                logger.warning("no vectors for now: %s", exc)
            self.missing = str(exc)
            return None
        self.missing = None
        return _checked(vectors, (len(texts), self.embedder.dim))

    def prepare(self) -> None:
        """Load the model, check it against the bank, and embed what waits; where there is none, say so once."""
        if not self._checked:
            self.embed([])

    def of_words(self, words: Sequence[str]) -> NDArray[np.float32] | None:
        """[n, w] vectors of single words; None when the embedder has none, or no model is here."""
        if not isinstance(self.embedder, WordEmbedder) or self.missing is not None:
            return None
        return self.embedder.word_vectors(words)

    def embed_backlog(self, *, done: Callable[[int], None] | None = None) -> int:
        """Give vectors to the traces that were written without one; returns how many got one."""
        total = 0
        while waiting := self._record.unembedded(self.embedder.id, limit=_BATCH):
            vectors = self.embed([trace.text for trace in waiting])
            if vectors is None:
                break
            by_id = {trace.id: vector for trace, vector in zip(waiting, vectors, strict=True)}
            total += self._record.set_vectors(by_id, embedder_id=self.embedder.id)
            if done is not None:
                done(total)
        return total

    def reembed(self, *, done: Callable[[int], None] | None = None) -> int:
        """Replace every vector of the bank by this embedder's; returns how many were made.

        Safe to interrupt: what was not reached yet is found by its words and embedded by the next call.
        """
        self.embedder.embed(["a model that cannot be loaded must not cost the old vectors"])
        held = self._record.embedder()
        if held is not None and held[0] != self.embedder.id:
            self._record.drop_vectors()
        self._checked = True
        return self.embed_backlog(done=done)

    def _check(self) -> None:
        if self._checked:
            return
        held = self._record.embedder()
        if held is not None and held[0] != self.embedder.id:
            raise EmbedderMismatch(
                f"the bank holds vectors of {held[0]!r}, not of {self.embedder.id!r}, and they are never mixed; "
                "open it with the former, or replace them with memory.reembed()"
            )
        self._checked = True
        if not self._record.read_only:
            self.embed_backlog()


def _checked(vectors: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    if vectors.shape != shape:
        raise InvalidVector(f"the embedder gave vectors of shape {vectors.shape}, not {shape}; correct the embedder")
    if not len(vectors):
        return vectors.astype(np.float32, copy=False)
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    least, most = norms.min(), norms.max()  # NaN if there is one
    if not (least >= 1e-6 and most < np.inf):
        raise InvalidVector("the embedder gave a vector with NaN, infinity or norm 0; correct the embedder")
    if least < 1.0 - 1e-3 or most > 1.0 + 1e-3:
        vectors = vectors / norms[:, None]
    return vectors.astype(np.float32, copy=False)
