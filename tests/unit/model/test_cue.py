"""Half names are asked in full where only one name fits, and a question asked before is no evidence."""

from __future__ import annotations

import pytest

from hippo_agent.model.cue import echoes, whole_names

TEXTS = ("Zorvin Tal lives in Quillmar.", "The boss of Ilka Brun is Teo Marn.", "Quillmar lies on the Drave.")


def test_half_a_name_is_asked_in_full() -> None:
    assert whole_names("Where does Zorvin live?", TEXTS).text == "Where does Zorvin Tal live?"
    cue = whole_names("Who is Brun's boss, and where is Zorvin?", TEXTS)
    assert cue.text == "Who is Ilka Brun's boss, and where is Zorvin Tal?"
    assert cue.completed == (("Brun", "Ilka Brun"), ("Zorvin", "Zorvin Tal"))


@pytest.mark.parametrize(
    ("question", "texts"),
    [
        ("Where does Zorvin Tal live?", TEXTS),  # whole already
        ("Where does Zorvin live?", (*TEXTS, "Zorvin Brak is a judge.")),  # two fit
        ("Where does Zorvin live?", (*TEXTS, "Later Zorvin left.")),  # somebody goes by the short name
        ("Where does Zor live?", TEXTS),  # not a whole word
        ("Where does Zorvin live?", ()),
        ("What is Quillmar?", TEXTS),  # a name of one word
        ("who lives here?", TEXTS),
    ],
)
def test_a_name_that_is_whole_or_could_be_two_stays_as_asked(question: str, texts: tuple[str, ...]) -> None:
    cue = whole_names(question, texts)
    assert (cue.text, cue.completed) == (question, ())


def test_words_that_only_start_a_sentence_are_no_part_of_a_name() -> None:
    assert whole_names("Where is Orla?", ["When Orla Venn left, it rained."]).text == "Where is Orla Venn?"
    assert whole_names("Where is Orla?", ["When Orla left, it rained."]).completed == ()


def test_only_the_same_question_is_an_echo() -> None:
    texts = [
        "Somebody asked: Where does Ada live?",
        "where does ada live?",
        "Where does Ada live? In Lisbon.",
        "Why does Ada live where Bo lives?",
        "Ada lives in Lisbon.",
        "Where does Ada live, in 3 rooms?",
        "",
    ]
    assert echoes("Where does Ada live?", texts) == [True, True, False, False, False, False, False]
    assert echoes("", ["?"]) == [False]
