"""Loaders: what they read, how quirks are taken, and what they say of a file that is not theirs."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from hippo_agent.errors import DataError
from hippo_agent.evaluation.data import Turn, load_locomo, load_longmemeval, load_text
from hippo_agent.evaluation.data.text import split_text

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "data"


def saved(folder: Path, content: Any, name: str = "data.json") -> Path:
    path = folder / name
    text = json.dumps(content).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def locomo(**changes: Any) -> dict[str, Any]:
    return {
        "sample_id": "c1",
        "conversation": {
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Ada", "dia_id": "D1:1", "text": "I moved."},
                {"speaker": "Bo", "dia_id": "D1:2", "text": "Look!", "blip_caption": "a red kite"},
            ],
            "session_2_date_time": "12:05 am on 1 January, 2024",
            "session_2": [{"speaker": "Ada", "dia_id": "D2:1", "text": "Lisbon is warm."}],
            "session_3_date_time": "9:00 am on 2 January, 2024",
        },
        "qa": [
            {"question": "two ids in one string", "evidence": ["D1:2; D2:1"], "answer": "x", "category": 1},
            {"question": "no evidence", "evidence": [], "answer": "x", "category": 3},
            {"question": "no field", "answer": "x", "category": 3},
            {"question": "unknown ids", "evidence": ["D", "D9:9"], "answer": "x", "category": 4},
            {"question": "stray colon", "evidence": ["D:1:1", "D9:9"], "adversarial_answer": "x", "category": 5},
        ],
        **changes,
    }


def test_locomo_turns_carry_speaker_session_time_and_caption(tmp_path: Path) -> None:
    [dialogue] = load_locomo(saved(tmp_path, [locomo()]))
    assert dialogue.id == "c1"
    assert [(turn.id, turn.session) for turn in dialogue.turns] == [
        ("D1:1", "session_1"),
        ("D1:2", "session_1"),
        ("D2:1", "session_2"),
    ]
    assert dialogue.turns[1].line == "1:56 pm on 8 May, 2023 Bo: Look! [shares a red kite]"
    assert dialogue.turns[2].time == datetime(2024, 1, 1, 0, 5, tzinfo=timezone.utc)


def test_locomo_questions_without_resolvable_evidence_are_left_out(tmp_path: Path) -> None:
    [dialogue] = load_locomo(saved(tmp_path, locomo()))
    assert [(q.id, q.query.text, q.category, q.turns, q.sessions) for q in dialogue.questions] == [
        ("c1/1", "two ids in one string", "multi_hop", ("D1:2", "D2:1"), ("session_1", "session_2")),
        ("c1/5", "stray colon", "adversarial", ("D1:1",), ("session_1",)),
    ]
    assert dialogue.left_out == 3


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_our_own_conversations_resolve_all_their_evidence(path: Path) -> None:
    asked = json.loads(path.read_text(encoding="utf-8"))[0]["qa"]
    [dialogue] = load_locomo(path)
    assert len(dialogue.questions) == len(asked)
    assert {question.category for question in dialogue.questions} <= {
        "multi_hop",
        "temporal",
        "open_domain",
        "single_hop",
        "adversarial",
    }


def test_two_turns_with_one_id_are_refused(tmp_path: Path) -> None:
    content = locomo()
    content["conversation"]["session_2"][0]["dia_id"] = "D1:1"
    with pytest.raises(DataError, match="same 'dia_id'; make them unique"):
        load_locomo(saved(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for load in (load_locomo, load_longmemeval, load_text):
        with pytest.raises(DataError, match=r"'.*none\.json' is not a file"):
            load(tmp_path / "none.json")


def item(**changes: Any) -> dict[str, Any]:
    return {
        "question_id": "q1",
        "question_type": "single-session-user",
        "question": "What did I study?",
        "question_date": "2023/05/30 (Tue) 23:40",
        "answer": "Physics",
        "answer_session_ids": ["s2"],
        "haystack_session_ids": ["s1", "s2"],
        "haystack_dates": ["2023/05/20 (Sat) 02:21", "2023/05/21 (Sun) 10:00"],
        "haystack_sessions": [
            [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": " "}],
            [{"role": "user", "content": "I studied physics.", "has_answer": True}],
        ],
        **changes,
    }


@pytest.mark.parametrize("name", ["one.json", "one.json.gz"])
def test_longmemeval_reads_a_list_or_one_item_plain_or_gzipped(tmp_path: Path, name: str) -> None:
    for content in (item(), [item()]):
        [dialogue] = load_longmemeval(saved(tmp_path, content, name))
        assert [turn.id for turn in dialogue.turns] == ["s1#0", "s2#0"]  # empty turns are left out
        assert dialogue.turns[1] == Turn(
            id="s2#0",
            text="I studied physics.",
            session="s2",
            speaker="user",
            time=datetime(2023, 5, 21, 10, tzinfo=timezone.utc),
        )
        [question] = dialogue.questions
        assert (question.category, question.turns, question.sessions) == ("single_session_user", ("s2#0",), ("s2",))
        assert question.query.asked_at == datetime(2023, 5, 30, 23, 40, tzinfo=timezone.utc)


def test_longmemeval_items_without_an_answer_in_the_haystack_ask_nothing(tmp_path: Path) -> None:
    abstains, elsewhere = item(question_id="q1_abs"), item(answer_session_ids=["s7"])
    read = load_longmemeval(saved(tmp_path, [abstains, elsewhere]))
    assert [(dialogue.questions, dialogue.left_out) for dialogue in read] == [((), 1), ((), 1)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "holds no items"),
        ([7], "item 1 of 'data.json' is 7, not an object"),
        ({"question": "?"}, "has no 'haystack_sessions'; expected LongMemEval's S, M or oracle file"),
        (item(haystack_dates=["2023/05/20 (Sat) 02:21"]), "2 sessions, 2 ids and 1 dates"),
        (item(haystack_dates=["yesterday", "x"]), "'yesterday' of item 1 of 'data.json' is not a time"),
        (item(question=5), "'question' of item 1 of 'data.json' is 5"),
        (item(haystack_sessions=[["text"], []]), "session 's1' of item 1 of 'data.json' is 'text', not an object"),
    ],
)
def test_a_file_that_is_not_longmemeval_is_refused_with_the_place(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DataError) as refused:
        load_longmemeval(saved(tmp_path, content))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("a.json", b"{oops", "is not JSON (line 1"),
        ("a.json.gz", b"not gzip", "cannot be read"),
        ("a.json", b"\xff\xfe\x00", "is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, raw: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(DataError) as refused:
        load_longmemeval(path)
    assert message in str(refused.value)


def test_text_becomes_one_episode_a_paragraph_and_long_ones_are_cut_at_sentences() -> None:
    text = 'One two\nthree.\r\n\r\n\n"Four five." Six seven! Eight e.g. nine?\n \nOne two three.'
    assert split_text(text, max_words=4) == [
        "One two three.",
        '"Four five." Six seven!',
        "Eight e.g. nine?",
        "One two three.",
    ]
    assert split_text(text, max_words=100)[1] == '"Four five." Six seven! Eight e.g. nine?'


def test_a_repeated_paragraph_is_one_episode(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("One.\n\nTwo.\n\nOne.\n", encoding="utf-8")
    assert [(turn.id, turn.text, turn.session) for turn in load_text(path)] == [
        ("book:1", "One.", "book"),
        ("book:2", "Two.", "book"),
    ]


def test_an_empty_text_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.write_text(" \n\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no text"):
        load_text(path)
