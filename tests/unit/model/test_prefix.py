"""The prefix reader against models that hold the same traces in their prompt, and against masks written by hand."""

from __future__ import annotations

import copy
import math
import threading
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, StaticCache

from hippo_agent.errors import ReaderError
from hippo_agent.model.reader.model import TraceReader
from hippo_agent.model.reader.prefix import TracePrefix
from tests.unit.model.conftest import WINDOWED, given, tiny_model, tokens

CLOSE = 2e-4
LOWEST = torch.finfo(torch.float32).min
QUESTION = tokens(9, seed=3)[0]


def prefix_of(model: Any, **options: Any) -> TracePrefix:
    return TracePrefix(model, **options).attach()


@pytest.fixture
def model() -> Any:
    """A model of our own: what is attached to it does not outlive the test."""
    return copy.deepcopy(tiny_model("llama"))


def logits(model: Any, ids: Any, **more: Any) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(torch.tensor(ids), **more).logits
    return found


def test_no_bank_and_an_empty_bank_leave_every_logit_as_it_is(architecture: str, implementation: str) -> None:
    model = copy.deepcopy(tiny_model(architecture, implementation))
    before = logits(model, [QUESTION])
    prefix = prefix_of(model)
    assert torch.equal(logits(model, [QUESTION]), before)
    with prefix.reading(None):
        assert torch.equal(logits(model, [QUESTION]), before)
    with prefix.reading(prefix.bank([])):
        assert torch.equal(logits(model, [QUESTION]), before)
    with prefix.reading(prefix.bank(tokens(5))):
        assert (logits(model, [QUESTION]) - before).abs().max() > 1.0
    assert torch.equal(logits(model, [QUESTION]), before)


def test_one_trace_is_the_same_as_in_the_prompt(architecture: str, implementation: str) -> None:
    model = copy.deepcopy(tiny_model(architecture, implementation))
    prefix = prefix_of(model)
    [trace] = tokens(7, seed=5)
    wanted = logits(model, [trace + QUESTION])[:, 7:]
    with prefix.reading(prefix.bank([trace])):
        assert (logits(model, [QUESTION]) - wanted).abs().max() < CLOSE
        assert (logits(model, [QUESTION], use_cache=False) - wanted).abs().max() < CLOSE


@pytest.mark.parametrize("architecture", sorted(WINDOWED))
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_a_window_holds_for_traces_too(architecture: str, implementation: str) -> None:
    model = copy.deepcopy(tiny_model(architecture, implementation, sliding=True))
    prefix = prefix_of(model)
    for length in (7, 12):
        [trace] = tokens(length, seed=5)
        wanted = logits(model, [trace + QUESTION])[:, length:]
        with prefix.reading(prefix.bank([trace])):
            assert (logits(model, [QUESTION]) - wanted).abs().max() < CLOSE
            told = model.generate(torch.tensor([QUESTION]), max_new_tokens=6, do_sample=False)[0, 9:]
        plain = model.generate(torch.tensor([trace + QUESTION]), max_new_tokens=6, do_sample=False)[0, length + 9 :]
        assert told.tolist() == plain.tolist()


def test_four_traces_with_scores_are_a_block_mask_over_one_sequence(architecture: str, implementation: str) -> None:
    """Against the model itself, without any cache, over [t1 t2 t3 t4 question] with positions and mask by hand."""
    model = copy.deepcopy(tiny_model(architecture, implementation))
    prefix = prefix_of(model, scale=10.0)
    traces, scores = tokens(5, 8, 3, 6, seed=5), [0.2, 0.45, 0.5, 0.3]
    ids = [token for trace in traces for token in trace] + QUESTION
    mask = torch.full((len(ids), len(ids)), LOWEST)
    positions: list[int] = []
    for trace, score in zip(traces, scores, strict=True):
        start, end = len(positions), len(positions) + len(trace)
        positions += range(-len(trace), 0)
        mask[start:end, start:end] = torch.full((len(trace), len(trace)), LOWEST).triu(1)
        mask[22:, start:end] = 10.0 * (score - 0.5)
    positions += range(9)
    mask[22:, 22:] = torch.full((9, 9), LOWEST).triu(1)
    whole: Any = mask[None, None]
    if hasattr(model.config, "layer_types"):
        whole = dict.fromkeys(set(model.config.layer_types), whole)
    wanted = logits(model, [ids], attention_mask=whole, position_ids=torch.tensor([positions]))[:, 22:]
    with prefix.reading(prefix.bank(traces, scores=scores)):
        assert (logits(model, [QUESTION]) - wanted).abs().max() < CLOSE
    with prefix.reading(prefix.bank(traces)):
        assert (logits(model, [QUESTION]) - wanted).abs().max() > 0.1


def test_a_best_score_below_the_floor_weakens_all_traces_and_one_above_changes_nothing(model: Any) -> None:
    texts = tokens(1, 1, seed=8)

    def bias(floor: float, scores: list[float] | None) -> list[float]:
        found: list[float] = TracePrefix(model, floor=floor).bank(texts, scores=scores).bias[0].tolist()
        return found

    assert bias(0.45, [0.8, 0.5]) == bias(0.0, [0.8, 0.5]) == pytest.approx([0.0, -9.0], abs=1e-4)
    assert bias(0.45, [0.1, 0.05]) == pytest.approx([-10.5, -12.0], abs=1e-4)
    assert bias(0.0, [0.1, 0.05]) == pytest.approx([0.0, -1.5], abs=1e-4)
    assert bias(0.45, None) == bias(0.45, [0.0, 0.0]) == [0.0, 0.0]  # no scores are no low scores


def test_what_is_far_below_the_floor_is_as_good_as_not_there(model: Any) -> None:
    before = logits(model, [QUESTION])
    found = []
    for floor in (0.45, 0.0):
        prefix = TracePrefix(model, floor=floor, scale=200.0).attach()
        with prefix.reading(prefix.bank(tokens(5, 7, seed=8), scores=[0.1, 0.05])):
            found.append(float((logits(model, [QUESTION]) - before).abs().max()))
        prefix.detach()
    assert found[0] < CLOSE < 1.0 < found[1]


def test_rows_of_a_batch_read_their_own_traces_whatever_the_padding(architecture: str, implementation: str) -> None:
    model = copy.deepcopy(tiny_model(architecture, implementation))
    prefix = prefix_of(model)
    first, second = tokens(7, 3, seed=5)
    short = tokens(6, seed=9)[0]
    ids = [QUESTION, [0] * 3 + short]
    mask = (torch.arange(9)[None] >= torch.tensor([[0], [3]])).long()
    bank = prefix.bank([first, second], scores=torch.zeros(2, 2), visible=torch.eye(2, dtype=torch.bool))
    with prefix.reading(bank):
        found = logits(model, ids, attention_mask=mask)
    assert (found[0] - logits(model, [first + QUESTION])[0, 7:]).abs().max() < CLOSE
    assert (found[1, 3:] - logits(model, [second + short])[0, 3:]).abs().max() < CLOSE


@pytest.mark.parametrize("beams", [1, 2])
def test_generation_is_as_from_the_prompt_with_and_without_cache_in_a_batch_and_by_beams(
    architecture: str, beams: int
) -> None:
    model = copy.deepcopy(tiny_model(architecture))
    prefix = prefix_of(model)
    first, second = tokens(7, 3, seed=5)
    short = tokens(6, seed=9)[0]
    ids = torch.tensor([QUESTION, [0] * 3 + short])
    mask = (torch.arange(9)[None] >= torch.tensor([[0], [3]])).long()
    options: dict[str, Any] = {"max_new_tokens": 4, "do_sample": False, "num_beams": beams}
    bank = prefix.bank([first, second], scores=torch.zeros(2, 2), visible=torch.eye(2, dtype=torch.bool))
    with prefix.reading(bank):
        batch = model.generate(ids, attention_mask=mask, **options)
        uncached = model.generate(ids, attention_mask=mask, use_cache=False, **options)
    assert torch.equal(batch, uncached)
    for row, (trace, question) in enumerate(((first, QUESTION), (second, short))):
        told = batch[row, 9:].tolist()
        plain = model.generate(torch.tensor([trace + question]), **options)[0, len(trace + question) :].tolist()
        assert told[: len(plain)] == plain
        with prefix.reading(prefix.bank([trace])):
            alone = model.generate(torch.tensor([question]), **options)[0, len(question) :].tolist()
        assert alone == plain


def test_a_conversation_goes_on_with_its_cache(model: Any) -> None:
    prefix = prefix_of(model)
    [trace] = tokens(7, seed=5)
    with prefix.reading(prefix.bank([trace])), torch.no_grad():
        start = model(torch.tensor([QUESTION[:5]]))
        rest = model(torch.tensor([QUESTION[5:]]), **given(model, start.past_key_values))
    wanted = logits(model, [trace + QUESTION])
    assert (rest.logits - wanted[:, 12:]).abs().max() < CLOSE


def test_a_later_token_never_changes_earlier_logits(architecture: str) -> None:
    model = copy.deepcopy(tiny_model(architecture))
    prefix = prefix_of(model)
    with prefix.reading(prefix.bank(tokens(5, 8))):
        before = logits(model, [QUESTION])
        for at in range(1, 9):
            changed = [*QUESTION[:at], QUESTION[at] % 90 + 4, *QUESTION[at + 1 :]]
            after = logits(model, [changed])
            assert torch.equal(after[:, :at], before[:, :at])
            assert not torch.equal(after[:, at:], before[:, at:])


def test_equal_traces_are_one_trace_and_their_order_does_not_matter(model: Any) -> None:
    prefix = prefix_of(model, scale=1.0)
    one, other = tokens(6, 6, seed=5)
    with prefix.reading(prefix.bank([one] * 3 + [other], scores=[-2.0, -2.0, -2.0, 0.0])):
        several = logits(model, [QUESTION])
    with prefix.reading(prefix.bank([other, one], scores=[0.0, math.log(3.0) - 2.0])):
        assert (logits(model, [QUESTION]) - several).abs().max() < CLOSE


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft asks transformers
def test_traces_are_read_without_the_lora_and_questions_with_it(model: Any) -> None:
    from peft import LoraConfig, get_peft_model

    plain = TracePrefix(model).encode(tokens(6))
    adapted = get_peft_model(
        copy.deepcopy(model), LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    ).eval()
    before = logits(adapted, [QUESTION])
    prefix = prefix_of(adapted)
    found = prefix.encode(tokens(6))
    assert all(
        torch.equal(a, b)
        for one, other in zip(plain[0], found[0], strict=True)
        for a, b in zip(one, other, strict=True)
    )
    assert torch.equal(logits(adapted, [QUESTION]), before)
    cache = DynamicCache()
    with adapted.disable_adapter(), torch.no_grad():
        adapted.base_model(torch.tensor(tokens(6)), **given(adapted.get_base_model(), cache))
    wanted = logits(adapted.base_model, [QUESTION], **given(adapted.get_base_model(), cache))
    with prefix.reading(prefix.banked(found)):
        assert (logits(adapted, [QUESTION]) - wanted).abs().max() < CLOSE
        assert not torch.equal(logits(adapted, [QUESTION]), before)


def test_two_threads_read_two_banks(model: Any) -> None:
    prefix = prefix_of(model)
    banks = [None, *(prefix.bank([trace]) for trace in tokens(6, 7, seed=8))]
    alone = []
    for bank in banks:
        with prefix.reading(bank):
            alone.append(logits(model, [QUESTION]))
    wrong: list[int] = []
    barrier = threading.Barrier(3)

    def read(which: int) -> None:
        for _ in range(8):
            barrier.wait(timeout=30)
            with prefix.reading(banks[which]):
                if not torch.equal(logits(model, [QUESTION]), alone[which]):
                    wrong.append(which)

    threads = [threading.Thread(target=read, args=(which,)) for which in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert wrong == []
    assert not torch.equal(alone[1], alone[2])


# What would be silently wrong is refused


def test_a_cache_of_another_reading_is_refused(model: Any) -> None:
    prefix = prefix_of(model)
    first, second = (prefix.bank([trace]) for trace in tokens(4, 5))
    ids = torch.tensor([QUESTION])
    with prefix.reading(first), torch.no_grad():
        cache = model(ids).past_key_values
    with prefix.reading(second), pytest.raises(ReaderError, match="another bank"):
        model(ids, **given(model, cache))
    with pytest.raises(ReaderError, match="inside the same reading"):
        model(ids, **given(model, cache))
    with prefix.reading(first), pytest.raises(ReaderError, match="use_cache was changed"):
        model(ids, use_cache=False, **given(model, cache))


def test_a_filled_or_static_cache_is_refused(model: Any) -> None:
    prefix = prefix_of(model)
    bank = prefix.bank(tokens(4))
    ids = torch.tensor([QUESTION])
    with torch.no_grad():
        filled = model(ids).past_key_values
    with prefix.reading(bank):
        with pytest.raises(ReaderError, match="filled before"):
            model(ids, **given(model, filled))
        with pytest.raises(ReaderError, match="StaticCache cannot hold"):
            model(ids, **given(model, StaticCache(config=model.config, max_cache_len=32)))
        with pytest.raises(ReaderError, match="cannot hold a bank"):
            model.generate(ids, max_new_tokens=2, cache_implementation="static")


def test_masks_over_the_bank_are_refused(model: Any) -> None:
    prefix = prefix_of(model)
    with prefix.reading(prefix.bank(tokens(4))):
        with pytest.raises(ReaderError, match="over the text alone"):
            logits(model, [QUESTION], attention_mask=torch.ones(1, 13, dtype=torch.long))
        with pytest.raises(ReaderError, match="over the text alone"):
            logits(model, [QUESTION], attention_mask=torch.zeros(1, 1, 9, 9))


def test_a_second_reader_on_the_same_model_is_refused(model: Any) -> None:
    first, second = prefix_of(model), prefix_of(model)
    bank = first.bank(tokens(4))
    with first.reading(bank), second.reading(second.bank(tokens(5))), pytest.raises(ReaderError, match="another bank"):
        logits(model, [QUESTION])


def test_two_readers_on_the_same_model_take_turns(model: Any) -> None:
    first, second = prefix_of(model), prefix_of(model)
    ids = torch.tensor([QUESTION])
    found = []
    for prefix in (first, second):
        with prefix.reading(prefix.bank(tokens(4))):
            found.append(model.generate(ids, max_new_tokens=3, do_sample=False))
    assert torch.equal(*found)


def test_a_trace_is_read_alone_even_inside_another_reading(model: Any) -> None:
    prefix, adapter = prefix_of(model), TraceReader(model)
    states, layers = adapter.encode(tokens(5)), prefix.encode(tokens(5))
    with prefix.reading(prefix.bank(tokens(4))):
        assert torch.equal(adapter.encode(tokens(5))[0], states[0])
        again = TracePrefix(model).encode(tokens(5))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(again[0], layers[0], strict=True))


def test_gradient_checkpointing_is_refused(model: Any) -> None:
    prefix = prefix_of(model)
    bank = prefix.bank(tokens(4))
    model.model.gradient_checkpointing = True
    model.train()
    with prefix.reading(bank), pytest.raises(ReaderError, match="gradient checkpointing"):
        model(torch.tensor([QUESTION]))


def test_architectures_that_cannot_are_refused() -> None:
    import transformers

    small: dict[str, Any] = {"vocab_size": 97, "hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2}
    gpt2 = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=97, n_embd=32, n_head=2, n_layer=2))
    with pytest.raises(ReaderError, match="does not rotate"):
        TracePrefix(gpt2)
    opt = transformers.OPTForCausalLM(transformers.OPTConfig(**small, ffn_dim=32, word_embed_proj_dim=32))
    with pytest.raises(ReaderError, match="does not rotate"):
        TracePrefix(opt)
    config = transformers.Qwen2Config(
        **small, intermediate_size=32, num_key_value_heads=2, layer_types=["full_attention", "chunked_attention"]
    )
    with pytest.raises(ReaderError, match="chunked_attention"):
        TracePrefix(transformers.Qwen2ForCausalLM(config))


@pytest.mark.parametrize("how", ["flash_attention_2", "flex_attention"])
def test_attention_that_cannot_weight_traces_is_refused(model: Any, how: str) -> None:
    prefix = prefix_of(model)
    bank = prefix.bank(tokens(4))
    model.config._attn_implementation = how
    with pytest.raises(ReaderError, match=how):
        TracePrefix(model)
    with prefix.reading(bank), pytest.raises(ReaderError, match=how):
        logits(model, [QUESTION])


def test_long_rope_that_would_turn_is_refused() -> None:
    import transformers

    from tests.unit.model.conftest import COMMON

    rope = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}
    config = transformers.Phi3Config(**COMMON, original_max_position_embeddings=14, rope_parameters=rope)
    torch.manual_seed(1)
    model = transformers.Phi3ForCausalLM(config).eval()
    prefix = prefix_of(model)
    short, long = tokens(4, 8)
    wanted = logits(model, [short + QUESTION])[:, 4:]
    with prefix.reading(prefix.bank([short])):
        assert (logits(model, [QUESTION]) - wanted).abs().max() < CLOSE
    with prefix.reading(prefix.bank([long])), pytest.raises(ReaderError, match="pass 14 positions"):
        logits(model, [QUESTION])


def test_bad_input_is_named(model: Any) -> None:
    prefix = TracePrefix(model, max_tokens=6)
    with pytest.raises(ReaderError, match="not attached"), prefix.reading(prefix.bank(tokens(3))):
        pass
    with pytest.raises(ReaderError, match="without any token"):
        prefix.encode([[5], []])
    with pytest.raises(ReaderError, match="not a finite number"):
        prefix.bank(tokens(3), scores=[float("inf")])
    with pytest.raises(ReaderError, match="2 traces need 2"):
        prefix.bank(tokens(3, 4), scores=[0.1])
    assert len(prefix.bank(tokens(20))) == 6
    prefix.attach()
    bank = prefix.bank(tokens(3), scores=torch.zeros(2, 1))
    with prefix.reading(bank), pytest.raises(ReaderError, match="batch of 3"):
        logits(model, [QUESTION] * 3)
    with torch.no_grad():
        model.model.embed_tokens.weight[5] = torch.inf
    with pytest.raises(ReaderError, match="not finite"):
        prefix.encode([[3, 5]])


def test_detached_it_does_nothing(model: Any) -> None:
    prefix = prefix_of(model)
    before = logits(model, [QUESTION])
    with prefix.reading(prefix.bank(tokens(4))):
        prefix.attach()
        assert not torch.equal(logits(model, [QUESTION]), before)
        prefix.detach()
        assert torch.equal(logits(model, [QUESTION]), before)
