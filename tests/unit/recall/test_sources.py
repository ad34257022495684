"""Other stores propose traces: what they add, what filters keep out, and that nothing changes without them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from hippo_agent import Memory
from hippo_agent.embedding.hashing import HashingEmbedder
from hippo_agent.episodic.vectors import BankVectors
from hippo_agent.errors import InvalidInput
from hippo_agent.recall import Recall, Recaller
from hippo_agent.recall.sources import CandidateSource, FirstPass, Proposal
from hippo_agent.storage.index.managed import ManagedIndex
from hippo_agent.storage.mirror import Mirror
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.testing.fakes import EPOCH, turn
from hippo_agent.types import Cue

Remember = Callable[..., Memory]

TEXTS = [
    turn("Ada keeps bees on the roof.", "Ada", session=None),
    turn("Lisbon has seven hills.", "Bo", session="hills", event_time=EPOCH + timedelta(days=1)),
    turn("Trams climb them all day.", "Bo", session="hills", event_time=EPOCH + timedelta(days=2)),
    turn("The kiln needs new bricks.", "Cy", session=None, event_time=EPOCH + timedelta(days=3)),
]


class Pointing:
    """Proposes fixed seqs and keeps what it was shown."""

    def __init__(self, proposals: Mapping[int, Proposal]) -> None:
        self.proposals = proposals
        self.shown: list[FirstPass] = []

    def propose(self, first: FirstPass) -> Mapping[int, Proposal]:
        self.shown.append(first)
        return self.proposals


@pytest.fixture
def bank(remember: Remember) -> Path:
    return remember(TEXTS).folder


def ask(bank: Path, cue: Cue, *sources: CandidateSource) -> Recall:
    record = SqliteRecord(bank, read_only=True)
    mirror = Mirror(record)
    index = ManagedIndex(record, mirror)
    try:
        vectors = BankVectors(HashingEmbedder(quiet=True), record)
        return Recaller(record, mirror, index, vectors, sources=sources).recall(cue)
    finally:
        index.close()
        record.close()


def test_no_proposal_leaves_the_recall_as_it_is(bank: Path) -> None:
    cue = Cue(text="Where does Ada keep bees?")
    assert ask(bank, cue, Pointing({})) == ask(bank, cue)


def test_a_proposed_trace_gains_exactly_its_points_under_its_reason(bank: Path) -> None:
    cue = Cue(text="Where does Ada keep bees?")
    plain = {hit.trace.seq: hit for hit in ask(bank, cue).hits}
    recall = ask(bank, cue, Pointing({1: Proposal(0.5, "bells", because="rang at noon")}))
    hit = next(hit for hit in recall.hits if hit.trace.seq == 1)
    assert hit.score == pytest.approx(plain[1].score + 0.5)
    assert hit.reasons["bells"] == pytest.approx(0.5)
    assert hit.because == {"bells": "rang at noon"}
    assert "+0.500  bells: bells (rang at noon)" in recall.explain()
    assert [h.score for h in recall.hits if h.trace.seq != 1] == [
        plain[h.trace.seq].score for h in recall.hits if h.trace.seq != 1
    ]


def test_a_trace_that_nothing_else_brings_up_becomes_a_candidate(bank: Path) -> None:
    cue = Cue(text="bees", k=2)
    recall = ask(bank, cue, Pointing({4: Proposal(3.0, "bells")}))
    assert recall.traces[0].text == "The kiln needs new bricks."
    assert recall.hits[0].reasons["bells"] == pytest.approx(3.0)


def test_points_of_two_sources_add_up(bank: Path) -> None:
    sources = (Pointing({4: Proposal(1.0, "bells")}), Pointing({4: Proposal(0.5, "bells"), 2: Proposal(0.25, "hills")}))
    hits = {hit.trace.seq: hit for hit in ask(bank, Cue(text="bees"), *sources).hits}
    assert hits[4].reasons["bells"] == pytest.approx(1.5)
    assert hits[2].reasons["hills"] == pytest.approx(0.25)


def test_filters_hold_for_proposals(bank: Path) -> None:
    everything = Pointing({seq: Proposal(5.0, "bells") for seq in (1, 2, 3, 4, 99)})
    late = ask(bank, Cue(text="bees", since=EPOCH + timedelta(days=2)), everything)
    assert sorted(trace.seq for trace in late.traces) == [3, 4]
    assert ask(bank, Cue(text="bees", namespace=("elsewhere",)), everything).hits == ()


def test_a_source_sees_the_cue_its_vector_and_the_points_of_the_first_pass(bank: Path) -> None:
    source = Pointing({})
    plain = ask(bank, Cue(text="Where does Ada keep bees?", session="hills"), source)
    (first,) = source.shown
    assert first.question and first.vector is not None and first.vector.shape == (first.columns.vectors.shape[1],)
    assert first.points == {hit.trace.seq: hit.score for hit in plain.hits}
    assert first.allowed([1, 2, 3, 99]).tolist() == [False, True, True, False]


@pytest.mark.parametrize("points", [math.nan, math.inf])
def test_points_that_are_no_number_are_refused(points: float) -> None:
    with pytest.raises(InvalidInput, match="finite"):
        Proposal(points, "bells")


def test_a_proposal_needs_a_reason() -> None:
    with pytest.raises(InvalidInput, match="reason"):
        Proposal(1.0, "")
