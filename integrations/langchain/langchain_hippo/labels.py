"""Namespace labels for LangGraph, which allows no dots in them: e-mail addresses, versions and file names are encoded.

    namespace = ("users", encode_label("ada@example.org"))      # "ada@example%2Eorg"
    decode_label(namespace[1])                                  # "ada@example.org"

A label without a dot is itself.
"""

from __future__ import annotations

__all__ = ["decode_label", "encode_label"]


def encode_label(label: str) -> str:
    """The label without dots. Reversible."""
    return label.replace("%", "%25").replace(".", "%2E") if "." in label else label


def decode_label(label: str) -> str:
    """What `encode_label` was given."""
    found = label.replace("%2E", ".").replace("%25", "%")
    return found if "." in found and encode_label(found) == label else label
