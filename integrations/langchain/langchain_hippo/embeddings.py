"""`HippoEmbeddings`: the memory's embedding model for the rest of a LangChain program."""

from __future__ import annotations

from langchain_core.embeddings import Embeddings

from hippo_agent import SentenceTransformerEmbedder
from hippo_agent.embedding.base import Embedder

__all__ = ["HippoEmbeddings"]


class HippoEmbeddings(Embeddings):
    """LangChain embeddings over one of hippo-agent's embedders; all-MiniLM-L6-v2 by default. Vectors have norm 1."""

    def __init__(self, embedder: Embedder | None = None) -> None:
        self.embedder: Embedder = embedder or SentenceTransformerEmbedder()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text."""
        return [[float(x) for x in row] for row in self.embedder.embed(texts)]

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text."""
        return self.embed_documents([text])[0]
