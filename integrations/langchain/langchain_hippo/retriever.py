"""`HippoRetriever`: recall as a LangChain retriever."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import field_validator

from hippo_agent import Memory
from hippo_agent.context import looked_up
from hippo_agent.sharing import shared
from langchain_hippo.convert import to_document

__all__ = ["HippoRetriever"]


class HippoRetriever(BaseRetriever):
    """Recalled traces as documents, best first; each brings its score, its reasons and its provenance as metadata.

    retriever = HippoRetriever(memory="agent-memory", k=4)
    retriever.invoke("where does Ada live now?")
    retriever.invoke("where does Ada live now?", k=1, min_trust=0.5)

    What `Memory.recall` takes may be given to ``invoke`` too: ``since``, ``until``, ``kinds``, ``sources``, ...
    ``stores`` says where to look: "episodic" (traces), "facts" (what holds now, a document each) and "places" (what was
    remembered at and around the agent's place); documents of several stores follow each other in this order.
    """

    memory: Any
    k: int = 4
    budget_tokens: int | None = None
    namespace: tuple[str, ...] | None = None
    min_trust: float = 0.0
    stores: tuple[str, ...] = ("episodic",)

    @field_validator("memory")
    @classmethod
    def _opened(cls, memory: Memory | str | Path) -> Memory:
        return shared(memory)

    @field_validator("namespace", mode="before")
    @classmethod
    def _one_part(cls, namespace: Sequence[str] | str | None) -> Sequence[str] | None:
        return (namespace,) if isinstance(namespace, str) else namespace

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        wanted = {
            "k": self.k,
            "budget_tokens": self.budget_tokens,
            "namespace": self.namespace,
            "min_trust": self.min_trust,
            "stores": self.stores,
            **options,
        }
        return [to_document(found) for found in looked_up(self.memory, query, **wanted)]
