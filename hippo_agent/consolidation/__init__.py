"""Nightly replay: what mattered is trained into a LoRA of the local model, behind a gate, with a way back."""

from __future__ import annotations
