"""LlamaIndex's messages, documents and nodes to hippo-agent's events and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.schema import Document, NodeWithScore, TextNode

from hippo_agent import Event, Memory, Provenance
from hippo_agent.context import Found, as_episodes, digest, without_recall
from hippo_agent.progress import Progress
from hippo_agent.sharing import shared
from hippo_agent.types import Namespace, SourceKind

__all__ = ["cue_of", "remember_documents", "text_of", "to_events", "to_node"]

_SOURCES: dict[MessageRole, SourceKind] = {
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "model",
    MessageRole.CHATBOT: "model",
    MessageRole.MODEL: "model",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}
_MEDIA = {ImageBlock: "[image]", AudioBlock: "[audio]", VideoBlock: "[video]", DocumentBlock: "[document]"}
_QUIET = (
    "reasons",
    "trust",
    "session",
    "kind",
    "namespace",
    "subject",
    "predicate",
    "object",
    "traces",
)  # metadata that no model has to read


def text_of(message: ChatMessage) -> str:
    """What a message says, without what memory put into it; pictures and files are named, calls are spelled out."""
    parts: list[str] = []
    for block in message.blocks:
        if isinstance(block, TextBlock):
            parts.append(block.text)
        elif isinstance(block, ToolCallBlock):
            arguments = block.tool_kwargs
            said = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False, default=str)
            parts.append(f"calls {block.tool_name}({said})")
        else:
            parts.append(next((name for kind, name in _MEDIA.items() if isinstance(block, kind)), ""))
    return without_recall("\n".join(filter(None, parts))).strip()


def to_events(message: ChatMessage, *, namespace: Namespace, session: str | None, position: int) -> list[Event]:
    """The events of one message; none for system messages and for those that say nothing.

    The key comes from the session, the position in it, and the text: setting the same history again writes nothing.
    """
    source = _SOURCES.get(message.role)
    text = text_of(message)
    if source is None or not text:
        return []
    name = message.additional_kwargs.get("name") or message.additional_kwargs.get("tool_name")
    event = Event(
        text=text,
        namespace=namespace,
        provenance=Provenance(source=source, principal=None if name is None else str(name), session=session),
        speaker=None if name is None else str(name),
        kind="tool" if source == "tool" else "message",
        key=f"li/{digest(session or '', str(position), message.role.value, text)}",
    )
    return as_episodes(event)


def cue_of(messages: Sequence[ChatMessage]) -> str:
    """What the user said last."""
    said = (text_of(message) for message in reversed(messages) if message.role == MessageRole.USER)
    return next(filter(None, said), "")


def to_node(found: Found) -> NodeWithScore:
    """What memory found as a node; its id is the trace's id."""
    node = TextNode(
        id_=found.id,
        text=found.text,
        metadata={**found.metadata, "namespace": "/".join(found.metadata["namespace"])},
        excluded_llm_metadata_keys=list(_QUIET),
        excluded_embed_metadata_keys=list(_QUIET),
    )
    return NodeWithScore(node=node, score=found.score)


def remember_documents(
    documents: Sequence[Document],
    memory: Memory | str | Path = "agent-memory",
    *,
    namespace: Sequence[str] | str = (),
    progress: Progress = None,
) -> int:
    """Write documents, each cut into episodes that are neighbours; returns how many episodes are new.

    A document that is remembered already is not written again. Its metadata go with every episode; the source kind is
    "import".
    """
    own = shared(memory)
    where = (namespace,) if isinstance(namespace, str) else tuple(namespace)
    events = [
        event
        for document in documents
        if document.text.strip()
        for event in as_episodes(
            Event(
                text=document.text,
                namespace=where,
                provenance=Provenance(source="import", session=document.doc_id),
                kind="document",
                key=f"li/{digest(document.doc_id, document.text)}",
                meta=document.metadata,
            )
        )
    ]
    return sum(receipt.decision in ("write", "defer") for receipt in own.write_many(events, progress=progress))
