"""Packing, the cache of states, and the three readers behind their one interface."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from hippo_agent.errors import ConfigError, InvalidInput, ModelUnavailable
from hippo_agent.model.local import LocalModel
from hippo_agent.model.packing import PackedTrace, pack
from hippo_agent.model.reader.model import TraceReader
from hippo_agent.model.readers import AdapterReader, PromptReader, Reader, reader_named
from hippo_agent.model.states import StateCache
from hippo_agent.types import EMPTY, Hit, Provenance, Slots, Trace
from tests.unit.model.conftest import save_model

DAY = datetime(2024, 5, 3, tzinfo=timezone.utc)
QUESTION = "Who has the key?"
TRACES = [
    PackedTrace(id="a", text="The florist has the key.", score=0.9),
    PackedTrace(id="b", text="Ilka lives in the old mill.", score=0.4, source="relational"),
    PackedTrace(id="c", text="From the hall, north leads to the library.", score=0.3, source="spatial"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def model(folder: Path) -> LocalModel:
    return LocalModel(folder, device="cpu")


@pytest.fixture(params=["prefix", "adapter", "prompt"])
def reader(request: pytest.FixtureRequest, model: LocalModel) -> Iterator[Reader]:
    made: Any = made_reader(request.param, model)
    yield made
    if hasattr(made, "close"):
        made.close()


def trace_of(text: str, *, speaker: str) -> Trace:
    return Trace(
        id=f"of {text}", seq=1, text=text, namespace=(), provenance=Provenance(), speaker=speaker, event_time=DAY,
        write_time=DAY, kind="episode", key=None, pinned=False, reward=0.0, slots=Slots(), salience=0.5, strength=1.0,
        repeats=0, status="active", meta=EMPTY,
    )  # fmt: skip


def made_reader(name: str, model: LocalModel, states: StateCache | None = None) -> Any:
    if name != "adapter":
        return reader_named(name, model, states=states)
    trained = TraceReader(model.model)
    with torch.no_grad():
        for attention in trained.attentions:
            attention.gate.fill_(0.7)
    return AdapterReader(model, trained=trained, states=states)


def surprise(model: LocalModel) -> list[float]:
    """What the model makes of a text after its question: it changes with everything that it reads."""
    with torch.no_grad():
        ids = model.tokenizer(model.written(QUESTION), return_tensors="pt")
        found: list[float] = model.model(**ids).logits[0, -1].tolist()
    return found


# Packing


def test_hits_are_packed_with_id_score_and_who_said_it() -> None:
    said, about = trace_of("I  moved\nto Lisbon.", speaker="Ada"), trace_of("Ada has a key.", speaker="Ada")
    recalled = SimpleNamespace(hits=[Hit(trace=said, score=0.4, reasons={}), Hit(trace=about, score=0.9, reasons={})])
    packed = pack(recalled)
    assert [trace.text for trace in packed.traces] == ["Ada has a key.", "Ada: I moved to Lisbon."]
    assert packed.ids == (about.id, said.id)
    assert [trace.score for trace in packed.traces] == pytest.approx([0.36, 0.16])
    assert pack(recalled, dated=True).traces[1].text == "[2024-05-03] Ada: I moved to Lisbon."
    assert pack(packed) == packed


def test_empty_traces_and_those_beyond_the_cap_are_left_out_and_counted() -> None:
    many = [*TRACES, PackedTrace(id="d", text=" \n\x00 ", score=2.0)]
    packed = pack(many, limit=2)
    assert (packed.ids, packed.empty, packed.over) == (("a", "b"), 1, 1)
    assert len(pack(None)) == 0
    with pytest.raises(InvalidInput, match="limit"):
        pack(TRACES, limit=0)


# Readers


def test_a_reader_changes_the_model_inside_and_not_outside(reader: Reader, model: LocalModel) -> None:
    before = surprise(model)
    with reader.reading(TRACES) as packed:
        assert packed.ids == ("a", "b", "c")
        inside = surprise(model)
    assert surprise(model) == before != inside
    with reader.reading(None):
        assert surprise(model) == before
    with reader.reading([]):
        assert surprise(model) == before


def test_what_is_read_decides_the_answer(reader: Reader, model: LocalModel) -> None:
    with reader.reading(TRACES):
        first = model.generate(QUESTION, max_new_tokens=8)
        assert model.generate(QUESTION, max_new_tokens=8) == first
        assert "".join(model.stream(QUESTION, max_new_tokens=8)) == first  # its thread reads the same bank
    with reader.reading([replace(TRACES[0], text="xx yy zz " * 5)]):
        assert model.generate(QUESTION, max_new_tokens=8) != first


def test_two_threads_read_two_recalls(reader: Reader, model: LocalModel) -> None:
    alone = []
    for trace in TRACES[:2]:
        with reader.reading([trace]):
            alone.append(surprise(model))
    wrong: list[int] = []
    barrier = threading.Barrier(2)

    def read(which: int) -> None:
        for _ in range(6):
            barrier.wait(timeout=30)
            with reader.reading([TRACES[which]]):
                if surprise(model) != alone[which]:
                    wrong.append(which)

    threads = [threading.Thread(target=read, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert wrong == []
    assert alone[0] != alone[1]


def test_the_prompt_reader_writes_the_traces_before_the_question(model: LocalModel) -> None:
    with PromptReader(model).reading(TRACES[:2]):
        assert model.written(QUESTION) == (
            "The florist has the key.\nIlka lives in the old mill.\nUser: Who has the key?\nAssistant:"
        )


def test_readers_by_name(model: LocalModel) -> None:
    assert reader_named("auto", model).name == "prefix"
    assert reader_named("prompt", model).name == "prompt"
    with pytest.raises(ConfigError, match="'tea'"):
        reader_named("tea", model)
    with pytest.raises(ModelUnavailable, match="train-reader"), reader_named("adapter", model).reading(TRACES):
        pass


def test_auto_takes_the_prompt_where_the_model_allows_nothing_else(tmp_path: Path) -> None:
    import transformers

    from tests.unit.model.conftest import tiny_tokenizer

    small = transformers.GPT2Config(vocab_size=300, n_embd=32, n_head=2, n_layer=2)
    transformers.GPT2LMHeadModel(small).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    model = LocalModel(tmp_path, device="cpu")
    reader = reader_named("auto", model)
    assert reader.name == "prompt"
    with reader.reading(TRACES):
        assert isinstance(model.generate(QUESTION, max_new_tokens=2), str)


# The cache of states


@pytest.mark.parametrize("name", ["prefix", "adapter"])
def test_states_are_kept_and_read_back_exactly(name: str, model: LocalModel, tmp_path: Path) -> None:
    fresh = made_reader(name, model)
    with fresh.reading(TRACES):
        wanted = surprise(model)
    fresh.close()
    for hits, misses in ((0, 3), (3, 0)):
        states = StateCache(tmp_path)
        reader = made_reader(name, model, states)
        with reader.reading(TRACES):
            assert surprise(model) == pytest.approx(wanted, abs=1e-4)
        reader.close()
        assert (states.hits, states.misses) == (hits, misses)


def cached(cache: StateCache, *names: str, size: int = 100) -> list[float]:
    """The first number of each trace's tensor; made of the name when it has to be."""
    found = cache.many(
        names,
        [f"key {one}" for one in names],
        lambda at: [{"x": torch.full((size,), float(ord(names[i])))} for i in at],
    )
    return [float(tensors["x"][0]) for tensors in found]


def test_a_text_a_model_or_a_layer_of_its_own_has_states_of_its_own(tmp_path: Path) -> None:
    cache = StateCache(tmp_path)
    assert cached(cache, "a", "b") == [97.0, 98.0]
    [other] = cache.many(["a"], ["another key"], lambda at: [{"x": torch.zeros(1)}])
    assert float(other["x"][0]) == 0.0
    assert cached(cache, "b", "a") == [98.0, 97.0]
    assert (cache.hits, cache.misses) == (2, 3)


def test_the_least_recently_used_go_when_the_cap_is_passed(tmp_path: Path) -> None:
    import os

    cache = StateCache(tmp_path, cap=2_000, in_memory=0)  # four of about 480 bytes
    for at, name in enumerate("abcd"):
        cached(cache, name)
        for file in tmp_path.iterdir():
            os.utime(file, (at, at)) if file.stat().st_mtime > 1e9 else None
    cached(cache, "a")  # used again
    cached(cache, "e")
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 2_000
    cache.hits = cache.misses = 0
    assert cached(cache, "a", "e") == [97.0, 101.0]
    assert (cache.hits, cache.misses) == (2, 0)
    cached(cache, "b")
    assert cache.misses == 1
    cached(StateCache(tmp_path, cap=100, in_memory=0), "z")
    assert cached(cache, "z") == [122.0]


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    cached(StateCache(tmp_path), "a")
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:50])
    assert cached(StateCache(tmp_path), "a") == [97.0]
    assert len(file.read_bytes()) > 400


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "states").write_text("in the way")
    assert cached(StateCache(tmp_path / "states"), "a") == [97.0]


def test_states_of_forgotten_traces_go_from_memory_and_disk(tmp_path: Path) -> None:
    for folder in (tmp_path / "states", None):
        cache = StateCache(folder)
        cached(cache, "a", "b")
        cache.forget(["a"])
        cache.hits = cache.misses = 0
        cached(cache, "a", "b")
        assert (cache.hits, cache.misses) == (1, 1)
        cache.forget()
        cache.hits = 0
        cached(cache, "b")
        assert cache.hits == 0
    StateCache(tmp_path / "states").forget()
    assert list((tmp_path / "states").iterdir()) == []
    StateCache(tmp_path / "nowhere").forget(["a"])


def test_memory_holds_the_last_used_up_to_its_cap() -> None:
    cache = StateCache(None, in_memory=1_000)  # two of 400 bytes
    cached(cache, "a", "b")
    cached(cache, "a")
    cached(cache, "c")
    cache.hits = cache.misses = 0
    cached(cache, "a", "c")
    assert (cache.hits, cache.misses) == (2, 0)
    cached(cache, "b")
    assert cache.misses == 1
