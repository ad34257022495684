"""The shipped weights: standard files, answers about names that were never trained on, "unknown" where nothing says."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from hippo_agent.model.reader.model import TraceReader
from hippo_agent.model.reader.training import Tongue, accuracy
from hippo_agent.model.readers import TINY_READER
from hippo_agent.model.tiny import folder
from hippo_agent.model.tiny.documents import prompt
from hippo_agent.model.tiny.exam import exact, examine, paper
from hippo_agent.model.tiny.tokens import END


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(folder())


@pytest.fixture(scope="module")
def model() -> Any:
    return LlamaForCausalLM.from_pretrained(folder(), dtype=torch.float32).eval()


def test_the_folder_holds_safetensors_and_text_and_fits_the_wheel() -> None:
    files = [file for file in folder().rglob("*") if file.is_file()]
    assert {file.suffix for file in files} <= {".safetensors", ".json", ".jinja", ".md"}
    assert sum(file.stat().st_size for file in files) < 20e6
    assert json.loads((folder() / "config.json").read_text())["architectures"] == ["LlamaForCausalLM"]


def test_it_answers_from_its_prompt_about_unseen_names_and_says_when_it_does_not_know(
    model: Any, tokenizer: Any
) -> None:
    found = examine(
        model, tokenizer, count=80, seed=11, only=("1 fact", "16 facts", "4 facts, fresh questions", "no context")
    )
    assert found["1 fact"] > 0.95
    assert found["16 facts"] > 0.8
    assert found["4 facts, fresh questions"] > 0.75
    assert found["no context"] > 0.95


def test_without_the_facts_it_knows_none_of_the_answers(model: Any, tokenizer: Any) -> None:
    asked = [(text.rpartition("\nUser:")[2], answer) for text, answer in paper("4 facts", 60, seed=12, split="test")]
    assert sum(exact(model, tokenizer, [(f"User:{text}", answer) for text, answer in asked])) <= 1


def test_an_exact_answer_is_what_greedy_decoding_writes(model: Any, tokenizer: Any) -> None:
    items = paper("4 facts", 12, seed=13, split="test")
    written = []
    for text, answer in items:
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False)
        written.append(tokenizer.decode(out[0, ids.shape[1] :]) == f"{answer}{END}")
    assert written == exact(model, tokenizer, items)


def test_the_shipped_reader_answers_from_traces_that_are_not_in_the_prompt(model: Any, tokenizer: Any) -> None:
    reader = TraceReader.load(TINY_READER, model)
    tongue = Tongue(tokenizer, prompt, END)
    try:
        assert accuracy(reader, model, tongue, distractors=4, questions=64, seed=3) > 0.8
        assert accuracy(reader, model, tongue, distractors=4, questions=64, seed=3, absence=1.0) > 0.8
    finally:
        reader.detach()
