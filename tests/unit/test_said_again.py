"""What is said again after something else was said of it is news; a mere repeat merges."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from hippo_agent import Memory
from hippo_agent.embedding.sentence_transformer import SentenceTransformerEmbedder

START = datetime(2026, 1, 5, 9, tzinfo=timezone.utc)
HOUR, MONTH = timedelta(hours=1), timedelta(days=30)
LISBON, PORTO = "Ada lives in Lisbon.", "Ada lives in Porto."


def say(memory: Memory, *texts: str, apart: timedelta) -> list[str]:
    """The decision about each text."""
    return [
        memory.write(text, source="user", principal="mira", session="s", event_time=START + at * apart).decision
        for at, text in enumerate(texts)
    ]


@pytest.fixture(scope="module")
def embedder() -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder()


@pytest.fixture
def memory(tmp_path: Path, embedder: SentenceTransformerEmbedder) -> Iterator[Memory]:
    with Memory(tmp_path / "bank", embedder=embedder, clock=lambda: START + timedelta(days=400)) as opened:
        yield opened


@pytest.mark.parametrize("apart", [HOUR, MONTH])
def test_a_value_that_came_back_is_the_current_one(memory: Memory, apart: timedelta) -> None:
    assert say(memory, LISBON, PORTO, LISBON, apart=apart) == ["write", "write", "write"]
    assert memory.facts.current("Ada", "lives in").value == "Lisbon"


def test_a_value_that_came_back_is_current_when_facts_were_read_in_between(memory: Memory, tmp_path: Path) -> None:
    say(memory, LISBON, PORTO, apart=MONTH)
    assert memory.facts.current("Ada", "lives in").value == "Porto"
    memory.write(LISBON, source="user", principal="mira", session="s", event_time=START + 2 * MONTH)
    assert memory.facts.current("Ada", "lives in").value == "Lisbon"


def test_what_was_taken_back_and_said_again_holds(memory: Memory) -> None:
    assert say(memory, LISBON, "Ada no longer lives in Lisbon.", LISBON, apart=HOUR) == ["write", "write", "write"]
    assert memory.facts.current("Ada", "lives in").value == "Lisbon"


def test_in_one_batch_too(memory: Memory) -> None:
    from hippo_agent import Event, Provenance

    events = [
        Event(text=text, provenance=Provenance(source="user", principal="mira"), event_time=START + at * HOUR)
        for at, text in enumerate((LISBON, PORTO, LISBON, LISBON))
    ]
    assert [receipt.decision for receipt in memory.write_many(events)] == ["write", "write", "write", "merge"]


def test_a_repeat_on_the_same_day_merges_and_one_of_another_day_does_not(memory: Memory) -> None:
    assert say(memory, LISBON, "The boiler was serviced by Ilka.", LISBON, apart=HOUR) == ["write", "write", "merge"]
    later = memory.write(LISBON, source="user", principal="mira", session="s", event_time=START + MONTH)
    assert later.decision == "write"


def test_another_purchase_is_no_rival(memory: Memory) -> None:
    said = say(
        memory, "Ada bought a lamp in Porto.", "Ada bought a chair in Porto.", "Ada bought a lamp in Porto.", apart=HOUR
    )
    assert said == ["write", "write", "merge"]
