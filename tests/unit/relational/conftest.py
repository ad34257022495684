"""A record with a fact store over it, and a way to say things to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from hippo_agent.relational.extraction.patterns import PatternExtractor
from hippo_agent.relational.store import FactStore
from hippo_agent.storage.base import NewTrace
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.types import Event, Namespace, Provenance, Slots, Trace

START = datetime(2024, 1, 1, tzinfo=timezone.utc)


class Desk:
    """Says one thing a day and keeps the facts up to date. Traces are called t0, t1, ..."""

    def __init__(self, folder: Path) -> None:
        self.record = SqliteRecord(folder)
        self.facts = FactStore(self.record.database, PatternExtractor(), clock=self.now)
        self.days = 0

    def now(self) -> datetime:
        return START + timedelta(days=self.days)

    def say(
        self, *texts: str, by: str = "u", trust: float = 0.8, speaker: str | None = None, namespace: Namespace = ()
    ) -> list[Trace]:
        said = []
        for text in texts:
            self.days += 1
            provenance = Provenance(source="user", principal=by, trust=trust)
            event = Event(text=text, speaker=speaker, event_time=self.now(), provenance=provenance, namespace=namespace)
            said += self.record.append(
                [
                    NewTrace(
                        event=event,
                        id=f"t{self.days - 1}",
                        vector=None,
                        slots=Slots(),
                        slot_codes=b"",
                        salience=0.5,
                        write_time=self.now(),
                        embedder_id=None,
                    )
                ]
            )
        self.facts.catch_up(self.record)
        return said

    def forget(self, *ids: str) -> None:
        self.record.delete(list(ids), reason="test")
        self.facts.catch_up(self.record)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path)
    yield opened
    opened.record.close()
