"""Chroma as an approximate index: embedded, ids and vectors only, no documents, no telemetry, no model of its own.

It is given nothing that it could lose: the vectors live in the record. Needs `pip install 'hippo-agent[chroma]'`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hippo_agent.errors import IndexBroken, InvalidVector, MissingExtra
from hippo_agent.storage.base import Allowed, Scores, Seqs, Vector
from hippo_agent.storage.index.exact import check_query

__all__ = ["ChromaIndex"]

_COLLECTION = "traces"
_BATCH = 1000
_SETTINGS = {"hnsw": {"space": "ip", "ef_construction": 200, "ef_search": 400, "max_neighbors": 16}}


class ChromaIndex:
    """`VectorIndex` in one folder; one process at a time may hold it. Whatever Chroma raises becomes IndexBroken."""

    def __init__(self, folder: Path) -> None:
        try:
            import chromadb
            from chromadb.config import Settings
        except ImportError as error:
            raise MissingExtra("Chroma is not installed; run: pip install 'hippo-agent[chroma]'") from error
        self._folder = folder
        self._dim: int | None = None
        with self._guarded():
            settings = Settings(anonymized_telemetry=False, allow_reset=False)
            self._client: Any = chromadb.PersistentClient(str(folder), settings=settings)
            # The settings hold when the collection is made; an existing one keeps its own.
            self._collection: Any = self._client.get_or_create_collection(
                _COLLECTION, embedding_function=None, configuration=_SETTINGS
            )

    def add(self, seqs: Seqs, vectors: Vector) -> None:
        """Add or replace; vectors: [n, d]."""
        if not len(seqs):
            return
        new = np.ascontiguousarray(vectors, dtype=np.float32)
        if new.ndim != 2 or len(new) != len(seqs) or new.shape[1] != (self._known_dim() or new.shape[1]):
            raise InvalidVector(f"vectors of shape {new.shape!r} do not fit {len(seqs)} seqs and this index")
        if not np.isfinite(new).all():
            raise InvalidVector("a vector holds NaN or infinity; embed the text again")
        with self._guarded():
            for start in range(0, len(seqs), _BATCH):
                ids = [str(int(seq)) for seq in seqs[start : start + _BATCH]]
                self._collection.upsert(ids=ids, embeddings=new[start : start + _BATCH])
        self._dim = new.shape[1]

    def remove(self, seqs: Seqs) -> None:
        with self._guarded():
            for start in range(0, len(seqs), _BATCH):
                wanted = [str(int(seq)) for seq in seqs[start : start + _BATCH]]
                here = self._collection.get(ids=wanted, include=[])["ids"]
                if here:
                    self._collection.delete(ids=here)

    def search(self, query: Vector, k: int, *, allowed: Allowed | None = None) -> tuple[Seqs, Scores]:
        """The k nearest seqs, best first; fewer than asked only when there are no more that are allowed."""
        total, dim = len(self), self._known_dim()
        if not total or dim is None or k < 1:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        asked = check_query(query, dim)
        wanted = min(total, k if allowed is None else 4 * k + 32)
        while True:
            seqs, scores = self._nearest(asked, wanted)
            if allowed is not None:
                keep = allowed(seqs)
                seqs, scores = seqs[keep], scores[keep]
            if len(seqs) >= k or wanted >= total:
                return seqs[:k], scores[:k]
            wanted = min(total, 4 * wanted)

    def _nearest(self, query: Vector, k: int) -> tuple[Seqs, Scores]:
        with self._guarded():
            found = self._collection.query(query_embeddings=query[None, :], n_results=k, include=["distances"])
            seqs = np.array([int(seq) for seq in found["ids"][0]], np.int64)
            scores = 1.0 - np.array(found["distances"][0], np.float32)
        order = np.lexsort((seqs, -scores))
        return seqs[order], scores[order].astype(np.float32)

    def _known_dim(self) -> int | None:
        if self._dim is None:
            with self._guarded():
                one = self._collection.get(limit=1, include=["embeddings"])["embeddings"]
            self._dim = len(one[0]) if one is not None and len(one) else None
        return self._dim

    def __len__(self) -> int:
        with self._guarded():
            return int(self._collection.count())

    def close(self) -> None:
        """Let go of the folder; what Chroma says about it no longer matters."""
        with contextlib.suppress(Exception):
            self._client.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # Chroma raises its own, Rust's and SQLite's errors, and bare ones
            raise IndexBroken(f"Chroma in {str(self._folder)!r} failed: {error}; it will be rebuilt") from error
