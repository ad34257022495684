"""Reading evaluation files: plain or gzipped, and what is wrong with them said in one line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hippo_agent.errors import DataError

__all__ = ["field", "read_json", "read_text"]


def read_text(path: Path) -> str:
    """The UTF-8 text of a file; ``.gz`` is unpacked."""
    if not path.is_file():
        raise DataError(f"{str(path)!r} is not a file; check the path")
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return raw.decode("utf-8-sig")
    except (OSError, EOFError) as exc:
        raise DataError(f"{str(path)!r} cannot be read ({exc}); fetch or unpack it again") from exc
    except UnicodeDecodeError as exc:
        raise DataError(f"{str(path)!r} is not UTF-8 text (byte {exc.start}); convert it first") from exc


def read_json(path: Path) -> Any:
    """The JSON value of a file."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as exc:
        raise DataError(f"{str(path)!r} is not JSON (line {exc.lineno}: {exc.msg}); is it the right file?") from exc


def field(item: Any, name: str, kind: type | tuple[type, ...], where: str, remedy: str) -> Any:
    """``item[name]``, checked to be there and of the kind that the format has."""
    if not isinstance(item, Mapping):
        raise DataError(f"{where} is {_kind(item)}, not an object; {remedy}")
    if name not in item:
        raise DataError(f"{where} has no {name!r}; {remedy}")
    if not isinstance(item[name], kind):
        raise DataError(f"{name!r} of {where} is {_kind(item[name])}; {remedy}")
    return item[name]


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    return f"{value!r:.40}"
