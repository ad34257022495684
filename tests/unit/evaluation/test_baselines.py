"""Baselines, against orders and scores worked out by hand."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping

import numpy as np
import pytest

from hippo_agent.errors import MissingExtra
from hippo_agent.evaluation.baselines import BASELINES
from hippo_agent.evaluation.baselines.bm25 import BM25, stems
from hippo_agent.evaluation.baselines.chroma import ChromaSystem
from hippo_agent.evaluation.baselines.scored import neighbours, reciprocal_ranks, z_scores
from hippo_agent.evaluation.data import Query
from hippo_agent.evaluation.pool import Pool, Ranking, System
from tests.unit.evaluation.worlds import pool

SYSTEMS: Mapping[str, System] = {system.name: system for system in BASELINES}
TEXTS = ["red kite", "kite flying kite", "blue sea", "cold sea wind"]
#: cosines to the query (1, 0): .6, .8, 1, 0
VECTORS = {"kite": (1.0, 0.0), **dict(zip(TEXTS, [(0.6, 0.8), (0.8, 0.6), (1.0, 0.0), (0.0, 1.0)], strict=True))}


def ask(name: str, searched: Pool, query: str, k: int = 10) -> Ranking:
    with SYSTEMS[name].open(searched) as ranker:
        return ranker.rank(Query(text=query), k)


def test_the_names_of_the_baselines_are_a_contract() -> None:
    assert list(SYSTEMS) == ["bm25", "dense", "chroma", "bm25+dense", "simple"]


def test_words_are_porter_stems_without_stop_words() -> None:
    assert stems("What did the Ponies' flying trainers do?") == ["poni", "fly", "trainer"]


def test_bm25_scores_are_those_of_the_formula() -> None:
    scores = BM25(TEXTS).scores("kite")
    idf = math.log(1 + (4 - 2 + 0.5) / (2 + 0.5))
    average = (2 + 3 + 2 + 3) / 4
    once = 1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / average))
    twice = 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / average))
    assert scores == pytest.approx([idf * once, idf * twice, 0.0, 0.0])


def test_bm25_counts_a_repeated_query_word_twice_and_unknown_words_not_at_all() -> None:
    searched = BM25(TEXTS)
    assert searched.scores("sea sea zebra") == pytest.approx(2 * searched.scores("sea"))


def test_bm25_leaves_stop_words_out_of_questions_and_keeps_them_in_fragments() -> None:
    texts = ["the kite and the sea", "kite sea"]
    plain, fragments = pool(texts), dataclasses.replace(pool(texts), fragments=True)
    with SYSTEMS["bm25"].open(plain) as ranker:
        assert [score for _, score in ranker.rank(Query(text="and the"), 2).turns] == [0.0, 0.0]
    with SYSTEMS["bm25"].open(fragments) as ranker:
        first, second = ranker.rank(Query(text="and the"), 2).turns
    assert (first[0], second[1]) == ("0", 0.0)
    assert first[1] > 0.0


def test_bm25_of_documents_without_words_is_zero() -> None:
    assert list(BM25(["?", "..."]).scores("anything")) == [0.0, 0.0]


def test_dense_ranks_by_cosine() -> None:
    found = ask("dense", pool(TEXTS, VECTORS), "kite")
    assert found.turn_ids == ["2", "1", "0", "3"]
    assert [score for _, score in found.turns] == pytest.approx([1.0, 0.8, 0.6, 0.0])


def test_chroma_ranks_as_dense_does() -> None:
    pytest.importorskip("chromadb")
    searched = pool(TEXTS, VECTORS, sessions="aabb")
    found, exact = ask("chroma", searched, "kite"), ask("dense", searched, "kite")
    assert found.turn_ids == exact.turn_ids
    assert [score for _, score in found.turns] == pytest.approx([score for _, score in exact.turns], abs=1e-6)
    assert found.session_ids == exact.session_ids == ["b", "a"]


def test_chroma_that_is_not_installed_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chromadb", None)
    with pytest.raises(MissingExtra, match=r"pip install 'hippo-agent\[chroma\]'"), ChromaSystem().open(pool(TEXTS)):
        pass


def test_plain_rank_fusion_adds_reciprocal_ranks_and_gives_none_for_no_match() -> None:
    # bm25: 1, 0, no match for 2 and 3; dense: 2, 1, 0, 3
    found = dict(ask("bm25+dense", pool(TEXTS, VECTORS), "kite").turns)
    assert found == pytest.approx({"1": 1 / 61 + 1 / 62, "0": 1 / 62 + 1 / 63, "2": 1 / 61, "3": 1 / 64})


def test_simple_adds_z_scores_and_a_quarter_of_the_neighbours() -> None:
    searched = pool(TEXTS, VECTORS, sessions="aabb")
    words = BM25(TEXTS).scores("kite")
    meaning = np.array([0.6, 0.8, 1.0, 0.0])
    both = (words - words.mean()) / words.std() + (meaning - meaning.mean()) / meaning.std()
    expected = both + 0.25 * both[[1, 0, 3, 2]]
    assert dict(ask("simple", searched, "kite").turns) == pytest.approx(
        {str(at): value for at, value in enumerate(expected)}, abs=1e-6
    )


def test_neighbours_stay_within_their_session() -> None:
    scores = np.array([1.0, 2.0, 4.0, 8.0])
    assert list(neighbours(scores, ("a", "a", "a", "b"))) == [2.0, 5.0, 2.0, 0.0]


def test_z_scores_of_equal_scores_are_zero() -> None:
    assert list(z_scores(np.array([3.0, 3.0]))) == [0.0, 0.0]
    assert list(z_scores(np.array([1.0, 3.0]))) == [-1.0, 1.0]


def test_ties_keep_the_order_of_the_pool() -> None:
    assert list(reciprocal_ranks(np.array([1.0, 5.0, 1.0]))) == pytest.approx([1 / 62, 1 / 61, 1 / 63])


def test_a_session_is_as_good_as_its_best_turn() -> None:
    found = ask("dense", pool(TEXTS, VECTORS, sessions="abab"), "kite", k=1)
    assert found.turns == (("2", pytest.approx(1.0)),)
    assert found.sessions == (("a", pytest.approx(1.0)),)
    assert ask("dense", pool(TEXTS, VECTORS, sessions="abab"), "kite", k=2).session_ids == ["a", "b"]
