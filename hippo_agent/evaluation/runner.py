"""Running a suite by name, always beside the baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from hippo_agent.embedding.base import Embedder
from hippo_agent.errors import ConfigError
from hippo_agent.evaluation.baselines import BASELINES
from hippo_agent.evaluation.contract import OpenMemory
from hippo_agent.evaluation.hippo import HippoSystem
from hippo_agent.evaluation.pool import CachedEmbedder, System
from hippo_agent.evaluation.report import Report, versions
from hippo_agent.evaluation.run import Outcome, Run
from hippo_agent.evaluation.suites import (
    babi,
    conflicts,
    extraction,
    fast_lane,
    gate,
    locomo,
    longmemeval,
    lures,
    mango,
    minigrid,
    multihop,
    partial_cue,
    textworld,
)

__all__ = ["SUITES", "run_suite"]

Suite = Callable[[Path, Run], Outcome]

SUITES: Mapping[str, Suite] = {
    "locomo": locomo.run,
    "longmemeval": longmemeval.run,
    "partial-cue": partial_cue.run,
    "lures": lures.run,
    "gate": gate.run,
    "multihop": multihop.run,
    "conflicts": conflicts.run,
    "extraction": extraction.run,
    "fast-lane": fast_lane.run,
    "mango": mango.suite,
    "babi": babi.suite,
    "textworld": textworld.suite,
    "minigrid": minigrid.suite,
}
#: Suites that make up what they measure; a data file only adds to it.
INVENTED: Mapping[str, Callable[[Path | None, Run], Outcome]] = {
    "lures": lures.run,
    "conflicts": conflicts.run,
    "fast-lane": fast_lane.run,
    "textworld": textworld.suite,
    "minigrid": minigrid.suite,
}

#: Suites in which the memory is also measured after it has read its facts, which takes a model's pass over all texts.
READS_FACTS = ("locomo", "multihop")

#: Systems that a suite brings along.
OWN: Mapping[str, Iterable[str]] = {"multihop": multihop.OWN}


def run_suite(
    name: str,
    data: Path | None,
    *,
    open_memory: OpenMemory,
    embedder: Embedder,
    limit: int | None = None,
    seed: int = 0,
    systems: Sequence[str] | None = None,
    tick: Callable[[int, int], None] | None = None,
    files: Mapping[str, Path] | None = None,
) -> Report:
    """Measure the memory and every baseline on a data file, in one run.

    Args:
        data: the file or folder that the suite reads; those in `INVENTED` need none, "lures" takes one as distractors.
        open_memory: how to open the memory under test.
        limit: a sample of so many questions, drawn by the seed.
        systems: only these of "hippo", the baselines and what the suite brings along; None: all.
        tick: told (answered, in all) as the run goes on.
        files: further files that a suite reads, by name: "corpus" and "triples" of ``multihop``.

    Raises:
        ConfigError: no such suite or system, or a limit below 1.
        DataError: the file is not of the suite's format.
    """
    if name not in SUITES:
        raise ConfigError(f"there is no suite {name!r}; choose one of {', '.join(SUITES)}")
    if data is None and name not in INVENTED:
        raise ConfigError(f"the suite {name!r} needs a data file; name it with --data")
    if limit is not None and limit < 1:
        raise ConfigError(f"limit {limit!r} asks nothing; give at least 1, or leave it out for all")
    known: list[System] = [*BASELINES, HippoSystem(open_memory)]
    if name in READS_FACTS:
        known.append(HippoSystem(open_memory, facts=True, name="hippo + facts"))
    run = Run(
        systems=_chosen(known, systems, OWN.get(name, ())),
        only=systems,
        open_memory=open_memory,
        embedder=CachedEmbedder(embedder),
        limit=limit,
        seed=seed,
        tick=tick,
        files=files or {},
    )
    outcome = SUITES[name](data, run) if data is not None else INVENTED[name](data, run)
    return Report(
        suite=name,
        dataset=data.name if data else "invented",
        n=outcome.n,
        left_out=run.left_out,
        seed=seed,
        versions=versions(embedder.id),
        systems=outcome.systems,
        skipped=run.skipped,
        seconds=run.seconds,
        rows=outcome.rows,
    )


def _chosen(known: Sequence[System], wanted: Sequence[str] | None, own: Iterable[str]) -> list[System]:
    names = [*(system.name for system in known), *own]
    for name in wanted or ():
        if name not in names:
            raise ConfigError(f"there is no system {name!r}; choose from {', '.join(names)}")
    return [system for system in known if wanted is None or system.name in wanted]
