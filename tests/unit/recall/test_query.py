"""What recall makes of a cue."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from hippo_agent import Memory
from hippo_agent.recall.config import RecallConfig
from hippo_agent.recall.lexicon import Lexicon
from hippo_agent.recall.query import Query, is_question, understand
from hippo_agent.testing.fakes import turn
from hippo_agent.types import Cue, Slots


@pytest.mark.parametrize(
    "cue",
    [
        "Where does Ada live now?",
        "where does ada live now",
        "In August 2023, what did Ada buy?",
        "Tell me about Ada's flat",
        "Is the flat in Lisbon?",
    ],
)
def test_questions(cue: str) -> None:
    assert is_question(cue)


@pytest.mark.parametrize("cue", ["flat near harbour loud", "going you?", "what a", "Ada flat Lisbon", "", "?!"])
def test_fragments(cue: str) -> None:
    assert not is_question(cue)


def read(memory: Memory, cue: Cue, config: RecallConfig | None = None) -> Query:
    columns = memory._mirror.refresh()
    lexicon = Lexicon(memory._record)
    lexicon.refresh(columns)
    return understand(cue, columns, columns.visible(), lexicon, config or RecallConfig())


@pytest.fixture
def memory(remember) -> Memory:  # type: ignore[no-untyped-def]
    events = [
        turn("I moved to Lisbon.", "Ada", event_time=datetime(2023, 5, 8, tzinfo=timezone.utc)),
        turn("How lovely!", "Bo", event_time=datetime(2023, 5, 9, tzinfo=timezone.utc)),
        turn("The harbour is loud.", "Ada", event_time=datetime(2023, 8, 20, tzinfo=timezone.utc)),
        turn("A quiet street then?", "Bo", event_time=datetime(2022, 8, 20, tzinfo=timezone.utc)),
    ]
    opened: Memory = remember(events)
    return opened


def test_names_of_speakers_are_terms_but_not_embedded(memory: Memory) -> None:
    query = read(memory, Cue(text="Where does Ada's mother live?"))
    assert query.text == "Where does mother live?"
    ada = next(term for term in query.terms if term.word == "ada")
    assert [memory._mirror.refresh().speakers[code] for code in ada.speakers] == ["Ada"]
    assert list(query.named) == list(ada.speakers)


def test_a_cue_of_nothing_but_a_name_keeps_it(memory: Memory) -> None:
    assert read(memory, Cue(text="tell Ada")).text == "tell"
    assert read(memory, Cue(text="Ada")).text == "Ada"


def test_rare_words_weigh_more_and_function_words_hardly_anything(memory: Memory) -> None:
    weights = {term.word: term.weight for term in read(memory, Cue(text="Is the harbour in Lisbon loud?")).terms}
    assert weights["harbour"] == weights["lisbon"] > weights["the"] > 0.0
    fragment = {term.word: term.weight for term in read(memory, Cue(text="the harbour loud")).terms}
    assert fragment["the"] == pytest.approx(weights["the"] / RecallConfig().common)


def test_an_unknown_word_is_read_as_the_known_ones_a_slip_away(memory: Memory) -> None:
    terms = {term.word: term for term in read(memory, Cue(text="Where is the habrour?")).terms}
    assert terms["habrour"].fixed == ("harbour",)
    assert terms["the"].fixed == ()
    off = read(memory, Cue(text="Where is the habrour?"), RecallConfig(spelling=0.0))
    assert all(term.fixed == () for term in off.terms)


def test_a_month_is_near_to_its_own_year_only(memory: Memory) -> None:
    (date,) = read(memory, Cue(text="What did Ada say in August 2023?")).dates
    assert date.near.tolist() == [0.0, 0.0, 1.0, 0.0]
    assert date.text == "August 2023"


def test_a_day_is_nearest_to_itself_then_to_the_days_around_it(memory: Memory) -> None:
    (date,) = read(memory, Cue(text="Where did Ada move on 8 May 2023?")).dates
    assert date.near.tolist() == pytest.approx([1.0, 0.9, 0.0, 0.0])


def test_relative_times_need_to_know_when_they_were_asked(memory: Memory) -> None:
    asked = datetime(2023, 5, 9, tzinfo=timezone.utc)
    assert read(memory, Cue(text="Where did Ada move yesterday?")).dates == ()
    (date,) = read(memory, Cue(text="Where did Ada move yesterday?", asked_at=asked)).dates
    assert date.near[0] == 1.0


def test_words_of_slots_are_terms(memory: Memory) -> None:
    query = read(memory, Cue(slots=Slots(who=("Ada",), where=("Lisbon",), when=("2023-05",))))
    assert {term.word for term in query.terms} == {"ada", "lisbon"}
    assert query.text == ""


def test_a_time_given_as_a_slot_is_looked_for_like_one_in_the_words(memory: Memory) -> None:
    asked = read(memory, Cue(text="", slots=Slots(who=("Ada",), when=("2023-05-08",))))
    said = read(memory, Cue(text="on 8 May 2023"))
    assert [date.near.tolist() for date in asked.dates] == [date.near.tolist() for date in said.dates]
    assert asked.dates[0].weight == pytest.approx(said.dates[0].weight)
    both = Cue(text="on 8 May 2023", slots=Slots(when=("2023-05-08", "some day")))
    assert len(read(memory, both).dates) == 1
    hit = memory.recall(Cue(text="", slots=Slots(who=("Ada",), when=("2023-08-20",)))).hits[0]
    assert hit.trace.text == "The harbour is loud."


def test_a_cue_is_data_whatever_it_looks_like(memory: Memory) -> None:
    for cue in ('" OR 1 NEAR(', "text:harbour* AND NOT (", "lisbon); DROP TABLE trace;--", "-harbour ^ {speaker}:"):
        memory.recall(cue)
    assert memory.stats().traces == 4
