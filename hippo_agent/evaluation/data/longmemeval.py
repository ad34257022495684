"""LongMemEval's native format: one question with its own haystack of chat sessions an item. Plain JSON or ``.gz``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from hippo_agent.errors import DataError
from hippo_agent.evaluation.data.files import field, read_json
from hippo_agent.evaluation.data.model import Dialogue, Query, Question, Turn

__all__ = ["load_longmemeval"]

_REMEDY = "expected LongMemEval's S, M or oracle file, which has 'haystack_sessions'"
_TIME = re.compile(r"^\s*(\d{4})/(\d{1,2})/(\d{1,2})(?:\s*\(\w+\))?(?:\s+(\d{1,2}):(\d{2}))?\s*$")


def load_longmemeval(path: Path) -> list[Dialogue]:
    """One dialogue for each item; items that have no answer in the haystack (``.._abs``) have no question."""
    loaded = read_json(path)
    items = loaded if isinstance(loaded, list) else [loaded]
    if not items:
        raise DataError(f"{str(path)!r} holds no items; {_REMEDY}")
    return [_item(item, f"item {number} of {path.name!r}") for number, item in enumerate(items, start=1)]


def _item(item: Any, where: str) -> Dialogue:
    sessions = field(item, "haystack_sessions", list, where, _REMEDY)
    names = field(item, "haystack_session_ids", list, where, _REMEDY)
    dates = field(item, "haystack_dates", list, where, _REMEDY)
    if not len(sessions) == len(names) == len(dates):
        raise DataError(f"{where} has {len(sessions)} sessions, {len(names)} ids and {len(dates)} dates; {_REMEDY}")
    turns: dict[str, Turn] = {}
    for name, date, session in zip(map(str, names), dates, sessions, strict=True):
        start = _time(str(date), where)
        for place, turn in enumerate(session if isinstance(session, list) else []):
            text = str(field(turn, "content", str, f"session {name!r} of {where}", _REMEDY)).strip()
            role = field(turn, "role", str, f"session {name!r} of {where}", _REMEDY)
            if text:
                turn_id = f"{name}#{place}"
                time = start + timedelta(seconds=place)
                turns.setdefault(turn_id, Turn(id=turn_id, text=text, session=name, speaker=role, time=time))
    question_id = str(field(item, "question_id", str, where, _REMEDY))
    known = {turn.session for turn in turns.values()}
    gold = tuple(dict.fromkeys(str(name) for name in item.get("answer_session_ids") or [] if str(name) in known))
    asked = item.get("question_date")
    question = Question(
        id=question_id,
        query=Query(
            text=field(item, "question", str, where, _REMEDY),
            asked_at=None if asked is None else _time(str(asked), where),
        ),
        answer=str(item.get("answer", "")),
        category=str(item.get("question_type", "other")).replace("-", "_"),
        turns=_evidence(names, sessions, turns),
        sessions=gold,
    )
    asks = bool(gold) and not question_id.endswith("_abs")
    return Dialogue(
        id=question_id,
        turns=tuple(turns.values()),
        questions=(question,) if asks else (),
        left_out=0 if asks else 1,
    )


def _evidence(names: list[Any], sessions: list[Any], turns: dict[str, Turn]) -> tuple[str, ...]:
    marked = (
        f"{name}#{place}"
        for name, session in zip(names, sessions, strict=True)
        if isinstance(session, list)
        for place, turn in enumerate(session)
        if turn.get("has_answer")
    )
    return tuple(dict.fromkeys(turn_id for turn_id in marked if turn_id in turns))


def _time(text: str, where: str) -> datetime:
    found = _TIME.match(text)
    try:
        if found:
            year, month, day, hour, minute = (int(part or 0) for part in found.groups())
            return datetime(year, month, day, hour, minute, tzinfo=timezone.utc)
    except ValueError:
        pass
    raise DataError(f"{text!r} of {where} is not a time; expected one such as '2023/05/20 (Sat) 02:21'")
