"""Facts and ways as short sentences: their wording, whom they cite, and when they are left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hippo_agent.embedding.hashing import HashingEmbedder
from hippo_agent.memory import Memory
from hippo_agent.recall.evidence import fact_sentence, facts_said, steps_asked


def fact(subject: str, predicate: str, value: str, *traces: str, denied: bool = False) -> Any:
    return SimpleNamespace(subject=subject, predicate=predicate, object=value, denied=denied, traces=traces)


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (fact("ada", "lives in", "Lisbon"), "Ada lives in Lisbon."),
        (fact("ada", "lives in", "Lisbon", denied=True), "It is not true that ada lives in Lisbon."),
        (fact("Teo", "boss", "Ines"), "The boss of Teo is Ines."),
        (fact("Teo", "born in", "Porto"), "Teo was born in Porto."),
        (fact("Ada", "adopted", "a goat."), "Ada adopted a goat."),
    ],
    ids=lambda one: str(getattr(one, "predicate", ""))[:12],
)
def test_a_fact_becomes_a_sentence(one: Any, sentence: str) -> None:
    assert fact_sentence(one) == sentence


@pytest.fixture
def recall(tmp_path: Path) -> Any:
    now = datetime(2026, 5, 1, tzinfo=timezone.utc)
    with Memory(tmp_path / "m", embedder=HashingEmbedder(quiet=True), clock=lambda: now) as memory:
        memory.write("Teo reports to Ines.", source="user", key="a")
        memory.write("Teo has a lot to do, says Ines.", source="user", key="b")
        return memory.recall("Teo Ines")


def test_a_fact_has_the_id_and_the_score_of_the_best_trace_that_says_it(recall: Any) -> None:
    best, other = recall.hits
    found = facts_said([fact("Teo", "boss", "Ines", other.trace.id, best.trace.id, "elsewhere")], recall)
    assert [(one.id, one.text, one.source) for one in found] == [
        (best.trace.id, "The boss of Teo is Ines.", "relational")
    ]
    assert found[0].score == pytest.approx(0.4 * best.score)


def test_facts_of_other_traces_and_sentences_that_stand_there_already_are_left_out(recall: Any) -> None:
    here = recall.hits[0].trace.id
    assert facts_said([fact("Teo", "lives in", "Rome", "elsewhere")], recall) == []
    assert facts_said([fact("teo", "reports to", "Ines", here)], recall) == []
    twice = facts_said([fact("Teo", "likes", "tea", here), fact("teo", "likes", "tea", here)], recall)
    assert [one.text for one in twice] == ["Teo likes tea."]
    assert len(facts_said([fact("Teo", "likes", f"tea {n}", here) for n in range(9)], recall)) == 3


@pytest.fixture
def places(tmp_path: Path) -> Any:
    with Memory(tmp_path / "map", embedder=HashingEmbedder(quiet=True)) as memory:
        for origin, action, end in (("Old Hall", "north", "Hall"), ("Hall", "up", "Attic"), ("Hall", "east", "Yard")):
            memory.places.tell(origin, action, end)
        yield memory.places


def sentences(question: str, places: Any) -> list[str]:
    return [one.text for one in steps_asked(question, places, score=0.5)]


def test_a_way_is_told_whole_and_step_by_step_in_the_words_of_the_question(places: Any) -> None:
    assert sentences("How do I get from the old hall to the attic?", places) == [
        "The way from old hall to attic is: north, up.",
        "From old hall, north leads to Hall.",
        "From Hall, up leads to attic.",
    ]
    assert sentences("Which way leads to the Attic from Old Hall?", places)[0] == (
        "The way from Old Hall to Attic is: north, up."
    )


def test_an_action_at_a_place_is_told_and_nothing_else(places: Any) -> None:
    assert sentences("What is east of the Hall?", places) == ["From Hall, east leads to Yard."]
    assert sentences("Who was seen in the Hall?", places) == []
    assert sentences("How do I reach the harbour?", places) == []


def test_without_a_start_a_way_begins_where_the_agent_is(tmp_path: Path) -> None:
    with Memory(tmp_path / "walk", embedder=HashingEmbedder(quiet=True)) as memory:
        memory.places.tell("Hall", "up", "Attic")
        assert sentences("How do I get to the attic?", memory.places) == []
        memory.places.observe("Hall\nA long hall.")
        found = steps_asked("How do I get to the attic?", memory.places, score=0.5)
        assert [one.text for one in found] == ["The way from Hall to attic is: up.", "From Hall, up leads to attic."]
        assert {(one.source, one.score) for one in found} == {("spatial", 0.5)}
        assert all(memory.places.place(one.id).label == "Hall" for one in found)


def test_an_empty_recall_has_no_facts(recall: Any) -> None:
    assert facts_said([fact("Teo", "boss", "Ines", "x")], replace(recall, hits=())) == []
