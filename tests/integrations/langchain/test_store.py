"""`HippoStore`: the kit for long-term stores, and what is its own."""

from __future__ import annotations

import inspect
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings
from langgraph.store.base import PutOp
from langgraph.store.memory import InMemoryStore

from hippo_agent import HashingEmbedder, Memory
from hippo_agent.errors import InvalidInput, MemoryClosed
from hippo_agent.testing.fakes import FakeClock
from hippo_agent.testing.long_term_store import LongTermStoreConformance
from langchain_hippo import HippoStore, decode_label, encode_label


class TestHippoStore(LongTermStoreConformance):
    @pytest.fixture
    def store(self, memory: Memory) -> HippoStore:
        return HippoStore(memory)


def test_the_kit_finds_where_langgraph_s_in_memory_store_differs() -> None:
    kit = LongTermStoreConformance()
    tests = [name for name, test in vars(LongTermStoreConformance).items() if name.startswith("test_")]
    plain = [name for name in tests if inspect.signature(getattr(kit, name)).parameters.keys() == {"store"}]
    failing = set()
    for name in plain:
        if not inspect.iscoroutinefunction(getattr(kit, name)):
            try:
                getattr(kit, name)(InMemoryStore())
            except (AssertionError, pytest.fail.Exception):
                failing.add(name)
    assert failing == {
        "test_a_returned_value_is_a_copy",
        "test_created_at_stays_and_updated_at_moves_when_a_key_is_put_again",
        "test_ops_that_are_given_straight_to_batch_are_checked_too",
        "test_a_namespace_is_listed_while_it_holds_something",
        "test_without_a_query_what_was_put_last_comes_first",
        "test_a_search_by_meaning_ranks_scores_and_pages",  # it is not told how
    }


def test_items_are_on_disk_and_no_traces(tmp_path: Path) -> None:
    with Memory(tmp_path, embedder=HashingEmbedder(quiet=True)) as memory:
        HippoStore(memory).put(("ada",), "food", {"text": "Ada likes figs."})
        assert memory.recall("figs").traces == ()
    with Memory(tmp_path, embedder=HashingEmbedder(quiet=True)) as memory:
        [found] = HippoStore(memory).search((), query="what does Ada like?")
        assert found.value == {"text": "Ada likes figs."}
        assert memory.verify().clean


def test_a_deleted_item_leaves_no_byte(memory: Memory) -> None:
    store = HippoStore(memory)
    store.put(("ada",), "secret", {"text": "Quorlimbast opens the safe."})
    store.delete(("ada",), "secret")
    memory.scrub()
    memory.close()
    assert not any(b"Quorlimbast" in path.read_bytes() for path in memory.folder.rglob("*") if path.is_file())


def test_another_embedder_s_vectors_are_made_anew(memory: Memory) -> None:
    HippoStore(memory).put(("ada",), "food", {"text": "figs"})
    HippoStore(memory).put(("ada",), "ride", {"text": "a bicycle"})

    class Letters(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[float(text.count(letter)) for letter in "abcdefghij"] for text in texts]

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    store = HippoStore(memory, index={"dims": 10, "embed": Letters()})
    found = store.search(("ada",), query="figs")
    expected = np.array(Letters().embed_query("figs"))
    other = np.array(Letters().embed_query("a bicycle"))
    assert [item.key for item in found] == ["food", "ride"]
    assert found[0].score == pytest.approx(1.0)
    cosine = expected @ other / np.linalg.norm(expected) / np.linalg.norm(other)
    assert found[1].score == pytest.approx(cosine, abs=1e-6)
    assert HippoStore(memory).search(("ada",), query="figs")[0].key == "food"


def test_expiry_follows_the_clock(tmp_path: Path) -> None:
    clock = FakeClock()
    with Memory(tmp_path, embedder=HashingEmbedder(quiet=True), clock=clock) as memory:
        store = HippoStore(memory, ttl={"default_ttl": 10, "refresh_on_read": True})
        store.put(("a",), "k", {"v": 1})
        store.put(("a",), "for ever", {"v": 1}, ttl=None)
        clock.advance(minutes=9)
        assert store.get(("a",), "k") is not None  # read: ten more minutes
        clock.advance(minutes=9)
        assert store.get(("a",), "k", refresh_ttl=False) is not None
        clock.advance(minutes=2)
        assert store.get(("a",), "k") is None
        assert store.sweep_ttl() == 1
        assert [item.key for item in store.search(("a",))] == ["for ever"]
        shows = HippoStore(memory, ttl={"omit_expired": False})
        shows.put(("a",), "gone", {"v": 1}, ttl=1)
        clock.advance(minutes=2)
        assert shows.get(("a",), "gone") is not None
        assert store.get(("a",), "gone") is None
        store.put(("a",), "new", {"v": 1})  # a put sweeps
        assert shows.get(("a",), "gone") is None


def test_the_sweeper_sweeps_and_stops(memory: Memory) -> None:
    with HippoStore(memory, ttl={"sweep_interval_minutes": 1 / 6000}) as store:
        store.start_ttl_sweeper()
        store.start_ttl_sweeper()
        store.put(("a",), "k", {"v": 1}, ttl=1 / 60_000)
        deadline = threading.Event()
        for _ in range(200):
            with memory._record.database.read() as connection:
                if connection.execute("SELECT count(*) FROM item").fetchone()[0] == 0:
                    break
            deadline.wait(0.01)
        else:
            pytest.fail("never swept")
    assert store._sweeper is None


@given(st.text(min_size=1).filter(lambda label: "\x00" not in label))
def test_labels_go_there_and_back(label: str) -> None:
    encoded = encode_label(label)
    assert "." not in encoded
    if "." in label or "%" not in label:
        assert decode_label(encoded) == label


@given(st.lists(st.text(alphabet="a.%2E5", min_size=1), min_size=2, max_size=2, unique=True))
def test_labels_with_dots_stay_different(labels: list[str]) -> None:
    dotted = [f"{label}." for label in labels]
    assert len({encode_label(label) for label in dotted}) == 2
    assert [decode_label(encode_label(label)) for label in dotted] == dotted


def test_chats_of_llama_index_are_not_among_the_items(memory: Memory) -> None:
    from llama_index_hippo import HippoMemory

    chat = HippoMemory.from_defaults(memory, session="monday")
    memory.items.write([])
    from llama_index.core.llms import ChatMessage

    chat.put(ChatMessage(role="user", content="My parrot is called Quibble."))
    store = HippoStore(memory)
    assert store.search(()) == []
    assert store.list_namespaces() == []
    assert len(chat.get_all()) == 1


@pytest.mark.parametrize("op", [{"limit": -1}, {"offset": -1}])
def test_negative_bounds_are_refused(memory: Memory, op: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="negative"):
        HippoStore(memory).search(("a",), **op)


def test_a_batch_with_one_bad_value_changes_nothing(memory: Memory) -> None:
    store = HippoStore(memory)
    with pytest.raises(InvalidInput, match="not JSON"):
        store.batch([PutOp(("a",), "fine", {"v": 1}), PutOp(("a",), "bad", {"v": {1}})])
    with pytest.raises(InvalidInput, match="unknown operation"):
        store.batch([PutOp(("a",), "fine", {"v": 1}), "put"])  # type: ignore[list-item]
    assert store.search(()) == []


def test_a_closed_memory_says_so(memory: Memory) -> None:
    store = HippoStore(memory)
    memory.close()
    with pytest.raises(MemoryClosed):
        store.put(("a",), "k", {"v": 1})
