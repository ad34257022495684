"""LangGraph's value filters: equality, nested objects, dotted paths and comparison operators.

    {"color": "red"}   {"score": {"$gte": 4}}   {"user": {"level": "gold"}}   {"user.level": "gold"}

A comparison between values that have no order (a number and a string, a missing field) does not hold; it is no error.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from hippo_agent.errors import InvalidInput

__all__ = ["check_filter", "matches"]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_OPERATORS = ("$eq", "$ne", *_ORDER)
_ODD = re.compile(r"""['"`();\\\x00-\x1f]""")  # what no field is called, and an injected query is
_MISSING = object()


def check_filter(wanted: Mapping[str, Any] | None) -> None:
    """Raises InvalidInput for unknown operators and keys that are no field names."""
    for key, value in (wanted or {}).items():
        if not isinstance(key, str) or not key or _ODD.search(key):
            raise InvalidInput(f"Invalid filter key: {key!r}; a key is a field name or a dotted path")
        if isinstance(value, Mapping):
            if any(str(name).startswith("$") for name in value):
                for name in value:
                    if name not in _OPERATORS:
                        raise InvalidInput(f"unknown operator {name!r} in a filter; use {', '.join(_OPERATORS)}")
            else:
                check_filter(value)


def matches(value: Any, wanted: Mapping[str, Any] | None) -> bool:
    """Whether a stored value passes a checked filter."""
    return all(_holds(_field(value, key), condition) for key, condition in (wanted or {}).items())


def _field(value: Any, path: str) -> Any:
    """The field of this name; a name with dots that is no field is a path."""
    if not isinstance(value, Mapping):
        return _MISSING
    if path in value:
        return value[path]
    first, dot, rest = path.partition(".")
    return _field(value[first], rest) if dot and first in value else _MISSING


def _holds(value: Any, condition: Any) -> bool:
    if not isinstance(condition, Mapping):
        return _equal(value, condition)
    if not any(str(name).startswith("$") for name in condition):
        return isinstance(value, Mapping) and matches(value, condition)
    return all(_compare(value, name, other) for name, other in condition.items())


def _compare(value: Any, name: str, other: Any) -> bool:
    if name == "$eq":
        return _equal(value, other)
    if name == "$ne":
        return not _equal(value, other)
    ordered = all(isinstance(side, (int, float)) and not isinstance(side, bool) for side in (value, other)) or (
        isinstance(value, str) and isinstance(other, str)
    )
    return ordered and _ORDER[name](value, other)


def _equal(value: Any, other: Any) -> bool:
    """JSON equality: True is not 1, a tuple is a list, a missing field equals None."""
    value = None if value is _MISSING else value
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    if isinstance(other, (list, tuple)):
        same = isinstance(value, list) and len(value) == len(other)
        return same and all(map(_holds, value, other))
    return bool(value == other)
