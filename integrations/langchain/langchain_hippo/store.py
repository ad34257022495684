"""`HippoStore`: LangGraph's long-term store in a memory folder, with search by meaning and expiry.

    store = HippoStore("agent-memory")
    agent = create_agent(model, tools, store=store)
    store.put(("ada", "notes"), "food", {"text": "Ada likes figs."})
    store.search(("ada",), query="what does she eat?")

Where LangGraph's own stores differ, this one does as documented in docs/integrations/langchain.md.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
from langchain_core.embeddings import Embeddings
from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    ensure_embeddings,
    get_text_at_path,
    tokenize_path,
    validate_op_namespace,
)
from numpy.typing import NDArray

from hippo_agent import Memory
from hippo_agent.errors import InvalidInput
from hippo_agent.intake import clean_text
from hippo_agent.sharing import shared
from hippo_agent.storage.items import Item as Stored
from hippo_agent.storage.items import Items, ItemWrite, plain_json
from langchain_hippo.filters import check_filter, matches

__all__ = ["HippoStore"]


class HippoStore(BaseStore):
    """A LangGraph store over one folder. Threads, event loops and processes may share it.

    Args:
        memory: a folder, or an open `Memory`.
        index: LangGraph's index settings. The default searches all texts in a value by the memory's own embedder;
            ``{"dims": ..., "embed": ..., "fields": [...]}`` another embedder or fields, False no search by meaning.
        ttl: LangGraph's settings for expiry. Expired items count as gone even before they are swept, unless
            ``omit_expired`` is False. Reading begins the time to live anew only with ``refresh_on_read``.
    """

    supports_ttl = True

    def __init__(
        self,
        memory: Memory | str | Path = "agent-memory",
        *,
        index: IndexConfig | bool | None = None,
        ttl: TTLConfig | None = None,
    ) -> None:
        self.memory = shared(memory)
        self.ttl_config = ttl
        self.index_config: IndexConfig | None = None
        self.embeddings: Embeddings | None = None
        self._semantic = index is not False
        self._items: Items = self.memory.items
        fields: Sequence[str] | None = None
        if isinstance(index, Mapping):
            self.index_config = cast(IndexConfig, dict(index))
            fields = index.get("fields")
            if index.get("embed") is not None:
                self.embeddings = ensure_embeddings(index["embed"])
                self._items = self._items.searched_by(self._embed, _name(self.embeddings, index.get("dims")))
        self._fields = None if self.index_config is None else _paths(fields or ["$"])
        self._sweeper: threading.Thread | None = None
        self._stop = threading.Event()

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Reads see what was there before; then all puts at once, all or nothing, the last of a key winning."""
        ops = list(ops)
        for op in ops:
            _check(op)
        results: list[Result] = [self._read(op) for op in ops]
        puts = {(tuple(op.namespace), op.key): op for op in ops if isinstance(op, PutOp)}
        if puts:
            self._items.write([self._write(op) for op in puts.values()])
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """The same in a thread; a write that has begun is finished even when the caller is cancelled."""
        return await asyncio.to_thread(self.batch, list(ops))

    # Expiry

    def sweep_ttl(self) -> int:
        """Delete what has expired; returns how many. Every put does so too."""
        return self._items.sweep()

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> None:
        """Sweep in the background, every five minutes unless told otherwise here or in ``ttl``."""
        minutes = sweep_interval_minutes or (self.ttl_config or {}).get("sweep_interval_minutes") or 5
        if self._sweeper is not None and self._sweeper.is_alive():
            return
        self._stop.clear()
        self._sweeper = threading.Thread(target=self._sweep_every, args=(minutes * 60,), daemon=True)
        self._sweeper.start()

    def stop_ttl_sweeper(self) -> None:
        """Stop sweeping in the background; does nothing when nobody sweeps."""
        self._stop.set()
        if self._sweeper is not None:
            self._sweeper.join()
            self._sweeper = None

    def __enter__(self) -> HippoStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_ttl_sweeper()

    async def __aenter__(self) -> HippoStore:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop_ttl_sweeper)

    # Parts

    def _read(self, op: Op) -> Result:
        if isinstance(op, GetOp):
            found = self._items.get(op.namespace, op.key, expired=self._shows_expired())
            if found is None:
                return None
            self._touch([found], op.refresh_ttl)
            return _item(found)
        if isinstance(op, SearchOp):
            hits = self._search(op)
            self._touch([stored for stored, _ in hits], op.refresh_ttl)
            return [_search_item(stored, score) for stored, score in hits]
        if isinstance(op, ListNamespacesOp):
            return self._namespaces(op)
        return None

    def _search(self, op: SearchOp) -> list[tuple[Stored, float | None]]:
        if op.limit == 0:
            return []
        expired = self._shows_expired()
        meant = bool(op.query) and self._semantic
        if not op.filter and not meant:
            page = self._items.under(op.namespace_prefix, expired=expired, limit=op.limit, offset=op.offset)
            return [(stored, None) for stored in page]
        found = [s for s in self._items.under(op.namespace_prefix, expired=expired) if matches(s.value, op.filter)]
        scores: Mapping[int, float] = {}
        if meant:
            scores = self._items.scores([stored.number for stored in found], clean_text(op.query or ""))
            found.sort(key=lambda stored: -scores.get(stored.number, -2.0))  # what has no text comes last
        return [(stored, scores.get(stored.number)) for stored in found[op.offset : op.offset + op.limit]]

    def _namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        found = [
            namespace
            for namespace in self._items.namespaces()
            if all(_fits(condition, namespace) for condition in op.match_conditions or ())
        ]
        if op.max_depth is not None:
            found = sorted({namespace[: op.max_depth] for namespace in found})
        return found[op.offset : op.offset + op.limit]

    def _write(self, op: PutOp) -> ItemWrite:
        value = None if op.value is None else plain_json(op.value)
        texts: list[tuple[str, str]] = []
        if value is not None and op.index is not False and self._semantic:
            fields = self._fields if op.index is None else _paths(op.index)
            if fields is None:
                texts = [("", clean_text("\n".join(_strings(value))))]
            for path, tokens in fields or ():
                said = get_text_at_path(value, tokens)
                texts += [(f"{path}.{number}", clean_text(text)) for number, text in enumerate(said)]
        return ItemWrite(
            namespace=tuple(op.namespace),
            key=op.key,
            value=value,
            texts=[(field, text) for field, text in texts if text.strip()],
            minutes=op.ttl,
        )

    def _touch(self, found: Sequence[Stored], refresh: bool | None) -> None:
        expiring = [stored.number for stored in found if stored.minutes is not None]
        if refresh and expiring and (self.ttl_config or {}).get("refresh_on_read", False):
            self._items.touch(expiring)

    def _shows_expired(self) -> bool:
        return (self.ttl_config or {}).get("omit_expired") is False

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        assert self.embeddings is not None
        return np.asarray(self.embeddings.embed_documents(list(texts)), dtype=np.float32)

    def _sweep_every(self, seconds: float) -> None:
        while not self._stop.wait(seconds):
            if self.memory.closed:
                return
            self._items.sweep()


def _check(op: Op) -> None:
    """Ops that are given straight to `batch` were checked by nobody."""
    if not isinstance(op, (GetOp, SearchOp, PutOp, ListNamespacesOp)):
        raise InvalidInput(f"unknown operation {op!r}")
    validate_op_namespace(op)
    if isinstance(op, (SearchOp, ListNamespacesOp)) and (op.limit < 0 or op.offset < 0):
        raise InvalidInput(f"limit and offset must not be negative, not {op.limit!r} and {op.offset!r}")
    if isinstance(op, SearchOp):
        check_filter(op.filter)


def _fits(condition: MatchCondition, namespace: tuple[str, ...]) -> bool:
    path = tuple(condition.path)
    if len(namespace) < len(path):
        return False
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(wanted in ("*", label) for wanted, label in zip(path, part, strict=True))


def _paths(fields: Sequence[str]) -> tuple[tuple[str, Any], ...]:
    return tuple((path, path if path == "$" else tokenize_path(path)) for path in fields)


def _strings(value: object) -> Iterator[str]:
    """All texts in a value, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


def _name(embeddings: Embeddings, dims: int | None) -> str:
    """What tells one embedder from another: its class, its model, its dimension."""
    model = next((str(v) for n in ("model", "model_name", "model_id") if (v := getattr(embeddings, n, None))), "")
    return f"langchain:{type(embeddings).__module__}.{type(embeddings).__qualname__}:{model}:{dims or ''}"


def _item(stored: Stored) -> Item:
    return Item(
        namespace=stored.namespace,
        key=stored.key,
        value=stored.value,
        created_at=stored.created_at,
        updated_at=stored.updated_at,
    )


def _search_item(stored: Stored, score: float | None) -> SearchItem:
    return SearchItem(
        namespace=stored.namespace,
        key=stored.key,
        value=stored.value,
        created_at=stored.created_at,
        updated_at=stored.updated_at,
        score=score,
    )
