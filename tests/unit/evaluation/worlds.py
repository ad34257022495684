"""Tiny pools, an embedder whose vectors are written down, and a memory that can be reckoned in the head."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_agent.embedding.base import Embedder
from hippo_agent.evaluation.data import Turn
from hippo_agent.evaluation.pool import CachedEmbedder, Pool
from hippo_agent.types import Cue, Event, Hit, Receipt, Slots, Trace

NOW = datetime(2024, 5, 1, tzinfo=timezone.utc)


class WrittenDown:
    """Gives the vectors that it was told, as they are; counts the texts that it had to embed."""

    id = "written-down"
    dim = 2

    def __init__(self, vectors: Mapping[str, tuple[float, float]]) -> None:
        self.vectors = vectors
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        return np.array([self.vectors.get(text, (0.0, 1.0)) for text in texts], dtype=np.float32).reshape(-1, 2)


def pool(texts: Sequence[str], vectors: Mapping[str, tuple[float, float]] | None = None, sessions: str = "") -> Pool:
    """Turns "0", "1", ... of the texts; ``sessions`` names the session of each by a letter."""
    turns = tuple(
        Turn(id=str(at), text=text, session=sessions[at] if sessions else "s") for at, text in enumerate(texts)
    )
    return Pool(turns, CachedEmbedder(WrittenDown(vectors or {})))


class WordMemory:
    """A memory that ranks by shared words. At a write rate it keeps the first events of every ten."""

    def __init__(self, write_rate: float | None) -> None:
        self.share = 1.0 if write_rate is None else write_rate
        self.events: list[Event] = []
        self.ended: list[str | None] = []
        self.closed = False
        self._seen = 0

    def write_many(self, events: Iterable[Event], *, progress: object = None) -> list[Receipt]:
        return [self._write(event) for event in events]

    def _write(self, event: Event) -> Receipt:
        place, self._seen = self._seen % 10, self._seen + 1
        if place >= round(10 * self.share):
            return Receipt(id=None, decision="skip", salience=0.0, reasons=("over the budget",))
        self.events.append(event)
        return Receipt(id=f"t{len(self.events) - 1}", decision="write", salience=1.0, reasons=())

    def end_session(self, session: str | None = None) -> list[Receipt]:
        self.ended.append(session)
        return []

    def get(self, trace_id: str) -> Trace:
        return self._trace(int(trace_id[1:]))

    def recall(self, cue: Cue) -> WordRecall:
        words = set(cue.text.lower().split())
        shared = [len(words & set(event.text.lower().split())) for event in self.events]
        order = sorted(range(len(shared)), key=lambda at: -shared[at])[: cue.k]
        return WordRecall([Hit(trace=self._trace(at), score=float(shared[at]), reasons={}) for at in order])

    def close(self) -> None:
        self.closed = True

    def _trace(self, at: int) -> Trace:
        event = self.events[at]
        return Trace(
            id=f"t{at}",
            seq=at,
            text=event.text,
            namespace=(),
            provenance=event.provenance,
            speaker=event.speaker,
            event_time=event.event_time or NOW,
            write_time=NOW,
            kind=event.kind,
            key=event.key,
            pinned=False,
            reward=0.0,
            slots=Slots(),
            salience=1.0,
            strength=1.0,
            repeats=0,
            status="active",
            meta={},
        )


class WordRecall:
    def __init__(self, hits: list[Hit]) -> None:
        self.hits = hits

    def sessions(self, k: int) -> list[tuple[str, float]]:
        best: dict[str, float] = {}
        for hit in self.hits:
            best.setdefault(hit.trace.provenance.session or "", hit.score)
        return list(best.items())[:k]


def open_word_memory(folder: Path, *, embedder: Embedder, write_rate: float | None) -> WordMemory:
    return WordMemory(write_rate)


def conversation(turns: int = 10) -> dict[str, Any]:
    """Two sessions in LoCoMo's format; turn n says "number n", and four questions ask for turns by their number."""
    said = [
        {"speaker": "Ada", "dia_id": f"D{1 + (at >= 5)}:{at}", "text": f"the number{at} of all words said here today"}
        for at in range(turns)
    ]
    return {
        "sample_id": "c",
        "conversation": {
            "session_1_date_time": "9:00 am on 2 March, 2024",
            "session_1": said[:5],
            "session_2_date_time": "9:00 am on 3 March, 2024",
            "session_2": said[5:],
        },
        "qa": [
            {"question": "number1", "answer": "", "evidence": ["D1:1"], "category": 4},
            {"question": "number3 number6", "answer": "", "evidence": ["D1:3", "D2:6"], "category": 1},
            {"question": "number8", "answer": "", "evidence": ["D2:8"], "category": 2},
            {"question": "number8", "answer": "", "evidence": ["D1:1"], "category": 5},
        ],
    }
