"""``reader``: what a local model answers from traces that it reads in its attention, beside the same in its prompt.

Systems: ``prefix`` and ``adapter`` (readers), ``prompt`` (all traces as text), ``prompt_top1`` (the best one as text),
``memory_off`` (the question alone), ``shuffled`` (the prefix reader with the traces of another pool, same scores), and
``retriever`` (no model: how often the trace with the answer is among the best k). An answer is exact when it is the
expected one up to case, articles and the full stop.
"""

from __future__ import annotations

import random
import statistics
import string
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_agent.errors import ConfigError, ModelUnavailable, ReaderError, TooLarge
from hippo_agent.evaluation.pool import CachedEmbedder
from hippo_agent.evaluation.reading import CONDITIONS, Condition, Paper, papers
from hippo_agent.evaluation.run import Outcome, Row
from hippo_agent.model.cue import echoes, whole_names
from hippo_agent.model.local import LocalModel
from hippo_agent.model.packing import Packed, PackedTrace
from hippo_agent.model.reader.config import floor_of
from hippo_agent.model.readers import AdapterReader, PrefixReader, PromptReader, Reader
from hippo_agent.model.states import StateCache
from hippo_agent.model.tiny.worlds import UNKNOWN, draw

__all__ = ["SYSTEMS", "ReaderRun", "exact", "ready_readers", "run", "run_seeds"]

SYSTEMS = ("prefix", "adapter", "prompt", "prompt_top1", "memory_off", "shuffled", "retriever")
QUESTIONS = 500  # of each condition
_ROWS = 16  # questions answered at once
_TIMED = "63"  # the condition in which single answers are timed
_REPEATS = 20
_ROOM = 24  # tokens of an answer
_DEPTHS = (1, 5)

#: Answers the questions of a paper whose numbers are given.
Answerer = Callable[[Paper, Sequence[int], Condition], list[str]]


@dataclass
class ReaderRun:
    """What the suite works with. ``trained``: a reader to measure as ``adapter``, else the one of hippo-tiny."""

    model: LocalModel
    embedder: CachedEmbedder
    limit: int | None = None
    seed: int = 0
    systems: Sequence[str] = SYSTEMS
    conditions: Sequence[str] = tuple(CONDITIONS)
    trained: Any = None
    tick: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        self.skipped: dict[str, str] = {}
        self.seconds: dict[str, float] = defaultdict(float)


def run_seeds(first: ReaderRun, seeds: int) -> Outcome:
    """The means over so many seeds from the first one's on; every row names its seed."""
    outcomes = []
    for number in range(seeds):
        here = replace(first, seed=first.seed + number, tick=_share(first.tick, number, seeds))
        outcome = run(here)
        outcomes.append(outcome)
        first.skipped.update(here.skipped)
        for name, seconds in here.seconds.items():
            first.seconds[name] += seconds
    rows = [
        replace(row, about={**row.about, "seed": first.seed + number})
        for number, outcome in enumerate(outcomes)
        for row in outcome.rows
    ]
    systems = {
        name: {
            metric: statistics.fmean(one.systems[name][metric] for one in outcomes if metric in one.systems[name])
            for metric in dict.fromkeys(metric for one in outcomes for metric in one.systems[name])
        }
        for name in outcomes[0].systems
    }
    return Outcome(n=len(rows), systems=systems, rows=rows)


def _share(tick: Callable[[int, int], None] | None, number: int, parts: int) -> Callable[[int, int], None] | None:
    """Progress of one of several parts of equal size."""
    if tick is None:
        return None
    return lambda done, total: tick(number * total + done, parts * total)


def run(run: ReaderRun) -> Outcome:
    """Exact match and abstention by condition, prompt tokens and milliseconds of a single answer at 63 distractors."""
    for name in run.systems:
        if name not in SYSTEMS:
            raise ConfigError(f"there is no system {name!r}; choose from {', '.join(SYSTEMS)}")
    readers = ready_readers(run)
    answerers = _answerers(run, readers)
    rows: list[Row] = []
    extra: dict[str, dict[str, float]] = {name: {} for name in answerers}
    count, done = run.limit or QUESTIONS, 0
    for label in run.conditions:
        condition = CONDITIONS[label]
        for paper in papers(condition, count, seed=run.seed, embedder=run.embedder):
            said: dict[str, list[str] | None] = {}
            for name, answer in answerers.items():
                start = time.perf_counter()
                said[name] = _answered(answer, paper, condition)
                run.seconds[name] += time.perf_counter() - start
            rows += _rows(label, condition, paper, said, "retriever" in run.systems)
            done += len(paper.questions)
            if run.tick:
                run.tick(done, count * len(run.conditions))
        if label == _TIMED:
            for name, figures in _timed(run, readers).items():
                extra[name].update(figures)
    for reader in readers.values():
        reader.close()
    outcome = Outcome.of(rows)
    systems = {name: {**metrics, **extra.get(name, {})} for name, metrics in outcome.systems.items()}
    return Outcome(n=len(rows), systems=systems, rows=rows)


def exact(said: str, answer: str) -> bool:
    """Whether two answers are the same up to case, articles, punctuation at the ends and white space."""
    return _plain(said) == _plain(answer)


def _plain(text: str) -> str:
    words = text.casefold().strip(string.punctuation + string.whitespace).split()
    return " ".join(word for word in words if word not in ("a", "an", "the"))


def _rows(
    label: str, condition: Condition, paper: Paper, said: Mapping[str, list[str] | None], retrieved: bool
) -> Iterator[Row]:
    metric = f"{'abstained' if condition.cue == 'absent' else 'em'}@{label}"
    for at, (question, answer) in enumerate(zip(paper.questions, paper.answers, strict=True)):
        metrics = {name: {metric: float(exact(found[at], answer))} for name, found in said.items() if found is not None}
        for name, found in said.items():
            if found is not None and condition.cue != "absent" and label != "0":
                metrics[name]["abstained_wrongly"] = float(exact(found[at], UNKNOWN))
        if retrieved and paper.gold[at] >= 0 and condition.scored:
            rank = int((paper.scores[at] > paper.scores[at, paper.gold[at]]).sum())
            metrics["retriever"] = {f"recall@{depth}_{label}": float(rank < depth) for depth in _DEPTHS}
        yield Row(
            about={"condition": label, "question": question, "gold": answer},
            metrics=metrics,
            found={name: {"answer": found[at]} for name, found in said.items() if found is not None},
        )


def _answered(answer: Answerer, paper: Paper, condition: Condition) -> list[str] | None:
    """None when the traces do not fit the model's context."""
    said: list[str] = []
    try:
        for start in range(0, len(paper.questions), _ROWS):
            said += answer(paper, range(start, min(start + _ROWS, len(paper.questions))), condition)
    except TooLarge:
        return None
    return said


def _answerers(run: ReaderRun, readers: Mapping[str, Reader]) -> dict[str, Answerer]:
    """The systems that can answer: with readers, or with text in the prompt."""
    model = run.model

    def asked(
        paper: Paper,
        places: Sequence[int],
        condition: Condition,
        *,
        read: Callable[[int], Sequence[str]] = lambda at: (),
        told: bool = False,
    ) -> list[str]:
        """``read``: the texts that the system sees for a question; ``told``: they stand in its prompt."""
        prompts = []
        for at in places:
            texts = read(at)
            system = [{"role": "system", "content": "\n".join(texts)}] if told and texts else []
            question = paper.questions[at] if condition.raw else whole_names(paper.questions[at], texts).text
            prompts.append([*system, {"role": "user", "content": question}])
        return model.generate_many(prompts, max_new_tokens=_ROOM)

    def read(reader: Reader, traces_of: Callable[[Paper], tuple[str, ...]]) -> Answerer:
        def answer(paper: Paper, places: Sequence[int], condition: Condition) -> list[str]:
            traces = traces_of(paper)
            scores = _scores(paper, places, condition)
            with _batch(reader, traces, scores if condition.scored else np.zeros_like(scores)):
                return asked(paper, places, condition, read=lambda at: traces)

        return answer

    def prompt(paper: Paper, places: Sequence[int], condition: Condition) -> list[str]:
        return asked(paper, places, condition, read=lambda at: paper.traces, told=True)

    def top1(paper: Paper, places: Sequence[int], condition: Condition) -> list[str]:
        best = dict(zip(places, _scores(paper, places, condition).argmax(-1).tolist(), strict=True))
        return asked(paper, places, condition, read=lambda at: [paper.traces[best[at]]], told=True)

    def own(paper: Paper) -> tuple[str, ...]:
        return paper.traces

    out: dict[str, Answerer] = {name: read(readers[name], own) for name in ("prefix", "adapter") if name in readers}
    if "prefix" in readers:
        out["shuffled"] = read(readers["prefix"], lambda paper: _strangers(run, len(paper.traces)))
    out |= {"prompt": prompt, "prompt_top1": top1, "memory_off": asked}
    return {name: out[name] for name in SYSTEMS if name in out and name in run.systems}


def _scores(paper: Paper, places: Sequence[int], condition: Condition) -> NDArray[np.float32]:
    """[questions, traces] as a reader gets them: the question over again is no better than the worst."""
    scores = paper.scores[list(places)].copy()
    if not condition.raw:
        for row, at in zip(scores, places, strict=True):
            row[echoes(paper.questions[at], paper.traces)] = row.min()
    return scores


def ready_readers(run: ReaderRun) -> dict[str, Reader]:
    """The readers that this model allows; the others are skipped, by name and reason."""
    out: dict[str, Reader] = {}
    floor = floor_of(run.embedder.id)
    wanted: dict[str, Callable[[], Reader]] = {
        "prefix": lambda: PrefixReader(run.model, states=StateCache(None), floor=floor),
        "adapter": lambda: AdapterReader(run.model, trained=run.trained, states=StateCache(None), floor=floor),
    }
    for name, make in wanted.items():
        if name not in run.systems and not (name == "prefix" and "shuffled" in run.systems):
            continue
        try:
            reader = make()
            _ = reader.prefix if isinstance(reader, PrefixReader) else reader.trained  # type: ignore[attr-defined]
            out[name] = reader
        except (ReaderError, ModelUnavailable) as exc:
            run.skipped[name] = str(exc)
    return out


@contextmanager
def _batch(reader: Reader, traces: Sequence[str], scores: NDArray[np.float32]) -> Iterator[None]:
    """The reader on the same traces for several questions, each with scores of its own; [questions, traces]."""
    import torch

    packed = Packed(traces=tuple(PackedTrace(id=str(at), text=text) for at, text in enumerate(traces)))
    rows = torch.from_numpy(scores)
    if isinstance(reader, PrefixReader):
        with reader.prefix.reading(reader.prefix.banked(reader.read(packed), scores=rows)):
            yield
    elif isinstance(reader, AdapterReader):
        with torch.no_grad(), reader.trained.reading(reader.trained.banked(reader.read(packed), scores=rows)):
            yield


def _strangers(run: ReaderRun, count: int) -> tuple[str, ...]:
    """As many traces of pools that have nothing to do with the question."""
    rng = random.Random(f"strangers:{run.seed}:{count}")
    return tuple(fact.text for fact in draw(rng, count, split="validation", crowding=0.3, updates=0.0).facts)


def _timed(run: ReaderRun, readers: Mapping[str, Reader]) -> dict[str, dict[str, float]]:
    """Prompt tokens, and the median milliseconds of one answer once the states of its traces are known."""
    paper = next(papers(CONDITIONS[_TIMED], _REPEATS, seed=run.seed + 1, embedder=run.embedder))
    how: dict[str, Reader | None] = {"memory_off": None, "prompt": PromptReader(run.model), **readers}
    out: dict[str, dict[str, float]] = {}
    for name in (name for name in how if name in run.systems):
        try:
            times, tokens = _times(run.model, how[name], paper)
        except TooLarge:  # the traces do not fit the context as text
            continue
        out[name] = {f"prompt_tokens@{_TIMED}": statistics.fmean(tokens), f"ms@{_TIMED}": statistics.median(times)}
    return out


def _times(model: LocalModel, reader: Reader | None, paper: Paper) -> tuple[list[float], list[int]]:
    """Milliseconds and prompt tokens of each question of a paper, asked alone."""
    times, tokens = list[float](), list[int]()
    for at, question in enumerate(paper.questions):
        traces = [
            PackedTrace(id=str(one), text=text, score=float(paper.scores[at, one]))
            for one, text in enumerate(paper.traces)
        ]
        for repeat in range(2):  # the first warms up
            start = time.perf_counter()
            with nullcontext() if reader is None else reader.reading(traces):
                model.generate(question, max_new_tokens=_ROOM)
                taken = 1000 * (time.perf_counter() - start)
                if repeat:
                    times.append(taken)
                    tokens.append(model.count(model.written(question)))
    return times, tokens
