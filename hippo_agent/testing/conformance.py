"""What every backend must do, as tests to inherit:

    class TestMyIndex(VectorIndexConformance):
        @pytest.fixture
        def index(self): ...

    class TestMyRecord(RecordStoreConformance):
        @pytest.fixture
        def record(self): ...

Needs pytest, and is imported by tests only.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from hippo_agent.errors import InvalidInput, InvalidVector, TraceNotFound
from hippo_agent.storage.base import DecisionNote, RecordStore, VectorIndex
from hippo_agent.testing.fakes import EPOCH, new_trace, unit_vector, unit_vectors
from hippo_agent.types import Slots

__all__ = ["RecordStoreConformance", "VectorIndexConformance"]

#: What a query language, SQL or a decoder might stumble over.
_ODD_TERMS = (
    *('"', '""', "a OR b", "NEAR(a b)", "text:secret", "secret*", "-secret", "^secret", "(", "*", "AND", "a + b"),
    *("'; DROP TABLE trace", "{text speaker}: x", "don't", "\\", "%", "", "\x00", "\ud800", "a\x00b"),
)


class VectorIndexConformance:
    """Give a fixture ``index``: an empty `VectorIndex`."""

    def test_an_empty_index_finds_nothing(self, index: VectorIndex) -> None:
        seqs, scores = index.search(unit_vector("x"), 5)
        assert (len(index), seqs.tolist(), scores.tolist()) == (0, [], [])

    def test_finds_the_nearest_by_dot_product_best_first(self, index: VectorIndex) -> None:
        vectors = unit_vectors(200)
        seqs = np.arange(10, 2010, 10)
        index.add(seqs, vectors)
        query = unit_vector("query")
        found, scores = index.search(query, 10)
        wanted = np.argsort(-(vectors @ query), kind="stable")[:10]
        assert found.tolist() == seqs[wanted].tolist()
        np.testing.assert_allclose(scores, (vectors @ query)[wanted], atol=1e-5)

    def test_every_vector_finds_itself(self, index: VectorIndex) -> None:
        vectors = unit_vectors(100)
        index.add(np.arange(1, 101), vectors)
        assert [int(index.search(vector, 1)[0][0]) for vector in vectors] == list(range(1, 101))

    def test_the_filter_holds_before_the_cut(self, index: VectorIndex) -> None:
        vectors = unit_vectors(300)
        index.add(np.arange(1, 301), vectors)
        query = vectors[0]
        far = set((np.argsort(vectors @ query)[:7] + 1).tolist())
        found, _ = index.search(query, 7, allowed=lambda seqs: np.isin(seqs, list(far)))
        assert set(found.tolist()) == far

    def test_a_filter_that_allows_nothing_gives_nothing(self, index: VectorIndex) -> None:
        index.add(np.arange(1, 11), unit_vectors(10))
        found, scores = index.search(unit_vector("x"), 3, allowed=lambda seqs: np.zeros(len(seqs), bool))
        assert (len(found), len(scores)) == (0, 0)

    def test_asking_for_more_than_there_is_gives_all(self, index: VectorIndex) -> None:
        index.add(np.arange(1, 4), unit_vectors(3))
        assert sorted(index.search(unit_vector("x"), 50)[0].tolist()) == [1, 2, 3]

    def test_asking_for_none_gives_none(self, index: VectorIndex) -> None:
        index.add(np.arange(1, 4), unit_vectors(3))
        assert index.search(unit_vector("x"), 0)[0].tolist() == []

    def test_removed_vectors_do_not_come_back(self, index: VectorIndex) -> None:
        vectors = unit_vectors(20)
        index.add(np.arange(1, 21), vectors)
        index.remove(np.array([3, 4, 999]))
        assert len(index) == 18
        assert {3, 4}.isdisjoint(index.search(vectors[2], 20)[0].tolist())

    def test_adding_a_seq_again_replaces_its_vector(self, index: VectorIndex) -> None:
        vectors = unit_vectors(10)
        index.add(np.arange(1, 11), vectors)
        index.add(np.array([5]), -vectors[4:5])
        assert len(index) == 10
        found, scores = index.search(-vectors[4], 1)
        assert found.tolist() == [5]
        assert scores[0] == pytest.approx(1.0, abs=1e-5)

    def test_large_seqs_survive(self, index: VectorIndex) -> None:
        index.add(np.array([2**53 + 1, 2**62]), unit_vectors(2))
        assert sorted(index.search(unit_vector("x"), 2)[0].tolist()) == [2**53 + 1, 2**62]

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_refuses_a_query_that_is_not_finite(self, index: VectorIndex, bad: float) -> None:
        index.add(np.arange(1, 4), unit_vectors(3))
        with pytest.raises(InvalidVector):
            index.search(np.full(8, bad, np.float32), 1)

    def test_refuses_vectors_that_are_not_finite(self, index: VectorIndex) -> None:
        with pytest.raises(InvalidVector):
            index.add(np.array([1]), np.full((1, 8), np.nan, np.float32))
        assert len(index) == 0

    def test_refuses_another_dimension(self, index: VectorIndex) -> None:
        index.add(np.arange(1, 4), unit_vectors(3))
        with pytest.raises(InvalidVector):
            index.search(unit_vector("x", 9), 1)
        with pytest.raises(InvalidVector):
            index.add(np.array([9]), unit_vectors(1, 9))
        assert len(index) == 3


class RecordStoreConformance:
    """Give a fixture ``record``: an empty `RecordStore`."""

    def test_gives_back_what_was_written(self, record: RecordStore) -> None:
        new = new_trace(
            "t1",
            "Ada said: \u201csee you\u201d \U0001f469\u200d\U0001f4bb 東京",
            namespace=("user", 'q"1'),
            session="s",
            speaker="Ada",
            slots=Slots(who=("Ada",), when=("2024-01",)),
            meta={"n": [1, 2.5, None, {"deep": "ü"}]},
            reward=-0.25,
            pin=True,
            key="k1",
            event_time=EPOCH - timedelta(days=20_000, microseconds=7),
        )
        (trace,) = record.append([new])
        assert record.get(["t1", "unknown"]) == {"t1": trace}
        assert record.by_seq([trace.seq, trace.seq + 1]) == {trace.seq: trace}
        assert (trace.text, trace.namespace, trace.provenance) == (
            new.event.text,
            new.event.namespace,
            new.event.provenance,
        )
        assert (trace.speaker, trace.kind, trace.key, trace.slots) == ("Ada", "episode", "k1", new.slots)
        assert (trace.event_time, trace.write_time) == (new.event.event_time, new.write_time)
        assert (trace.pinned, trace.reward, trace.salience, trace.status) == (True, -0.25, 0.5, "active")
        assert (trace.strength, trace.repeats) == (1.0, 0)
        assert trace.meta == {"n": [1, 2.5, None, {"deep": "ü"}]}

    def test_seqs_increase_and_are_never_used_again(self, record: RecordStore) -> None:
        first, second = record.append([new_trace("a"), new_trace("b")])
        record.delete(["b"], reason="test")
        (third,) = record.append([new_trace("c")])
        assert first.seq < second.seq < third.seq

    def test_vectors_come_back_bit_by_bit(self, record: RecordStore) -> None:
        vectors = unit_vectors(5)
        record.append([new_trace(f"t{n}", vector=vectors[n]) for n in range(5)])
        record.append([new_trace("bare", embed=False)])
        found = [vector for batch in record.scan(batch=2) for _, vector in batch]
        np.testing.assert_array_equal(np.stack([vector for vector in found if vector is not None]), vectors)
        assert found[-1] is None

    def test_scan_goes_on_after_a_seq(self, record: RecordStore) -> None:
        traces = record.append([new_trace(f"t{n}") for n in range(5)])
        found = [trace.id for batch in record.scan(after=traces[2].seq) for trace, _ in batch]
        assert found == ["t3", "t4"]

    def test_a_key_is_written_once_per_namespace(self, record: RecordStore) -> None:
        (first,) = record.append([new_trace("t1", key="k")])
        again, other = record.append(
            [new_trace("t2", "other text", key="k"), new_trace("t3", key="k", namespace=("n",))]
        )
        assert (again, other.id, record.count()) == (first, "t3", 2)
        assert record.find_key((), "k") == first
        assert record.find_key(("m",), "k") is None

    def test_a_key_twice_in_one_batch_is_written_once(self, record: RecordStore) -> None:
        first, second = record.append([new_trace("t1", key="k"), new_trace("t2", key="k")])
        assert (first, record.count()) == (second, 1)

    def test_a_bad_row_leaves_nothing_of_its_batch(self, record: RecordStore) -> None:
        record.append([new_trace("t0")])
        for bad in (
            new_trace("bad", "nul \x00 inside"),
            new_trace("bad", "lone \ud800 surrogate"),
            new_trace("bad", speaker="\udfff"),
            new_trace("bad", meta={"x": float("nan")}),
            new_trace("bad", meta={"x": "\ud800"}),
            new_trace("bad", vector=np.full(8, np.nan, np.float32)),
            new_trace("bad", vector=np.zeros(8, np.float32)),
            new_trace("bad", dim=9),
            new_trace("t0"),
            new_trace("bad", trust=1.5),
        ):
            with pytest.raises(InvalidInput):
                record.append([new_trace("good"), bad], counters={"writes": 1})
        assert (record.count(), record.counters(), record.position()) == (1, {}, 1)
        assert record.match(["Ada"], limit=9)[0].tolist() == [1]

    def test_what_may_have_a_heading_is_named_in_order(self, record: RecordStore) -> None:
        rows = [new_trace("a", "Vell\nA town."), new_trace("b"), new_trace("c", "A town.", meta={"title": "Vell"})]
        record.append(rows)
        assert record.headed() == [1, 3]

    def test_merging_keeps_the_observation_and_counts_it(self, record: RecordStore) -> None:
        (trace,) = record.append([new_trace("t1")])
        event = replace(new_trace("-", "Ada has moved to Lisbon", key="k2").event, slots=Slots(who=("Ada",)))
        merged = record.merge("t1", event, write_time=EPOCH, counters={"merge": 1})
        again = record.merge("t1", event, write_time=EPOCH, counters={"merge": 1})
        assert merged == again == replace(trace, repeats=1)
        (seen,) = record.observations("t1")
        assert (seen.trace_id, seen.event, seen.write_time) == ("t1", event, EPOCH)
        assert record.find_key((), "k2") == merged
        assert record.counters() == {"merge": 1}

    def test_merging_into_nothing_is_an_error(self, record: RecordStore) -> None:
        with pytest.raises(TraceNotFound):
            record.merge("gone", new_trace("-").event, write_time=EPOCH, counters={"merge": 1})
        assert record.counters() == {}

    def test_deleting_removes_every_way_to_find_it(self, record: RecordStore) -> None:
        kept, gone = record.append([new_trace("t1", "violin"), new_trace("t2", "violin secret")])
        record.merge("t2", new_trace("-", "secret again", key="k").event, write_time=EPOCH)
        assert record.match(["secret"], limit=5)[0].tolist() == [gone.seq]
        assert record.delete(["t2", "never"], reason="asked") == 1
        assert record.get(["t2"]) == {}
        assert record.by_seq([gone.seq]) == {}
        assert record.match(["secret"], limit=5)[0].tolist() == []
        assert record.match(["violin"], limit=5)[0].tolist() == [kept.seq]
        assert record.document_frequency(["secret", "violin"]) == {"secret": 0, "violin": 1}
        assert record.observations("t2") == []
        assert record.find_key((), "k") is None
        assert record.changes(record.position() - 1)[0].op == "delete"

    def test_match_ranks_rare_words_higher_and_stems(self, record: RecordStore) -> None:
        record.append([new_trace(f"t{n}", "we moved the garden chairs") for n in range(20)])
        (rare,) = record.append([new_trace("r", "the violin was moving")])
        seqs, scores = record.match(["moved", "violins"], limit=3)
        assert seqs[0] == rare.seq
        assert len(seqs) == 3
        assert scores[0] > scores[1] > 0
        assert record.document_frequency(["moved", "violin", "absent", "!"]) == {
            "moved": 21,
            "violin": 1,
            "absent": 0,
            "!": 0,
        }

    def test_match_sees_the_speaker(self, record: RecordStore) -> None:
        (trace,) = record.append([new_trace("t1", "hello", speaker="Marguerite")])
        assert record.match(["marguerite"], limit=3)[0].tolist() == [trace.seq]

    def test_match_follows_writes_and_deletions(self, record: RecordStore) -> None:
        for number in range(30):
            (trace,) = record.append([new_trace(f"t{number}", f"garden number {number}")])
            assert trace.seq in record.match(["garden"], limit=100)[0]
        record.delete(["t3", "t29"], reason="test")
        assert len(record.match(["garden"], limit=100)[0]) == 28
        assert record.document_frequency(["garden"]) == {"garden": 28}

    def test_match_filters_before_the_cut(self, record: RecordStore) -> None:
        record.append([new_trace(f"a{n}", "garden garden", namespace=("a",)) for n in range(50)])
        wanted = record.append([new_trace(f"b{n}", "a garden with a wall", namespace=("b", "c")) for n in range(3)])
        seqs = sorted(trace.seq for trace in wanted)
        assert sorted(record.match(["garden"], limit=3, namespace=("b",))[0].tolist()) == seqs
        assert sorted(record.match(["garden"], limit=3, allowed=lambda s: s >= seqs[0])[0].tolist()) == seqs
        assert record.match(["garden"], limit=3, namespace=("b", "c", "d"))[0].tolist() == []

    @pytest.mark.parametrize("term", _ODD_TERMS)
    def test_no_term_is_a_query_language(self, record: RecordStore, term: str) -> None:
        record.append([new_trace("t1", "nothing of that kind")])
        seqs, _ = record.match([term], limit=5)
        assert seqs.tolist() == []
        assert record.document_frequency([term]) == {term: 0}

    def test_status_changes_are_followed(self, record: RecordStore) -> None:
        (trace,) = record.append([new_trace("t1", status="deferred")])
        assert (record.count("deferred"), record.count("active")) == (1, 0)
        assert record.set_status(["t1", "never"], "active") == 1
        assert record.set_status(["t1"], "active") == 0
        assert record.get(["t1"])["t1"] == replace(trace, status="active")
        assert [(c.op, c.seq) for c in record.changes(0)] == [("put", trace.seq), ("put", trace.seq)]

    def test_reinforcing_strengthens(self, record: RecordStore) -> None:
        (trace,) = record.append([new_trace("t1")])
        used = EPOCH + timedelta(days=3)
        assert record.reinforce(["t1", "never"], amount=0.5, at=used) == 1
        assert record.get(["t1"])["t1"] == replace(trace, strength=1.5)
        kept = record.retention()
        assert kept.strength.tolist() == [1.5]
        assert int(kept.last_used[0] - kept.write_time[0]) == 3 * 86_400 * 1_000_000
        with pytest.raises(InvalidInput):
            record.reinforce(["t1"], amount=-1.0, at=used)

    def test_vectors_may_come_later(self, record: RecordStore) -> None:
        bare, _ = record.append([new_trace("t1", embed=False), new_trace("t2")])
        assert [trace.id for trace in record.unembedded("fake")] == ["t1"]
        assert record.set_vectors({"t1": unit_vector("later"), "never": unit_vector("x")}, embedder_id="fake") == 1
        assert record.unembedded("fake") == []
        found = {trace.id: vector for batch in record.scan() for trace, vector in batch}
        np.testing.assert_array_equal(found["t1"], unit_vector("later"))
        assert record.get(["t1"])["t1"] == bare

    def test_the_outbox_leads_to_the_live_traces(self, record: RecordStore) -> None:
        assert record.position() == 0
        record.append([new_trace(f"t{n}") for n in range(4)])
        record.delete(["t1"], reason="test")
        live: set[int] = set()
        for change in record.changes(0):
            (live.add if change.op == "put" else live.discard)(change.seq)
        assert live == {trace.seq for batch in record.scan() for trace, _ in batch}
        assert record.changes(0)[-1].position == record.position()
        assert [c.position for c in record.changes(2, limit=1)] == [3]

    def test_small_state_rides_along(self, record: RecordStore) -> None:
        note = DecisionNote(time=EPOCH, decision="write", reasons=("new",), salience=0.25, digest="abc")
        skip = replace(note, decision="skip", reasons=("a repeat", "short"))
        record.append([new_trace("t1")], counters={"write": 1}, decisions=[note], values={"gate": {"theta": 0.5}})
        record.note(counters={"skip": 2, "write": 1}, decisions=[skip], values={"other": [1]})
        assert record.counters() == {"skip": 2, "write": 2}
        assert record.decisions() == [skip, note]
        assert record.decisions(limit=1) == [skip]
        assert (record.value("gate"), record.value("other"), record.value("none")) == ({"theta": 0.5}, [1], None)
        record.note(values={"gate": None})
        assert record.value("gate") is None
