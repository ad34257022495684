"""`HippoMemory`: a LlamaIndex agent that remembers. Every message is written when it is put; recall comes with `get`.

The chat of a session is kept in the folder as well, so this object is only a pointer to it: folder, namespace, session.
A copy that LlamaIndex makes by way of JSON leads to the same memory.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.memory import BaseMemory, ChatMemoryBuffer

from hippo_agent import Cue, Memory
from hippo_agent.context import check_stores, context_of
from hippo_agent.intake import clean_label, clean_namespace
from hippo_agent.sharing import shared
from hippo_agent.storage.items import Item, ItemWrite
from hippo_agent.types import Namespace
from llama_index_hippo.convert import cue_of, to_events

__all__ = ["HippoMemory"]

_CHAT = ".llama_index.chat"  # root of the namespace of chats; a label that begins with a dot is nobody else's
_TOKENS = 30_000


class HippoMemory(BaseMemory):
    """Memory for LlamaIndex agents and chat engines.

        memory = HippoMemory.from_defaults("agent-memory", namespace="ada", session="monday")
        await agent.run("Where does Ada live?", memory=memory)

    `get` gives the chat of this session in order, at most ``token_limit`` tokens of it, after one system message with
    what was recalled from all sessions of the namespace. `reset` and `set` change the chat; what was written to the
    long-term memory stays, and goes by `Memory.forget`.
    """

    folder: str = Field(description="The memory's folder.")
    namespace: list[str] = Field(default_factory=list, description="Whose memory: nobody else's is seen.")
    session: str = Field(description="Name of this chat.")
    k: int = Field(default=8, ge=1, description="Traces recalled at most.")
    budget_tokens: int = Field(default=800, ge=1, description="Tokens of the recalled block at most.")
    min_trust: float = Field(default=0.0, ge=0.0, le=1.0, description="Traces below it are not shown.")
    stores: list[str] = Field(default_factory=lambda: ["episodic"], description="Who speaks: episodic, facts, places.")
    token_limit: int = Field(default=_TOKENS, ge=1, description="Tokens of the chat at most.")

    _lock: Any = PrivateAttr(default_factory=threading.RLock)
    _tokenizer: Callable[[str], list[Any]] | None = PrivateAttr(default=None)

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised form."""
        return "HippoMemory"

    @classmethod
    def from_defaults(
        cls,
        memory: Memory | str | Path = "agent-memory",
        *,
        namespace: Sequence[str] | str | None = None,
        session: str | None = None,
        chat_history: Sequence[ChatMessage] | None = None,
        tokenizer_fn: Callable[[str], list[Any]] | None = None,
        **settings: Any,
    ) -> HippoMemory:
        """The memory of one chat.

        Args:
            memory: a folder, or an open `Memory` (then it is the one for its folder in this process).
            namespace: whose memory; the memory's own by default. session: name of the chat; a fresh one by default.
            chat_history: messages to begin with. settings: ``k``, ``budget_tokens``, ``min_trust``, ``stores``,
                ``token_limit``. The map ("places") needs the memory's own namespace.
        """
        own = shared(memory)
        found = cls(
            folder=str(own.folder.resolve()),
            namespace=list(own.namespace if namespace is None else clean_namespace(namespace)),
            session=clean_label(session, what="session") or uuid.uuid4().hex,
            **settings,
        )
        check_stores(found.stores, own, found._namespace)
        found._tokenizer = tokenizer_fn
        if chat_history is not None:
            found.set(list(chat_history))
        return found

    @property
    def memory(self) -> Memory:
        """The open memory that this points to."""
        return shared(self.folder)

    def get(self, input: str | None = None, **kwargs: Any) -> list[ChatMessage]:
        """What was recalled for ``input``, or else for what the user said last, then the end of the chat."""
        history = self.get_all()
        buffer = ChatMemoryBuffer.from_defaults(
            chat_history=history, token_limit=self.token_limit, tokenizer_fn=self._tokenizer
        )
        shown = buffer.get()
        first = len(history) - len(shown)
        visible = {
            event.key
            for number, message in enumerate(shown)
            for event in self._events(message, first + number)
            if event.key is not None
        }
        cue = Cue(
            text=input or cue_of(history),
            namespace=self._namespace,
            k=self.k,
            budget_tokens=self.budget_tokens,
            min_trust=self.min_trust,
        )
        stores = check_stores(self.stores, self.memory, self._namespace)
        return _informed(shown, context_of(self.memory, cue, stores=stores, visible=visible).text)

    def get_all(self) -> list[ChatMessage]:
        """The whole chat, in order."""
        return [ChatMessage.model_validate(item.value) for item in self._items()]

    def put(self, message: ChatMessage) -> None:
        """Append to the chat and write to the long-term memory."""
        self.put_messages([message])

    def put_messages(self, messages: list[ChatMessage]) -> None:
        """Append messages to the chat and write them to the long-term memory."""
        with self._lock:
            self._append(messages, after=self._items())

    def set(self, messages: list[ChatMessage]) -> None:
        """Replace the chat. Messages that were there at the same place are not written again."""
        with self._lock:
            old = self._items()
            deletions = [ItemWrite(namespace=self._chat, key=item.key, value=None) for item in old]
            self._append(messages, after=[], first=deletions)

    def reset(self) -> None:
        """Empty the chat; the long-term memory stays."""
        self.set([])

    def _append(
        self, messages: Sequence[ChatMessage], *, after: Sequence[Item], first: Sequence[ItemWrite] = ()
    ) -> None:
        start = 1 + int(after[-1].key) if after else 0
        rows = [
            ItemWrite(namespace=self._chat, key=f"{start + number:012d}", value=message.model_dump(mode="json"))
            for number, message in enumerate(messages)
        ]
        events = [event for at, message in enumerate(messages, start) for event in self._events(message, at)]
        if events:  # first: if it is interrupted here, the same message is put again and not written twice
            self.memory.write_many(events, progress=False)
        self.memory.items.write([*first, *rows])

    def _events(self, message: ChatMessage, position: int) -> list[Any]:
        return to_events(message, namespace=self._namespace, session=self.session, position=position)

    def _items(self) -> list[Item]:
        return sorted(self.memory.items.under(self._chat), key=lambda item: item.key)

    @property
    def _namespace(self) -> Namespace:
        return tuple(self.namespace)

    @property
    def _chat(self) -> Namespace:
        return (_CHAT, *self.namespace, f".{self.session}")


def _informed(messages: Sequence[ChatMessage], block: str) -> list[ChatMessage]:
    """The messages with the block in the system message that they begin with, or in one before them."""
    if not block:
        return list(messages)
    if messages and messages[0].role == MessageRole.SYSTEM:
        own = messages[0]
        first = own.model_copy(update={"blocks": [*own.blocks, TextBlock(text=block)]})
        return [first, *messages[1:]]
    return [ChatMessage(role=MessageRole.SYSTEM, content=block), *messages]
