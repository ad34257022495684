"""Conversation files: what is read, and what is refused with the place named."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from hippo_agent.conversations import load, parse
from hippo_agent.errors import DataError

DATA = Path(__file__).resolve().parents[2] / "examples" / "data"


def sample(**changes: Any) -> dict[str, Any]:
    return {
        "sample_id": "s-1",
        "conversation": {
            "speaker_a": "Ada",
            "speaker_b": "Bo",
            "session_10_date_time": "9:05 am on 2 March, 2024",
            "session_10": [{"speaker": "Bo", "dia_id": "D10:1", "text": "Later."}],
            "session_2_date_time": "1:56 pm on 8 May, 2023",
            "session_2": [
                {"speaker": "Ada", "dia_id": "D2:1", "text": "I moved to Lisbon."},
                {"speaker": "Bo", "dia_id": "D2:2", "text": "Look!", "blip_caption": "a photo of a red kite"},
                {"speaker": "Bo", "dia_id": "D2:3", "text": "  "},
            ],
        },
        "qa": [{"question": "Where is Ada?", "answer": 7, "evidence": ["D2:1; D:10:1", "D", "D2:1"], "category": 4}],
        **changes,
    }


def test_turns_come_in_the_order_of_sessions_by_number_with_times() -> None:
    [found] = parse([sample()])
    assert [(turn.id, turn.session, turn.speaker, turn.text) for turn in found.turns] == [
        ("D2:1", "session_2", "Ada", "I moved to Lisbon."),
        ("D2:2", "session_2", "Bo", "Look! [shares a photo of a red kite]"),
        ("D10:1", "session_10", "Bo", "Later."),
    ]
    assert found.turns[1].time == datetime(2023, 5, 8, 13, 56, 1, tzinfo=timezone.utc)


def test_questions_keep_only_well_formed_evidence_once() -> None:
    [question] = parse(sample())[0].questions
    assert (question.text, question.answer, question.category) == ("Where is Ada?", "7", 4)
    assert question.evidence == ("D2:1", "D10:1")


def test_events_carry_provenance_and_a_key_per_turn() -> None:
    first = parse(sample())[0].events(namespace=("team",), source="user")[0]
    assert (first.key, first.namespace, first.speaker) == ("s-1/D2:1", ("team",), "Ada")
    assert (first.provenance.source, first.provenance.trust) == ("user", 0.8)
    assert first.provenance.session == "s-1/session_2"
    assert first.meta == {"turn": "D2:1"}


@pytest.mark.parametrize("path", sorted(DATA.glob("*.json")), ids=lambda path: path.name)
def test_shipped_conversations_are_whole(path: Path) -> None:
    for conversation in load(path):
        ids = [turn.id for turn in conversation.turns]
        assert len(set(ids)) == len(ids) > 50
        times = [turn.time for turn in conversation.turns]
        assert times == sorted(times)
        assert len(conversation.questions) >= 20
        for question in conversation.questions:
            assert set(question.evidence) <= set(ids), question.text
            assert question.evidence


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "holds no conversation"),
        ("text", "expected an object, found str"),
        ({"sample_id": "x"}, "conversation: expected an object"),
        (sample(conversation={"speaker_a": "Ada"}), "has no 'session_1'"),
        (sample(conversation={"session_1": [], "session_1_date_time": "yesterday"}), "'yesterday' is not a time"),
        (sample(qa={"question": "?"}), "qa: expected a list, found dict"),
        (sample(qa=[{"answer": "x"}]), r"qa\[0\]: 'question' is missing"),
        (
            sample(conversation={"session_1": [{"text": "x"}], "session_1_date_time": "1:56 pm on 8 May, 2023"}),
            r"session_1\[0\]: 'speaker' is missing",
        ),
    ],
)
def test_another_format_is_refused_with_the_place_named(content: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse(content)


def test_a_file_that_is_not_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("no json")
    with pytest.raises(DataError, match=r"notes\.json' is not a JSON file"):
        load(tmp_path / "notes.json")


def test_a_byte_order_mark_is_fine(tmp_path: Path) -> None:
    (tmp_path / "bom.json").write_text("\ufeff" + json.dumps(sample()), encoding="utf-8")
    assert load(tmp_path / "bom.json")[0].id == "s-1"
