"""The standard tests that LangChain wrote for its integrations."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_tests.integration_tests import EmbeddingsIntegrationTests, RetrieversIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from hippo_agent import HashingEmbedder, Memory
from langchain_hippo import HippoEmbeddings, HippoRetriever

pytestmark = pytest.mark.anyio


class TestRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _filled(self, memory: Memory) -> None:
        for number in range(5):
            memory.write(f"Parcel {number} weighs {number * 37 + 5} grams.", source="user")
        self.memory = memory

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return HippoRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"memory": self.memory}

    @property
    def retriever_query_example(self) -> str:
        return "What do the parcels weigh?"


class Embedding:
    """What both suites ask for."""

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return HippoEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"embedder": HashingEmbedder(quiet=True)}


class TestEmbeddingsUnit(Embedding, EmbeddingsUnitTests): ...


class TestEmbeddingsIntegration(Embedding, EmbeddingsIntegrationTests): ...
