"""hippo-agent in LangChain and LangGraph.

    from langchain.agents import create_agent
    from langchain_hippo import HippoMemory

    agent = create_agent(model, tools, middleware=[HippoMemory("agent-memory")])

Needs the extra ``langchain``. Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hippo_agent.errors import MissingExtra

if find_spec("langchain") is None:
    raise MissingExtra('langchain_hippo needs LangChain: pip install "hippo-agent[langchain]"')

if TYPE_CHECKING:
    from langchain_hippo.chat_model import HippoChatModel
    from langchain_hippo.embeddings import HippoEmbeddings
    from langchain_hippo.labels import decode_label, encode_label
    from langchain_hippo.middleware import HippoMemory
    from langchain_hippo.retriever import HippoRetriever
    from langchain_hippo.store import HippoStore
    from langchain_hippo.tools import hippo_tools

__all__ = [
    "HippoChatModel",
    "HippoEmbeddings",
    "HippoMemory",
    "HippoRetriever",
    "HippoStore",
    "decode_label",
    "encode_label",
    "hippo_tools",
]

_HOMES = {
    "HippoChatModel": "chat_model",
    "HippoEmbeddings": "embeddings",
    "HippoMemory": "middleware",
    "HippoRetriever": "retriever",
    "HippoStore": "store",
    "decode_label": "labels",
    "encode_label": "labels",
    "hippo_tools": "tools",
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
