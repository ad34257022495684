"""Finding and loading a causal language model: where, in what precision, and what is said when that cannot be."""

from __future__ import annotations

import importlib.util
import json
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hippo_agent.errors import ConfigError, MissingExtra, ModelUnavailable, OutOfMemory
from hippo_agent.weights import check_header, from_hub, quiet_loading

__all__ = ["HIPPO_TINY", "Loaded", "adapted", "find", "load", "memory_guarded"]

logger = logging.getLogger(__name__)

HIPPO_TINY = "hippo-tiny"
TINY_FOLDER = Path(__file__).parent / "tiny" / "weights"

_REMEDY = (
    "Fetch it once on a machine with network (huggingface-cli download), pass a local folder, or use the model that "
    f"is in the package: LocalModel({HIPPO_TINY!r})"
)
_LORA = re.compile(r"base_model\.[\w.-]{1,500}")  # what the tensors of an adapter are called
_HEADROOM = 1.2  # weights alone are not all that a model needs
_OUT = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model ready to be used, with its tokenizer."""

    model: Any
    tokenizer: Any
    folder: Path


def find(name: str, *, revision: str | None) -> Path:
    """The folder with the weights of a name: the packaged model, a folder, or one of the Hugging Face hub."""
    if name == HIPPO_TINY:
        if not (TINY_FOLDER / "model.safetensors").is_file():
            raise ModelUnavailable(
                f"the weights of {HIPPO_TINY} are not in this installation: reinstall hippo-agent, or name another"
            )
        return TINY_FOLDER
    folder = Path(name)
    return folder if folder.is_dir() else from_hub(name, revision=revision, remedy=_REMEDY)


def load(
    folder: Path,
    *,
    device: str | None,
    dtype: str | None,
    four_bit: bool,
    attention: str | None,
    adapter: Path | None,
) -> Loaded:
    """The model of a folder on its device, ready to read and to write.

    Raises:
        ModelUnavailable: no safetensors weights, damaged files, an unknown architecture, or no such device.
        MissingExtra: 4-bit without bitsandbytes. OutOfMemory: it does not fit.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not any(folder.glob("*.safetensors")):
        raise ModelUnavailable(f"{str(folder)!r} has no .safetensors weights; other formats are not loaded. Convert it")
    where = _device(device)
    precision = _precision(folder, where, dtype, four_bit)
    options: dict[str, Any] = {"dtype": precision, "trust_remote_code": False, "local_files_only": True}
    if attention is not None:
        options["attn_implementation"] = attention
    if four_bit:
        options["quantization_config"] = _four_bit(where, precision)
    with quiet_loading(), memory_guarded("the model does not fit"):
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, **options)
        except (OSError, ValueError, KeyError, SafetensorError) as exc:
            raise ModelUnavailable(
                f"{str(folder)!r} holds no causal language model that can be loaded: {exc}. Copy or fetch it again"
            ) from exc
        if not four_bit:
            model = model.to(torch.device(where))
        if adapter is not None:
            model = adapted(model, adapter)
    if tokenizer.eos_token_id is None:
        raise ModelUnavailable(f"the tokenizer in {str(folder)!r} has no end-of-text token; name another model")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return Loaded(model.eval(), tokenizer, folder)


@contextmanager
def memory_guarded(what: str) -> Iterator[None]:
    """Turns what torch says when memory runs out into OutOfMemory."""
    try:
        yield
    except (RuntimeError, MemoryError) as exc:
        if isinstance(exc, MemoryError) or any(sign in str(exc).lower() for sign in _OUT):
            raise OutOfMemory(
                f"{what} into memory: use a smaller model, less text, dtype='bfloat16', or four_bit=True on a CUDA "
                "device"
            ) from exc
        raise


def _device(wanted: str | None) -> str:
    import torch

    if wanted is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(wanted).type
    except RuntimeError as exc:
        raise ConfigError(f"{wanted!r} is not a device; use 'cpu', 'cuda' or 'cuda:1'") from exc
    if kind == "cuda" and not torch.cuda.is_available():
        raise ModelUnavailable(
            f"device {wanted!r} was asked for, but PyTorch sees no CUDA device: install a CUDA build of torch and a "
            "driver, or use device='cpu'"
        )
    return wanted


def _precision(folder: Path, device: str, wanted: str | None, four_bit: bool) -> Any:
    """The dtype to load in: the wanted one, bfloat16 on a GPU, else float32 as long as there is memory for it."""
    import torch

    names = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if wanted is not None and wanted not in names:
        raise ConfigError(f"dtype {wanted!r} is not one of {', '.join(names)}")
    if four_bit:
        return names[wanted or "bfloat16"]
    count, free = _parameters(folder), _free(device)
    order = [wanted] if wanted else ["bfloat16"] if device != "cpu" else ["float32", "bfloat16"]
    for name in order:
        if _HEADROOM * count * names[name].itemsize <= free:
            if name != order[0]:
                logger.warning("not enough memory for %s in %s; loading it in %s", folder.name, order[0], name)
            return names[name]
    need = _HEADROOM * count * names[order[-1]].itemsize
    raise OutOfMemory(
        f"{folder.name!r} has {count / 1e9:.1f} billion parameters and needs about {need / 2**30:.1f} GiB, but "
        f"{free / 2**30:.1f} GiB are free on {device}: use a smaller model, or four_bit=True on a CUDA device"
    )


def _parameters(folder: Path) -> int:
    """Numbers in the safetensors files of a folder, from their headers."""
    total = 0
    for file in folder.glob("*.safetensors"):
        try:
            with file.open("rb") as stream:
                size = int.from_bytes(stream.read(8), "little")
                if size > file.stat().st_size:
                    raise ValueError("its header is longer than the file")
                header = json.loads(stream.read(size))
            end = 0
            for name, entry in header.items():
                if name != "__metadata__":
                    end = max(end, entry["data_offsets"][1])
                    count = 1
                    for length in entry["shape"]:
                        count *= length
                    total += count
            if 8 + size + end != file.stat().st_size:
                raise ValueError("its length is not that of its header")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
            raise ModelUnavailable(f"{str(file)!r} is damaged or half written ({exc}); copy or fetch it again") from exc
    return total


def _free(device: str) -> float:
    import torch

    if device == "cpu":
        import psutil

        return float(psutil.virtual_memory().available)
    if torch.device(device).type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return float("inf")


def _four_bit(device: str, precision: Any) -> Any:
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtra("4-bit weights need bitsandbytes: pip install bitsandbytes, or leave four_bit out")
    if not device.startswith("cuda"):
        raise ModelUnavailable("4-bit weights need a CUDA device; use dtype='bfloat16' on this machine")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=precision)


def adapted(model: Any, adapter: Path) -> Any:
    """The model under a saved LoRA adapter, never merged."""
    from peft import PeftModel
    from safetensors import SafetensorError

    if not (adapter / "adapter_model.safetensors").is_file():
        raise ModelUnavailable(f"{str(adapter)!r} has no adapter_model.safetensors; name the folder of a saved adapter")
    check_header(adapter / "adapter_model.safetensors", _LORA)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft reads a property that transformers renames
            return PeftModel.from_pretrained(model, str(adapter), use_safetensors=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as exc:
        raise ModelUnavailable(f"the adapter in {str(adapter)!r} does not fit this model: {exc}") from exc
