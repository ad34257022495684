"""Lure families differ in the slot they say, cues name it, and scoring counts right."""

from __future__ import annotations

from collections import Counter

import pytest

from hippo_agent.episodic.encoder import EpisodeEncoder
from hippo_agent.evaluation.lures import make_lures, make_merge_pairs, merge_scores, precision_at_1
from hippo_agent.types import Cue


def test_families_are_large_enough_distinct_and_seeded() -> None:
    lures = make_lures(50, seed=3)
    assert set(Counter(lures.families).values()) <= {4, 5, 6}
    assert len(set(lures.families)) == 50
    assert len({(event.text, event.event_time) for event in lures.episodes}) == len(lures.episodes) == len(lures.cues)
    assert {cue.varied for cue in lures.cues} == {"who", "what", "where", "when", "number"}
    assert lures == make_lures(50, seed=3)
    assert lures != make_lures(50, seed=4)


def test_a_when_cue_shares_the_date_with_its_answer_alone() -> None:
    lures = make_lures(60, seed=0)
    encoder = EpisodeEncoder()
    for cue in (cue for cue in lures.cues if cue.varied == "when"):
        wanted = encoder.encode_cue(Cue(text=cue.text, asked_at=cue.asked_at)).slots.when
        family = [i for i, number in enumerate(lures.families) if number == lures.families[cue.answer]]
        assert [i for i in family if encoder.encode(lures.episodes[i])[0].when == wanted] == [cue.answer]


def test_merge_pairs_are_balanced_and_minutes_apart_in_one_session() -> None:
    pairs = make_merge_pairs(40, seed=1)
    assert sum(pair.same for pair in pairs) == 20
    assert pairs == make_merge_pairs(40, seed=1)
    for pair in pairs:
        assert pair.first.speaker == pair.second.speaker
        assert pair.first.provenance.session == pair.second.provenance.session
        assert pair.first.event_time is not None
        assert pair.second.event_time is not None
        assert 0 < (pair.second.event_time - pair.first.event_time).total_seconds() <= 2400
        assert (pair.kind == "verbatim") == (pair.first.text == pair.second.text)


def test_precision_at_1_splits_by_slot_and_keeps_synonyms_apart() -> None:
    cues = make_lures(20, seed=0).cues
    scores = precision_at_1(cues, [cue.answer if cue.varied == "who" else None for cue in cues])
    assert scores["p@1_who"] == 1.0
    assert scores["p@1_when"] == scores["p@1_synonym"] == 0.0
    assert scores["p@1_all"] == pytest.approx(sum(cue.varied == "who" for cue in cues) / len(cues))


def test_merge_scores() -> None:
    pairs = make_merge_pairs(4, seed=0)
    assert merge_scores(pairs, [pair.same for pair in pairs]) == {"merge_precision": 1.0, "merge_recall": 1.0}
    assert merge_scores(pairs, [True] * 4) == {"merge_precision": 0.5, "merge_recall": 1.0}
    assert merge_scores(pairs, [False] * 4) == {"merge_precision": 1.0, "merge_recall": 0.0}
