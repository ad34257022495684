"""Whose memory a run works in: the namespace and the session, read from LangGraph's runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hippo_agent import Memory
from hippo_agent.errors import InvalidInput
from hippo_agent.intake import clean_namespace
from hippo_agent.types import Namespace

__all__ = ["NamespaceOf", "Scope", "resolver"]

NamespaceOf = Callable[[Any], Sequence[str] | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where one run reads and writes."""

    namespace: Namespace
    exact: bool = False  # a run without a user sees what belongs to no user
    user: str | None = None
    session: str | None = None


def resolver(memory: Memory, namespace: NamespaceOf | Sequence[str] | str | None) -> Callable[[Any], Scope]:
    """A function from a LangGraph runtime to its scope.

    Args:
        namespace: a fixed one, or a function of the runtime; None takes ``user_id`` from the runtime's context and
            appends it to the memory's own namespace. A run without one sees only what belongs to no user.
    """
    if namespace is not None and not callable(namespace):
        fixed = clean_namespace(namespace)
        return lambda runtime: Scope(namespace=fixed, session=_session(runtime), user=_user(runtime))
    if callable(namespace):
        return lambda runtime: Scope(
            namespace=clean_namespace(namespace(runtime)), session=_session(runtime), user=_user(runtime)
        )

    def by_user(runtime: Any) -> Scope:
        user = _user(runtime)
        own = memory.namespace if user is None else clean_namespace((*memory.namespace, user))
        return Scope(namespace=own, exact=user is None, user=user, session=_session(runtime))

    return by_user


def _user(runtime: Any) -> str | None:
    context = getattr(runtime, "context", None)
    user = context.get("user_id") if isinstance(context, Mapping) else getattr(context, "user_id", None)
    if user is None:
        return None
    if isinstance(user, bool) or not isinstance(user, (str, int)) or not str(user).strip():
        raise InvalidInput(f"user_id must be a non-empty str, not {user!r}; or give HippoMemory a namespace function")
    return str(user)


def _session(runtime: Any) -> str | None:
    found = getattr(getattr(runtime, "execution_info", None), "thread_id", None)
    if found is None:  # tools get the config
        found = ((getattr(runtime, "config", None) or {}).get("configurable") or {}).get("thread_id")
    return None if found is None else str(found)
