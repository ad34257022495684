"""The memory's tools for LangChain agents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool
from langgraph.runtime import get_runtime

from hippo_agent import Memory
from hippo_agent.context import check_stores
from hippo_agent.errors import ConfigError
from hippo_agent.intake import clean_namespace
from hippo_agent.sharing import shared
from hippo_agent.tools import memory_tools
from langchain_hippo.scope import NamespaceOf, resolver

__all__ = ["hippo_tools"]


def hippo_tools(
    memory: Memory | str | Path = "agent-memory",
    *,
    namespace: NamespaceOf | Sequence[str] | str | None = None,
    stores: Sequence[str] = ("episodic", "facts"),
    names: Sequence[str] | None = None,
) -> list[BaseTool]:
    """Tools that let a model use its memory: remember, recall, forget, facts; with "places" those of the map.

    Args:
        namespace: as for `HippoMemory`; the user of the run in which a tool is called.
        names: only these. Raises ConfigError for unknown ones.
    """
    own = shared(memory)
    fixed = None if namespace is None or callable(namespace) else clean_namespace(namespace)
    known = check_stores(stores, own, fixed)
    scope_of = resolver(own, namespace)

    def answer(name: str, arguments: dict[str, Any]) -> str:
        scope = scope_of(_runtime())
        tools = memory_tools(own, namespace=scope.namespace, exact=scope.exact, session=scope.session, stores=known)
        return tools[name].call(arguments)

    found = memory_tools(own, stores=known)
    if unknown := set(names or ()) - found.keys():
        raise ConfigError(f"there are no tools {sorted(unknown)!r}; there are {', '.join(found)}")
    return [
        StructuredTool.from_function(
            func=_named(answer, name), name=name, description=found[name].description, args_schema=found[name].arguments
        )
        for name in names or found
    ]


def _named(answer: Any, name: str) -> Any:
    def run(**arguments: Any) -> str:
        return str(answer(name, arguments))

    return run


def _runtime() -> Any:
    """The run that a tool is called in; None outside of one."""
    try:
        return get_runtime()
    except (RuntimeError, KeyError):
        return None
