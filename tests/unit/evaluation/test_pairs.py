"""Entity pairs of Re-DocRED: what counts as linked, and files of another format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hippo_agent.errors import DataError
from hippo_agent.evaluation.pairs import load_documents, pairs_in_sentences, pairs_of, score_pairs
from hippo_agent.relational.facts import Triple

DOCUMENT = {
    "title": "Ada Rook",
    "sents": [["Ada", "Rook", "leads", "Halden", "."], ["Rook", "knew", "Bo", "."], ["Vell", "lies", "far", "."]],
    "vertexSet": [
        [{"name": "Ada Rook", "sent_id": 0}, {"name": "Rook", "sent_id": 1}],
        [{"name": "Halden", "sent_id": 0}],
        [{"name": "Bo", "sent_id": 1}],
        [{"name": "Vell", "sent_id": 2}],
    ],
    "labels": [{"h": 0, "t": 1}, {"h": 1, "t": 0}, {"h": 2, "t": 0}, {"h": 0, "t": 3}],
}


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def triple(subject: str, predicate: str, value: str) -> Triple:
    return Triple(subject=subject, predicate=predicate, object=value, confidence=1.0, start=0, end=1)


def test_a_pair_counts_whichever_way_round_and_by_whole_names_only(tmp_path: Path) -> None:
    document = load_documents(write(tmp_path / "d.json", [DOCUMENT]))[0]
    assert document.related == {(0, 1), (0, 2), (0, 3)}
    assert pairs_of(document, [triple("Halden", "led by", "the great Ada Rook")]) == {(0, 1)}
    assert pairs_of(document, [triple("Haldens", "led by", "Rookery")]) == set()
    assert pairs_of(document, [triple("Rook", "met", "Ada Rook")]) == set()
    assert pairs_of(document, [triple("ROOK", "met", "Bo and Halden")]) == {(0, 1), (0, 2)}


def test_recall_is_over_related_pairs_and_precision_over_linked_ones(tmp_path: Path) -> None:
    document = load_documents(write(tmp_path / "d.json", [DOCUMENT]))[0]
    assert pairs_in_sentences(document) == {(0, 1), (0, 2)}
    score = score_pairs([document], [{(0, 1), (1, 2)}])
    assert (score.recall, score.close_recall, score.precision) == (1 / 3, 1 / 2, 1 / 2)
    everything = score_pairs([document], [pairs_in_sentences(document)])
    assert (everything.recall, everything.close_recall, everything.precision) == (2 / 3, 1.0, 1.0)
    assert score_pairs([document], [set()]).precision == 0.0


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({}, "not a list of documents"),
        ([], "not a list of documents"),
        ([3], "document 1"),
        ([{**DOCUMENT, "labels": None}], "'labels'"),
        ([{**DOCUMENT, "labels": [{"h": 0, "t": 9}]}], "an entity that is not there"),
        ([{**DOCUMENT, "sents": [3]}], "not a list of lists"),
        ([{**DOCUMENT, "vertexSet": [3]}], "not a list of lists"),
        ([{**DOCUMENT, "vertexSet": [[{"sent_id": 0}]]}], "'name'"),
    ],
)
def test_another_format_is_said(tmp_path: Path, value: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        load_documents(write(tmp_path / "d.json", value))
