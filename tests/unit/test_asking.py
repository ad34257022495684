"""`Memory.ask`: what is answered, what is cited, and when it does not know. The model here says what it is told to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hippo_agent.asking import UNKNOWN, evidence, is_unknown
from hippo_agent.config import Config
from hippo_agent.embedding.hashing import HashingEmbedder
from hippo_agent.errors import ConfigError
from hippo_agent.memory import Memory
from hippo_agent.model.local import LocalModel
from hippo_agent.model.packing import Packed, PackedTrace
from hippo_agent.recall.evidence import EvidenceConfig
from tests.unit.model.conftest import save_model


class Scripted(LocalModel):
    """A real folder and tokenizer; answers by a function of the text that it was given."""

    def __init__(self, folder: Path, answer: Callable[[str], str]) -> None:
        super().__init__(folder, device="cpu")
        self._answer = answer

    def generate(self, prompt: Any, **_: Any) -> str:
        return self._answer(self.written(prompt))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def memory(tmp_path: Path) -> Any:
    with Memory(tmp_path / "memory", embedder=HashingEmbedder(quiet=True)) as memory:
        memory.write("The florist on the corner has Ada's spare key.", source="user", key="key")
        memory.write("The boiler was serviced by Ilka.", source="user", key="boiler")
        yield memory


def test_an_answer_cites_the_trace_that_says_it(memory: Memory, folder: Path) -> None:
    model = Scripted(folder, lambda text: "the florist" if "florist on the corner" in text else "unknown")
    answer = memory.ask("who has Ada's spare key?", model=model, reader="prompt")
    assert (answer.text, answer.abstained, answer.reader) == ("the florist", False, "prompt")
    assert [memory.get(one).key for one in answer.cited] == ["key"]
    assert answer.prompt_tokens > 50
    assert answer.model == model.id
    assert answer.recall.hits


@pytest.mark.parametrize("said", ["unknown", "Unknown.", "I don't know.", "", "not mentioned in the memories"])
def test_a_model_that_does_not_know_is_said_not_to(memory: Memory, folder: Path, said: str) -> None:
    answer = memory.ask("who has the yacht?", model=Scripted(folder, lambda _: said), reader="prompt")
    assert (answer.text, answer.abstained, answer.cited) == (UNKNOWN, True, ())


def test_nothing_recalled_is_not_known_and_the_model_is_not_asked(tmp_path: Path, folder: Path) -> None:
    def fail(_: str) -> str:
        raise AssertionError("asked")

    with Memory(tmp_path / "empty", embedder=HashingEmbedder(quiet=True)) as memory:
        answer = memory.ask("who has the key?", model=Scripted(folder, fail), reader="prompt")
    assert (answer.abstained, answer.prompt_tokens, answer.cited) == (True, 0, ())


def test_filters_hold_and_an_unknown_reader_is_refused(memory: Memory, folder: Path) -> None:
    model = Scripted(folder, lambda text: "Ilka" if "Ilka" in text else "unknown")
    assert memory.ask("who serviced the boiler?", model=model, reader="prompt").text == "Ilka"
    assert memory.ask("who serviced the boiler?", model=model, reader="prompt", min_trust=0.95).abstained
    with pytest.raises(ConfigError, match="no reader 'tea'"):
        memory.ask("who?", model=model, reader="tea")


def test_a_name_of_a_model_is_loaded_once(memory: Memory, folder: Path) -> None:
    first = memory.ask("who has the key?", model=str(folder))
    second = memory.ask("who has the key?", model=str(folder))
    assert first.text == second.text
    assert first.reader == "prefix"
    assert len(memory._asker._models) == 1


def test_what_the_model_made_of_a_trace_is_kept_until_the_trace_is_forgotten(memory: Memory, folder: Path) -> None:
    memory.ask("who has the key?", model=str(folder))
    states = memory.folder / "states"
    before = len(list(states.iterdir()))
    assert before == 2
    [hit, *_] = memory.recall("spare key").hits
    memory.forget(trace_id=hit.trace.id)
    assert len(list(states.iterdir())) == 1
    memory.scrub()
    assert list(states.iterdir()) == []


def test_a_read_only_memory_answers_and_writes_nothing(memory: Memory, folder: Path) -> None:
    with Memory(memory.folder, embedder=HashingEmbedder(quiet=True), read_only=True) as reading:
        reading.ask("who has the key?", model=str(folder))
    assert not (memory.folder / "states").exists()


def test_unknown_is_told_from_names_that_look_like_it() -> None:
    assert is_unknown('"unknown"')
    assert is_unknown("I do not know who has it")
    assert not is_unknown("Unknownia")
    assert not is_unknown("the florist")


def test_citing_needs_half_of_the_words() -> None:
    packed = Packed(
        traces=(
            PackedTrace(id="a", text="The florist has the key.", score=0.9),
            PackedTrace(id="b", text="Ilka has a red lantern.", score=0.8),
        )
    )
    assert [one.id for one in evidence("the florist", packed)] == ["a"]
    assert [one.id for one in evidence("red lantern and rope", packed)] == ["b"]
    assert evidence("lantern of some other kind", packed) == ()
    assert evidence("", packed) == ()


# Facts and steps


@pytest.fixture
def moved(tmp_path: Path) -> Any:
    """Somebody moved; the word that she lives where she lives now is nowhere in the traces."""
    with Memory(tmp_path / "moved", embedder=HashingEmbedder(quiet=True)) as memory:
        memory.write("Ada lives in Paris.", source="user", key="old")
        memory.write("Ada moved to Lisbon.", source="user", key="new")
        yield memory


def test_a_fact_that_holds_is_read_as_a_sentence_and_cites_its_trace(moved: Memory, folder: Path) -> None:
    seen: list[str] = []

    def answer(text: str) -> str:
        seen.append(text)
        return "Lisbon" if "Ada lives in Lisbon." in text else "unknown"

    found = moved.ask("Where does Ada live?", model=Scripted(folder, answer), reader="prompt")
    assert found.text == "Lisbon"
    assert {one.source for one in found.evidence} == {"episodic", "relational"}
    assert [moved.get(one).key for one in found.cited] == ["new"]
    assert seen[0].count("Ada lives in Paris.") == 1  # the trace itself; what holds no more is no fact


def test_facts_are_read_only_if_wanted(moved: Memory, folder: Path) -> None:
    config = Config(evidence=EvidenceConfig(facts=False))
    model = Scripted(folder, lambda text: "Lisbon" if "Ada lives in Lisbon." in text else "unknown")
    with Memory(moved.folder, embedder=HashingEmbedder(quiet=True), config=config) as memory:
        assert memory.ask("Where does Ada live?", model=model, reader="prompt").abstained


def test_what_nobody_vouches_for_becomes_no_fact(moved: Memory, folder: Path) -> None:
    moved.write("Ada moved to Tarbol.", source="web", key="rumour")
    seen: list[str] = []

    def answer(text: str) -> str:
        seen.append(text)
        return "Tarbol" if "Ada lives in Tarbol." in text else "unknown"

    assert moved.ask("Where does Ada live?", model=Scripted(folder, answer), reader="prompt").abstained
    assert "Ada lives in Lisbon." in seen[0]


def test_a_forgotten_trace_takes_its_fact_along(moved: Memory, folder: Path) -> None:
    model = Scripted(folder, lambda text: "Lisbon" if "Lisbon" in text else "unknown")
    first = moved.ask("Where does Ada live?", model=model, reader="prompt")
    moved.forget(trace_id=first.cited)
    assert moved.ask("Where does Ada live?", model=model, reader="prompt").abstained


def test_the_way_is_read_from_the_map_and_rests_on_no_trace(tmp_path: Path, folder: Path) -> None:
    model = Scripted(folder, lambda text: "north, up" if "is: north, up." in text else "unknown")
    with Memory(tmp_path / "map", embedder=HashingEmbedder(quiet=True)) as memory:
        memory.places.tell("Cellar", "north", "Hall")
        memory.places.tell("Hall", "up", "Attic")
        answer = memory.ask("How do I get from the cellar to the attic?", model=model, reader="prompt")
        assert (answer.text, answer.cited) == ("north, up", ())
        assert [(one.source, one.text) for one in answer.evidence] == [
            ("spatial", "The way from cellar to attic is: north, up.")
        ]
        assert memory.ask("How do I get from the attic to the moon?", model=model, reader="prompt").abstained
    config = Config(evidence=EvidenceConfig(steps=False))
    with Memory(tmp_path / "map", embedder=HashingEmbedder(quiet=True), config=config) as memory:
        assert memory.ask("How do I get from the cellar to the attic?", model=model, reader="prompt").abstained


def test_a_read_only_memory_reads_its_facts_and_map(moved: Memory, folder: Path) -> None:
    moved.facts.catch_up()
    moved.places.tell("Cellar", "north", "Hall")

    def answer(text: str) -> str:
        return "Hall" if "leads to Hall" in text else "Lisbon" if "Ada lives in Lisbon." in text else "unknown"

    model = Scripted(folder, answer)
    with Memory(moved.folder, embedder=HashingEmbedder(quiet=True), read_only=True) as reading:
        assert reading.ask("Where does Ada live?", model=model, reader="prompt").text == "Lisbon"
        assert reading.ask("What is north of the cellar?", model=model, reader="prompt").text == "Hall"
