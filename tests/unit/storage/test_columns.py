"""The in-memory columns: filters, links and views that stay still."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hippo_agent.storage.columns import Columns
from hippo_agent.storage.mirror import Mirror
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.signs import sign_bits
from hippo_agent.testing.fakes import EPOCH, new_trace, unit_vector


@pytest.fixture
def record(tmp_path: Path) -> Iterator[SqliteRecord]:
    with SqliteRecord(tmp_path) as record:
        yield record


def filled(record: SqliteRecord) -> Columns:
    record.append(
        [
            new_trace("t0", namespace=("a",), session="s", source="user", trust=0.8, event_time=EPOCH),
            new_trace(
                "t1", namespace=("a", "b"), session="s", source="web", trust=0.2, event_time=EPOCH + timedelta(days=1)
            ),
            new_trace("t2", namespace=("a",), session="s", kind="document", event_time=EPOCH + timedelta(days=2)),
            new_trace("t3", namespace=("b",), session="s", status="deferred", speaker="Ada"),
            new_trace("t4", namespace=("a",), session="s", status="quarantined", pin=True),
            new_trace("t5", namespace=()),
        ]
    )
    return Mirror(record).refresh()


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ({}, [0, 1, 2, 5]),
        ({"namespace": ("a",)}, [0, 1, 2]),
        ({"namespace": ("a",), "exact_namespace": True}, [0, 2]),
        ({"namespace": (), "exact_namespace": True}, [5]),
        ({"namespace": ("c",)}, []),
        ({"since": EPOCH + timedelta(days=1)}, [1, 2]),
        ({"until": EPOCH + timedelta(days=1)}, [0, 5]),
        ({"since": EPOCH + timedelta(microseconds=1), "until": EPOCH + timedelta(days=2)}, [1]),
        ({"sources": ("web", "tool")}, [1]),
        ({"kinds": ("document",)}, [2]),
        ({"kinds": ("unheard of",)}, []),
        ({"session": "s"}, [0, 1, 2]),
        ({"session": "s", "namespace": ("a", "b")}, [1]),
        ({"session": "other"}, []),
        ({"min_trust": 0.8}, [0, 2, 5]),
        ({"statuses": ("deferred", "quarantined")}, [3, 4]),
    ],
)
def test_visible_keeps_exactly_the_rows_that_pass(
    record: SqliteRecord, filters: dict[str, Any], rows: list[int]
) -> None:
    assert np.flatnonzero(filled(record).visible(**filters)).tolist() == rows


def test_the_arrays_say_what_the_rows_say(record: SqliteRecord) -> None:
    columns = filled(record)
    assert columns.words.tolist() == [4] * 6
    assert columns.pinned.tolist() == [False] * 4 + [True, False]
    assert [columns.speakers[code] if code >= 0 else None for code in columns.speaker] == [None] * 3 + [
        "Ada",
        None,
        None,
    ]
    assert columns.event_time[1] - columns.event_time[0] == 86_400_000_000
    np.testing.assert_allclose(columns.trust, [0.8, 0.2, 0.8, 0.8, 0.8, 0.8])
    np.testing.assert_array_equal(columns.vectors[0], unit_vector("Ada moved to Lisbon."))


def test_neighbours_are_of_the_same_session_and_namespace(record: SqliteRecord) -> None:
    columns = filled(record)
    assert columns.neighbours([0, 1, 2, 4, 5]).tolist() == [[-1, 2], [-1, -1], [0, 4], [2, -1], [-1, -1]]
    assert columns.neighbours([2], 2).tolist() == [[-1, 0, 4, -1]]
    record.delete(["t2"], reason="test")
    assert Mirror(record).refresh().neighbours([0]).tolist() == [[-1, 3]]


def test_neighbours_step_over_deleted_rows(record: SqliteRecord) -> None:
    record.append([new_trace(f"t{n}", session="s") for n in range(6)])
    mirror = Mirror(record)
    mirror.refresh()
    record.delete(["t1", "t2"], reason="test")
    columns = mirror.refresh()
    assert len(columns) == 6
    assert columns.neighbours([0, 3, 5], 2).tolist() == [[-1, -1, 3, 4], [-1, 0, 4, 5], [3, 4, -1, -1]]


def test_positions_find_live_rows_only(record: SqliteRecord) -> None:
    filled(record)
    mirror = Mirror(record)
    mirror.refresh()
    record.delete(["t1"], reason="test")
    assert mirror.refresh().positions([1, 2, 3, 99, 0]).tolist() == [0, -1, 2, -1, -1]
    with SqliteRecord(record.folder / "empty") as empty:
        assert Mirror(empty).refresh().positions([1]).tolist() == [-1]


def test_a_view_stays_still_while_rows_are_added_and_shows_deletions(record: SqliteRecord) -> None:
    mirror = Mirror(record)
    record.append([new_trace("t0", session="s"), new_trace("t1", session="s")])
    old = mirror.refresh()
    assert mirror.refresh() is old
    record.append([new_trace(f"n{n}", session="s") for n in range(5000)])
    new = mirror.refresh()
    assert (len(old), len(new)) == (2, 5002)
    assert old.neighbours([1]).tolist() == [[0, -1]]
    assert new.neighbours([1]).tolist() == [[0, 2]]
    np.testing.assert_array_equal(old.vectors, new.vectors[:2])


def test_many_deletions_are_compacted_away(record: SqliteRecord) -> None:
    mirror = Mirror(record)
    record.append([new_trace(f"t{n}", f"text {n}", session="s") for n in range(3000)])
    before = mirror.refresh()
    record.delete([f"t{n}" for n in range(3000) if n % 2], reason="test")
    after = mirror.refresh()
    assert (len(before), len(after), int(after.live.sum())) == (3000, 1500, 1500)
    assert after.neighbours([1]).tolist() == [[0, 2]]
    np.testing.assert_array_equal(after.vectors[7], unit_vector("text 14"))
    np.testing.assert_array_equal(after.signs, sign_bits(after.vectors))
    record.append([new_trace("next", "text next", session="s")])
    assert mirror.refresh().neighbours([1500]).tolist() == [[1499, -1]]


def test_vectors_and_codes_may_come_later_and_change_their_width(record: SqliteRecord) -> None:
    mirror = Mirror(record)
    record.append([new_trace("t0", embed=False), new_trace("t1", embed=False, slot_codes=b"\x01\xff")])
    columns = mirror.refresh()
    assert (columns.vectors.shape, columns.has_vector.tolist()) == ((2, 0), [False, False])
    assert columns.slot_codes.tolist() == [[0, 0], [1, -1]]
    record.set_vectors({"t1": unit_vector("x")}, embedder_id="small")
    columns = mirror.refresh()
    assert (columns.vectors.shape, columns.has_vector.tolist()) == ((2, 8), [False, True])
    np.testing.assert_array_equal(columns.vectors[1], unit_vector("x"))
    assert record.drop_vectors() == 1
    assert mirror.refresh().has_vector.tolist() == [False, False]
    record.set_vectors({"t0": unit_vector("y", 12), "t1": unit_vector("x", 12)}, embedder_id="large")
    columns = mirror.refresh()
    assert (columns.vectors.shape, columns.has_vector.tolist()) == ((2, 12), [True, True])
    np.testing.assert_array_equal(columns.vectors[0], unit_vector("y", 12))
    np.testing.assert_array_equal(columns.signs, sign_bits(columns.vectors))
    assert columns.slot_codes.tolist() == [[0, 0], [1, -1]]
