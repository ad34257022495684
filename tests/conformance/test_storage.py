"""Every backend of storage passes the exported suites."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hippo_agent.storage.base import RecordStore, VectorIndex
from hippo_agent.storage.index.chroma import ChromaIndex
from hippo_agent.storage.index.exact import ExactIndex
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.testing.conformance import RecordStoreConformance, VectorIndexConformance


class TestExactIndex(VectorIndexConformance):
    @pytest.fixture
    def index(self) -> VectorIndex:
        return ExactIndex()


class TestChromaIndex(VectorIndexConformance):
    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[VectorIndex]:
        pytest.importorskip("chromadb")
        index = ChromaIndex(tmp_path / "chroma")
        yield index
        index.close()


class TestSqliteRecord(RecordStoreConformance):
    @pytest.fixture
    def record(self, tmp_path: Path) -> Iterator[RecordStore]:
        with SqliteRecord(tmp_path) as record:
            yield record
