"""The seam of extraction: statements in, triples out.

An extractor may be wrong but does not fail: text it cannot read gives no triples. Text is data; nothing in it is
executed,
used as a path or as a query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hippo_agent.relational.facts import Triple

__all__ = ["Extractor", "Source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A text with what a reader knows beside it."""

    text: str
    speaker: str | None = None  # "I" and "my" mean this one
    listener: str | None = None  # "you" and "your" mean this one
    topic: str | None = None  # what the text is about: a heading; "he", "she" and "it" may mean it
    said_at: datetime | None = None  # "yesterday" is counted from here


class Extractor(Protocol):
    """``extract`` gives one list of triples for each source, in order of appearance."""

    def extract(self, sources: Sequence[Source]) -> list[list[Triple]]: ...
