"""The standard tests that LangChain wrote for its integrations."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import (
    ChatModelIntegrationTests,
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    ToolsIntegrationTests,
)
from langchain_tests.unit_tests import ChatModelUnitTests, EmbeddingsUnitTests, ToolsUnitTests

from hippo_agent import HashingEmbedder, Memory
from hippo_agent.model.local import LocalModel
from langchain_hippo import HippoChatModel, HippoEmbeddings, HippoRetriever, hippo_tools
from tests.unit.model.conftest import save_model

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


class Tool:
    """Each tool by name."""

    name = "recall"
    arguments: dict[str, Any] = {"query": "What do the parcels weigh?"}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _filled(self, memory: Memory) -> None:
        memory.write("Parcel 1 weighs 42 grams.", source="user", pin=True)
        self.memory = memory

    @property
    def tool_constructor(self) -> BaseTool:
        [tool] = hippo_tools(self.memory, names=[self.name])
        return tool

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return self.arguments


class TestRecallToolUnit(Tool, ToolsUnitTests): ...


class TestRecallTool(Tool, ToolsIntegrationTests): ...


class TestRememberTool(Tool, ToolsIntegrationTests):
    name = "remember"
    arguments = {"text": "Parcel 2 weighs 79 grams."}  # noqa: RUF012


class TestFactsTool(Tool, ToolsIntegrationTests):
    name = "facts"
    arguments = {"query": "parcel 1"}  # noqa: RUF012


class TestForgetTool(Tool, ToolsIntegrationTests):
    name = "forget"
    arguments = {"ids": ["unknown"]}  # noqa: RUF012


class Chat:
    """A model with random weights: what it says means nothing, how it says it is what is tested.

    The standard tests of tools, structured output, pictures and audio do not apply: `HippoChatModel` claims none.
    """

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        cls = type(self)
        if not hasattr(cls, "local"):
            cls.local = LocalModel(save_model(tmp_path_factory.mktemp("model")), device="cpu")  # type: ignore[attr-defined]

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return HippoChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": type(self).local}  # type: ignore[attr-defined]

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        return {"temperature": 0.0, "max_tokens": 12, "stop": [], "seed": 7}

    @property
    def has_tool_calling(self) -> bool:
        return False

    @property
    def has_structured_output(self) -> bool:
        return False


class TestChatModelUnit(Chat, ChatModelUnitTests): ...


class TestChatModelIntegration(Chat, ChatModelIntegrationTests): ...
