"""The same vectors through Chroma, with its default (approximate) index and cosine space."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from hippo_agent.errors import MissingExtra
from hippo_agent.evaluation.data import Query
from hippo_agent.evaluation.pool import Pool, Ranker, Ranking, sessions_of

__all__ = ["ChromaSystem"]

DEPTH = 100  # turns that are asked for, so that there are sessions enough to rank
BATCH = 1000


@dataclass(frozen=True)
class ChromaSystem:
    """Raises MissingExtra when Chroma is not installed."""

    name: str = "chroma"

    @contextmanager
    def open(self, pool: Pool) -> Iterator[Ranker]:
        if find_spec("chromadb") is None:
            raise MissingExtra("chromadb is not installed; pip install 'hippo-agent[chroma]'")
        import chromadb
        from chromadb.config import Settings

        with tempfile.TemporaryDirectory(prefix="hippo-eval-", ignore_cleanup_errors=True) as folder:
            client = chromadb.PersistentClient(folder, settings=Settings(anonymized_telemetry=False))
            try:
                space = {"hnsw": {"space": "cosine"}}
                collection = client.create_collection("pool", configuration=space, embedding_function=None)
                for start in range(0, len(pool.ids), BATCH):
                    part = slice(start, start + BATCH)
                    collection.add(ids=list(pool.ids[part]), embeddings=pool.vectors[part])
                yield _Chroma(pool, collection)
            finally:
                client.close()


@dataclass(frozen=True)
class _Chroma:
    pool: Pool
    collection: Any

    def rank(self, query: Query, k: int) -> Ranking:
        depth = min(max(k, DEPTH), len(self.pool.ids))
        vector = self.pool.embedder.embed([query.text])
        found = self.collection.query(query_embeddings=vector, n_results=depth, include=["distances"])
        ranked = [(name, 1.0 - distance) for name, distance in zip(found["ids"][0], found["distances"][0], strict=True)]
        session = dict(zip(self.pool.ids, self.pool.sessions, strict=True))
        return Ranking(tuple(ranked[:k]), sessions_of([(session[name], score) for name, score in ranked], k))
