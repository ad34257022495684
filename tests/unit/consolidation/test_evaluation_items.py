"""What the consolidation suite teaches: invented, or known to be false, and the same for the same seed."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from hippo_agent.consolidation.guard import told_of, unsaid
from hippo_agent.consolidation.phrases import phrases
from hippo_agent.errors import DataError
from hippo_agent.evaluation.data.known_facts import counterfactuals
from hippo_agent.evaluation.suites.consolidation import _forced, invented
from hippo_agent.model.tiny.names import split_of

KNOWN = [
    {"subject": "Vinson Massif", "template": "{} is located in", "attribute": "Antarctica", "relation_id": "P30"},
    {"subject": "Catalonia", "template": "{} is located in", "attribute": "Europe", "relation_id": "P30"},
    {"subject": "Audible", "template": "{} is owned by", "attribute": "Amazon", "relation_id": "P127"},
]


def test_invented_items_bear_names_that_no_training_has_seen_and_no_two_clash() -> None:
    items = invented(60, seed=3)
    assert items == invented(60, seed=3)
    assert len({(item.relation, item.subject, item.detail) for item in items}) == 60
    people = [item for item in items if item.relation in ("home", "boss", "spouse", "birthplace")]
    assert people
    assert all(split_of(word) == "test" for item in people for word in item.subject.split())


def test_several_facts_may_be_about_one_name() -> None:
    items = invented(48, seed=3, each=4)
    assert len({(item.relation, item.subject, item.detail) for item in items}) == 48
    about = Counter(item.subject for item in items)
    assert max(about.values()) == 4
    assert len(about) < 20
    assert all(item.subject in item.text and item.value in item.text for item in items)


def test_a_spoiled_night_holds_other_values_or_strangers() -> None:
    items = invented(50, seed=3)
    twins = _forced(items, "contradictions", 3)
    known = {(item.subject, item.relation): item.value for item in items}
    assert len(twins) >= 8
    assert all(known[twin.subject, twin.relation] != twin.value and twin.value in twin.text for twin in twins)
    lies = _forced(items, "poison", 3)
    assert len(lies) == 10
    assert not any((lie.subject, lie.relation) in known for lie in lies)
    assert _forced(items, "", 3) == []


def test_what_was_never_said_is_asked_of_those_who_are_taught() -> None:
    items = invented(30, seed=3, each=3)
    taught = told_of(items)
    rng = random.Random(0)
    for item in items:
        asked = {unsaid(rng, item, taught) for _ in range(20)}
        asked.discard("")
        said = {question for one in items if one.subject == item.subject for question in phrases(one).questions}
        assert all(item.subject in question for question in asked)
        assert not asked & said
    stranger = replace(items[0], relation="adopted")
    assert unsaid(rng, stranger, taught) == ""


def test_counterfactuals_give_a_subject_the_value_of_another(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(KNOWN))
    taught = {item.subject: item.value for item in counterfactuals(path, 2, seed=0)}
    assert taught == {"Vinson Massif": "Europe", "Catalonia": "Antarctica"}  # nobody else is owned


def test_too_few_facts_and_another_format_are_named(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(KNOWN))
    with pytest.raises(DataError, match="--facts"):
        counterfactuals(path, 3, seed=0)
    path.write_text(json.dumps([{"question": "?"}]))
    with pytest.raises(DataError, match="not a list of known facts"):
        counterfactuals(path, 1, seed=0)
