"""Documents beside the traces: what was put comes back until it is put again, deleted or expired."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hippo_agent import Config, HashingEmbedder, Memory
from hippo_agent.errors import InvalidInput, ReadOnlyMemory
from hippo_agent.storage.items import Item, Items, ItemWrite
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.trust.config import TrustConfig

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_minutes(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def items(tmp_path: Path, clock: Clock) -> Iterator[Items]:
    with SqliteRecord(tmp_path) as record:
        yield opened(record, clock)


def opened(record: SqliteRecord, clock: Clock) -> Items:
    return Items(record.database, embed=HashingEmbedder(quiet=True).embed, embedder_id=lambda: "hashing", clock=clock)


def put(key: str, value: dict[str, Any] | None, namespace: tuple[str, ...] = ("a",), **more: Any) -> ItemWrite:
    return ItemWrite(namespace=namespace, key=key, value=value, **more)


def keys(found: list[Item]) -> list[str]:
    return [item.key for item in found]


def test_a_document_comes_back_as_it_was_put(items: Items) -> None:
    value = {"text": "Öl 🙂", "n": 1.5, "deep": {"list": [1, None, True, "x"]}, "tuple": (1, 2)}
    items.write([put("k", value)])
    found = items.get(("a",), "k")
    assert found is not None
    assert found.value == {**value, "tuple": [1, 2]}
    assert found.created_at == found.updated_at == START


def test_putting_again_keeps_when_it_was_made(items: Items, clock: Clock) -> None:
    items.write([put("k", {"v": 1})])
    clock.pass_minutes(5)
    items.write([put("k", {"v": 2})])
    found = items.get(("a",), "k")
    assert found is not None
    assert (found.value, found.created_at) == ({"v": 2}, START)
    assert found.updated_at == START + timedelta(minutes=5)


def test_one_bad_write_changes_nothing(items: Items) -> None:
    items.write([put("k", {"v": 1})])
    for bad in ({"v": {1, 2}}, {"v": float("nan")}, {1: "v"}, {"v": "\ud800"}):
        with pytest.raises(InvalidInput):
            items.write([put("k", {"v": 2}), put("other", bad)])  # type: ignore[arg-type]
    assert items.get(("a",), "other") is None
    assert keys(items.under()) == ["k"]
    assert items.under()[0].value == {"v": 1}


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf"), True, "5"])
def test_a_time_to_live_is_a_positive_number(items: Items, minutes: Any) -> None:
    with pytest.raises(InvalidInput, match="time to live"):
        items.write([put("k", {}, minutes=minutes)])


def test_what_expired_is_gone_and_what_was_touched_lives_on(items: Items, clock: Clock) -> None:
    items.write([put("short", {}, minutes=5), put("touched", {}, minutes=5), put("long", {})])
    clock.pass_minutes(3)
    [number] = [item.number for item in items.under() if item.key == "touched"]
    items.touch([number])
    clock.pass_minutes(3)
    assert sorted(keys(items.under())) == ["long", "touched"]
    assert items.get(("a",), "short") is None
    assert items.get(("a",), "short", expired=True) is not None
    assert items.sweep() == 1
    assert items.get(("a",), "short", expired=True) is None


def test_a_namespace_shows_what_lies_below_it_and_nothing_beside_it(items: Items) -> None:
    for namespace in (("a",), ("a", "b"), ("ab",), (".own", "a"), ('a","b',)):
        items.write([put("k", {"at": list(namespace)}, namespace)])
    assert [item.namespace for item in items.under(("a",))] == [("a", "b"), ("a",)]
    assert items.namespaces() == [("a",), ("a", "b"), ('a","b',), ("ab",)]
    assert (".own", "a") not in [item.namespace for item in items.under()]
    assert [item.namespace for item in items.under((".own",))] == [(".own", "a")]


def test_a_search_scores_each_document_by_its_best_text(items: Items) -> None:
    items.write(
        [
            put("figs", {}, texts=(("$.a", "nothing to see"), ("$.b", "ripe figs in autumn"))),
            put("boats", {}, texts=(("$", "boats in the harbour"),)),
            put("silent", {}),
        ]
    )
    numbers = {item.key: item.number for item in items.under()}
    scores = items.scores(list(numbers.values()), "ripe figs in autumn")
    assert scores[numbers["figs"]] == pytest.approx(1.0, abs=1e-6)
    assert scores[numbers["boats"]] < 0.7
    assert numbers["silent"] not in scores


def test_texts_of_another_embedder_are_embedded_anew(items: Items) -> None:
    items.write([put("figs", {}, texts=(("$", "ripe figs"),))])
    [item] = items.under()
    asked: list[list[str]] = []

    def other(texts: Any) -> Any:
        asked.append(list(texts))
        return np.ones((len(texts), 3), np.float32)

    second = items.searched_by(other, "ones")
    assert second.scores([item.number], "any")[item.number] == pytest.approx(1.0)
    second.scores([item.number], "again")
    assert asked == [["any"], ["ripe figs"], ["again"]]


def test_without_a_model_documents_are_kept_and_not_scored(tmp_path: Path, clock: Clock) -> None:
    with SqliteRecord(tmp_path) as record:
        bare = Items(record.database, embed=lambda _: None, embedder_id=lambda: "none", clock=clock)
        bare.write([put("k", {"v": 1}, texts=(("$", "figs"),))])
        [item] = bare.under()
        assert item.value == {"v": 1}
        assert bare.scores([item.number], "figs") == {}
        assert opened(record, clock).scores([item.number], "figs")[item.number] == pytest.approx(1.0, abs=1e-6)


def test_a_read_only_folder_reads_and_refuses_to_write(tmp_path: Path, clock: Clock) -> None:
    with SqliteRecord(tmp_path) as record:
        opened(record, clock).write([put("k", {"v": 1}, texts=(("$", "figs"),))])
    with SqliteRecord(tmp_path, read_only=True) as record:
        items = opened(record, clock)
        [item] = items.under()
        assert items.scores([item.number], "figs")[item.number] == pytest.approx(1.0, abs=1e-6)
        with pytest.raises(ReadOnlyMemory):
            items.write([put("k", {"v": 2})])


labels = st.sampled_from(["a", "b", 'c"', "d.e"])
steps = st.tuples(
    st.lists(labels, min_size=1, max_size=2).map(tuple), labels, st.none() | st.integers(), st.none() | st.just(5.0)
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.one_of(steps, st.floats(1, 9)), max_size=25))
def test_documents_are_those_of_a_dict(moves: list[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Puts, deletions and time, in any order, against a dict."""
    clock, model = Clock(), dict[tuple[tuple[str, ...], str], tuple[int, datetime | None]]()
    with SqliteRecord(tmp_path_factory.mktemp("items")) as record:
        items = opened(record, clock)
        for move in moves:
            if isinstance(move, float):
                clock.pass_minutes(move)
                continue
            namespace, key, value, minutes = move
            items.write([put(key, None if value is None else {"v": value}, namespace, minutes=minutes)])
            model.pop((namespace, key), None)
            if value is not None:
                until = None if minutes is None else clock.now + timedelta(minutes=minutes)
                model[namespace, key] = (value, until)
        living = {at: value for at, (value, until) in model.items() if until is None or until > clock.now}
        assert {(item.namespace, item.key): item.value["v"] for item in items.under()} == living
        assert items.namespaces() == sorted({namespace for namespace, _ in living})


@pytest.mark.parametrize("secrets", ["redact", "keep"])
def test_secrets_are_taken_out_of_documents_before_they_are_stored(tmp_path: Path, secrets: Any) -> None:
    key = "AKIAIOSFODNN7EXAMPLE"
    value = {"note": f"deploy with {key}", "deep": [{"password": "hunter2-hunter2"}], "count": 3}
    config = Config(trust=TrustConfig(secrets=secrets))
    with Memory(tmp_path / "bank", embedder=HashingEmbedder(quiet=True), config=config) as memory:
        texts = [("note", value["note"]), ("password", "hunter2-hunter2")]
        memory.items.write([ItemWrite(namespace=("notes",), key="k", value=value, texts=texts)])
        held = memory.items.get(("notes",), "k")
        assert held is not None
        assert (held.value == value) is (secrets == "keep")
        assert held.value["count"] == 3
    found = [path for path in (tmp_path / "bank").rglob("*") if path.is_file() and _holds(path, key, "hunter2-hunter2")]
    assert bool(found) is (secrets == "keep")


def _holds(path: Path, *texts: str) -> bool:
    raw = path.read_bytes()
    return any(text.encode() in raw for text in texts)
