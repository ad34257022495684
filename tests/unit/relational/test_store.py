"""Facts in the record's database: learnt, replaced, taken back, forgotten, merged, derived."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from hippo_agent.errors import InvalidInput
from hippo_agent.relational.answer import answer
from hippo_agent.relational.entities import Evidence, key, same_thing, shape
from hippo_agent.relational.extraction.patterns import PatternExtractor
from hippo_agent.relational.facts import Triple
from hippo_agent.relational.graph import KnowledgeGraph
from hippo_agent.relational.store import FactStore
from hippo_agent.storage.record import SqliteRecord

from tests.unit.relational.conftest import START, Desk  # isort: skip


def day(number: int) -> datetime:
    return START.replace(day=1 + number)


def test_the_newer_value_holds_and_the_older_is_invalid_but_kept(desk: Desk) -> None:
    desk.say("Ines lives in Rome.", "Ines moved to Porto.")
    found = desk.facts.current("Ines", "lives in")
    assert (found.value, found.runner_up, found.traces) == ("Porto", "Rome", ("t1",))
    rome, porto = desk.facts.history("ines")
    assert (rome.object, rome.valid_at, rome.invalid_at) == ("Rome", day(1), day(2))
    assert (porto.object, porto.valid_at, porto.invalid_at) == ("Porto", day(2), None)
    assert desk.facts.current("Ines", "resides in", at=day(1)).value == "Rome"
    assert [fact.object for fact in desk.facts.about("Ines")] == ["Porto"]


def test_forgetting_the_newer_trace_brings_the_older_value_back(desk: Desk) -> None:
    desk.say("Ines lives in Rome.", "Ines moved to Porto.")
    desk.forget("t1")
    assert desk.facts.current("Ines", "lives in").value == "Rome"
    assert [fact.invalid_at for fact in desk.facts.history("Ines")] == [None]
    desk.forget("t0")
    assert desk.facts.entity("Ines") is None
    assert desk.facts.facts() == []


def test_a_retraction_leaves_no_value(desk: Desk) -> None:
    desk.say("Ines lives in Rome.", "Ines no longer lives in Rome.")
    found = desk.facts.current("Ines", "lives in")
    assert (found.value, found.runner_up) == (None, "Rome")
    assert desk.facts.about("Ines") == []


def test_a_question_is_walked_to_todays_end(desk: Desk) -> None:
    desk.say("Teo's boss is Ines.", "Ines lives in Rome.", "The author of Zorblax is Teo.", "Ines moved to Porto.")
    assert answer(desk.facts, "Where does the boss of Teo live?").value == "Porto"
    assert answer(desk.facts, "Where does the author of Zorblax's boss live?").value == "Porto"
    assert answer(desk.facts, "Where did the boss of Teo live on 2024-01-04?").value == "Rome"
    assert answer(desk.facts, "Where does the boss of Nobody live?").value is None
    found = answer(desk.facts, "Who is Teo's boss?")
    assert (found.value, found.traces) == ("Ines", ("t0",))


def test_one_untrusted_source_never_promotes_alone_but_two_do(desk: Desk) -> None:
    desk.say("The capital of Vell is Orano.", "The capital of Vell is Orano.", by="web", trust=0.2)
    assert desk.facts.current("Vell", "capital").value is None
    waiting = desk.facts.facts(waiting=True)
    assert [fact.status for fact in waiting] == ["deferred"]
    assert "not trusted" in desk.facts.explain(waiting[0].id)[0]
    desk.say("The capital of Vell is Orano.", by="another", trust=0.2)
    assert desk.facts.current("Vell", "capital").value == "Orano"


def test_a_derived_fact_falls_with_its_parent(desk: Desk) -> None:
    desk.say("Teo works for Halden.", "Halden is headquartered in Vell.")
    parents = [fact.id for fact in desk.facts.facts()]
    derived = desk.facts.derive("Teo", "commutes to", "Vell", parents=parents)
    further = desk.facts.derive("Teo", "knows", "Vell", parents=[derived.id])
    assert further.parents == (derived.id,)
    desk.forget("t1")
    assert [fact.predicate for fact in desk.facts.history("Teo")] == ["works for"]
    with pytest.raises(InvalidInput, match="no fact has the id"):
        desk.facts.derive("Teo", "knows", "Vell", parents=[derived.id])


def test_a_merge_is_seen_at_once_and_can_be_undone(desk: Desk) -> None:
    desk.say("Jona Ried lives in Rome.", "J. Ried moved to Porto.")
    assert desk.facts.current("Jona Ried", "lives in").value == "Rome"
    evidence = same_thing("Jona Ried", "J. Ried")
    assert evidence == Evidence("initials of the same name", 0.85)
    desk.facts.merge("J. Ried", "Jona Ried", evidence)
    assert desk.facts.current("Jona Ried", "lives in").value == "Porto"
    entity = desk.facts.entity("J. Ried")
    assert entity is not None
    assert (entity.name, entity.aliases) == ("Jona Ried", ("J. Ried",))
    desk.facts.unmerge("J. Ried")
    assert desk.facts.current("Jona Ried", "lives in").value == "Rome"
    with pytest.raises(InvalidInput, match="was not merged"):
        desk.facts.unmerge("J. Ried")


def test_a_namespace_sees_itself_and_what_is_below_and_no_sibling(desk: Desk) -> None:
    desk.say("Ines lives in Rome.", namespace=("a",))
    desk.say("Ines moved to Porto.", namespace=("b", "c"))
    assert desk.facts.current("Ines", "lives in", namespace=("a",)).value == "Rome"
    assert desk.facts.current("Ines", "lives in", namespace=("b",)).value == "Porto"
    assert desk.facts.current("Ines", "lives in", namespace=("x",)).value is None
    assert desk.facts.current("Ines", "lives in").value == "Porto"
    assert [fact.namespace for fact in desk.facts.history("Ines")] == [("a",), ("b", "c")]


def test_a_reopened_folder_goes_on_where_it_was(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.say("Ines lives in Rome.")
    desk.record.close()
    record = SqliteRecord(tmp_path)
    store = FactStore(record.database, PatternExtractor(), clock=lambda: datetime(2025, 1, 1, tzinfo=timezone.utc))
    assert store.catch_up(record) == 0
    assert store.current("Ines", "lives in").value == "Rome"
    record.close()


def test_text_is_never_a_query(desk: Desk) -> None:
    name = "Robert'); DROP TABLE fact;--"
    trace = desk.say("x")[0]
    desk.facts.add(trace, [Triple(subject=name, predicate="lives in", object="Rome")])
    assert [fact.subject for fact in desk.facts.facts(waiting=True)] == [name]
    assert desk.facts.current(name, "lives in'; DROP TABLE fact;--").value is None


def test_a_fact_is_explained_by_its_decisions_and_sources(desk: Desk) -> None:
    desk.say("Ines lives in Rome.")
    desk.say("Ines lives in Rome.")
    lines = desk.facts.explain(desk.facts.facts()[0].id)
    assert lines[0].startswith("2024-01-02 00:00 route: fits its schema by 1.00")
    assert lines[1].startswith("2024-01-03 00:00 aggregate: 2 statement(s)")
    assert lines[2:] == ["said by u (trust 0.80) in t0", "said by u (trust 0.80) in t1"]


def test_the_graph_holds_what_holds(desk: Desk) -> None:
    desk.say("Ines lives in Rome.", "Ines moved to Porto.", "Teo's boss is Ines.")
    graph = KnowledgeGraph(desk.facts.edges())
    assert sorted((edge.subject, edge.object) for edge in graph.edges()) == [("Ines", "Porto"), ("Teo", "Ines")]
    assert [fact.object for fact in desk.facts.neighbourhood("Teo", hops=2)] == ["Ines", "Porto"]


@pytest.mark.parametrize(
    ("first", "second", "similarity", "rule"),
    [
        ("The Halden Ltd", "halden", 0.0, "the same name once folded"),
        ("United Nations", "UN", 0.0, "an acronym"),
        ("Zürich", "Zurich", 0.0, "the same name once folded"),
        ("Ada Rook Tamm", "Ada Tamm", 0.9, "a part of the name, and the embedding agrees"),
        ("Halden Works", "Halden Wroks", 0.9, "one letter apart, and the embedding agrees"),
        ("Halden Works", "Halden Wroks", 0.1, None),
        ("1987", "1988", 0.99, None),
        ("Rome", "Porto", 0.99, None),
    ],
)
def test_names_are_one_thing_only_by_evidence(first: str, second: str, similarity: float, rule: str | None) -> None:
    found = same_thing(first, second, similarity)
    assert (found.rule if found else None) == rule
    assert same_thing(second, first, similarity) == found


def test_names_have_a_shape_and_a_key() -> None:
    assert [shape(x) for x in ("Ada Rook", "3 May 1980", "1,200", "a long walk", "x " * 9)] == [
        "name", "date", "number", "phrase", "clause",
    ]  # fmt: skip
    assert key("Dr. Ada  ROOK") == "ada rook"
