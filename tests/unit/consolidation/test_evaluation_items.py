"""What the consolidation suite teaches: invented, or known to be false, and the same for the same seed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hippo_agent.errors import DataError
from hippo_agent.evaluation.data.known_facts import counterfactuals
from hippo_agent.evaluation.suites.consolidation import invented
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
