"""`LocalModel` on folders with random weights: what it writes, what it measures, and what it says when it cannot."""

from __future__ import annotations

import importlib.util
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hippo_agent.embedding.hashing import HashingEmbedder
from hippo_agent.episodic.segmentation import SegmentationConfig, segment
from hippo_agent.errors import ConfigError, InvalidInput, MissingExtra, ModelUnavailable, OutOfMemory, TooLarge
from hippo_agent.memory import Memory
from hippo_agent.model import loading
from hippo_agent.model.dialogue import messages_of, with_system, written
from hippo_agent.model.local import LocalModel
from tests.unit.model.conftest import save_model, tiny_model, tiny_tokenizer

TEXT = "The red lantern hangs in the cellar of the old mill."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def model(folder: Path) -> LocalModel:
    return LocalModel(folder, device="cpu")


# What it writes


def test_every_architecture_is_loaded_from_a_folder_and_answers(architecture: str, tmp_path: Path) -> None:
    model = LocalModel(save_model(tmp_path, architecture), device="cpu")
    answer = model.generate("Who has the key?", max_new_tokens=5)
    assert answer == model.generate("Who has the key?", max_new_tokens=5)
    ids = model.tokenizer("User: Who has the key?\nAssistant:", return_tensors="pt")
    told = tiny_model(architecture).generate(**ids, max_new_tokens=5, do_sample=False)[0, ids["input_ids"].shape[1] :]
    assert answer == model.tokenizer.decode(told, skip_special_tokens=True).split("\nUser:")[0].strip()


def test_the_choices_of_device_and_precision_are_kept(folder: Path) -> None:
    model = LocalModel(folder, device="cpu", dtype="bfloat16", attention="eager")
    found = model.describe()
    assert (found["device"], found["dtype"], found["layers"], found["width"]) == ("cpu", "bfloat16", 3, 64)
    assert model.model.config._attn_implementation == "eager"
    assert LocalModel(folder, device="cpu").describe()["dtype"] == "float32"
    assert model.fingerprint == LocalModel(folder, device="cpu").fingerprint
    assert model.id == f"{folder.name}@{model.fingerprint}"


def test_a_batch_answers_as_one_by_one(model: LocalModel) -> None:
    questions = ["Who has the key?", "Where is the lantern of the old baker who moved to the mill?", "Why?"]
    alone = [model.generate(question, max_new_tokens=6) for question in questions]
    assert model.generate_many(questions, max_new_tokens=6) == alone
    assert len(set(alone)) > 1
    assert model.generate_many([]) == []


def test_drawing_follows_the_seed_and_leaves_the_generator_alone(model: LocalModel) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    drawn = [model.generate("Who?", max_new_tokens=8, temperature=1.0, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert torch.equal(torch.rand(1), expected)


def test_a_stream_joined_is_the_answer(model: LocalModel) -> None:
    for question in ("Who has the key?", "Where?"):
        pieces = list(model.stream(question, max_new_tokens=20))
        assert "".join(pieces) == model.generate(question, max_new_tokens=20)
    assert len(pieces) > 1


def test_a_stream_left_early_stops_and_frees_the_model(model: LocalModel) -> None:
    stream = model.stream("Who has the key?", max_new_tokens=400)
    next(iter(stream))
    stream.close()  # type: ignore[attr-defined]
    free = threading.Thread(target=lambda: model.lock.acquire(timeout=5) and model.lock.release())
    free.start()
    free.join(timeout=10)
    assert not free.is_alive()
    assert model.generate("Who?", max_new_tokens=2) is not None


def test_an_error_inside_a_stream_reaches_the_reader(model: LocalModel) -> None:
    with pytest.raises(ValueError, match="num_beams"):
        list(model.stream("Who?", max_new_tokens=4, num_beams=0))


def test_a_text_that_goes_on_to_the_next_turn_is_cut(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    assert model._ended(" In Lisbon. \nUser: And who?") == "In Lisbon."
    pieces = iter([" In", " Lisbon. ", "\nUs", "er: And", " who?"])
    assert "".join(model._until_end(pieces)) == "In Lisbon."


def test_messages_are_written_by_the_template_or_plainly() -> None:
    plain, chat = tiny_tokenizer(), tiny_tokenizer(chat=True)
    messages = messages_of([{"role": "system", "content": "Be short."}, {"role": "user", "content": "Who?"}])
    assert written(plain, messages) == "Be short.\nUser: Who?\nAssistant:"
    assert written(chat, messages_of("Who?")) == "[user] Who?\n[assistant]"
    assert written(chat, messages) == "[user] Be short.\n\nWho?\n[assistant]"  # its template refuses system messages
    assert written(plain, with_system(messages, "Ada is out.")).startswith("Be short.\nAda is out.\nUser")
    assert with_system(messages, "") == messages


def test_what_it_is_told_stands_before_the_conversation_in_this_context_only(model: LocalModel) -> None:
    with model.telling("Ada has the key."):
        assert model.written("Who?") == "Ada has the key.\nUser: Who?\nAssistant:"
        seen: list[str] = []
        other = threading.Thread(target=lambda: seen.append(model.written("Who?")))
        other.start()
        other.join()
    assert seen == [model.written("Who?")] == ["User: Who?\nAssistant:"]


@pytest.mark.parametrize("prompt", ["", "  \n", [], [{"role": "user", "content": " "}]])
def test_an_empty_prompt_is_refused(model: LocalModel, prompt: Any) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        model.generate(prompt)


def test_prompts_that_are_none_are_refused(model: LocalModel) -> None:
    with pytest.raises(InvalidInput, match="role"):
        model.generate([{"role": "wizard", "content": "Who?"}])
    with pytest.raises(InvalidInput, match="raw prompt"):
        model.generate([{"role": "user", "content": "Who?"}], raw=True)
    with pytest.raises(TooLarge, match=r"takes 512 in all: recall less"):
        model.generate("who " * 600)


def test_strange_characters_pass(model: LocalModel) -> None:
    assert isinstance(model.generate("\ud800 \x00 who? \U0001f3ee", max_new_tokens=2), str)


# What it measures


def reference_nll(model: LocalModel, text: str) -> list[float]:
    ids = torch.tensor([[model.tokenizer.bos_token_id, *model.tokens(text)]])
    with torch.no_grad():
        likely = torch.log_softmax(model.model(ids).logits[0, :-1], dim=-1)
    return (-likely[range(len(likely)), ids[0, 1:]]).tolist()


def test_surprise_is_the_negative_log_likelihood_of_each_token(model: LocalModel) -> None:
    texts = [TEXT, "Why?", "", TEXT * 3]
    found = model.surprises(texts)
    for text, values in zip(texts, found, strict=True):
        assert values == pytest.approx(reference_nll(model, text) if text else [], abs=1e-4)
    assert model.surprise(TEXT) == pytest.approx(found[0], abs=1e-4)


def test_surprise_of_a_text_longer_than_the_context_has_every_token_once(model: LocalModel) -> None:
    long = TEXT * 60
    values = model.surprise(long)
    assert len(values) == model.count(long) > 2 * model.context
    assert values[:511] == pytest.approx(reference_nll(model, TEXT * 18)[:511], abs=1e-3)
    start = next(start for start in range(0, len(values), 255) if start + 511 >= len(values))  # of the last window
    with torch.no_grad():
        ids = torch.tensor([[model.tokenizer.bos_token_id, *model.tokens(long)[start:]]])
        likely = torch.log_softmax(model.model(ids).logits[0, :-1], dim=-1)
    wanted = (-likely[range(len(likely)), ids[0, 1:]]).tolist()
    assert values[start + 256 :] == pytest.approx(wanted[256:], abs=1e-3)


def test_surprise_feeds_the_write_gate(model: LocalModel, tmp_path: Path) -> None:
    means: list[float] = []

    def measured(text: str) -> list[float]:
        values = model.surprise(text)
        means.append(sum(values) / len(values))
        return values

    with Memory(tmp_path, embedder=HashingEmbedder(quiet=True), token_surprise=measured) as memory:
        for text in (TEXT, "A heron nests behind the mill.", "qxz vvv wkj zzq"):
            memory.write(text, source="user")
    assert len(means) == 3
    assert means[0] == pytest.approx(sum(reference_nll(model, TEXT)) / model.count(TEXT), abs=1e-3)


def test_surprise_cuts_a_long_text(model: LocalModel) -> None:
    nll = model.token_nll(TEXT)
    assert nll[0][0] == 0
    assert [value for _, value in nll] == model.surprise(TEXT)
    pieces = segment(TEXT * 20, config=SegmentationConfig(least=20, most=200), token_nll=model.token_nll)
    assert len(pieces) > 3


def test_hidden_states_are_those_of_the_model(model: LocalModel) -> None:
    texts = [TEXT, "", "Why?"]
    found = model.hidden_states(texts, layer=2)
    for text, states in zip(texts, found, strict=True):
        assert states.shape == (model.count(text), 64)
        if text:
            with torch.no_grad():
                wanted = model.model(torch.tensor([model.tokens(text)]), output_hidden_states=True).hidden_states[2][0]
            assert np.abs(states - wanted.numpy()).max() < 1e-4


# What it says when it cannot


def test_names_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="neither a folder"):
        LocalModel("nobody/no-such-model").generate("Who?")
    with pytest.raises(ModelUnavailable, match=r"no \.safetensors weights"):
        LocalModel(tmp_path).generate("Who?")


def test_the_packaged_model_says_when_it_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(loading, "TINY_FOLDER", tmp_path)
    with pytest.raises(ModelUnavailable, match="reinstall hippo-agent"):
        LocalModel().generate("Who?")


def halve(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def shred(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x00" * 100)


def unknown(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "abacus"}))


def without_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


@pytest.mark.parametrize("spoil", [halve, shred, unknown, without_tokenizer], ids=lambda spoil: str(spoil.__name__))
def test_damaged_folders_are_refused(tmp_path: Path, spoil: Any) -> None:
    spoil(save_model(tmp_path))
    with pytest.raises(ModelUnavailable):
        LocalModel(tmp_path, device="cpu").generate("Who?")


def test_a_device_that_is_not_there_is_named(folder: Path) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(ModelUnavailable, match="sees no CUDA device"):
            LocalModel(folder, device="cuda").generate("Who?")
    with pytest.raises(ConfigError, match="not a device"):
        LocalModel(folder, device="abacus").generate("Who?")
    with pytest.raises(ConfigError, match="dtype 'int8'"):
        LocalModel(folder, dtype="int8").generate("Who?")


def test_four_bits_without_what_they_need_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    for there, wanted in ((None, MissingExtra), (find("json"), ModelUnavailable)):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, spec=there: spec)
        with pytest.raises(wanted, match="4-bit"):
            LocalModel(folder, device="cpu", four_bit=True).generate("Who?")
        monkeypatch.undo()


def test_too_little_memory_is_said_before_anything_is_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (folder / "model.safetensors").stat().st_size
    monkeypatch.setattr(loading, "_free", lambda device: size * 0.4)
    with pytest.raises(OutOfMemory, match="needs about"):
        LocalModel(folder, device="cpu").generate("Who?")
    monkeypatch.setattr(loading, "_free", lambda device: size * 0.9)
    assert LocalModel(folder, device="cpu").describe()["dtype"] == "bfloat16"


def test_memory_that_runs_out_on_the_way_is_named(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(model.model, "generate", fail)
    with pytest.raises(OutOfMemory, match="does not fit into memory"):
        model.generate("Who?")


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft asks transformers
def test_an_adapter_is_put_on_and_the_base_keeps_its_name(folder: Path, tmp_path: Path) -> None:
    import copy

    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(
        copy.deepcopy(tiny_model("llama")), LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    )
    adapted.save_pretrained(tmp_path)
    model, base = LocalModel(folder, device="cpu", adapter=tmp_path), LocalModel(folder, device="cpu")
    assert model.surprise(TEXT) != pytest.approx(base.surprise(TEXT), abs=0.01)
    assert model.fingerprint == base.fingerprint
    assert len(model.hidden_states([TEXT])) == 1
    with pytest.raises(ModelUnavailable, match="adapter_model"):
        LocalModel(folder, device="cpu", adapter=folder).generate("Who?")


def test_special_tokens_are_written_by_the_template_or_by_the_tokenizer_never_by_both(tmp_path: Path) -> None:
    from tokenizers.processors import TemplateProcessing

    begins = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    for chat in (True, False):
        folder = save_model(tmp_path / str(chat), chat=chat)
        model = LocalModel(folder, device="cpu")
        model.tokenizer.backend_tokenizer.post_processor = begins
        for raw in (True, False):
            ids = model._inputs([model.written("Who?", raw=raw)], 4, raw)["input_ids"][0].tolist()
            assert (ids[0] == model.tokenizer.bos_token_id) is (raw or not chat)
