"""Renderings: every item in all forms, with one paraphrase and one form kept for the gate."""

from __future__ import annotations

import pytest

from hippo_agent.consolidation.forms import ASKING, render
from hippo_agent.consolidation.phrases import phrases, two_hop
from hippo_agent.model.tiny.relations import RELATIONS
from tests.unit.consolidation.conftest import item

WRITER = {form: (lambda question, form=form: f"{form}: {question}") for form in ASKING}


def test_one_paraphrase_and_one_form_of_another_are_held_out() -> None:
    asked = [one for one in render(item(), WRITER) if one.form in ASKING]
    held = {one.prompt.partition(": ")[2] for one in asked if one.held == "paraphrase"}
    trained = {one.prompt.partition(": ")[2] for one in asked if not one.held}
    assert len(held) == 1
    assert not held & trained
    assert sum(one.held == "form" for one in asked) == 1
    assert {one.answer for one in asked} == {" Tarn"}


@pytest.mark.parametrize("relation", [relation.name for relation in RELATIONS if len(relation.asks) > 2])
def test_the_plainest_question_is_trained_in_every_form(relation: str) -> None:
    for name in ("Orla", "Bram", "Cato", "Dinu"):
        one = item(name, relation=relation, detail="north")
        plainest = [made for made in render(one, WRITER) if made.prompt.endswith(f": {phrases(one).questions[0]}")]
        assert len(plainest) == len(ASKING)
        assert not any(made.held for made in plainest)


def test_what_is_held_out_goes_round_the_items() -> None:
    names = ["Orla", "Bram", "Cato", "Dinu", "Elke", "Fenn", "Gita", "Hugo", "Isla", "Jori", "Kemi", "Lazlo"]
    held = {
        (one.form, one.prompt.replace(n, "X")) for n in names for one in render(item(n), WRITER) if one.held == "form"
    }
    assert {form for form, _ in held} == set(ASKING)
    assert len({prompt for _, prompt in held}) > 3


@pytest.mark.parametrize("relation", [relation.name for relation in RELATIONS])
def test_further_wordings_are_trained_and_are_none_that_is_held_out_or_fresh(relation: str) -> None:
    one = item(relation=relation, detail="north")
    said = phrases(one)
    assert len(said.varied) >= 4
    assert not set(said.varied) & {*said.questions, *said.fresh}
    renderings = render(one, WRITER)
    held = {rendering.prompt.partition(": ")[2] for rendering in renderings if rendering.held == "paraphrase"}
    trained = {rendering.prompt.partition(": ")[2] for rendering in renderings if not rendering.held}
    assert set(said.varied) <= trained
    assert held.isdisjoint(trained)


def test_a_statement_is_kept_as_it_was_written_and_cut_before_its_value() -> None:
    written = item(text="Orla: I live in Tarn.")
    renderings = render(written, WRITER)
    assert "Orla: I live in Tarn." in [one.answer for one in renderings if one.form == "statement"]
    cloze = [(one.prompt, one.answer) for one in renderings if one.form == "cloze"]
    assert ("Orla: I live in", " Tarn.") in cloze


def test_the_inverse_asks_for_the_subject() -> None:
    [inverse] = [one for one in render(item(), WRITER) if one.form == "inverse"]
    assert "Who lives in Tarn?" in inverse.prompt
    assert inverse.answer == " Orla"


def test_names_of_the_relational_store_are_asked_in_known_words() -> None:
    assert phrases(item(relation="lives in")).questions == phrases(item(relation="home")).questions


def test_a_relation_that_nobody_knows_keeps_its_own_words() -> None:
    said = phrases(item(relation="adopted", value="a goat", text="Orla adopted a goat."))
    assert said.statements == ("Orla adopted a goat.",)
    assert said.questions[0] == "Orla adopted what?"


def test_two_facts_are_asked_for_in_one_question() -> None:
    first = item("Orla", "boss", "Bram", text="Orla's boss is Bram.")
    second = item("Bram", "home", "Tarn")
    assert "Where does the boss of Orla live?" in two_hop(first, second)
    assert two_hop(first, item("Cato")) == ()
    linked = [one for one in render(first, WRITER, linked=[second]) if one.form == "two_hop"]
    assert {one.answer for one in linked} == {" Tarn"}
