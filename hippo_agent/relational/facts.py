"""The values of the relational store: what an extractor finds, what the store keeps, what it answers.

`Triple` -> (promotion) -> `Fact` with `Statement`s -> (resolver) -> `Resolution`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hippo_agent.types import Namespace

__all__ = ["Entity", "Fact", "FactStatus", "Resolution", "Statement", "Triple", "in_words"]

FactStatus = Literal["active", "deferred"]


def in_words(subject: str, predicate: str, value: str, *, denied: bool = False) -> str:
    """A claim as words."""
    return f"{subject} {'not ' if denied else ''}{predicate} {value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Triple:
    """What a sentence says, as an extractor found it; not yet accepted. ``text[start:end]`` is the sentence."""

    subject: str
    predicate: str
    object: str
    confidence: float = 1.0  # in [0, 1]
    start: int = 0
    end: int = 0
    when: str = ""  # since when it holds, ISO 8601 at the precision that was said
    until: str = ""  # until when it held
    where: str = ""
    denied: bool = False  # "no longer lives in", "it is not true that ..."


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A thing with a name. ``aliases`` are the other names that were merged into it."""

    id: int
    name: str
    kind: str = ""  # "person", "place", "organisation", "date", "number", "" when not known
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One trace saying a fact: the provenance of the fact."""

    trace_id: str
    seq: int  # position of the trace in the record: the serial order
    start: int
    end: int
    valid_from: datetime  # world time: said in the text, else the event time of the trace
    valid_until: datetime | None
    said_at: datetime
    confidence: float
    trust: float
    principal: str
    where: str = ""  # where it holds, as it was said


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """An accepted (or waiting) claim. Valid from ``valid_at`` (None: always) until before ``invalid_at``."""

    id: int
    namespace: Namespace
    subject: str
    predicate: str
    object: str
    denied: bool
    status: FactStatus
    valid_at: datetime | None
    invalid_at: datetime | None
    recorded_at: datetime  # system time
    confidence: float
    trust: float
    statements: tuple[Statement, ...]
    parents: tuple[int, ...] = ()  # facts that it was derived from; it falls when one of them falls

    @property
    def traces(self) -> tuple[str, ...]:
        """Ids of the traces that say it."""
        return tuple(dict.fromkeys(statement.trace_id for statement in self.statements))

    @property
    def text(self) -> str:
        """The fact as words."""
        return in_words(self.subject, self.predicate, self.object, denied=self.denied)

    def holds(self, at: datetime) -> bool:
        """Whether it is true in the world at a time."""
        since = self.valid_at is None or self.valid_at <= at
        return since and not self.denied and (self.invalid_at is None or at < self.invalid_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Which value holds, what else was said, and why. ``value`` is None when nothing holds or nothing is known."""

    subject: str
    predicate: str
    value: str | None
    values: tuple[str, ...] = ()  # all that hold: several for a relation that can have several
    runner_up: str | None = None
    conflict: bool = False  # sources of equal standing disagree; `value` is then the first of `values`
    why: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
