"""One run of a suite: the systems, asked one after the other about the same pools, and what came out."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hippo_agent.errors import DataError, MissingExtra
from hippo_agent.evaluation.contract import OpenMemory
from hippo_agent.evaluation.data import Dialogue, Query, Question, Turn
from hippo_agent.evaluation.metrics import mean_rows
from hippo_agent.evaluation.pool import CachedEmbedder, Pool, Ranking, System

__all__ = ["Outcome", "Row", "Run", "sample", "sample_questions"]

T = TypeVar("T")
Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One question: what is known of it, and for each system its metrics and what it found."""

    about: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, float]]
    found: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        systems = {name: {**self.found.get(name, {}), **metrics} for name, metrics in self.metrics.items()}
        return {**self.about, "systems": systems}


@dataclass
class Run:
    """What a suite works with. ``done`` and ``total`` are told to ``tick`` as questions are answered."""

    systems: Sequence[System]
    open_memory: OpenMemory
    embedder: CachedEmbedder
    limit: int | None = None
    seed: int = 0
    tick: Callable[[int, int], None] | None = None
    only: Sequence[str] | None = None  # names of the systems that were asked for; None: all
    files: Mapping[str, Path] = field(default_factory=dict)  # further files by name: "corpus", "triples"
    skipped: dict[str, str] = field(default_factory=dict)
    left_out: int = 0  # questions without resolvable evidence
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    total: int = 0
    done: int = 0

    def pool(self, turns: Sequence[Turn], *, fragments: bool = False) -> Pool:
        return Pool(tuple(turns), self.embedder, fragments=fragments)

    def wants(self, name: str) -> bool:
        """Whether a system of the suite's own was asked for."""
        return self.only is None or name in self.only

    def expect(self, questions: int, *, each: int | None = None) -> None:
        """So many questions will be asked, each of them ``each`` times: of every system once."""
        self.total += questions * (len(self.systems) if each is None else each)

    def ask(self, pool: Pool, queries: Sequence[Query], k: int) -> dict[str, list[Ranking]]:
        """The rankings of each system; one whose extra is not installed is skipped, by name and reason."""
        self.embedder.embed([*pool.lines, *(query.text for query in queries)])
        answers: dict[str, list[Ranking]] = {}
        for system in self.systems:
            start = time.perf_counter()
            try:
                with system.open(pool) as ranker:
                    answers[system.name] = []
                    for query in queries:
                        answers[system.name].append(ranker.rank(query, k))
                        self.step()
            except MissingExtra as exc:
                self.skipped[system.name] = str(exc)
                self.step(len(queries))
            self.seconds[system.name] += time.perf_counter() - start
        return answers

    def step(self, count: int = 1) -> None:
        self.done += count
        if self.tick:
            self.tick(self.done, self.total)


@dataclass(frozen=True)
class Outcome:
    """What a suite found. ``systems`` maps each system to its metrics."""

    n: int
    systems: Mapping[str, Mapping[str, float]]
    rows: Sequence[Row]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Outcome:
        """Means over the rows, metric by metric."""
        names = dict.fromkeys(name for row in rows for name in row.metrics)
        means = {name: mean_rows(row.metrics[name] for row in rows if name in row.metrics) for name in names}
        return cls(n=len(rows), systems=means, rows=rows)


def sample(items: Sequence[T], limit: int | None, seed: int) -> list[T]:
    """At most ``limit`` of the items, drawn by the seed and kept in their order."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[at] for at in sorted(random.Random(seed).sample(range(len(items)), limit))]


def sample_questions(dialogues: Sequence[Dialogue], run: Run) -> list[tuple[Dialogue, list[Question]]]:
    """The dialogues that are asked something, with what they are asked. DataError when nothing can be asked."""
    everything = [(at, question) for at, dialogue in enumerate(dialogues) for question in dialogue.questions]
    if not everything:
        raise DataError("the data has no question whose evidence is in it; give a file with questions and evidence")
    run.left_out = sum(dialogue.left_out for dialogue in dialogues)
    chosen: dict[int, list[Question]] = defaultdict(list)
    for at, question in sample(everything, run.limit, run.seed):
        chosen[at].append(question)
    return [(dialogues[at], questions) for at, questions in chosen.items()]
