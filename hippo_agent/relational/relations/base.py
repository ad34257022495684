"""A relation that is known beforehand, and how a row of the tables is written."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Relation", "known"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """``one``: holds one value at a time. ``nouns``: "X's noun is Y". ``verbs``: "X verb Y". ``ends`` end it.

    ``inverse`` verbs say it the other way round: "Y verb X". ``asks``: further words by which questions mean it.
    """

    name: str
    one: bool = True
    nouns: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    inverse: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    kind: str = ""  # kind of the object, when the relation settles it


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|") if part.strip())


def known(
    name: str,
    nouns: str = "",
    verbs: str = "",
    *,
    ends: str = "",
    inverse: str = "",
    asks: str = "",
    one: bool = True,
    kind: str = "",
) -> Relation:
    """A relation from phrases separated by "|"."""
    return Relation(
        name=name,
        one=one,
        nouns=_split(nouns),
        verbs=_split(verbs),
        ends=_split(ends),
        inverse=_split(inverse),
        asks=_split(asks),
        kind=kind,
    )
