"""``conflicts``: which value holds after facts were stated, restated, corrected, retracted and made stale.

The worlds are invented from the seed (`worlds.invent`); no data file is read. The resolver answers from extracted
facts.
Beside it, with the same extractor reading the texts that were found: the latest of the five best by BM25, the latest
of the
five best by cosine, and the single best by their sum of z-scores: what recall without a resolver gives a reader.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np

from hippo_agent.evaluation.baselines.scored import Score, bm25, dense, z_scores
from hippo_agent.evaluation.data import Turn
from hippo_agent.evaluation.pool import Pool
from hippo_agent.evaluation.run import Outcome, Row, Run, sample
from hippo_agent.evaluation.worlds import World, WorldQuestion, WorldText, invent
from hippo_agent.relational.answer import answer, asks_for
from hippo_agent.relational.entities import key
from hippo_agent.relational.extraction.base import Source
from hippo_agent.relational.extraction.patterns import PatternExtractor
from hippo_agent.relational.store import FactStore
from hippo_agent.storage.base import NewTrace
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.types import Event, Provenance, Slots

__all__ = ["run"]

WORLDS = 8
DEPTH = 5
Answerer = Callable[[str], str | None]


def run(data: Path | None, run: Run) -> Outcome:
    """Exact match by hops, and how often a retracted value is still given."""
    worlds = [invent(run.seed * 1000 + number) for number in range(WORLDS)]
    everything = [(at, question) for at, world in enumerate(worlds) for question in world.questions]
    chosen = sample(everything, run.limit, run.seed)
    run.expect(len(chosen))
    rows: list[Row] = []
    for at, world in enumerate(worlds):
        questions = [question for number, question in chosen if number == at]
        if not questions:
            continue
        with tempfile.TemporaryDirectory(prefix="hippo-eval-") as folder, closing(SqliteRecord(Path(folder))) as record:
            systems: dict[str, Answerer] = {"resolver": _resolver(record, world), **_baselines(world, run)}
            for question in questions:
                given = {name: system(question.text) for name, system in systems.items()}
                rows.append(
                    Row(
                        about={"id": f"{at}-{question.id}", "question": question.text, "gold": question.answer},
                        metrics={name: score(question, value) for name, value in given.items()},
                        found={name: {"answer": value} for name, value in given.items()},
                    )
                )
                run.step(len(run.systems))
    return Outcome.of(rows)


def score(question: WorldQuestion, value: str | None) -> dict[str, float]:
    """Exact match on folded names; a question about a retracted fact also says whether the old value came back."""
    right = (value is None) == (question.answer is None) and key(value or "") == key(question.answer or "")
    out = {"single_hop_exact_match" if question.hops == 1 else "two_hop_exact_match": float(right)}
    if question.answer is None:
        out["stale_after_retraction"] = float(value is not None and key(value) in {key(old) for old in question.stale})
    return out


def write_world(record: SqliteRecord, texts: Sequence[WorldText]) -> None:
    """The texts as traces, in their order; a speaker vouches for what is said, the archive for documents."""
    record.append(
        [
            NewTrace(
                event=Event(
                    text=item.text,
                    speaker=item.speaker,
                    event_time=item.time,
                    provenance=Provenance(source="user", principal=item.speaker or "archive", trust=0.8),
                ),
                id=item.id,
                vector=None,
                slots=Slots(),
                slot_codes=b"",
                salience=0.5,
                write_time=item.time,
                embedder_id=None,
            )
            for item in texts
        ]
    )


def _resolver(record: SqliteRecord, world: World) -> Answerer:
    write_world(record, world.texts)
    end = world.texts[-1].time + timedelta(days=1)
    store = FactStore(record.database, PatternExtractor(), clock=lambda: end)
    store.catch_up(record)
    return lambda question: answer(store, question).value


def _baselines(world: World, run: Run) -> dict[str, Answerer]:
    turns = [
        Turn(id=item.id, text=item.text, session="world", speaker=item.speaker, time=item.time) for item in world.texts
    ]
    pool = Pool(tuple(turns), run.embedder)
    lexical, semantic = bm25(pool), dense(pool)
    read = PatternExtractor().extract([Source(text=item.text, speaker=item.speaker) for item in world.texts])

    def value(question: str, order: Sequence[int]) -> str | None:
        """The object of the first text in the order that says what the question asks for."""
        for at in order:
            for triple in read[at]:
                if not triple.denied and asks_for(question, triple.predicate):
                    return triple.object
        return None

    def latest(scores: Score) -> Answerer:
        def give(question: str) -> str | None:
            best = np.argsort(-scores(question), kind="stable")[:DEPTH]
            return value(question, sorted((int(at) for at in best), reverse=True))

        return give

    def best(question: str) -> str | None:
        mixed = z_scores(lexical(question)) + z_scores(semantic(question))
        return value(question, [int(np.argmax(mixed))])

    return {"bm25-latest": latest(lexical), "dense-latest": latest(semantic), "no-resolver": best}
