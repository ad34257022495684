"""Tiny models with random weights, one of each architecture; made once a session."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from hippo_agent.model.architecture import cache_argument

VOCABULARY = 300
COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.25,  # at the usual 0.02 attention is uniform and tests are blind
    "tie_word_embeddings": False,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {}),
    "mistral": ("Mistral", {"sliding_window": None}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {"head_dim": 16}),
    "gemma": ("Gemma", {"head_dim": 16}),
    "phi": ("Phi", {}),
    "phi3": ("Phi3", {}),
}
#: The same with layers that see only the eight tokens before.
WINDOWED: dict[str, dict[str, Any]] = {
    "mistral": {"sliding_window": 8},
    "qwen3": {
        "use_sliding_window": True,
        "sliding_window": 8,
        "layer_types": ["full_attention", "sliding_attention", "full_attention"],
    },
    "phi3": {"sliding_window": 8},
}


def given(part: Any, cache: Any) -> dict[str, Any]:
    """The cache under the name that this model or decoder takes it by."""
    return {cache_argument(part): cache}


@cache
def tiny_model(architecture: str, implementation: str = "sdpa", *, sliding: bool = False) -> Any:
    """A model of the architecture, its weights drawn from one seed; shared: whoever changes it makes a copy."""
    name, own = ARCHITECTURES[architecture]
    windows = WINDOWED[architecture] if sliding else {}
    config = getattr(transformers, f"{name}Config")(**{**COMMON, **own, **windows})
    config._attn_implementation = implementation
    torch.manual_seed(1)
    return getattr(transformers, f"{name}ForCausalLM")(config).eval()


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Matrices this small are slower when they are shared among threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=[*ARCHITECTURES])
def architecture(request: pytest.FixtureRequest) -> str:
    """One of the architectures that readers are tested on."""
    return str(request.param)


@pytest.fixture(params=["sdpa", "eager"])
def implementation(request: pytest.FixtureRequest) -> str:
    """One of the ways to compute attention."""
    return str(request.param)


def tokens(*lengths: int, seed: int = 0) -> list[list[int]]:
    """Random token ids without special ones, one list for each length."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(3, VOCABULARY, (length,), generator=generator).tolist() for length in lengths]


def tiny_tokenizer(*, chat: bool = False) -> Any:
    """Bytes as tokens, a few merges; with a chat template that has no place for system messages, or without one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=290, special_tokens=["<pad>", "<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(["the red lantern of the old baker"] * 3, trainer)
    template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
        "[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        chat_template=template if chat else None,
    )


def save_model(folder: Path, architecture: str = "llama", *, chat: bool = False) -> Path:
    """A folder as one finds it on the Hugging Face hub."""
    tiny_model(architecture).save_pretrained(folder)
    tiny_tokenizer(chat=chat).save_pretrained(folder)
    return folder
