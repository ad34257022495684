"""The model that ships: what it reads, what it says when it cannot know, through the public interface and offline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hippo_agent.embedding.hashing import HashingEmbedder
from hippo_agent.evaluation.models import run_model_suite
from hippo_agent.memory import Memory
from hippo_agent.model.local import LocalModel
from hippo_agent.model.packing import PackedTrace
from hippo_agent.model.readers import PrefixReader, PromptReader

TOLD = {
    "home": "Zorvin Tal lives in Brakmere.",
    "lantern": "The red lantern is in the cellar.",
    "work": "Oubel Mird works for Kennax Mills.",
    "pet": "Quathi has a parrot called Seliour.",
}
ASKED = [
    ("Where does Zorvin Tal live?", "Brakmere", "home"),
    ("Where is the red lantern?", "cellar", "lantern"),
]


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return LocalModel(device="cpu")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory", embedder=HashingEmbedder(quiet=True)) as memory:
        for key, text in TOLD.items():
            memory.write(text, source="user", key=key)
    with Memory(tmp_path / "memory", embedder=HashingEmbedder(quiet=True)) as memory:  # from a reopened folder
        yield memory


def test_it_is_small_and_knows_its_own_form(model: LocalModel) -> None:
    found = model.describe()
    assert model.is_tiny
    assert found["parameters"] < 5e6
    assert found["chat_template"]
    assert sum(file.stat().st_size for file in (Path(model._load().folder)).iterdir()) < 20e6


@pytest.mark.parametrize("reader", ["auto", "prefix", "adapter", "prompt"])
@pytest.mark.parametrize(("question", "answer", "key"), ASKED, ids=lambda value: str(value)[:12])
def test_it_answers_from_the_memory_and_cites(
    memory: Memory, model: LocalModel, reader: str, question: str, answer: str, key: str
) -> None:
    found = memory.ask(question, model=model, reader=reader)
    assert answer.casefold() in found.text.casefold()
    assert [memory.get(one).key for one in found.cited] == [key]


def test_without_the_memory_it_does_not_know(memory: Memory, model: LocalModel) -> None:
    for question, answer, _ in ASKED:
        assert answer.casefold() not in model.generate(question).casefold()
    assert memory.ask("Where is the silver harp?", model=model).abstained
    assert memory.ask("Where does Wexil Nour live?", model=model).abstained


def test_it_reads_the_map_and_a_fact_in_other_words_than_the_trace(memory: Memory, model: LocalModel) -> None:
    memory.places.tell("Cellar", "north", "Hall")
    memory.places.tell("Hall", "east", "Attic")
    way = memory.ask("What is the way from the cellar to the attic?", model=model)
    assert (way.text, way.cited, way.evidence[0].source) == ("north, east", (), "spatial")
    step = memory.ask("What is north of the cellar?", model=model)
    assert (step.text, step.evidence[0].source) == ("Hall", "spatial")
    memory.write("Wexil Nour moved to Tarbol on 3 May.", source="user", key="moved")
    home = memory.ask("Where does Wexil Nour live?", model=model)
    assert home.text == "Tarbol" and "relational" in {one.source for one in home.evidence}
    assert [memory.get(one).key for one in home.cited] == ["moved"]


def test_forgetting_the_trace_forgets_the_answer(memory: Memory, model: LocalModel) -> None:
    first = memory.ask("Where does Zorvin Tal live?", model=model)
    memory.forget(trace_id=first.cited[0])
    again = memory.ask("Where does Zorvin Tal live?", model=model)
    assert (first.abstained, again.abstained, again.cited) == (False, True, ())


def test_in_attention_traces_cost_no_prompt_and_give_the_answer_that_the_prompt_gives(model: LocalModel) -> None:
    traces = [PackedTrace(id=key, text=text) for key, text in list(TOLD.items())[:1]]
    with PrefixReader(model).reading(traces):
        read, short = model.generate(ASKED[0][0]), model.count(model.written(ASKED[0][0]))
    with PromptReader(model).reading(traces):
        told, long = model.generate(ASKED[0][0]), model.count(model.written(ASKED[0][0]))
    assert read == told
    assert short < long


def test_it_reads_unseen_worlds_and_not_by_chance(model: LocalModel) -> None:
    """A small draw of `hippo eval reader`; the real figures are in the benchmarks."""
    report = run_model_suite(
        "reader",
        None,
        model=model,
        embedder=Words(),
        limit=24,
        systems=["prefix", "adapter", "memory_off", "shuffled"],
        conditions=["4"],
    )
    assert min(report.systems[name]["em@4"] for name in ("prefix", "adapter")) >= 0.75
    assert report.systems["memory_off"]["em@4"] <= 0.05
    assert report.systems["shuffled"]["em@4"] <= 0.05


class Words:
    """Vectors of shared words: near enough to a retriever, and without weights."""

    id, dim = "words", 4096

    def embed(self, texts: list[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.casefold().replace("?", "").replace(".", "").replace("'s", "").split():
                out[row, sum(map(ord, word)) * 31 % self.dim] = 1.0
        return out / np.linalg.norm(out, axis=1, keepdims=True)
