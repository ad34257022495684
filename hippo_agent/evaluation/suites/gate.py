"""The write gate at a budget: how much of the evidence is still there, what recall finds of it, how much junk got in.

Turns arrive in order, sessions end one after the other. ``hippo`` is the memory with its gate at the budget; ``random``
and ``length`` keep as many turns, drawn or the longest of the whole dialogue; ``everything`` keeps all. All four are
asked through recall. ``evidence_kept@B`` counts (question, evidence turn) pairs, so a turn that three questions need
counts three times; a turn that was merged into another counts as not kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from hippo_agent.errors import TraceNotFound
from hippo_agent.evaluation.contract import MemoryUnderTest
from hippo_agent.evaluation.data import Dialogue, Question, load_locomo
from hippo_agent.evaluation.hippo import HippoRanker, HippoSystem, to_event
from hippo_agent.evaluation.junk import junk_stream
from hippo_agent.evaluation.metrics import recall_at
from hippo_agent.evaluation.policies import Policy, junk_stored, length_policy, random_policy
from hippo_agent.evaluation.pool import Pool, Ranker
from hippo_agent.evaluation.run import Outcome, Row, Run, sample_questions
from hippo_agent.types import Event

__all__ = ["run"]

BUDGETS = (70, 50, 30)  # percent of the turns; 100 means that the gate has no budget
JUNK_TURNS = 400
DEPTH = 5


def run(data: Path, run: Run) -> Outcome:
    """Evidence and recall at each budget, and the share of a junk stream that is stored."""
    asked = sample_questions(load_locomo(data), run)
    gated = any(system.name == "hippo" for system in run.systems)
    arms = 1 + 3 * len(BUDGETS) if gated else 0
    run.expect(sum(len(questions) for _, questions in asked), each=len(run.systems) + arms)
    rows = [row for dialogue, questions in asked for row in _rows(dialogue, questions, run, gated)]
    outcome = Outcome.of(rows)
    systems = {name: {**metrics, **_weighted(name, rows)} for name, metrics in outcome.systems.items()}
    if gated:
        for name, stored in _junk(run).items():
            systems[name].update(stored)
    return Outcome(n=len(rows), systems=systems, rows=rows)


def _rows(dialogue: Dialogue, questions: Sequence[Question], run: Run, gated: bool) -> Iterator[Row]:
    scores: list[dict[str, dict[str, float]]] = [{} for _ in questions]

    def judge(name: str, budget: int, ranker: Ranker, kept: set[str] | None) -> None:
        for score, question in zip(scores, questions, strict=True):
            found = score.setdefault(name, {})
            ranked = ranker.rank(question.query, DEPTH).turn_ids
            if kept is not None:
                found[f"evidence_kept@{budget}"] = len(kept.intersection(question.turns)) / len(question.turns)
                found[f"stored@{budget}"] = len(kept) / len(dialogue.turns)
            found[f"turn_recall@5_budget{budget}"] = recall_at(ranked, question.turns, 5)
            run.step()

    pool = run.pool(dialogue.turns)
    for name, rankings in run.ask(pool, [question.query for question in questions], DEPTH).items():
        for score, question, ranking in zip(scores, questions, rankings, strict=True):
            system = "everything" if name == "hippo" else name
            score[system] = {"turn_recall@5_budget100": recall_at(ranking.turn_ids, question.turns, 5)}
    if gated:
        for score in scores:
            score["everything"] |= {"evidence_kept@100": 1.0, "stored@100": 1.0}
        for budget in (100, *BUDGETS):
            with _gated(run, pool, budget) as (memory, kept):
                judge("hippo", budget, HippoRanker(memory), kept)
        policies: dict[str, Policy] = {"random": random_policy(run.seed), "length": length_policy}
        for budget in BUDGETS:
            for name, policy in policies.items():
                places = policy([to_event(turn) for turn in dialogue.turns], budget / 100)
                part = run.pool([dialogue.turns[at] for at in sorted(places)])
                with HippoSystem(run.open_memory).open(part) as ranker:
                    judge(name, budget, ranker, set(part.ids))
    for score, question in zip(scores, questions, strict=True):
        about = {"id": question.id, "question": question.query.text, "category": question.category}
        yield Row(about={**about, "gold": list(question.turns)}, metrics=score)


@contextmanager
def _gated(run: Run, pool: Pool, budget: int) -> Iterator[tuple[MemoryUnderTest, set[str]]]:
    """The memory after the whole dialogue, and the ids of the turns that it has kept."""
    with HippoSystem(run.open_memory, write_rate=budget / 100).memory(pool) as memory:
        receipts = []
        for session, turns in groupby(pool.turns, key=lambda turn: turn.session):
            receipts += memory.write_many([to_event(turn) for turn in turns], progress=False)
            memory.end_session(session)
        kept = {
            turn.id
            for turn, receipt in zip(pool.turns, receipts, strict=True)
            if receipt.decision in ("write", "defer") and _stored(memory, receipt.id)
        }
        yield memory, kept


def _stored(memory: MemoryUnderTest, trace_id: str | None) -> bool:
    try:
        return trace_id is not None and memory.get(trace_id).status == "active"
    except TraceNotFound:
        return False


def _weighted(name: str, rows: Sequence[Row]) -> dict[str, float]:
    """Evidence kept, as a share of all (question, evidence turn) pairs."""
    found = [(row.metrics[name], len(row.about["gold"])) for row in rows if name in row.metrics]
    metrics = [metric for metric in found[0][0] if metric.startswith("evidence_kept@")] if found else []
    pairs = sum(gold for _, gold in found)
    return {metric: sum(values[metric] * gold for values, gold in found) / pairs for metric in metrics}


def _junk(run: Run) -> Mapping[str, Mapping[str, float]]:
    """Share of a stream of repeats, greetings and echoes that each policy stores, at the rate of the memory."""
    stream = junk_stream(JUNK_TURNS, seed=run.seed)
    stored: set[int] = set()

    def through_the_gate(events: Sequence[Event], _: float) -> set[int]:
        with HippoSystem(run.open_memory, write_rate=1.0).memory(run.pool(())) as memory:
            receipts = memory.write_many(events, progress=False)
            memory.end_session()
            stored.update(at for at, receipt in enumerate(receipts) if receipt.decision in ("write", "defer"))
        return stored

    shares = {"hippo": junk_stored(stream, through_the_gate)}
    rate = len(stored) / len(stream)
    shares["random"] = junk_stored(stream, random_policy(run.seed), budget=rate)
    shares["length"] = junk_stored(stream, length_policy, budget=rate)
    shares["everything"] = dict.fromkeys(shares["hippo"], 1.0)
    return {name: {f"{kind}_stored": value for kind, value in kinds.items()} for name, kinds in shares.items()}
