"""Suites that measure a local model: ``reader`` and ``lm``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hippo_agent.embedding.base import Embedder
from hippo_agent.errors import ConfigError
from hippo_agent.evaluation.pool import CachedEmbedder
from hippo_agent.evaluation.reading import CONDITIONS
from hippo_agent.evaluation.report import Report, versions
from hippo_agent.evaluation.suites import lm, reader
from hippo_agent.model.local import LocalModel

__all__ = ["MODEL_SUITES", "run_model_suite"]

MODEL_SUITES = ("reader", "lm")


def run_model_suite(
    name: str,
    data: Path | None,
    *,
    model: LocalModel,
    embedder: Embedder,
    limit: int | None = None,
    seed: int = 0,
    seeds: int = 1,
    systems: Sequence[str] | None = None,
    conditions: Sequence[str] | None = None,
    trained: Any = None,
    tick: Callable[[int, int], None] | None = None,
) -> Report:
    """Measure a local model and its readers, beside the same model without them, in one run.

    Args:
        data: the text that ``lm`` reads; ``reader`` makes up its worlds from the seed.
        limit: questions of each condition (``reader``), or episodes (``lm``).
        seeds: of ``reader``: so many worlds, from ``seed`` on; figures are means over all of them, and each row says
            of which seed it is.
        conditions: of ``reader``, some of `hippo_agent.evaluation.reading.CONDITIONS`; None: all.
        trained: a `TraceReader` to be measured as ``adapter`` instead of the one that ships.

    Raises:
        ConfigError: no such suite, system or condition, or no data.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"limit {limit!r} asks nothing; give at least 1, or leave it out")
    if name == "lm" and data is None:
        raise ConfigError("the suite 'lm' needs a text; name it with --data")
    known = lm.SYSTEMS if name == "lm" else reader.SYSTEMS
    for system in systems or ():
        if system not in known:
            raise ConfigError(f"there is no system {system!r}; choose from {', '.join(known)}")
    for label in conditions or ():
        if label not in CONDITIONS:
            raise ConfigError(f"there is no condition {label!r}; choose from {', '.join(CONDITIONS)}")
    if seeds < 1 or (seeds > 1 and name != "reader"):
        raise ConfigError(f"seeds {seeds!r}: at least 1, and more than 1 only of the suite 'reader'")
    run = reader.ReaderRun(
        model=model,
        embedder=CachedEmbedder(embedder),
        limit=limit,
        seed=seed,
        systems=tuple(systems or known),
        conditions=tuple(conditions or CONDITIONS),
        trained=trained,
        tick=tick,
    )
    outcome = reader.run_seeds(run, seeds) if data is None or name == "reader" else lm.run(data, run)
    return Report(
        suite=name,
        dataset=data.name if name == "lm" and data is not None else "invented",
        n=outcome.n,
        left_out=0,
        seed=seed,
        versions={
            **versions(embedder.id),
            "model": model.id,
            "tokenizer": f"{type(model.tokenizer).__name__}, {len(model.tokenizer)} tokens",
            "device": str(model.model.device),
        },
        systems=outcome.systems,
        skipped=run.skipped,
        seconds=run.seconds,
        rows=outcome.rows,
    )
