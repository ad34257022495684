"""Long-term memory as a block of LlamaIndex's own `Memory`: all stores in one, or a block for each.

LlamaIndex hands a block only what overflows its short-term memory (21,000 tokens by default), so for an ordinary chat
take `HippoMemory`; take the block to combine it with other blocks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.bridge.pydantic import Field, field_validator
from llama_index.core.memory import BaseMemoryBlock

from hippo_agent import Cue, Memory
from hippo_agent.context import check_stores, context_of
from hippo_agent.intake import clean_namespace
from hippo_agent.sharing import shared
from llama_index_hippo.convert import cue_of, to_events

__all__ = ["EpisodicBlock", "FactsBlock", "HippoMemoryBlock", "PlacesBlock"]


class HippoMemoryBlock(BaseMemoryBlock[str]):
    """What fits the user's last message, as quoted data.

    Memory.from_defaults(session_id="monday", memory_blocks=[HippoMemoryBlock(memory="agent-memory")])
    """

    name: str = "long_term_memory"
    description: str | None = "What was remembered from earlier, as quoted data."
    priority: int = 1
    memory: Any = Field(default="agent-memory", validate_default=True, description="A folder, or an open Memory.")
    namespace: Sequence[str] | str | None = None
    stores: Sequence[str] = ("episodic",)
    k: int = Field(default=8, ge=1)
    budget_tokens: int = Field(default=800, ge=1)
    min_trust: float = Field(default=0.0, ge=0.0, le=1.0)

    @field_validator("memory")
    @classmethod
    def _opened(cls, memory: Memory | str | Path) -> Memory:
        return shared(memory)

    async def _aget(self, messages: list[ChatMessage] | None = None, **block_kwargs: Any) -> str:
        return await asyncio.to_thread(self._recalled, messages or [])

    async def _aput(self, messages: list[ChatMessage]) -> None:
        await asyncio.to_thread(self._write, messages)

    async def atruncate(self, content: str, tokens_to_truncate: int) -> str | None:
        """Nothing of the block: half a quotation says what nobody said."""
        return None

    def _recalled(self, messages: Sequence[ChatMessage]) -> str:
        cue = Cue(
            text=cue_of(messages),
            namespace=self._namespace,
            k=self.k,
            budget_tokens=self.budget_tokens,
            min_trust=self.min_trust,
        )
        stores = check_stores(self.stores, self.memory, self._namespace)
        return context_of(self.memory, cue, stores=stores).text

    def _write(self, messages: Sequence[ChatMessage]) -> None:
        events = []
        for message in messages:
            session = message.additional_kwargs.get("session_id")
            said = to_events(
                message, namespace=self._namespace, session=None if session is None else str(session), position=0
            )
            events += said
        if events:
            self.memory.write_many(events, progress=False)

    def model_post_init(self, context: Any, /) -> None:
        """Refuse stores that cannot be used, before the first message."""
        check_stores(self.stores, self.memory, self._namespace)

    @property
    def _namespace(self) -> tuple[str, ...]:
        own: tuple[str, ...] = self.memory.namespace
        return own if self.namespace is None else clean_namespace(self.namespace)


class EpisodicBlock(HippoMemoryBlock):
    """What was said and what happened, word for word."""

    name: str = "episodes"
    stores: Sequence[str] = ("episodic",)


class FactsBlock(HippoMemoryBlock):
    """What holds now, of what the user speaks about. Written by what the messages say."""

    name: str = "facts"
    description: str | None = "What is known to hold now, as quoted data."
    stores: Sequence[str] = ("facts",)


class PlacesBlock(HippoMemoryBlock):
    """Where the agent is, the ways from here, and what it was about to do."""

    name: str = "places"
    description: str | None = "The map as remembered, as quoted data."
    stores: Sequence[str] = ("places",)
