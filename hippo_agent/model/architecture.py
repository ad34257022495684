"""The parts of a Hugging Face decoder that readers hold on to: its layers, its LoRA, its identity."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from hippo_agent.errors import ReaderError

__all__ = [
    "attention_of",
    "cache_argument",
    "decoder_of",
    "fingerprint",
    "is_alone",
    "layers_of",
    "own_weights",
    "read_alone",
]

_ALONE: ContextVar[bool] = ContextVar("alone", default=False)
_SAMPLE = 4096  # values of a tensor that enter the fingerprint


def decoder_of(model: Any) -> Any:
    """The stack of decoder layers inside a causal LM, also under a `PeftModel`."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return base.get_decoder()


def layers_of(model: Any) -> Any:
    """The decoder's layers, in order."""
    layers = getattr(decoder_of(model), "layers", None)
    if layers is None:
        raise ReaderError(f"{_kind(model)} keeps its layers in a way that readers do not know; use reader='prompt'")
    return layers


def attention_of(model: Any, layer: int) -> Any:
    """The self-attention block of one layer."""
    attention = getattr(layers_of(model)[layer], "self_attn", None)
    if attention is None:
        raise ReaderError(f"layer {layer} of {_kind(model)} has no self-attention; use reader='prompt'")
    return attention


def cache_argument(part: Any) -> str:
    """The name under which a decoder, a block or a function takes its cache: transformers 5.24 renamed it."""
    takes = inspect.signature(part.forward if hasattr(part, "forward") else part).parameters
    return "cache" if "cache" in takes else "past_key_values"


@contextmanager
def read_alone(model: Any) -> Iterator[None]:
    """Inside, in this thread, the model is its bare base: no LoRA, no reader, no dropout, no gradient."""
    import torch

    tuners = _tuners(model)
    before = [tuner._disable_adapters for tuner in tuners]
    training = model.training
    token = _ALONE.set(True)
    try:
        for tuner in tuners:
            tuner._disable_adapters = True
        model.eval()
        with torch.no_grad():
            yield
    finally:
        model.train(training)
        for tuner, was in zip(tuners, before, strict=True):
            tuner._disable_adapters = was
        _ALONE.reset(token)


def is_alone() -> bool:
    """Whether readers keep still, because a trace is being read."""
    return _ALONE.get()


def own_weights(module: Any) -> dict[str, Any]:
    """Name -> tensor of a module as if no adapter had ever been put into it."""
    return {
        name.replace("base_layer.", ""): tensor
        for name, tensor in module.state_dict().items()
        if "lora_" not in name and "modules_to_save" not in name
    }


def fingerprint(model: Any) -> str:
    """Names the base weights, whatever adapter is on them and in whatever precision they were loaded (12 hex digits).

    Sampled: up to 4096 values of each tensor, rounded to bfloat16, so it takes well under a second for any size.
    """
    import torch

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    digest = hashlib.sha256()
    for name, tensor in sorted(own_weights(base).items()):
        if not tensor.is_floating_point():
            continue
        flat = tensor.detach().reshape(-1)
        sample = flat[:: max(1, flat.numel() // _SAMPLE)][:_SAMPLE]
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(sample.to(torch.bfloat16).cpu().view(torch.int16).numpy().tobytes())
    return digest.hexdigest()[:12]


def _tuners(model: Any) -> list[Any]:
    if "peft" not in sys.modules:
        return []
    from peft.tuners.tuners_utils import BaseTunerLayer

    return [module for module in model.modules() if isinstance(module, BaseTunerLayer)]


def _kind(model: Any) -> str:
    return type(model.get_base_model() if hasattr(model, "get_base_model") else model).__name__
