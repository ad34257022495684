"""hippo-tiny: the small language model that ships with the package, and the recipe that made it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["folder"]


def folder() -> Path:
    """Where the shipped weights and their tokenizer are."""
    return Path(__file__).parent / "weights"
