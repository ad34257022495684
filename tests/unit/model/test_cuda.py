"""What needs a CUDA device: half precision, 4 bits, readers on it. Skipped, with a reason, where there is none."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from hippo_agent.model.local import LocalModel
from hippo_agent.model.packing import PackedTrace
from hippo_agent.model.readers import AdapterReader, PrefixReader, Reader
from tests.unit.model.conftest import save_model

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device on this machine")
TRACES = [PackedTrace(id="a", text="Zorvin Tal lives in Brakmere."), PackedTrace(id="b", text="Bo has a cat.")]
QUESTION = "Where does Zorvin Tal live?"


@pytest.fixture
def tiny() -> Iterator[LocalModel]:
    yield LocalModel()
    torch.cuda.empty_cache()


def test_without_a_wish_the_device_is_taken_in_half_precision(tiny: LocalModel) -> None:
    assert (tiny.model.device.type, tiny.model.dtype) == ("cuda", torch.bfloat16)


@pytest.mark.parametrize("kind", [PrefixReader, AdapterReader])
def test_readers_answer_on_the_device_as_on_the_cpu(kind: type[Reader]) -> None:
    said = []
    for device in ("cuda", "cpu"):
        model = LocalModel(device=device, dtype="float32")
        with kind(model).reading(TRACES):
            said.append(model.generate(QUESTION))
    assert said == ["Brakmere", "Brakmere"]


def test_surprise_is_that_of_the_cpu() -> None:
    values = [LocalModel(device=device, dtype="float32").surprise(QUESTION) for device in ("cuda", "cpu")]
    assert values[0] == pytest.approx(values[1], abs=1e-2)


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
def test_four_bits_load_take_less_room_and_are_read_with_the_prefix(tmp_path: Path) -> None:
    whole, small = (LocalModel(save_model(tmp_path), four_bit=four_bit) for four_bit in (False, True))
    assert small.model.get_memory_footprint() < whole.model.get_memory_footprint()
    before = small.generate("Who?", max_new_tokens=4)
    with PrefixReader(small).reading(TRACES):
        small.generate("Who?", max_new_tokens=4)
    assert small.generate("Who?", max_new_tokens=4) == before
