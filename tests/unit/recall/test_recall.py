"""Recall end to end: which trace comes first, and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from hippo_agent import Memory
from hippo_agent.errors import ConfigError
from hippo_agent.recall import Recall, RecallConfig
from hippo_agent.testing.fakes import EPOCH, turn
from hippo_agent.types import Cue, Slots

Remember = Callable[..., Memory]

TALK = [
    turn("Good morning! How was the weekend?", "Bo"),
    turn("We looked at flats by the harbour, all of them loud.", "Ada"),
    turn("And which one will you take?", "Bo"),
    turn("The one in Alfama, on the fourth floor.", "Ada"),
    turn("My bicycle was stolen again.", "Bo", session="s2", event_time=EPOCH + timedelta(days=90)),
    turn("Not the green one, I hope!", "Ada", session="s2", event_time=EPOCH + timedelta(days=90)),
    turn("The very green one, locked to the harbour fence.", "Bo", session="s2", event_time=EPOCH + timedelta(days=90)),
]


def texts(recall: Recall) -> list[str]:
    return [trace.text for trace in recall.traces]


def test_the_trace_that_covers_the_question_comes_first(remember: Remember) -> None:
    assert texts(remember(TALK).recall("Whose bicycle was stolen?"))[0] == "My bicycle was stolen again."


def test_points_add_up_to_the_score(remember: Remember) -> None:
    recall = remember(TALK).recall("Which flat by the harbour will Ada take?", k=7)
    for hit in recall.hits:
        assert sum(hit.reasons.values()) == pytest.approx(hit.score, abs=5e-3)
        assert list(hit.reasons.values()) == sorted(hit.reasons.values(), reverse=True)
    assert [hit.score for hit in recall.hits] == sorted((hit.score for hit in recall.hits), reverse=True)


def test_an_answer_is_found_through_the_turns_before_it(remember: Remember) -> None:
    cue = "Which of the flats by the harbour will Ada take?"
    near = next(hit for hit in remember(TALK).recall(cue, k=7).hits if "Alfama" in hit.trace.text)
    assert near.reasons["context"] > 0.1
    off = remember(TALK, before=0.0, after=0.0, before_last=0.0, neighbours=0.0).recall(cue, k=7)
    alone = [hit for hit in off.hits if "Alfama" in hit.trace.text]
    assert not alone or "context" not in alone[0].reasons


def test_sessions_do_not_lend_each_other_context(remember: Remember) -> None:
    recall = remember(TALK).recall("Where is Alfama?", k=7)
    stolen = [hit for hit in recall.hits if hit.trace.text == "My bicycle was stolen again."]
    assert not stolen or "context" not in stolen[0].reasons


def test_who_is_named_counts_as_speaker(remember: Remember) -> None:
    events = [turn("I like tea.", "Ada", "s1"), turn("I like tea.", "Bo", "s2"), turn("Rain again.", "Bo", "s3")]
    for name in ("Ada", "Bo"):
        recall = remember(events).recall(f"Does {name} like tea?")
        assert recall.traces[0].speaker == name
        assert recall.hits[0].reasons["speaker"] == pytest.approx(RecallConfig().speaker)


def test_a_question_ranks_below_a_statement_of_the_same_words(remember: Remember) -> None:
    events = [turn("You bought a kayak?", "Ada", "s1"), turn("You bought a kayak.", "Ada", "s2")]
    assert texts(remember(events).recall("Who bought a kayak?", k=1)) == ["You bought a kayak."]


def test_the_time_in_a_question_counts(remember: Remember) -> None:
    events = [
        turn("The roof leaks.", "Ada", f"s{month}", event_time=datetime(2023, month, 3, tzinfo=timezone.utc))
        for month in (3, 8)
    ]
    memory = remember(events, duplicates=False)
    assert memory.recall("What leaked in August 2023?").traces[0].event_time.month == 8
    assert memory.recall("What leaked in March 2023?").traces[0].event_time.month == 3


def test_a_fragment_finds_its_text_with_words_missing_or_misspelt(remember: Remember) -> None:
    memory = remember(TALK)
    for cue in ("looked by of loud", "lokoed flast hrabour", "green locked to fence", "the very one to the"):
        recall = memory.recall(cue)
        assert not recall.question
        expected = TALK[1].text if "lo" in cue[:3] else TALK[6].text
        assert texts(recall)[0] == expected, cue
    assert ("hrabour", ("harbour",)) in memory.recall("lokoed flast hrabour").corrections


def test_word_order_decides_between_the_same_words(remember: Remember) -> None:
    events = [turn("the dog bit the man", session="s1"), turn("the man bit the dog", session="s2")]
    assert texts(remember(events).recall("man bit dog", k=1)) == ["the man bit the dog"]
    assert texts(remember(events).recall("dog bit man", k=1)) == ["the dog bit the man"]


def test_slots_alone_find_an_episode(remember: Remember) -> None:
    memory = remember(TALK)
    recall = memory.recall(Cue(slots=Slots(who=("Ada",), where=("Alfama",))))
    assert recall.traces[0].text == "The one in Alfama, on the fourth floor."
    assert recall.hits[0].reasons["slots"] > 0.0


def test_filters_hold_before_the_cut(remember: Remember) -> None:
    memory = remember(TALK)
    memory.write("The bicycle is in the river.", source="web", session="w")
    assert len(memory.recall("Where is the bicycle?", k=20).traces) == 8
    assert all(t.provenance.source == "user" for t in memory.recall("Where is the bicycle?", sources=["user"]).traces)
    assert all(t.provenance.trust >= 0.5 for t in memory.recall("Where is the bicycle?", min_trust=0.5).traces)
    late = memory.recall("Where is the bicycle?", since=EPOCH + timedelta(days=1), until=EPOCH + timedelta(days=91))
    assert {t.provenance.session for t in late.traces} == {"s2"}
    assert {t.provenance.session for t in memory.recall("harbour", session="s1").traces} == {"s1"}


def test_a_trace_that_may_not_be_seen_lends_no_points(remember: Remember) -> None:
    memory = remember(TALK)
    open_score = memory.recall("Which one in Alfama?", k=7).hits[0].score
    since = memory.recall("Which one in Alfama?", k=7, session="s2")
    assert all(trace.provenance.session == "s2" for trace in since.traces)
    assert max(hit.score for hit in since.hits) < open_score


def test_duplicates_are_left_out_and_lures_stay(remember: Remember) -> None:
    events = [
        turn("I paid 40 euros for the lamp.", "Ada", "s1"),
        turn("I paid 40 euros for the lamp!", "Ada", "s2"),
        turn("I paid 45 euros for the lamp.", "Ada", "s3"),
    ]
    recall = remember(events).recall("What did Ada pay for the lamp?")
    assert len(recall.hits) == 2 and recall.duplicates == 1
    assert len(remember(events, duplicates=False).recall("What did Ada pay for the lamp?").hits) == 3


def test_sessions_are_ranked_by_their_two_best_traces(remember: Remember) -> None:
    recall = remember(TALK).recall("Whose bicycle was stolen from the harbour fence?")
    assert [name for name, _ in recall.sessions()] == ["s2", "s1"]
    assert len(recall.sessions(1)) == 1


def test_what_was_forgotten_is_gone_from_scores_and_spelling(remember: Remember) -> None:
    memory = remember(TALK)
    before = memory.recall("Whose bicyle was stolen?")
    assert before.corrections == (("bicyle", ("bicycle",)),)
    memory.forget(trace_id=before.traces[0].id)
    after = memory.recall("Whose bicyle was stolen?")
    assert after.corrections == ()
    assert all("bicycle" not in trace.text for trace in after.traces)


def test_what_was_just_written_is_found(remember: Remember) -> None:
    memory = remember(TALK)
    assert memory.recall("Who is learning the theremin?").considered > 0
    memory.write("I am learning the theremin.", source="user", speaker="Bo", session="s3")
    assert texts(memory.recall("Who is learning the theremin?"))[0] == "I am learning the theremin."


def test_an_empty_memory_recalls_nothing(remember: Remember) -> None:
    recall = remember([]).recall("Anybody here?")
    assert recall.hits == () and recall.render() == "" and recall.sessions() == ()
    assert "0 of 0 candidates" in recall.explain()


@pytest.mark.parametrize("settings", [{"meaning": -1.0}, {"session": float("nan")}, {"dense": 0, "lexical": 0}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        RecallConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "off",
    [
        {"meaning": 0.0, "meaning_of_fragment": 0.0},
        {"alike": 0.0},
        {"spelling": 0.0},
        {"before": 0.0, "after": 0.0, "before_last": 0.0},
        {"date": 0.0},
        {"neighbours": 0.0},
        {"session": 0.0},
        {"speaker": 0.0},
        {"asks": 0.0},
        {"common": 0.0},
        {"surface": 0.0, "order": 0.0},
        {"slots": 0.0},
        {"dense": 0},
        {"lexical": 0},
    ],
)
def test_every_mechanism_can_be_switched_off(remember: Remember, off: dict[str, float]) -> None:
    memory = remember(TALK, **off)
    assert texts(memory.recall("Whose bicycle was stolen in March 2024?"))[0] == "My bicycle was stolen again."
    assert texts(memory.recall("green locked to fence"))[0] == TALK[6].text
