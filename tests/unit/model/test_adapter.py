"""The trained reader: exact where it must change nothing, equal to a reference where it reads, whole on disk."""

from __future__ import annotations

import copy
import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from hippo_agent.errors import ConfigError, ModelUnavailable, ReaderError, ReaderMismatch
from hippo_agent.model.architecture import attention_of, fingerprint
from hippo_agent.model.reader.config import ReaderConfig
from hippo_agent.model.reader.model import CARD_FILE, WEIGHTS_FILE, TraceReader
from tests.unit.model.conftest import ARCHITECTURES, tiny_model, tokens

QUESTION = torch.tensor(tokens(9, seed=3))


def reader_of(model: Any, *, gate: float | None = 0.6, **config: Any) -> TraceReader:
    reader = TraceReader(model, ReaderConfig(**config)).attach()
    with torch.no_grad():
        for layer in reader.attentions:
            if gate is not None:
                layer.gate.fill_(gate)
            layer.source.normal_(std=0.3, generator=torch.Generator().manual_seed(5))
            layer.null_key.normal_(generator=torch.Generator().manual_seed(6))
    return reader


@pytest.fixture
def model(request: pytest.FixtureRequest) -> Any:
    """A model of our own: what is attached to it does not outlive the test."""
    return copy.deepcopy(tiny_model(getattr(request, "param", "llama")))


def logits(model: Any, ids: torch.Tensor = QUESTION, **more: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(ids, **more).logits
    return found


def test_no_bank_an_empty_bank_and_a_closed_gate_leave_every_logit_as_it_is(
    architecture: str, implementation: str
) -> None:
    model = copy.deepcopy(tiny_model(architecture, implementation))
    before = logits(model)
    reader = reader_of(model, gate=None)
    bank = reader.bank(tokens(5, 8, 3), scores=[0.9, 0.5, 0.4])
    with reader.reading(bank):
        assert torch.equal(logits(model), before)
    with torch.no_grad():
        for layer in reader.attentions:
            layer.gate.fill_(0.6)
    assert torch.equal(logits(model), before)
    with reader.reading(None):
        assert torch.equal(logits(model), before)
    with reader.reading(reader.bank([])):
        assert torch.equal(logits(model), before)
    with reader.reading(bank):
        assert (logits(model) - before).abs().max() > 0.5


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft asks transformers
def test_under_a_lora_the_same_holds_and_states_come_from_the_base_alone(architecture: str) -> None:
    from peft import LoraConfig, get_peft_model

    base = copy.deepcopy(tiny_model(architecture))
    plain = TraceReader(base).encode(tokens(6, 4))
    name = fingerprint(base)
    model = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)).eval()
    before = logits(model)
    reader = reader_of(model, gate=None)
    states = reader.encode(tokens(6, 4))
    assert all(torch.equal(one, other) for one, other in zip(plain, states, strict=True))
    assert fingerprint(model) == name
    with reader.reading(reader.banked(states)):
        assert torch.equal(logits(model), before)
        assert not torch.equal(before, logits(tiny_model(architecture)))
        with torch.no_grad():
            for layer in reader.attentions:
                layer.gate.fill_(0.6)
        assert not torch.equal(logits(model), before)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_reading_is_the_base_attention_over_trace_states_alone(architecture: str, implementation: str) -> None:
    """Against the base's own block, run without any cache over [trace; text] with a mask and plain positions."""
    model = copy.deepcopy(tiny_model(architecture, implementation))
    reader = TraceReader(model, ReaderConfig(layers=(2,), null_slot=False)).attach()
    trace, text = tokens(7, 9, seed=4)
    [states] = reader.encode([trace])
    block = attention_of(model, 2)
    caught: dict[str, Any] = {}
    hook = block.register_forward_pre_hook(lambda _, args, kwargs: caught.update(kwargs), with_kwargs=True)
    logits(model, torch.tensor([text]))
    hidden = caught["hidden_states"]
    logits(model, torch.tensor([trace + text]), position_ids=torch.arange(-7, 9)[None])
    hook.remove()
    mask = torch.full((1, 1, 16, 16), torch.finfo(torch.float32).min)
    mask[..., :7] = 0.0
    both = torch.cat([states, hidden], dim=1)
    with torch.no_grad():
        wanted = block(both, position_embeddings=caught["position_embeddings"], attention_mask=mask)[0][:, 7:]
        [layer] = reader.attentions
        layer.gate.fill_(20.0)  # tanh: 1
        given = {"position_embeddings": tuple(part[:, 7:] for part in caught["position_embeddings"])}
        [remembered] = reader.remember(reader.banked([states]))
        found = layer(hidden, remembered, given)
    assert (found - wanted).abs().max() < 1e-5
    assert wanted.abs().max() > 0.1


def test_a_better_score_draws_attention_to_its_trace(model: Any) -> None:
    reader = reader_of(model, null_slot=False, source_embedding=False)
    traces = tokens(6, 6, seed=8)
    with reader.reading(reader.bank(traces[:1])):
        alone = logits(model)
    with reader.reading(reader.bank(traces, scores=[1.0, 0.0])):
        first = logits(model)
    with reader.reading(reader.bank(traces, scores=[0.0, 1.0])):
        second = logits(model)
    assert (first - alone).abs().max() < 1e-4
    assert (second - alone).abs().max() > 0.1


def test_traces_below_the_floor_are_hardly_read_and_above_it_nothing_changes(model: Any) -> None:
    before = logits(model)

    def moved(floor: float, scores: list[float] | None) -> torch.Tensor:
        reader = reader_of(model, floor=floor)
        with reader.reading(reader.bank(tokens(5, 8, seed=8), scores=scores)):
            found = logits(model)
        reader.detach()
        return found

    assert torch.equal(moved(0.45, [0.8, 0.5]), moved(0.0, [0.8, 0.5]))
    assert torch.equal(moved(0.45, None), moved(0.0, None))  # no scores are no low scores
    under, off = ((moved(floor, [0.1, 0.05]) - before).abs().max() for floor in (0.45, 0.0))
    assert under < 0.01 * off and off > 0.3


def test_a_hidden_trace_is_as_if_it_were_not_there(model: Any) -> None:
    reader = reader_of(model)
    traces = tokens(6, 4, 5, seed=8)
    scores = torch.tensor([[0.3, 0.9, 0.5]])
    with reader.reading(reader.bank(traces, scores=scores, visible=torch.tensor([[True, False, True]]))):
        masked = logits(model)
    with reader.reading(reader.bank([traces[0], traces[2]], scores=[0.3, 0.5])):
        assert (logits(model) - masked).abs().max() < 1e-5


def test_the_order_of_traces_does_not_matter(model: Any) -> None:
    reader = reader_of(model)
    traces, scores = tokens(6, 4, 5, seed=8), [0.3, 0.35, 0.32]
    with reader.reading(reader.bank(traces, scores=scores)):
        forth = logits(model)
    with reader.reading(reader.bank(traces[::-1], scores=scores[::-1])):
        assert (logits(model) - forth).abs().max() < 1e-5


def test_the_stores_are_told_apart(model: Any) -> None:
    reader = reader_of(model)
    [trace] = tokens(6)
    with reader.reading(reader.bank([trace], sources=["episodic"])):
        episodic = logits(model)
    with reader.reading(reader.bank([trace], sources=["spatial"])):
        assert (logits(model) - episodic).abs().max() > 1e-3


def test_generation_is_the_same_with_and_without_cache_in_a_batch_and_by_beams(architecture: str) -> None:
    model = copy.deepcopy(tiny_model(architecture))
    reader = reader_of(model)
    traces = tokens(5, 8, 3)
    scores = torch.tensor([[0.50, 0.48, 0.52], [0.40, 0.42, 0.39]])
    long, short = tokens(9, 6, seed=3)
    ids = torch.tensor([long, [0] * 3 + short])
    mask = (torch.arange(9)[None] >= torch.tensor([[0], [3]])).long()
    for beams in (1, 2):
        options: dict[str, Any] = {"max_new_tokens": 4, "do_sample": False, "num_beams": beams}
        with reader.reading(reader.bank(traces, scores=scores)):
            batch = model.generate(ids, attention_mask=mask, **options)
            uncached = model.generate(ids, attention_mask=mask, use_cache=False, **options)
        assert torch.equal(batch, uncached)
        for row, question in enumerate((long, short)):
            with reader.reading(reader.bank(traces, scores=scores[row : row + 1])):
                alone = model.generate(torch.tensor([question]), **options)[0, len(question) :]
            found = batch[row, 9:]
            assert found[: len(alone)].tolist() == alone.tolist()


def test_a_later_token_never_changes_earlier_logits(architecture: str) -> None:
    model = copy.deepcopy(tiny_model(architecture))
    reader = reader_of(model)
    with reader.reading(reader.bank(tokens(5, 8))):
        before = logits(model)
        for at in range(1, QUESTION.shape[1]):
            changed = QUESTION.clone()
            changed[0, at] = (changed[0, at] + 1) % 90 + 3
            after = logits(model, changed)
            assert torch.equal(after[:, :at], before[:, :at])
            assert not torch.equal(after[:, at:], before[:, at:])


def test_two_threads_read_two_banks(model: Any) -> None:
    reader = reader_of(model)
    banks = [reader.bank([trace]) for trace in tokens(6, 7, seed=8)]
    alone = []
    for bank in banks:
        with reader.reading(bank):
            alone.append(logits(model))
    assert not torch.equal(*alone)
    wrong: list[int] = []
    barrier = threading.Barrier(3)

    def read(which: int) -> None:
        for _ in range(8):
            barrier.wait(timeout=30)
            if which == 2:
                same = torch.equal(logits(model), plain)
            else:
                with reader.reading(banks[which]):
                    same = torch.equal(logits(model), alone[which])
            if not same:
                wrong.append(which)

    plain = logits(model)
    threads = [threading.Thread(target=read, args=(which,)) for which in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert wrong == []


def test_every_part_learns(model: Any) -> None:
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    reader = reader_of(model)
    with reader.reading(reader.bank(tokens(5, 8), scores=[0.5, 0.4], sources=["episodic", "relational"])):
        model(QUESTION, labels=QUESTION).loss.backward()
    still = [name for name, p in reader.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert still == []


def test_one_vector_a_trace_is_another_reader(model: Any) -> None:
    reader = reader_of(model, pooling="mean")
    [remembered, _] = reader.remember(reader.bank(tokens(5, 8, 3)))
    assert remembered.keys.shape[2] == 1 + 3
    whole = reader_of(copy.deepcopy(tiny_model("llama")))
    assert whole.remember(whole.bank(tokens(5, 8, 3)))[0].keys.shape[2] == 1 + 16


def test_random_projections_are_not_the_copied_ones(model: Any) -> None:
    copied, random = TraceReader(model), TraceReader(model, ReaderConfig(init="random"))
    own = attention_of(model, 1).q_proj.weight
    assert torch.equal(copied.attentions[0].block.q_proj.weight, own)
    assert not torch.equal(random.attentions[0].block.q_proj.weight, own)


def test_a_saved_reader_comes_back_equal(model: Any, tmp_path: Path) -> None:
    reader = reader_of(model)
    bank = reader.bank(tokens(5, 8))
    with reader.reading(bank):
        wanted = logits(model)
    reader.save(tmp_path, about={"seed": 7})
    reader.detach()
    again = TraceReader.load(tmp_path, model).attach()
    with again.reading(again.bank(tokens(5, 8))):
        assert torch.equal(logits(model), wanted)
    assert json.loads((tmp_path / CARD_FILE).read_text())["about"] == {"seed": 7}
    assert sorted(path.name for path in tmp_path.iterdir()) == [CARD_FILE, WEIGHTS_FILE]


def test_a_reader_for_another_base_is_refused(model: Any, tmp_path: Path) -> None:
    TraceReader(model).save(tmp_path)
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.lm_head.weight.mul_(1.5)
    with pytest.raises(ReaderMismatch, match=r"another|trained for the base .* train a reader"):
        TraceReader.load(tmp_path, other)


def spoil_weights(folder: Path) -> None:
    content = (folder / WEIGHTS_FILE).read_bytes()
    (folder / WEIGHTS_FILE).write_bytes(content[: len(content) // 2])


def spoil_card(folder: Path) -> None:
    content = (folder / CARD_FILE).read_text()
    (folder / CARD_FILE).write_text(content[: len(content) // 2])


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_weights,
        spoil_card,
        lambda folder: (folder / WEIGHTS_FILE).unlink(),
        lambda folder: (folder / CARD_FILE).write_text("{}"),
    ],
    ids=["half the weights", "half the card", "no weights", "an empty card"],
)
def test_half_written_files_are_refused(model: Any, tmp_path: Path, spoil: Any) -> None:
    TraceReader(model).save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ModelUnavailable):
        TraceReader.load(tmp_path, model)


def test_weights_that_are_not_finite_are_refused(model: Any, tmp_path: Path) -> None:
    reader = TraceReader(model)
    with torch.no_grad():
        reader.attentions[0].gate[0] = torch.nan
    reader.save(tmp_path)
    with pytest.raises(ModelUnavailable, match="not finite"):
        TraceReader.load(tmp_path, model)


def test_bad_input_is_named(model: Any) -> None:
    reader = TraceReader(model)
    with pytest.raises(ReaderError, match="not attached"), reader.reading(reader.bank(tokens(3))):
        pass
    with pytest.raises(ReaderError, match="without any token"):
        reader.encode([[5], []])
    with pytest.raises(ReaderError, match="not a finite number"):
        reader.bank(tokens(3), scores=[float("nan")])
    with pytest.raises(ReaderError, match="2 traces need 2"):
        reader.bank(tokens(3, 4), scores=[0.1])
    with pytest.raises(ConfigError, match="from 0 to 2"):
        TraceReader(model, ReaderConfig(layers=(3,)))
    reader.attach()
    two = reader.bank(tokens(3), scores=torch.zeros(2, 1))
    with reader.reading(two), pytest.raises(ReaderError, match="batch of 3"):
        logits(model, QUESTION.repeat(3, 1))


def test_states_that_are_not_finite_are_refused(model: Any) -> None:
    with torch.no_grad():
        model.model.embed_tokens.weight[5] = torch.inf
    with pytest.raises(ReaderError, match="not finite"):
        TraceReader(model).encode([[3, 5]])


def test_a_long_trace_is_cut_and_attaching_twice_reads_once(model: Any) -> None:
    reader = reader_of(model, max_tokens=8)
    [long] = tokens(20)
    assert reader.encode([long])[0].shape[1] == 8
    bank = reader.bank([long])
    with reader.reading(bank):
        once = logits(model)
        reader.attach()
        assert torch.equal(logits(model), once)
    reader.detach()
    assert torch.equal(logits(model), logits(tiny_model("llama")))
