"""What every data set is read into: dialogues of turns, and questions whose evidence is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hippo_agent.types import Slots

__all__ = ["Dialogue", "Query", "Question", "Turn", "time_line"]

# not strftime: it follows the locale
_MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One thing that was said or read: the unit that is stored and found."""

    id: str
    text: str  # with the caption of a shared photo
    session: str
    speaker: str | None = None
    time: datetime | None = None

    @property
    def line(self) -> str:
        """All that a memory is told of the turn, in one line of text: what the baselines read."""
        said = f"{self.speaker}: {self.text}" if self.speaker else self.text
        return f"{time_line(self.time)} {said}" if self.time else said


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked of a system. With slots it is a cue of slots alone, and the text names them in a row for systems
    that know no slots."""

    text: str
    slots: Slots = Slots()
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with its evidence; one without resolvable evidence does not get this far."""

    id: str
    query: Query
    answer: str
    category: str
    turns: tuple[str, ...]  # ids of the evidence turns; empty when only the sessions are known
    sessions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Dialogue:
    """One pool: everything that a memory has been told, and what is asked of it."""

    id: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]
    left_out: int = 0  # questions without resolvable evidence


def time_line(time: datetime) -> str:
    """``1:56 pm on 8 May, 2023``"""
    clock = f"{time.hour % 12 or 12}:{time.minute:02d} {'am' if time.hour < 12 else 'pm'}"
    return f"{clock} on {time.day} {_MONTHS[time.month - 1]}, {time.year}"
