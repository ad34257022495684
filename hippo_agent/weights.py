"""Weights of models: where they are found, what they are, and quiet while they are loaded. safetensors only."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hippo_agent.errors import ModelUnavailable

__all__ = ["FILES", "file_digest", "from_hub", "quiet_loading", "weights_digest"]

logger = logging.getLogger(__name__)

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
