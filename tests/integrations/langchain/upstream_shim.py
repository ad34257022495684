"""LangGraph's store classes by name, each of them a `HippoStore`: what its own tests are pointed at."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from langgraph.store.base import IndexConfig as SqliteIndexConfig
from langgraph.store.base import TTLConfig

from hippo_agent import HashingEmbedder, Memory
from langchain_hippo import HippoStore

__all__ = ["AsyncSqliteStore", "InMemoryStore", "SqliteIndexConfig", "SqliteStore"]


def _settings(index: Any) -> Any:
    """Without settings LangGraph's stores search by no meaning; the SQLite one calls its fields text_fields."""
    if index is None:
        return False
    return {**index, "fields": index.get("text_fields") or index.get("fields")}


class InMemoryStore(HippoStore):
    def __init__(self, *, index: Any = None) -> None:
        self._folder = tempfile.TemporaryDirectory()
        memory = Memory(self._folder.name, embedder=HashingEmbedder(quiet=True))
        super().__init__(memory, index=_settings(index))


class SqliteStore(HippoStore):
    @classmethod
    @contextmanager
    def from_conn_string(cls, conn: str, *, index: Any = None, ttl: TTLConfig | None = None) -> Iterator[SqliteStore]:
        with (
            tempfile.TemporaryDirectory() as folder,
            Memory(folder, embedder=HashingEmbedder(quiet=True)) as memory,
            cls(memory, index=_settings(index), ttl=ttl) as store,
        ):
            yield store

    def setup(self) -> None: ...


class AsyncSqliteStore(HippoStore):
    @classmethod
    @asynccontextmanager
    async def from_conn_string(
        cls, conn: str, *, index: Any = None, ttl: TTLConfig | None = None
    ) -> AsyncIterator[AsyncSqliteStore]:
        with (
            tempfile.TemporaryDirectory() as folder,
            Memory(folder, embedder=HashingEmbedder(quiet=True)) as memory,
        ):
            async with cls(memory, index=_settings(index), ttl=ttl) as store:
                yield store

    async def setup(self) -> None: ...

    async def sweep_ttl(self) -> int:  # type: ignore[override]
        return super().sweep_ttl()

    async def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> None:  # type: ignore[override]
        super().start_ttl_sweeper(sweep_interval_minutes)

    async def stop_ttl_sweeper(self) -> None:  # type: ignore[override]
        super().stop_ttl_sweeper()

    def __exit__(self, *_: Any) -> None: ...

    async def __aexit__(self, *_: Any) -> None:
        super().stop_ttl_sweeper()
