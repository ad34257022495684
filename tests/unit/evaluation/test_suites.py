"""Suites, against figures worked out by hand on a tiny conversation and a memory that ranks by shared words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hippo_agent.errors import ConfigError, DataError
from hippo_agent.evaluation.data import Query, Question, Turn
from hippo_agent.evaluation.pool import Ranking
from hippo_agent.evaluation.report import Report
from hippo_agent.evaluation.runner import SUITES, run_suite
from hippo_agent.evaluation.suites import locomo, longmemeval
from hippo_agent.evaluation.suites.partial_cue import slot_only_cues, word_cues
from tests.unit.evaluation.worlds import WrittenDown, conversation, open_word_memory

QUESTION = Question(
    id="q", query=Query(text="?"), answer="", category="temporal", turns=("a", "b"), sessions=("s1", "s2")
)
RANKING = Ranking(
    turns=tuple((name, 0.0) for name in ["x", "a", "y", "z", "w", "b"]),
    sessions=tuple((name, 0.0) for name in ["s9", "s8", "s7", "s1", "s5", "s4", "s3", "s2"]),
)


def suite(name: str, data: Path | None, systems: list[str] | None = None, **options: Any) -> Report:
    return run_suite(
        name,
        data,
        open_memory=open_word_memory,
        embedder=WrittenDown({}),
        systems=systems or ["bm25", "hippo"],
        **options,
    )


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.json"
    path.write_text(json.dumps([conversation()]), encoding="utf-8")
    return path


def test_locomo_scores_a_question_by_turns_sessions_and_category() -> None:
    assert locomo.score(QUESTION, RANKING) == {
        "turn_recall@5": 0.5,
        "turn_recall@10": 1.0,
        "session_recall@5": 0.5,
        "session_recall@10": 1.0,
        "all_gold@5": 0.0,
        "p@1": 0.0,
        "turn_recall@5_no_adversarial": 0.5,
        "turn_recall@10_no_adversarial": 1.0,
        "session_recall@5_no_adversarial": 0.5,
        "session_recall@10_no_adversarial": 1.0,
        "all_gold@5_no_adversarial": 0.0,
        "p@1_no_adversarial": 0.0,
        "turn_recall@5_temporal": 0.5,
        "turn_recall@10_temporal": 1.0,
    }


def test_longmemeval_counts_a_question_only_when_all_its_sessions_are_there() -> None:
    assert longmemeval.score(QUESTION, RANKING) == {
        "recall_all@5": 0.0,
        "recall_all@10": 1.0,
        "session_recall@5": 0.5,
        "session_recall@10": 1.0,
        "turn_recall@5": 0.5,
        "turn_recall@10": 1.0,
        "recall_all@5_temporal": 0.0,
    }


def test_locomo_figures_of_a_tiny_conversation(talk: Path) -> None:
    report = suite("locomo", talk)
    assert (report.n, report.suite, report.dataset, list(report.systems)) == (
        4,
        "locomo",
        "talk.json",
        ["bm25", "hippo"],
    )
    for found in report.systems.values():
        # Asked for a number, both find that turn first; the adversarial question has another turn for its evidence,
        # which is second of the equal rest.
        assert found["p@1"] == 0.75
        assert found["turn_recall@5"] == 1.0
        assert found["p@1_no_adversarial"] == 1.0
        assert found["turn_recall@5_multi_hop"] == found["turn_recall@5_adversarial"] == 1.0
        assert found["session_recall@5"] == 1.0
    assert [row.about["category"] for row in report.rows] == ["single_hop", "multi_hop", "temporal", "adversarial"]
    assert report.rows[2].found["hippo"]["turns"][0] == "D2:8"


def test_the_figures_are_the_means_of_the_rows(talk: Path) -> None:
    report = suite("locomo", talk)
    for name, metrics in report.systems.items():
        values = [row.metrics[name]["p@1"] for row in report.rows]
        assert metrics["p@1"] == pytest.approx(sum(values) / len(values))


def test_a_limit_and_a_seed_choose_the_questions(talk: Path) -> None:
    first, again = suite("locomo", talk, limit=2, seed=5), suite("locomo", talk, limit=2, seed=5)
    assert first.n == 2
    assert [row.about for row in first.rows] == [row.about for row in again.rows]


def test_gate_counts_evidence_by_pairs_and_asks_what_was_kept(talk: Path) -> None:
    # The memory keeps the first 7, 5 and 3 of ten turns; the evidence is turns 1, 3 and 6, 8, and 1 again.
    found = suite("gate", talk).systems
    assert {name: value for name, value in found["hippo"].items() if "@" in name} == pytest.approx(
        {
            "evidence_kept@100": 1.0,
            "evidence_kept@70": 4 / 5,
            "evidence_kept@50": 3 / 5,
            "evidence_kept@30": 2 / 5,
            "stored@100": 1.0,
            "stored@70": 0.7,
            "stored@50": 0.5,
            "stored@30": 0.3,
            "turn_recall@5_budget100": 1.0,
            "turn_recall@5_budget70": 0.75,
            "turn_recall@5_budget50": (1 + 0.5 + 0 + 1) / 4,
            "turn_recall@5_budget30": (1 + 0 + 0 + 1) / 4,
        }
    )
    assert found["everything"]["evidence_kept@100"] == found["everything"]["junk_stored"] == 1.0
    assert found["random"]["stored@30"] == found["length"]["stored@30"] == 0.3
    assert found["bm25"] == {"turn_recall@5_budget100": 1.0}


def test_partial_cues_of_an_episode_keep_words_or_misspell_them() -> None:
    turn = Turn(id="a", text="one two three four five six seven eight nine ten", session="s")
    twin = Turn(id="b", text=turn.text, session="s")
    cues = word_cues([turn, twin], [turn], seed=0)
    assert [(cue.kinds, len(cue.query.text.split())) for cue in cues] == [
        (("keep80",), 8),
        (("keep60",), 6),
        (("keep40",), 4),
        (("keep20",), 2),
        (("typo",), 10),
    ]
    assert {cue.gold for cue in cues} == {("a", "b")}  # nobody can tell them apart
    assert cues[-1].query.text.split()[:2] == ["one", "two"]
    assert cues[-1].query.text != turn.text


def test_slot_cues_name_the_slots_that_they_have() -> None:
    told = [("Ada", "Lisbon"), ("Ada", "Porto"), ("Bo", "Lisbon")]
    turns = [
        Turn(id=f"{who}{where}", text=f"I went to {where} for the first time.", session="s", speaker=who)
        for who, where in told
    ]
    cues = slot_only_cues(turns, turns[:1], seed=0)
    assert [cue.gold for cue in cues] == [("AdaLisbon",)]
    assert cues[0].kinds[0] == "slots"
    assert cues[0].kinds[1].startswith("slots_who")
    assert cues[0].query.slots.who == ("Ada",)
    assert "Ada" in cues[0].query.text


def test_partial_cue_reads_any_text_and_counts_episodes(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    words = ["amber", "brook", "cedar", "dune", "ember", "fjord", "grove", "heron", "islet", "jetty", "knoll", "lagoon"]
    lines = [" ".join(f"{word}{line}" for word in words) for line in range(6)]
    path.write_text("\n\n".join([*lines, "too short"]), encoding="utf-8")
    report = suite("partial-cue", path, limit=4)
    assert report.n == 4
    assert [row.about["kind"] for row in report.rows].count("keep20") == 4
    for found in report.systems.values():
        assert found["p@1_keep80"] == found["p@1_keep20"] == 1.0  # no word is in two lines


def test_partial_cue_refuses_a_file_without_long_episodes(tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("Too short.", encoding="utf-8")
    with pytest.raises(DataError, match="no episode of 8 words or more"):
        suite("partial-cue", path)


def test_lures_need_no_file_and_take_one_as_distractors(talk: Path) -> None:
    alone, among = suite("lures", None, limit=20), suite("lures", talk, limit=20)
    assert (alone.dataset, among.dataset) == ("invented", "talk.json")
    assert alone.n == among.n == 20
    assert [row.about for row in alone.rows] == [row.about for row in among.rows]
    # The word memory never merges: nothing wrong, nothing found.
    assert alone.systems["hippo"]["merge_precision"] == 1.0
    assert alone.systems["hippo"]["merge_recall"] == 0.0
    assert 0.0 < alone.systems["bm25"]["p@1"] <= 1.0


def test_the_names_of_the_suites_are_a_contract() -> None:
    assert list(SUITES)[:5] == ["locomo", "longmemeval", "partial-cue", "lures", "gate"]
    assert {"multihop", "conflicts", "extraction"} <= set(SUITES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "nonsense"}, "no suite 'nonsense'; choose one of locomo, longmemeval"),
        (
            {"systems": ["nonsense"]},
            "no system 'nonsense'; choose from bm25, dense, chroma, bm25\\+dense, simple, hippo",
        ),
        ({"limit": 0}, "limit 0 asks nothing"),
        ({"data": None}, "needs a data file"),
    ],
)
def test_a_run_that_cannot_be_is_refused(talk: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        suite(**{"name": "locomo", "data": talk, **arguments})
