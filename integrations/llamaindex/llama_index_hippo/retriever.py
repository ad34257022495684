"""`HippoRetriever`: recall for LlamaIndex's query engines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle

from hippo_agent import Memory
from hippo_agent.context import looked_up
from hippo_agent.sharing import shared
from llama_index_hippo.convert import to_node

__all__ = ["HippoRetriever"]


class HippoRetriever(BaseRetriever):
    """Recalled traces as nodes, best first.

        RetrieverQueryEngine.from_args(HippoRetriever("agent-memory"), llm=llm)

    Args:
        memory: a folder, or an open `Memory`.
        stores: "episodic" (traces), "facts" (what holds now, a node each), "places" (what was remembered at and around
            the agent's place); nodes of several stores follow each other in this order.
        k, budget_tokens, namespace, filters: what `Memory.recall` takes (``min_trust``, ``since``, ``kinds``, ...).
    """

    def __init__(
        self,
        memory: Memory | str | Path = "agent-memory",
        *,
        k: int = 4,
        budget_tokens: int | None = None,
        namespace: Sequence[str] | str | None = None,
        stores: Sequence[str] = ("episodic",),
        callback_manager: Any = None,
        **filters: Any,
    ) -> None:
        self.memory = shared(memory)
        self._wanted = {"k": k, "budget_tokens": budget_tokens, "namespace": namespace, "stores": stores, **filters}
        super().__init__(callback_manager=callback_manager)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [to_node(found) for found in looked_up(self.memory, query_bundle.query_str, **self._wanted)]
