"""The prefix reader's silent mistakes, made on purpose: each must be seen by the comparison with the prompt.

A check that passes on a broken reader proves nothing, so the checks of `test_prefix` are run on readers broken in the
ways that were found to be silent.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache

from hippo_agent.model.architecture import read_alone
from hippo_agent.model.reader.prefix import KeyValues, PrefixBank, TracePrefix
from tests.unit.model.conftest import WINDOWED, given, tiny_model, tokens

CLOSE = 2e-4
QUESTION = tokens(9, seed=3)[0]


class Configured(TracePrefix):
    """Traces go into a cache made with the configuration, as most code makes one."""

    def _read(self, ids: Tensor, mask: Tensor) -> KeyValues:
        cache = DynamicCache(config=self._config)
        positions = torch.arange(-ids.shape[1], 0)[None].expand(ids.shape)
        with read_alone(self._model):
            taken = given(self._decoder, cache)
            self._decoder(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, **taken)
        return [(layer.keys, layer.values) for layer in cache.layers]


class Windowless(TracePrefix):
    """Every token of a trace is seen, however far back it lies."""

    def _windowed(self, columns: Tensor, bank: PrefixBank, positions: Tensor) -> Tensor:
        return columns


class Unplaced(TracePrefix):
    """Traces stand where the text begins, not before it."""

    def _read(self, ids: Tensor, mask: Tensor) -> KeyValues:
        cache = DynamicCache()
        with read_alone(self._model):
            self._decoder(input_ids=ids, attention_mask=mask, use_cache=True, **given(self._decoder, cache))
        return [(layer.keys, layer.values) for layer in cache.layers]


class Unscored(TracePrefix):
    """Scores are thrown away."""

    def banked(self, traces: Any, *, scores: Any = None, visible: Any = None) -> PrefixBank:
        return super().banked(traces, visible=visible)


def distance(made: Callable[[Any], TracePrefix], model: Any, length: int, *, beside: int = 0) -> float:
    """How far the logits are from those with the trace in the prompt; infinite when nothing could be computed.

    ``beside``: length of another trace that is read in the same batch and hidden from the text.
    """
    model = copy.deepcopy(model)
    [trace] = tokens(length, seed=5)
    with torch.no_grad():
        wanted = model(torch.tensor([trace + QUESTION])).logits[:, length:]
    prefix = made(model).attach()
    others = tokens(beside, seed=6) if beside else []
    visible = torch.tensor([[True, *[False for _ in others]]])
    try:
        with torch.no_grad(), prefix.reading(prefix.bank([trace, *others], visible=visible)):
            return float((model(torch.tensor([QUESTION])).logits - wanted).abs().max())
    except (RuntimeError, IndexError):  # parts that do not fit each other
        return math.inf


@pytest.mark.parametrize("architecture", sorted(WINDOWED))
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_a_window_that_is_ignored_shows_once_a_trace_passes_it(architecture: str, implementation: str) -> None:
    model = tiny_model(architecture, implementation, sliding=True)
    assert distance(TracePrefix, model, 12) < CLOSE
    assert distance(Windowless, model, 12) > 0.1


@pytest.mark.parametrize("architecture", sorted(WINDOWED))
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_a_cache_made_with_the_configuration_shows_in_a_batch_of_unequal_traces(
    architecture: str, implementation: str
) -> None:
    model = tiny_model(architecture, implementation, sliding=True)
    assert distance(TracePrefix, model, 5, beside=12) < CLOSE
    assert distance(Configured, model, 5, beside=12) > 0.1


def test_a_cache_made_with_the_configuration_forgets_what_is_out_of_the_window() -> None:
    model = copy.deepcopy(tiny_model("mistral", sliding=True))
    [trace] = tokens(12, seed=5)
    kept = [[keys.shape[1] for keys, _ in made(model).encode([trace])[0]] for made in (TracePrefix, Configured)]
    assert kept[0] == [12, 12, 12]
    assert kept[1] != kept[0]


def test_traces_at_the_positions_of_the_text_are_seen(architecture: str, implementation: str) -> None:
    model = tiny_model(architecture, implementation)
    assert distance(TracePrefix, model, 7) < CLOSE
    assert distance(Unplaced, model, 7) > 0.1


def test_scores_that_are_thrown_away_are_seen() -> None:
    model = copy.deepcopy(tiny_model("llama"))
    texts = tokens(5, 7, seed=8)
    found = []
    for made in (TracePrefix, Unscored):
        prefix = made(model).attach()
        with torch.no_grad(), prefix.reading(prefix.bank(texts, scores=[0.9, 0.2])):
            found.append(model(torch.tensor([QUESTION])).logits)
        prefix.detach()
    assert (found[0] - found[1]).abs().max() > 0.1
