"""What a long-term store of LangGraph should do, as tests to inherit; LangGraph itself has none to hand out.

    class TestMyStore(LongTermStoreConformance):
        @pytest.fixture
        def store(self): ...

Where LangGraph's bundled stores differ, these tests ask for one behaviour, mostly that of the SQLite store.
Needs pytest, anyio's plugin and langgraph, and is imported by tests only.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    SearchOp,
)

__all__ = ["LongTermStoreConformance"]

NS = ("users", "ada")

#: Filters and the keys of the items that pass them, of `_filled`.
FILTERS: tuple[tuple[dict[str, Any], set[str]], ...] = (
    ({}, {"a", "b", "c", "d"}),
    ({"color": "red"}, {"a", "b"}),
    ({"color": "red", "size": 1}, {"a"}),
    ({"size": {"$gt": 1}}, {"b", "c"}),
    ({"size": {"$gte": 1, "$lt": 3}}, {"a", "b"}),
    ({"size": {"$ne": 1}}, {"b", "c", "d"}),
    ({"color": {"$eq": "blue"}}, {"c"}),
    ({"color": {"$gt": "blue"}}, {"a", "b"}),  # strings have an order
    ({"size": {"$gt": "1"}}, set()),  # a number and a string have none
    ({"missing": {"$lt": 1}}, set()),
    ({"owner": {"name": "Ada"}}, {"a"}),
    ({"owner": {"home": {"city": "Ghent"}}}, {"b"}),
    ({"owner.name": "Ada"}, {"a"}),
    ({"tags": ["x", "y"]}, {"c"}),
    ({"tags": ["y", "x"]}, set()),
    ({"open": True}, {"d"}),
    ({"open": 1}, set()),  # True is not 1
    ({"größe": 4}, {"d"}),
)


class LongTermStoreConformance:
    """Give a fixture ``store``: an empty `BaseStore`. ``searches_by_meaning`` says whether it ranks by a query."""

    searches_by_meaning = True

    def _filled(self, store: BaseStore) -> BaseStore:
        store.put(NS, "a", {"text": "figs", "color": "red", "size": 1, "owner": {"name": "Ada"}})
        store.put(NS, "b", {"text": "a red bicycle", "color": "red", "size": 2, "owner": {"home": {"city": "Ghent"}}})
        store.put(NS, "c", {"text": "a blue tent", "color": "blue", "size": 3, "tags": ["x", "y"]})
        store.put(NS, "d", {"text": "a shop", "open": True, "größe": 4})
        return store

    # Values

    def test_what_is_put_comes_back(self, store: BaseStore) -> None:
        value = {"text": "Łódź \U0001f6b2", "n": 1, "x": 0.5, "none": None, "deep": {"list": [1, {"a": []}]}}
        store.put(NS, "k", value)
        item = store.get(NS, "k")
        assert item is not None
        assert (item.value, item.key, item.namespace) == (value, "k", NS)

    def test_a_returned_value_is_a_copy(self, store: BaseStore) -> None:
        given: dict[str, Any] = {"list": [1]}
        store.put(NS, "k", given)
        given["list"].append(2)
        first = store.get(NS, "k")
        assert first is not None and first.value == {"list": [1]}
        first.value["list"].append(3)
        again = store.get(NS, "k")
        assert again is not None and again.value == {"list": [1]}

    @pytest.mark.parametrize("value", [{"x": {1, 2}}, {"x": object()}, {1: "x"}, {"x": float("nan")}, {"x": b"bytes"}])
    def test_what_is_not_json_is_refused_and_changes_nothing(self, store: BaseStore, value: Any) -> None:
        store.put(NS, "k", {"old": True})
        with pytest.raises((TypeError, ValueError)):
            store.put(NS, "k", value)
        item = store.get(NS, "k")
        assert item is not None and item.value == {"old": True}

    @pytest.mark.parametrize("key", ["", " ", "a.b", "a/b", "O'Brien", "'; DROP TABLE item", "ключ", "k\n", "x" * 2000])
    def test_any_string_is_a_key(self, store: BaseStore, key: str) -> None:
        store.put(NS, key, {"v": key})
        store.put(NS, f"{key}!", {"v": "other"})
        item = store.get(NS, key)
        assert item is not None and (item.key, item.value) == (key, {"v": key})
        store.delete(NS, key)
        assert store.get(NS, key) is None
        assert store.get(NS, f"{key}!") is not None

    # Times

    def test_created_at_stays_and_updated_at_moves_when_a_key_is_put_again(self, store: BaseStore) -> None:
        store.put(NS, "k", {"v": 1})
        first = store.get(NS, "k")
        store.put(NS, "k", {"v": 2})
        second = store.get(NS, "k")
        assert first is not None and second is not None
        assert second.created_at == first.created_at
        assert second.updated_at >= first.updated_at
        assert first.created_at.utcoffset() is not None

    # Namespaces

    @pytest.mark.parametrize("namespace", [(), ("",), ("a", ""), ("a.b",), ("a", 1), ("langgraph",)])
    def test_a_namespace_that_is_not_allowed_is_refused(self, store: BaseStore, namespace: Any) -> None:
        with pytest.raises(InvalidNamespaceError):
            store.put(namespace, "k", {})

    def test_ops_that_are_given_straight_to_batch_are_checked_too(self, store: BaseStore) -> None:
        with pytest.raises(InvalidNamespaceError):
            store.batch([PutOp(("fine",), "k", {"v": 1}), GetOp(("a.b",), "k")])
        assert store.get(("fine",), "k") is None  # all or nothing

    def test_a_prefix_ends_where_a_label_ends(self, store: BaseStore) -> None:
        for namespace in [("foo",), ("foo", "bar"), ("foobar",), ("Foo",), ("f%o",), ("f_o",)]:
            store.put(namespace, "k", {"v": 1})
        assert {item.namespace for item in store.search(("foo",))} == {("foo",), ("foo", "bar")}
        assert {item.namespace for item in store.search(("f_o",))} == {("f_o",)}
        assert len(store.search(())) == 6

    def test_a_namespace_is_listed_while_it_holds_something(self, store: BaseStore) -> None:
        assert store.get(("ghost",), "k") is None
        assert store.search(("ghost",)) == []
        assert store.list_namespaces() == []
        store.put(NS, "k", {"v": 1})
        assert store.list_namespaces() == [NS]
        store.delete(NS, "k")
        assert store.list_namespaces() == []

    def test_namespaces_are_listed_by_prefix_suffix_wildcard_and_depth(self, store: BaseStore) -> None:
        for namespace in [("a", "x", "1"), ("a", "y", "1"), ("a", "y", "2"), ("b", "x", "1"), ("c",)]:
            store.put(namespace, "k", {})
        assert store.list_namespaces(prefix=("a",)) == [("a", "x", "1"), ("a", "y", "1"), ("a", "y", "2")]
        assert store.list_namespaces(suffix=("x", "1")) == [("a", "x", "1"), ("b", "x", "1")]
        assert store.list_namespaces(prefix=("*", "x")) == [("a", "x", "1"), ("b", "x", "1")]
        assert store.list_namespaces(prefix=("a",), suffix=("1",)) == [("a", "x", "1"), ("a", "y", "1")]
        assert store.list_namespaces(max_depth=1) == [("a",), ("b",), ("c",)]
        assert store.list_namespaces(limit=2, offset=1) == [("a", "y", "1"), ("a", "y", "2")]
        assert store.list_namespaces(limit=0) == []

    def test_all_namespaces_are_listed_however_many_there_are(self, store: BaseStore) -> None:
        store.batch([PutOp((f"n{number:04d}",), "k", {}) for number in range(300)])
        assert len(store.list_namespaces(limit=1000)) == 300
        assert store.list_namespaces(limit=1, offset=299) == [("n0299",)]

    # Batches

    def test_reads_in_a_batch_see_what_was_there_before_it(self, store: BaseStore) -> None:
        store.put(NS, "k", {"v": 1})
        ops: list[Op] = [
            PutOp(NS, "k", {"v": 2}),
            GetOp(NS, "k"),
            SearchOp(NS),
            ListNamespacesOp((MatchCondition("prefix", ("users",)),)),
            PutOp(NS, "k", {"v": 3}),
        ]
        put, got, found, listed, _ = store.batch(ops)
        assert put is None
        assert got is not None and got.value == {"v": 1}  # type: ignore[union-attr]
        assert [item.value for item in found] == [{"v": 1}]  # type: ignore[union-attr]
        assert listed == [NS]
        last = store.get(NS, "k")
        assert last is not None and last.value == {"v": 3}  # the last put of a key wins

    # Searching

    @pytest.mark.parametrize(("wanted", "keys"), FILTERS, ids=[str(wanted) for wanted, _ in FILTERS])
    def test_filters(self, store: BaseStore, wanted: dict[str, Any], keys: set[str]) -> None:
        assert {item.key for item in self._filled(store).search(NS, filter=wanted)} == keys

    @pytest.mark.parametrize("wanted", [{"size": {"$in": [1]}}, {"size": {"$regex": "x"}}, {"x' OR '1'='1": 1}])
    def test_an_unknown_operator_or_an_odd_key_is_an_error(self, store: BaseStore, wanted: dict[str, Any]) -> None:
        with pytest.raises(ValueError):
            self._filled(store).search(NS, filter=wanted)

    def test_injected_values_are_values(self, store: BaseStore) -> None:
        assert self._filled(store).search(NS, filter={"color": "red' OR '1'='1"}) == []
        assert len(store.search(NS)) == 4

    def test_without_a_query_what_was_put_last_comes_first(self, store: BaseStore) -> None:
        for number in range(5):
            store.put(NS, f"k{number}", {"v": number})
        assert [item.key for item in store.search(NS)] == ["k4", "k3", "k2", "k1", "k0"]
        assert [item.key for item in store.search(NS, limit=2, offset=1)] == ["k3", "k2"]
        assert store.search(NS, limit=0) == []
        assert store.search(NS, offset=9) == []

    def test_filters_hold_before_the_cut(self, store: BaseStore) -> None:
        store.batch([PutOp(("crowd", str(n)), "k", {"text": "figs figs figs", "n": n}) for n in range(200)])
        store.put(("crowd", "one"), "k", {"text": "an umbrella", "n": -1})
        [found] = store.search(("crowd",), query="figs", filter={"n": -1}, limit=3)
        assert found.namespace == ("crowd", "one")

    def test_a_search_by_meaning_ranks_scores_and_pages(self, store: BaseStore) -> None:
        if not self.searches_by_meaning:
            pytest.skip("the store does not search by meaning")
        self._filled(store)
        store.put(NS, "hidden", {"text": "figs"}, index=False)
        found = store.search(NS, query="figs")
        scores = [item.score for item in found]
        assert found[0].key == "a"
        assert (found[-1].key, found[-1].score) == ("hidden", None)  # not indexed: last, without a score
        ranked = [score for score in scores if score is not None]
        assert len(ranked) == 4 and ranked == sorted(ranked, reverse=True)
        pages = [
            item.key for offset in range(0, 5, 2) for item in store.search(NS, query="figs", limit=2, offset=offset)
        ]
        assert pages == [item.key for item in found]
        store.put(NS, "a", {"text": "an umbrella"})
        assert store.search(NS, query="an umbrella")[0].key == "a"

    # Expiry

    def test_expiry_is_kept_or_refused(self, store: BaseStore) -> None:
        if not store.supports_ttl:
            with pytest.raises(NotImplementedError):
                store.put(NS, "k", {}, ttl=1)
            return
        store.put(NS, "long", {"v": 1}, ttl=60)
        store.put(NS, "short", {"v": 1}, ttl=1 / 6_000_000)
        assert store.get(NS, "long") is not None
        assert store.get(NS, "short") is None
        assert [item.key for item in store.search(NS)] == ["long"]
        for ttl in (0, -1, float("nan"), float("inf")):
            with pytest.raises(ValueError):
                store.put(NS, "k", {}, ttl=ttl)

    # Async

    @pytest.mark.anyio
    async def test_the_async_methods_do_the_same(self, store: BaseStore) -> None:
        await asyncio.gather(*(store.aput((*NS, str(n % 3)), f"k{n}", {"n": n}) for n in range(30)))
        assert len(await store.asearch(NS, limit=99)) == 30
        assert await store.alist_namespaces(max_depth=3) == [(*NS, "0"), (*NS, "1"), (*NS, "2")]
        item = await store.aget((*NS, "1"), "k4")
        assert item is not None and item.value == {"n": 4}
        await store.adelete((*NS, "1"), "k4")
        assert await store.aget((*NS, "1"), "k4") is None

    def test_it_serves_one_event_loop_after_the_other(self, store: BaseStore) -> None:
        for number in range(3):
            asyncio.run(store.aput(NS, f"k{number}", {"n": number}))
        assert len(asyncio.run(store.asearch(NS))) == 3

    @pytest.mark.anyio
    async def test_a_cancelled_write_is_done_whole_or_not_at_all(self, store: BaseStore) -> None:
        for number in range(10):
            puts = [PutOp((f"run{number}",), f"k{n}", {"n": n}) for n in range(20)]
            task = asyncio.create_task(store.abatch(puts))
            await asyncio.sleep(0.001 * number)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.2)
        for number in range(10):
            assert len(await store.asearch((f"run{number}",), limit=99)) in (0, 20)
