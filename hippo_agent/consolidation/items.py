"""What a night teaches: a fact or a step of a route, with the traces and steps that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

__all__ = ["Item", "key_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing to know without looking it up.

    ``relation`` is a name of the phrase book (`phrases`) or a predicate as it was said; ``detail`` what else names the
    fact (a direction, a destination). ``text`` is what the teacher reads: the sentence as it was written.
    """

    key: str
    subject: str
    relation: str
    value: str
    detail: str = ""
    text: str
    traces: tuple[str, ...]  # ids of traces, and names of steps of the map (`steps`)
    trust: float  # of the least trusted trace
    said_at: datetime  # of the newest trace
    salience: float = 0.5  # in [0, 1], of the most salient trace
    strength: float = 1.0  # grows with useful recalls
    fit: float = 1.0  # to its schema, in [0, 1]


def key_of(subject: str, relation: str, detail: str, value: str) -> str:
    """The name of an item: the same fact said twice is one item, another value is another."""
    joined = "\x1f".join(" ".join(part.casefold().split()) for part in (subject, relation, detail, value))
    return blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
