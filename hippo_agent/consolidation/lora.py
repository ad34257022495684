"""The LoRA of a night: put on a frozen base, scaled, saved and taken off again; never merged into the base."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hippo_agent.errors import AdapterError, ModelUnavailable
from hippo_agent.model.loading import adapted

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["attach", "detach", "load", "read", "rescale", "save", "scaled", "weights"]


def attach(base: Any, *, rank: int, seed: int, start: Mapping[str, Tensor] | None = None) -> Any:
    """A `PeftModel` over the base, a LoRA in every linear layer: ``start``'s weights, or one that changes nothing."""
    import torch
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    if getattr(base, "is_loaded_in_4bit", False) or getattr(base, "is_loaded_in_8bit", False):
        base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=False)
    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft reads a property that transformers renames
        torch.manual_seed(seed)
        model = get_peft_model(base, config)
    for parameter in weights(model).values():
        parameter.data = parameter.data.float()
    for name, tensor in (start or {}).items():
        weights(model)[name].data.copy_(tensor)
    return model


def load(base: Any, folder: Path) -> Any:
    """A `PeftModel` with a saved LoRA, for reading. AdapterError when the files are not whole or not of this base."""
    try:
        return adapted(base, folder)
    except ModelUnavailable as error:
        raise AdapterError(f"{error}; or run `hippo rollback`") from error


def read(base: Any, folder: Path) -> dict[str, Tensor]:
    """The tensors of a saved LoRA, for `attach` to start from. Raises AdapterError."""
    model = load(base, folder)
    try:
        return {name: tensor.detach().clone() for name, tensor in weights(model).items()}
    finally:
        detach(model)


def detach(model: Any) -> Any:
    """The base as it was."""
    return model.unload()


def save(model: Any, folder: Path) -> None:
    """adapter_model.safetensors and adapter_config.json."""
    model.save_pretrained(str(folder), safe_serialization=True)
    readme = folder / "README.md"  # peft's template of a model card, empty
    readme.unlink(missing_ok=True)


def weights(model: Any) -> dict[str, Tensor]:
    """The LoRA's tensors by name, in a fixed order."""
    return {name: tensor for name, tensor in sorted(model.named_parameters()) if "lora_" in name}


@contextmanager
def scaled(model: Any, factor: float) -> Iterator[None]:
    """Inside, the LoRA counts ``factor`` times as much: 0 is the base."""
    modules = [module for module in model.modules() if isinstance(getattr(module, "scaling", None), dict)]
    before = [dict(module.scaling) for module in modules]
    try:
        for module in modules:
            for name in module.scaling:
                module.scaling[name] *= factor
        yield
    finally:
        for module, was in zip(modules, before, strict=True):
            module.scaling.update(was)


def rescale(model: Any, factor: float) -> None:
    """Make a factor part of the weights that are saved."""
    for name, tensor in weights(model).items():
        if "lora_B" in name:
            tensor.data.mul_(factor)
