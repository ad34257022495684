"""Conversation files in the LoCoMo format, as turns, events and questions.

The format: a list of (or one) objects with ``sample_id``, ``conversation`` (``session_1``, ``session_1_date_time``,
..., turns with ``speaker``, ``dia_id``, ``text`` and perhaps ``blip_caption``) and, optionally, ``qa`` (``question``,
``answer``, ``evidence``, ``category``). Only sessions have times; turns follow each other by one second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from hippo_agent.errors import DataError
from hippo_agent.types import DEFAULT_TRUST, Event, Namespace, Provenance, SourceKind

__all__ = ["Conversation", "Question", "Turn", "load", "parse"]

ADVERSARIAL = 5  # LoCoMo's category of questions whose premise is false
_MAX_BYTES = 256 * 1024 * 1024  # of a file; it is read whole
_SESSION = re.compile(r"session_(\d+)")
_TURN_ID = re.compile(r"D:?(\d+):(\d+)")  # two ids may share a string, and "D:11:26" means D11:26
_TIME = "%I:%M %p on %d %B, %Y"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One utterance; an image in it is named by its caption."""

    id: str  # "D3:14": the fourteenth turn of the third session
    session: str  # "session_3"
    speaker: str
    text: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about a conversation; ``evidence`` holds the ids of the turns that answer it."""

    text: str
    answer: str | None
    evidence: tuple[str, ...]
    category: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """All sessions of two speakers, in order of time."""

    id: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]

    def events(self, *, namespace: Namespace = (), source: SourceKind = "import") -> list[Event]:
        """One event per turn. Keys make a second import change nothing; ``meta["turn"]`` holds the turn's id."""
        return [
            Event(
                text=turn.text,
                namespace=namespace,
                provenance=Provenance(source=source, session=f"{self.id}/{turn.session}", trust=DEFAULT_TRUST[source]),
                speaker=turn.speaker,
                event_time=turn.time,
                key=f"{self.id}/{turn.id}",
                meta={"turn": turn.id},
            )
            for turn in self.turns
        ]


def load(path: str | Path) -> list[Conversation]:
    """The conversations of a file; `DataError` when it is not in the format."""
    if (size := Path(path).stat().st_size) > _MAX_BYTES:
        raise DataError(f"{str(path)!r} has {size} bytes, at most {_MAX_BYTES} are read; cut it into several files")
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"), parse_constant=_refuse)
    except (UnicodeDecodeError, ValueError, RecursionError) as exc:
        raise DataError(
            f"{str(path)!r} is not a JSON file: {exc}; give a conversation file in the LoCoMo format"
        ) from exc
    return parse(content, name=str(path))


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def parse(content: object, *, name: str = "the file") -> list[Conversation]:
    """The conversations of a decoded file."""
    samples = content if isinstance(content, list) else [content]
    if not samples:
        raise DataError(f"{name!r} holds no conversation; give a file in the LoCoMo format")
    return [_conversation(sample, where=f"{name}[{number}]", number=number) for number, sample in enumerate(samples)]


def _conversation(sample: object, *, where: str, number: int) -> Conversation:
    sample = _object(sample, where=where)
    sessions = _object(sample.get("conversation"), where=f"{where}.conversation")
    numbers = sorted(
        int(found[1]) for key in sessions if (found := _SESSION.fullmatch(key)) and isinstance(sessions[key], list)
    )
    if not numbers:
        raise DataError(f"{where!r}: 'conversation' has no 'session_1'; give a file in the LoCoMo format")
    questions = sample.get("qa") or []
    if not isinstance(questions, list):
        raise DataError(f"{where}.qa: expected a list, found {type(questions).__name__}")
    return Conversation(
        id=str(sample.get("sample_id", number)),
        turns=tuple(turn for n in numbers for turn in _session(sessions, f"session_{n}", where=where)),
        questions=tuple(_question(entry, where=f"{where}.qa[{i}]") for i, entry in enumerate(questions)),
    )


def _session(sessions: Mapping[str, Any], name: str, *, where: str) -> Iterable[Turn]:
    said = sessions.get(f"{name}_date_time")
    try:
        start = datetime.strptime(str(said).strip(), _TIME).replace(tzinfo=timezone.utc)
    except ValueError as exc:
        raise DataError(f"{where}.{name}_date_time: {said!r} is not a time such as '1:56 pm on 8 May, 2023'") from exc
    for position, entry in enumerate(sessions[name]):
        place = f"{where}.{name}[{position}]"
        entry = _object(entry, where=place)
        try:
            speaker, turn_id, text = str(entry["speaker"]), str(entry["dia_id"]), str(entry.get("text") or "")
        except KeyError as exc:
            raise DataError(f"{place}: {exc} is missing; give a file in the LoCoMo format") from exc
        if caption := entry.get("blip_caption"):
            text = f"{text} [shares {caption}]".strip()
        if text.strip():
            time = start + timedelta(seconds=position)
            yield Turn(id=turn_id, session=name, speaker=speaker, text=text, time=time)


def _question(entry: object, *, where: str) -> Question:
    entry = _object(entry, where=where)
    if not isinstance(entry.get("question"), str):
        raise DataError(f"{where}: 'question' is missing; give a file in the LoCoMo format")
    answer = entry.get("answer")
    evidence: Sequence[object] = entry.get("evidence") or []
    return Question(
        text=entry["question"],
        answer=None if answer is None else str(answer),
        evidence=tuple(dict.fromkeys(f"D{s}:{t}" for item in evidence for s, t in _TURN_ID.findall(str(item)))),
        category=int(entry.get("category") or 0),
    )


def _object(value: object, *, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise DataError(f"{where}: expected an object, found {type(value).__name__}; give a file in the LoCoMo format")
    return value
