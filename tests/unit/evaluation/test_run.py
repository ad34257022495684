"""A run: sampling, asking every system, and what becomes of one that is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hippo_agent.errors import DataError, MissingExtra
from hippo_agent.evaluation.baselines import BASELINES
from hippo_agent.evaluation.data import Dialogue, Query, Question, Turn
from hippo_agent.evaluation.hippo import HippoSystem, to_event
from hippo_agent.evaluation.pool import CachedEmbedder, Pool, Ranker
from hippo_agent.evaluation.run import Outcome, Row, Run, sample, sample_questions
from hippo_agent.types import Slots
from tests.unit.evaluation.worlds import NOW, WordMemory, WrittenDown, open_word_memory


class Absent:
    name = "absent"

    @contextmanager
    def open(self, pool: Pool) -> Iterator[Ranker]:
        raise MissingExtra("not here; install it")
        yield


def run_of(*systems: Any, **options: Any) -> Run:
    return Run(systems=systems, open_memory=open_word_memory, embedder=CachedEmbedder(WrittenDown({})), **options)


def dialogue(name: str, questions: int) -> Dialogue:
    turn = Turn(id="t", text="x", session="s")
    asked = tuple(
        Question(id=f"{name}/{n}", query=Query(text="x"), answer="", category="other", turns=("t",), sessions=("s",))
        for n in range(questions)
    )
    return Dialogue(id=name, turns=(turn,), questions=asked)


def test_a_sample_keeps_the_order_and_depends_on_the_seed_only() -> None:
    drawn = sample(range(100), 10, seed=3)
    assert drawn == sorted(drawn) == sample(range(100), 10, seed=3)
    assert drawn != sample(range(100), 10, seed=4)
    assert sample([1, 2], 5, seed=0) == sample([1, 2], None, seed=0) == [1, 2]


def test_a_limit_counts_questions_of_all_dialogues_and_drops_dialogues_that_are_asked_nothing() -> None:
    dialogues = [dialogue("a", 50), dialogue("b", 0), dialogue("c", 50)]
    asked = sample_questions(dialogues, run_of(limit=7, seed=1))
    assert sum(len(questions) for _, questions in asked) == 7
    assert {found.id for found, _ in asked} <= {"a", "c"}
    assert all(question.id.startswith(found.id) for found, questions in asked for question in questions)


def test_data_without_questions_is_refused() -> None:
    with pytest.raises(DataError, match="no question whose evidence is in it"):
        sample_questions([dialogue("a", 0)], run_of())


def test_every_system_answers_and_an_absent_one_is_named_with_its_reason() -> None:
    told: list[tuple[int, int]] = []
    run = run_of(BASELINES[0], Absent(), HippoSystem(open_word_memory), tick=lambda *at: told.append(at))
    run.expect(2)
    turns = [Turn(id="a", text="red kite", session="1"), Turn(id="b", text="blue sea", session="2")]
    answers = run.ask(run.pool(turns), [Query(text="kite"), Query(text="sea")], k=1)
    assert {name: [ranking.turn_ids for ranking in found] for name, found in answers.items()} == {
        "bm25": [["a"], ["b"]],
        "hippo": [["a"], ["b"]],
    }
    assert run.skipped == {"absent": "not here; install it"}
    assert told[-1] == (6, 6)
    assert set(run.seconds) == {"bm25", "absent", "hippo"}


def test_an_outcome_is_the_mean_over_rows_for_each_system() -> None:
    rows = [
        Row({"id": "1"}, {"a": {"r": 1.0, "r_x": 0.0}, "b": {"r": 0.5}}, {"a": {"turns": ["t"]}}),
        Row({"id": "2"}, {"a": {"r": 0.0}}),
    ]
    outcome = Outcome.of(rows)
    assert (outcome.n, outcome.systems) == (2, {"a": {"r": 0.5, "r_x": 0.0}, "b": {"r": 0.5}})
    assert rows[0].as_dict() == {
        "id": "1",
        "systems": {"a": {"turns": ["t"], "r": 1.0, "r_x": 0.0}, "b": {"r": 0.5}},
    }


def test_a_turn_is_written_as_an_application_would_write_it() -> None:
    event = to_event(Turn(id="D1:1", text="Hi.", session="s1", speaker="Ada", time=NOW))
    assert (event.text, event.key, event.speaker, event.event_time) == ("Hi.", "D1:1", "Ada", NOW)
    assert (event.provenance.source, event.provenance.session, event.provenance.trust) == ("user", "s1", 0.8)
    assert to_event(Turn(id="x", text="Hi.", session="s1", speaker="assistant")).provenance.source == "model"


def test_a_cue_of_slots_reaches_the_memory_as_slots_alone_and_the_memory_is_closed() -> None:
    opened: list[WordMemory] = []
    cues = []

    class Listening(WordMemory):
        def recall(self, cue: Any) -> Any:
            cues.append(cue)
            return super().recall(cue)

    def opening(*_: Any, write_rate: float | None, **__: Any) -> WordMemory:
        opened.append(Listening(write_rate))
        return opened[-1]

    pool = run_of().pool([Turn(id="a", text="red kite", session="1")])
    with HippoSystem(opening).open(pool) as ranker:
        ranker.rank(Query(text="Ada 2024", slots=Slots(who=("Ada",), when=("2024",))), 3)
        ranker.rank(Query(text="kite", asked_at=NOW), 4)
    assert [(cue.text, cue.slots.who, cue.asked_at, cue.k) for cue in cues] == [
        ("", ("Ada",), None, 3),
        ("kite", (), NOW, 4),
    ]
    assert [memory.closed for memory in opened] == [True]
