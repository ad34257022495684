"""Invented worlds: well-formed, decided by the generator, and of names that no other split has."""

from __future__ import annotations

import random
import re

import pytest

from hippo_agent.model.tiny.documents import ANSWER, document
from hippo_agent.model.tiny.exam import CONDITIONS, paper
from hippo_agent.model.tiny.names import CLOSED, Split, invent, look_alike, split_of
from hippo_agent.model.tiny.relations import RELATIONS
from hippo_agent.model.tiny.tokens import END
from hippo_agent.model.tiny.wordings import more_asks, more_states, reversed_states
from hippo_agent.model.tiny.worlds import PLAIN, UNKNOWN, Wording, absent, ask, draw

NAMED = ("person", "place", "company")
COMMON = {"Works", "Labs", "Group", "Foods", "Motors", "Press", "Bank", "Air", "Studio", "Mills"} | {
    "Bay", "Hill", "Port", "Falls", "Ford", "Square", "Bridge", "Park",
}  # fmt: skip


def words_of(split: Split, count: int = 300) -> set[str]:
    rng = random.Random(1)
    names = [invent(rng, kind, split) for kind in NAMED for _ in range(count)]
    names += [look_alike(rng, "person", name, split) for name in names[:count]]
    return {word for name in names for word in name.split(" ")} - COMMON


def test_words_of_names_belong_to_one_split_only() -> None:
    train, validation, test = (words_of(split) for split in ("train", "validation", "test"))
    assert all(len(words) > 200 for words in (train, validation, test))
    assert not train & test and not train & validation and not validation & test
    assert all(split_of(word) == "test" for word in test)


def test_every_look_alike_is_another_name() -> None:
    rng = random.Random(2)
    for kind in (*NAMED, "thing"):
        for _ in range(200):
            name = invent(rng, kind, "train")
            other = look_alike(rng, kind, name, "train")
            assert other != name


def test_an_unknown_kind_of_name_is_refused() -> None:
    with pytest.raises(ValueError, match="'planet'"):
        invent(random.Random(0), "planet", "train")


def test_question_templates_held_out_are_no_training_templates() -> None:
    for relation in RELATIONS:
        assert relation.asks and relation.fresh and not set(relation.asks) & set(relation.fresh), relation.name
    asked = {template for relation in RELATIONS for template in relation.asks}
    held = [template for relation in RELATIONS for template in relation.fresh]
    assert not asked & set(held)
    patterns = [re.compile(re.escape(one).replace(r"\{x\}", ".+").replace(r"\{d\}", ".+")) for one in held]
    rng = random.Random(3)
    text = "".join(piece.text for _ in range(400) for piece in document(rng, 0.9))
    assert not [one.pattern for one in patterns if one.search(text)]


def test_further_wordings_name_what_they_must_and_none_is_held_out() -> None:
    held = {template for relation in RELATIONS for template in relation.fresh}
    for relation in RELATIONS:
        states, asks = more_states(relation), more_asks(relation)
        assert len(states) >= 3 and len(asks) >= 3, relation.name
        assert not {*states} & {*relation.states} and not {*asks} & {*relation.asks} and not {*asks} & held
        assert all("{x}" in one and "{y}" in one and ("{d}" in one) == bool(relation.detail) for one in states)
        assert all("{x}" in one and "{y}" not in one and ("{d}" in one) == bool(relation.detail) for one in asks)
        assert all(one.index("{y}") < one.index("{x}") for one in reversed_states(relation))


def test_plain_sheets_know_no_further_wordings_and_varied_ones_do() -> None:
    def shares(wording: Wording) -> tuple[float, float]:
        known = further = backwards = 0
        for seed in range(60):
            for fact in draw(random.Random(seed), 8, split="train", updates=0.0, wording=wording).facts:
                fill = {"x": fact.subject, "y": fact.value, "d": fact.detail}
                known += fact.text in {one.format(**fill) for one in fact.relation.states}
                further += fact.text in {one.format(**fill) for one in more_states(fact.relation)}
                backwards += fact.text in {one.format(**fill) for one in reversed_states(fact.relation)}
        return further / (known + further), backwards / (known + further)

    assert shares(PLAIN)[0] == 0.0
    assert shares(Wording(varied=1.0))[0] == 1.0
    assert shares(PLAIN)[1] < 0.3 < 0.8 < shares(Wording(reversed=1.0))[1]
    sheet = draw(random.Random(1), 4, split="train")
    asked = {ask(random.Random(n), fact, wording=Wording(loose=1.0)).text for n in range(9) for fact in sheet.current}
    plain = {ask(random.Random(n), fact).text for n in range(99) for fact in sheet.current}
    assert asked and not asked & plain


def test_in_a_drill_only_the_subject_tells_most_facts_apart() -> None:
    rng = random.Random(6)
    shared = []
    for _ in range(60):
        among = rng.sample(RELATIONS, 2)
        facts = draw(rng, 6, split="train", crowding=0.0, updates=0.0, among=among).facts
        assert {fact.relation.name for fact in facts} <= {relation.name for relation in among}
        assert len({fact.key for fact in facts}) == len(facts)
        shared.append(len({fact.subject for fact in facts}) > 2)
    assert sum(shared) == 60


@pytest.mark.parametrize("count", [1, 4, 16, 24])
@pytest.mark.parametrize("crowding", [0.0, 0.5, 0.9])
def test_each_key_has_one_current_value_and_its_text_says_it(count: int, crowding: float) -> None:
    for seed in range(40):
        sheet = draw(random.Random(seed), count, split="train", crowding=crowding, updates=0.3)
        assert count <= len(sheet.facts) <= 2 * count
        current = {fact.key: fact for fact in sheet.current}
        assert len(current) == len(sheet.current)
        for at, fact in enumerate(sheet.facts):
            assert fact.value in fact.text and fact.subject in fact.text and fact.detail in fact.text
            if fact.outdated:
                later = [one for one in sheet.facts[at + 1 :] if one.key == fact.key and not one.outdated]
                assert [one.value != fact.value for one in later] == [True]


def test_crowding_makes_facts_share_subjects_and_relations() -> None:
    def shared(crowding: float) -> float:
        sheets = [draw(random.Random(seed), 16, split="train", crowding=crowding, updates=0.0) for seed in range(30)]
        return sum(len({fact.relation.name for fact in sheet.facts}) for sheet in sheets) / 30

    assert shared(0.9) < 4 < 9 < shared(0.0)


@pytest.mark.parametrize("why", ["relation", "look-alike", "stranger"])
def test_an_absent_question_is_of_nothing_that_was_stated(why: str) -> None:
    for seed in range(60):
        rng = random.Random(seed)
        sheet = draw(rng, 5, split="test")
        query = absent(rng, sheet, why)  # type: ignore[arg-type]
        assert query.answer == UNKNOWN and query.fact is None
        told = {ask(random.Random(n), fact).text for fact in sheet.facts for n in range(12)}
        assert query.text not in told


def test_the_same_seed_writes_the_same_document() -> None:
    assert [document(random.Random("a"), 0.5) for _ in range(3)] == [document(random.Random("a"), 0.5)] * 3
    assert document(random.Random("a"), 0.5) != document(random.Random("b"), 0.5)


def test_a_fifth_to_a_quarter_of_the_questions_cannot_be_answered() -> None:
    rng = random.Random(4)
    answers = [
        piece.text
        for _ in range(1500)
        for piece in document(rng, 0.9)
        if piece.weight == ANSWER and piece.text.endswith(END)
    ]
    share = answers.count(f" {UNKNOWN}{END}") / len(answers)
    assert 0.2 < share < 0.27


def test_every_answer_of_a_document_stands_in_its_context() -> None:
    rng = random.Random(5)
    for _ in range(300):
        before = ""
        for piece in document(rng, 0.9):
            answer = piece.text.strip().removesuffix(END)
            if piece.weight == ANSWER and answer != UNKNOWN:
                assert answer in before
            before += piece.text


def test_the_examination_uses_test_names_and_gives_each_seed_its_own_paper() -> None:
    for condition in CONDITIONS:
        items = paper(condition, 20, seed=0, split="test")
        assert items == paper(condition, 20, seed=0, split="test") != paper(condition, 20, seed=1, split="test")
        for prompt, answer in items:
            assert prompt.endswith("Assistant:") and (answer == UNKNOWN or answer in prompt)
    people = {fact.subject for seed in range(50) for fact in draw(random.Random(seed), 8, split="test").facts
              if fact.relation.subject == "person"}  # fmt: skip
    assert people and all(split_of(word) == "test" for name in people for word in name.split(" "))
    assert all(word == word.strip() for words in CLOSED.values() for word in words)
