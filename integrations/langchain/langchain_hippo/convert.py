"""LangChain's messages and documents to hippo-agent's events and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from hippo_agent import Event, Provenance
from hippo_agent.context import Found, as_episodes, digest, without_recall
from hippo_agent.types import SourceKind
from langchain_hippo.scope import Scope

__all__ = ["failure", "text_of", "to_document", "to_events", "tool_text"]


def text_of(message: BaseMessage) -> str:
    """What a message says, without what memory put into it; pictures and files are named, not shown."""
    if isinstance(message.content, str):
        return without_recall(message.content).strip()
    parts: list[str] = []
    for block in message.content:
        if isinstance(block, str):
            parts.append(block)
        elif block.get("type") == "text":
            parts.append(str(block.get("text", "")))
        elif block.get("type") in ("image", "image_url", "audio", "video", "file"):
            parts.append(f"[{str(block['type']).removesuffix('_url')}]")
    return without_recall("\n".join(parts)).strip()


def to_events(message: BaseMessage, scope: Scope, *, call: Mapping[str, Any] | None = None) -> list[Event]:
    """The events of one message; none for system messages and for those that say nothing.

    A long message becomes several episodes. Keys come from the message's id, so the same message is written once.
    """
    source: SourceKind
    speaker: str | None = message.name or None
    if isinstance(message, ToolMessage):
        source, kind, text = "tool", "tool", tool_text(message, call)
        speaker = speaker or (str(call["name"]) if call else None)
        key: str | None = digest(scope.session or "", message.tool_call_id, text)
    elif isinstance(message, AIMessage):
        source, kind, text, key = "model", "message", text_of(message), message.id
    elif isinstance(message, HumanMessage):
        source, kind, text, key = "user", "message", text_of(message), message.id
    else:
        return []
    if not text:
        return []
    principal = scope.user if source == "user" else speaker
    event = Event(
        text=text,
        namespace=scope.namespace,
        provenance=Provenance(source=source, principal=principal, session=scope.session),
        speaker=speaker,
        kind=kind,
        key=None if key is None else f"lc/{key}"[:256],
    )
    return as_episodes(event)


def tool_text(message: ToolMessage, call: Mapping[str, Any] | None) -> str:
    """A tool's answer together with what it was asked."""
    said = text_of(message)
    if call is None:
        return said
    verb = "failed" if message.status == "error" else "returned"
    return f"{_asked(call)} {verb}: {said or 'nothing'}"


def failure(error: BaseException, scope: Scope, *, call: Mapping[str, Any] | None = None) -> Event:
    """The event of a tool or a model that raised."""
    what = "the model" if call is None else _asked(call)
    return Event(
        text=f"{what} failed: {type(error).__name__}: {error}"[:2_000],
        namespace=scope.namespace,
        provenance=Provenance(source="tool", principal=str(call["name"]) if call else "model", session=scope.session),
        speaker=str(call["name"]) if call else None,
        kind="failure",
    )


def to_document(found: Found) -> Document:
    """What memory found as a document; its metadata are JSON values."""
    return Document(id=found.id, page_content=found.text, metadata={**found.metadata, "score": found.score})


def _asked(call: Mapping[str, Any]) -> str:
    arguments = json.dumps(call.get("args") or {}, ensure_ascii=False, sort_keys=True, default=str)
    return f"{call['name']}({arguments})"
