"""Weights of models: where they are found, what they are, and quiet while they are loaded. safetensors only."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hippo_agent.errors import ModelUnavailable

__all__ = ["FILES", "check_header", "file_digest", "from_hub", "quiet_loading", "weights_digest"]

logger = logging.getLogger(__name__)

_MAX_HEADER = 1024 * 1024  # bytes; the format itself allows a hundred times as much

#: What a language model's folder holds, as far as we load it.
FILES = ("*.json", "*.jinja", "*.txt", "*.safetensors", "*.model")


def from_hub(name: str, *, revision: str | None, files: Sequence[str] = FILES, remedy: str) -> Path:
    """The folder of a model in the Hugging Face cache, fetched from the hub when it is not there.

    Raises ModelUnavailable, ending with the remedy.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = list(files)
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=wanted, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        logger.info("%s is not in the Hugging Face cache; asking the hub", name)
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=wanted, etag_timeout=2))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as exc:
        raise ModelUnavailable(
            f"the model {name!r} is neither a folder, nor in the Hugging Face cache, nor to be fetched from the hub. "
            f"{remedy}"
        ) from exc


@contextmanager
def quiet_loading() -> Iterator[None]:
    """transformers draws a bar while loading; ours are the only bars a user should see."""
    before = os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS")
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    try:
        from transformers.utils import logging as transformers_logging

        shown = transformers_logging.is_progress_bar_enabled()
        transformers_logging.disable_progress_bar()
        try:
            yield
        finally:
            if shown:
                transformers_logging.enable_progress_bar()
    finally:
        if before is None:
            os.environ.pop("HF_HUB_DISABLE_PROGRESS_BARS", None)
        else:
            os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = before


def check_header(file: Path, names: re.Pattern[str] | None = None) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors of a safetensors file, read without loading any of them.

    ``names``: what they may be called. Raises ModelUnavailable: a header that is too large or not whole, a name that is
    not allowed, tensors that do not fill the file exactly.
    """
    wrong = f"{str(file)!r} is not a whole safetensors file"
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > min(_MAX_HEADER, size - 8):
            raise ModelUnavailable(f"{wrong}: a header of {length} bytes; fetch or train it again")
        raw = stream.read(length)
    try:
        entries = {name: entry for name, entry in json.loads(raw).items() if name != "__metadata__"}
        shapes = {name: tuple(int(side) for side in entry["shape"]) for name, entry in entries.items()}
        ends = sorted((int(entry["data_offsets"][0]), int(entry["data_offsets"][1])) for entry in entries.values())
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as exc:
        raise ModelUnavailable(f"{wrong} ({exc}); fetch or train it again") from exc
    starts = [0, *(end for _, end in ends)]
    if [start for start, _ in ends] != starts[:-1] or starts[-1] != size - 8 - length:
        raise ModelUnavailable(f"{wrong}: its tensors do not fill it; fetch or train it again")
    if names is not None and (odd := [name for name in shapes if not names.fullmatch(name)]):
        raise ModelUnavailable(f"{str(file)!r} holds {odd[0]!r}, which no adapter has; train it again")
    return shapes


def weights_digest(folder: Path) -> str:
    """One digest for all safetensors files of a folder. Raises ModelUnavailable when it has none."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelUnavailable(
            f"{str(folder)!r} has no .safetensors weights; other formats are not loaded. Convert it."
        )
    return hashlib.sha256("".join(file_digest(file) for file in files).encode()).hexdigest()


def file_digest(file: Path) -> str:
    """SHA-256 of a file."""
    if not file.is_file():
        raise ModelUnavailable(f"{str(file)!r} is missing; reinstall the model or pass another folder.")
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
