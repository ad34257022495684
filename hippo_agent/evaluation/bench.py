"""What the memory costs above the floor, measured in one run and in turns, so that a busy machine slows both alike.

Floor of a write: the same embedding, and one committed insert of the same row into a bare SQLite table (WAL,
synchronous NORMAL). Floor of a recall: the same embedding, and one exact search over the same number of vectors. The
bank is filled with invented traces; what is timed goes through the public interface.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import hippo_agent
from hippo_agent.embedding.base import Embedder
from hippo_agent.episodic.encoder import EpisodeEncoder
from hippo_agent.evaluation.contract import MemoryUnderTest, OpenMemory
from hippo_agent.evaluation.report import versions
from hippo_agent.evaluation.synthetic import Babble, unit_vectors
from hippo_agent.storage.base import NewTrace
from hippo_agent.storage.record import FILE_NAME, SqliteRecord
from hippo_agent.types import Cue, Event

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["SIZES", "BenchReport", "run_bench"]

SIZES = (1_000, 10_000, 100_000)
K = 8
_FILL = 1_000  # rows a transaction
_OPENED = 3  # times
_DISTINCT = 4_096  # vectors that cost nothing: texts that differ do not share one, as a repeat would

Tick = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """Figures by number of traces. ``.._ratio`` is median over median; times are milliseconds."""

    seed: int
    repeats: int
    versions: dict[str, str]
    import_ms: float  # `import hippo_agent` in a fresh process, median of five
    sizes: dict[int, dict[str, float]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "bench": "hippo",
            "seed": self.seed,
            "repeats": self.repeats,
            "versions": self.versions,
            "import_ms": round(self.import_ms, 2),
            "sizes": {
                str(size): {name: round(value, 4) for name, value in figures.items()}
                for size, figures in self.sizes.items()
            },
        }

    def table(self) -> Table:
        """Figures down, sizes across."""
        from rich.table import Table

        table = Table(title=f"hippo bench: {self.repeats} calls each, in turns with the floor")
        table.add_column("figure", no_wrap=True)
        for size in self.sizes:
            table.add_column(f"{size:,} traces", justify="right")
        for name in next(iter(self.sizes.values()), {}):
            values = (figures[name] for figures in self.sizes.values())
            table.add_row(name, *(f"{value:,.0f}" if value >= 1000 else f"{value:.2f}" for value in values))
        table.caption = f"import hippo_agent: {self.import_ms:.0f} ms"
        return table


def run_bench(
    *,
    open_memory: OpenMemory,
    embedder: Embedder,
    sizes: Sequence[int] = SIZES,
    repeats: int = 200,
    seed: int = 0,
    tick: Tick | None = None,
) -> BenchReport:
    """Measure at each number of traces, in a temporary folder that grows.

    Args:
        repeats: timed calls of each kind at each size.
        tick: told (done, in all), counted in traces and calls.
    """
    report = BenchReport(
        seed=seed, repeats=repeats, versions=versions(embedder.id), import_ms=1000 * import_seconds(), sizes={}
    )
    steps = _Steps(tick, max(sizes) + len(sizes) * 4 * repeats)
    with tempfile.TemporaryDirectory(prefix="hippo-bench-") as folder:
        bank = _Bank(Path(folder), open_memory, embedder, Babble(seed), steps, seed)
        for size in sorted(sizes):
            bank.fill(size)
            figures = {"bytes_per_trace": bank.bytes_on_disk() / size, **bank.opening()}
            for embedding in (True, False):
                figures |= bank.writing(repeats, embedding=embedding)
                figures |= bank.recalling(repeats, embedding=embedding)
            report.sizes[size] = figures
    return report


def import_seconds() -> float:
    """Median of five fresh processes."""
    code = "from time import perf_counter as now; start = now(); import hippo_agent; print(now() - start)"
    path = [str(Path(hippo_agent.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    command = [sys.executable, "-c", code]
    taken = [
        float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    return median(taken)


class _Steps:
    def __init__(self, tick: Tick | None, total: int) -> None:
        self._tick, self._total, self._done = tick, total, 0

    def __call__(self, count: int = 1) -> None:
        self._done += count
        if self._tick:
            self._tick(self._done, self._total)


class _Instant:
    """The embedder's id and dimension with vectors that cost nothing, to time everything else."""

    def __init__(self, inner: Embedder, seed: int) -> None:
        self._inner, self.id, self.dim = inner, inner.id, inner.dim
        self._vectors = unit_vectors(_DISTINCT, inner.dim, seed=[seed, 1])
        self._next = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self._next += len(texts)
        return self._vectors[np.arange(self._next, self._next + len(texts)) % len(self._vectors)]


@dataclass
class _Bank:
    folder: Path
    open_memory: OpenMemory
    embedder: Embedder
    babble: Babble
    steps: _Steps
    seed: int
    filled: int = 0

    @property
    def memory(self) -> Path:
        return self.folder / "memory"

    def open(self, *, embedding: bool = True) -> MemoryUnderTest:
        embedder = self.embedder if embedding else _Instant(self.embedder, self.seed)
        return self.open_memory(self.memory, embedder=embedder, write_rate=1.0)

    def fill(self, size: int) -> None:
        """Rows straight into the record, past the gate, up to ``size`` traces."""
        encoder = EpisodeEncoder()
        with closing(SqliteRecord(self.memory)) as record:
            present = record.count()
            while present < size:
                count = min(_FILL, size - present)
                vectors = unit_vectors(count, self.embedder.dim, seed=[self.seed, present])
                events = self.babble.events(count)
                record.append(
                    [self._row(encoder, event, vector) for event, vector in zip(events, vectors, strict=True)]
                )
                present += count
                self.steps(count)
        self.open(embedding=False).close()  # statistics that follow the record are brought up to it and saved

    def _row(self, encoder: EpisodeEncoder, event: Event, vector: NDArray[np.float32]) -> NewTrace:
        slots, codes = encoder.encode(event)
        self.filled += 1
        return NewTrace(
            event=event,
            id=f"bench-{self.filled}",
            vector=vector,
            slots=slots,
            slot_codes=codes,
            salience=0.5,
            write_time=datetime.now(timezone.utc),
            embedder_id=self.embedder.id,
        )

    def bytes_on_disk(self) -> int:
        return sum(path.stat().st_size for path in self.memory.rglob("*") if path.is_file())

    def opening(self) -> dict[str, float]:
        """Opening, and the first recall, which loads what is searched."""
        opened, first = [], []
        for _ in range(_OPENED):
            start = time.perf_counter()
            memory = self.open(embedding=False)
            with closing(memory):
                opened.append(time.perf_counter() - start)
                memory.recall(Cue(text=self.babble.question(), k=K))
                first.append(time.perf_counter() - start)
        return {"open_ms": 1000 * median(opened), "open_and_first_recall_ms": 1000 * median(first)}

    def writing(self, repeats: int, *, embedding: bool) -> dict[str, float]:
        """In turns: a write, and the floor with the row that was written."""
        ours, floor = [], []
        with closing(self.open(embedding=embedding)) as memory, _BareTable(self.folder / "bare.db") as bare:
            memory.write_many([self.babble.event()], progress=False)  # loads what is loaded once
            for event, other in zip(self.babble.events(repeats), self.babble.events(repeats), strict=True):
                start = time.perf_counter()
                [receipt] = memory.write_many([event], progress=False)
                ours.append(time.perf_counter() - start)
                row = bare.row_of(self.memory, receipt.id)
                start = time.perf_counter()
                if embedding:
                    self.embedder.embed([other.text])
                bare.insert(row)
                floor.append(time.perf_counter() - start)
                self.steps()
        return _figures("write", ours, floor, embedding=embedding)

    def recalling(self, repeats: int, *, embedding: bool) -> dict[str, float]:
        """In turns: a recall, and the floor over as many vectors."""
        ours, floor = [], []
        vectors = self._vectors()
        instant = unit_vectors(1, self.embedder.dim, seed=[self.seed, 2])
        with closing(self.open(embedding=embedding)) as memory:
            memory.recall(Cue(text=self.babble.question(), k=K))
            for _ in range(repeats):
                question, other = self.babble.question(), self.babble.question()
                start = time.perf_counter()
                memory.recall(Cue(text=question, k=K))
                ours.append(time.perf_counter() - start)
                start = time.perf_counter()
                query = self.embedder.embed([other])[0] if embedding else instant[0]
                scores = vectors @ query
                best = np.argpartition(scores, -K)[-K:]
                best[np.argsort(-scores[best])]
                floor.append(time.perf_counter() - start)
                self.steps()
        return _figures("recall", ours, floor, embedding=embedding)

    def _vectors(self) -> NDArray[np.float32]:
        with closing(SqliteRecord(self.memory, read_only=True)) as record:
            found = [vector for batch in record.scan() for _, vector in batch if vector is not None]
        return np.stack(found)


class _BareTable:
    """The floor of a durable write: one table with the columns of the record's, and nothing around it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._sql = ""
        self._bank: sqlite3.Connection | None = None

    def __enter__(self) -> _BareTable:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        if self._bank is not None:
            self._bank.close()

    def row_of(self, memory: Path, trace_id: str | None) -> tuple[Any, ...]:
        """A row as the memory has stored it; its newest one when the event was not stored."""
        if self._bank is None:
            self._bank = sqlite3.connect(f"file:{memory / FILE_NAME}?mode=ro", uri=True)
            columns = [name for _, name, *_ in self._bank.execute("PRAGMA table_info(trace)")]
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS bare ({', '.join(columns)})")
            self._sql = f"INSERT INTO bare VALUES ({', '.join('?' * len(columns))})"
        rows = self._bank.execute(
            "SELECT * FROM trace WHERE id = ? OR ? IS NULL ORDER BY seq DESC LIMIT 1", [trace_id] * 2
        )
        row: tuple[Any, ...] = rows.fetchone()
        return row

    def insert(self, row: tuple[Any, ...]) -> None:
        """One transaction of its own."""
        self._connection.execute(self._sql, row)


def _figures(name: str, ours: Sequence[float], floor: Sequence[float], *, embedding: bool) -> dict[str, float]:
    suffix = "" if embedding else "_no_embedding"
    return {
        f"{name}_ratio{suffix}": median(ours) / median(floor),
        f"{name}_p50_ms{suffix}": 1000 * median(ours),
        f"{name}_p95_ms{suffix}": 1000 * _p95(ours),
        f"{name}_floor_p50_ms{suffix}": 1000 * median(floor),
        f"{name}_floor_p95_ms{suffix}": 1000 * _p95(floor),
    }


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]
