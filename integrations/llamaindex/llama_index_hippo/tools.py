"""The memory's tools for LlamaIndex agents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_index.core.tools import FunctionTool
from llama_index.core.tools.tool_spec.base import BaseToolSpec

from hippo_agent import Memory
from hippo_agent.context import check_stores
from hippo_agent.intake import clean_namespace
from hippo_agent.sharing import shared
from hippo_agent.tools import memory_tools

__all__ = ["HippoToolSpec"]


class HippoToolSpec(BaseToolSpec):
    """Tools that let an LLM use its memory: remember, recall, forget, facts; with "places" those of the map.

    FunctionAgent(tools=HippoToolSpec("agent-memory", namespace="ada").to_tool_list(), llm=llm)
    """

    def __init__(
        self,
        memory: Memory | str | Path = "agent-memory",
        *,
        namespace: Sequence[str] | str | None = None,
        session: str | None = None,
        stores: Sequence[str] = ("episodic", "facts"),
    ) -> None:
        self.memory = shared(memory)
        where = self.memory.namespace if namespace is None else clean_namespace(namespace)
        known = check_stores(stores, self.memory, where)
        self._tools = memory_tools(self.memory, namespace=where, session=session, stores=known)
        self.spec_functions = list(self._tools)

    def to_tool_list(self, spec_functions: Any = None, func_to_metadata_mapping: Any = None) -> list[FunctionTool]:
        """The tools, or those of them that are named."""
        return [
            FunctionTool.from_defaults(
                fn=self._function(name),
                name=name,
                description=self._tools[name].description,
                fn_schema=self._tools[name].arguments,
            )
            for name in spec_functions or self._tools
        ]

    def _function(self, name: str) -> Any:
        def run(**arguments: Any) -> str:
            return self._tools[name].call(arguments)

        return run
