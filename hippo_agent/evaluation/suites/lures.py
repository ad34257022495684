"""Lures: near-duplicate episodes that differ in one slot, and cues that name it. Everything in it is invented.

Given a data file, its episodes lie among the invented ones as distractors. Merging is judged by what the memory's gate
does with the second of two observations; beside it stands the rule "cosine of at least .9 is the same event".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hippo_agent.evaluation.data import Query, Turn, load_episodes
from hippo_agent.evaluation.hippo import HippoSystem
from hippo_agent.evaluation.lures import (
    LureCue,
    MergePair,
    make_lures,
    make_merge_pairs,
    merge_scores,
    precision_at_1,
)
from hippo_agent.evaluation.pool import Ranking
from hippo_agent.evaluation.run import Outcome, Row, Run, sample
from hippo_agent.types import Event

__all__ = ["run"]

DEPTH = 5
SAME_COSINE = 0.9


def run(data: Path | None, run: Run) -> Outcome:
    """P@1 of each system, and precision and recall of merging; ``n`` and ``limit`` count the cues."""
    lures = make_lures(seed=run.seed)
    pairs = make_merge_pairs(seed=run.seed)
    turns = [_turn(event, at) for at, event in enumerate(lures.episodes)]
    others = load_episodes(data) if data else []
    cues = sample(lures.cues, run.limit, run.seed)
    run.expect(len(cues))
    queries = [Query(text=cue.text, asked_at=cue.asked_at) for cue in cues]
    answers = run.ask(run.pool([*turns, *others]), queries, DEPTH)
    systems = {name: precision_at_1(cues, list(map(_first, found))) for name, found in answers.items()}
    for name, merged in _merging(run, pairs).items():
        systems.setdefault(name, {}).update(merge_scores(pairs, merged))
    rows = [_row(cue, {name: found[at] for name, found in answers.items()}) for at, cue in enumerate(cues)]
    return Outcome(n=len(cues), systems=systems, rows=rows)


def _merging(run: Run, pairs: Sequence[MergePair]) -> dict[str, list[bool]]:
    """For each pair, whether the second observation was taken for the first."""
    names = {system.name for system in run.systems}
    merged: dict[str, list[bool]] = {}
    if "dense" in names:
        first = run.embedder.embed([pair.first.text for pair in pairs])
        second = run.embedder.embed([pair.second.text for pair in pairs])
        merged["dense"] = [bool(cosine >= SAME_COSINE) for cosine in (first * second).sum(axis=1)]
    if "hippo" in names:
        with HippoSystem(run.open_memory, write_rate=1.0).memory(run.pool(())) as memory:
            merged["hippo"] = []
            for pair in pairs:
                stored, again = memory.write_many([pair.first, pair.second], progress=False)
                # A second observation that is not stored at all is lost for good if it was another event.
                same = again.id == stored.id if again.decision == "merge" else again.decision in ("skip", "duplicate")
                merged["hippo"].append(same or (again.decision == "merge" and not pair.same))
    return merged


def _turn(event: Event, at: int) -> Turn:
    return Turn(
        id=f"lure:{at}",
        text=event.text,
        session=event.provenance.session or "",
        speaker=event.speaker,
        time=event.event_time,
    )


def _first(ranking: Ranking) -> int | None:
    found = ranking.turn_ids[:1]
    return int(found[0].removeprefix("lure:")) if found and found[0].startswith("lure:") else None


def _row(cue: LureCue, rankings: dict[str, Ranking]) -> Row:
    return Row(
        about={"cue": cue.text, "gold": [f"lure:{cue.answer}"], "varied": cue.varied, "synonym": cue.synonym},
        metrics={name: {"p@1_all": float(_first(ranking) == cue.answer)} for name, ranking in rankings.items()},
        found={name: {"turns": ranking.turn_ids} for name, ranking in rankings.items()},
    )
