"""Partial cues: which of all episodes of a file is meant by some of its words, misspelt words, or a few of its slots.

Words: all episodes of eight words or more are one pool, and the baselines read their texts alone, every word of them.
Slots: the memory gets the slots; the baselines get them as text, and read episodes with time and speaker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hippo_agent.episodic.slots import extract
from hippo_agent.errors import DataError
from hippo_agent.evaluation.data import Query, Turn, load_episodes
from hippo_agent.evaluation.metrics import first_is
from hippo_agent.evaluation.partial_cue import keep_words, misspell, slot_cues
from hippo_agent.evaluation.pool import Ranking
from hippo_agent.evaluation.run import Outcome, Row, Run, sample
from hippo_agent.types import Slots

__all__ = ["run"]

MIN_WORDS = 8
SHARES = (0.8, 0.6, 0.4, 0.2)
DEPTH = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """One cue, the ids of the episodes that it may mean, and what kind of cue it is."""

    query: Query
    gold: tuple[str, ...]
    kinds: tuple[str, ...]


def run(data: Path, run: Run) -> Outcome:
    """P@1 by kind of cue; ``limit`` and ``n`` count episodes, each of which gives a cue of every kind that it can."""
    episodes = load_episodes(data, min_words=MIN_WORDS)
    if not episodes:
        raise DataError(f"{str(data)!r} has no episode of {MIN_WORDS} words or more; name a longer file")
    chosen = sample(episodes, run.limit, run.seed)
    by_words = word_cues(episodes, chosen, run.seed)
    by_slots = slot_only_cues(episodes, chosen, run.seed)
    run.expect(len(by_words) + len(by_slots))
    rows = []
    for asked, fragments in ((by_words, True), (by_slots, False)):
        if asked:
            answers = run.ask(run.pool(episodes, fragments=fragments), [cue.query for cue in asked], DEPTH)
            rows += [_row(cue, {name: found[at] for name, found in answers.items()}) for at, cue in enumerate(asked)]
    outcome = Outcome.of(rows)
    return Outcome(n=len(chosen), systems=outcome.systems, rows=rows)


def word_cues(episodes: Sequence[Turn], chosen: Sequence[Turn], seed: int) -> list[Asked]:
    """For each chosen episode: 80, 60, 40 and 20 % of its words, and all of them with typos."""
    same: dict[str, list[str]] = {}
    for turn in episodes:
        same.setdefault(turn.text, []).append(turn.id)
    cues = []
    for turn in chosen:
        texts = {
            f"keep{share:.0%}".rstrip("%"): keep_words(turn.text, share, seed=_seed(seed, turn)) for share in SHARES
        }
        texts["typo"] = misspell(turn.text, seed=_seed(seed, turn))
        cues += [Asked(Query(text=text), tuple(same[turn.text]), (kind,)) for kind, text in texts.items()]
    return cues


def slot_only_cues(episodes: Sequence[Turn], chosen: Sequence[Turn], seed: int) -> list[Asked]:
    """For each chosen episode that can be told by two or three of its slots: a cue of these alone."""
    slots = [extract(turn.text, speaker=turn.speaker, event_time=turn.time) for turn in episodes]
    wanted = {turn.id for turn in chosen}
    return [
        Asked(
            Query(text=cue.text, slots=cue.slots),
            (episodes[cue.answer].id,),
            ("slots", f"slots_{cue.filled.replace('+', '_')}"),
        )
        for cue in slot_cues(slots, seed=seed)
        if episodes[cue.answer].id in wanted
    ]


def _row(asked: Asked, rankings: Mapping[str, Ranking]) -> Row:
    about: dict[str, Any] = {"gold": list(asked.gold), "cue": asked.query.text, "kind": asked.kinds[-1]}
    if asked.query.slots:
        about["slots"] = _named(asked.query.slots)
    right = {name: first_is(ranking.turn_ids, asked.gold) for name, ranking in rankings.items()}
    return Row(
        about=about,
        metrics={name: {f"p@1_{kind}": value for kind in asked.kinds} for name, value in right.items()},
        found={name: {"turns": ranking.turn_ids} for name, ranking in rankings.items()},
    )


def _named(slots: Slots) -> dict[str, list[str]]:
    named = {"who": slots.who, "what": slots.what, "where": slots.where, "when": slots.when}
    return {name: list(values) for name, values in named.items() if values}


def _seed(seed: int, turn: Turn) -> str:
    return f"{seed}:{turn.id}"
