"""hippo-agent in LlamaIndex.

    from llama_index_hippo import HippoMemory, HippoRetriever

    memory = HippoMemory.from_defaults("agent-memory", session="monday")
    await agent.run("Where does Ada live?", memory=memory)

Needs the extra ``llamaindex``. Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hippo_agent.errors import MissingExtra


def _installed() -> bool:
    """Whether LlamaIndex's core is here; ``llama_index`` alone may be an empty namespace."""
    return find_spec("llama_index") is not None and find_spec("llama_index.core") is not None


if not _installed():
    raise MissingExtra('llama_index_hippo needs LlamaIndex: pip install "hippo-agent[llamaindex]"')

if TYPE_CHECKING:
    from llama_index_hippo.block import EpisodicBlock, FactsBlock, HippoMemoryBlock, PlacesBlock
    from llama_index_hippo.convert import remember_documents
    from llama_index_hippo.graph_store import HippoPropertyGraphStore
    from llama_index_hippo.llm import HippoLLM
    from llama_index_hippo.memory import HippoMemory
    from llama_index_hippo.retriever import HippoRetriever
    from llama_index_hippo.tools import HippoToolSpec

__all__ = [
    "EpisodicBlock",
    "FactsBlock",
    "HippoLLM",
    "HippoMemory",
    "HippoMemoryBlock",
    "HippoPropertyGraphStore",
    "HippoRetriever",
    "HippoToolSpec",
    "PlacesBlock",
    "remember_documents",
]

_HOMES = {
    "EpisodicBlock": "block",
    "FactsBlock": "block",
    "HippoLLM": "llm",
    "HippoMemory": "memory",
    "HippoMemoryBlock": "block",
    "HippoPropertyGraphStore": "graph_store",
    "HippoRetriever": "retriever",
    "HippoToolSpec": "tools",
    "PlacesBlock": "block",
    "remember_documents": "convert",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
