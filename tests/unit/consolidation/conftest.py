"""A base small enough to be trained in a second: a Llama of random weights and a vocabulary cut for the texts here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from hippo_agent.consolidation.items import Item, key_of
from hippo_agent.consolidation.night import Base

NOW = datetime(2026, 3, 1, 3, tzinfo=timezone.utc)


def item(subject: str = "Orla", relation: str = "home", value: str = "Tarn", *, text: str = "", **changes: Any) -> Item:
    settings = {
        "key": key_of(subject, relation, "", value),
        "subject": subject,
        "relation": relation,
        "value": value,
        "text": text or f"{subject} lives in {value}.",
        "traces": (f"trace of {subject}",),
        "trust": 1.0,
        "said_at": NOW,
    }
    return Item(**{**settings, **changes})


@pytest.fixture(scope="session")
def base() -> Iterator[Base]:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from hippo_agent.model.tiny.tokens import build

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    tokenizer = build(
        [f"User: Where does Orla{n} live? Q: A: Tarn lives in unknown Assistant:\n" for n in range(50)], size=320
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        initializer_range=0.25,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config).eval()
    model.requires_grad_(False)
    yield Base(model, tokenizer, "a tiny one")
    torch.set_num_threads(threads)
