"""What each part of the trained reader is worth: the same training without it, and the same questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hippo_agent.embedding.base import Embedder
from hippo_agent.evaluation.models import run_model_suite
from hippo_agent.evaluation.report import Report
from hippo_agent.evaluation.run import Row
from hippo_agent.model.local import LocalModel
from hippo_agent.model.teaching import taught_reader

__all__ = ["VARIANTS", "run_ablation"]

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "full": {},
    "one layer": {"layers": 1},
    "no null slot": {"null_slot": False},
    "random weights": {"init": "random"},
    "no score bias": {"score_bias": False},
    "no sources": {"source_embedding": False},
    "one vector": {"pooling": "mean"},
}
CONDITIONS = ("0", "16", "63", "hard8", "unscored16", "misleading16", "absent16")


def run_ablation(
    model: LocalModel,
    *,
    embedder: Embedder,
    steps: int,
    limit: int | None = None,
    seed: int = 0,
    tick: Callable[[int, int], None] | None = None,
) -> Report:
    """One row of figures for each variant of the reader, trained for so many steps from the same seed."""
    from hippo_agent.model.architecture import layers_of
    from hippo_agent.model.reader.config import ReaderConfig
    from hippo_agent.model.reader.training import ReaderTraining

    systems, seconds, rows = dict[str, Mapping[str, float]](), dict[str, float](), list[Row]()
    report: Report | None = None
    for number, (name, changed) in enumerate(VARIANTS.items()):
        parts = dict(changed)
        if "layers" in parts:
            parts["layers"] = ReaderConfig().placed(len(layers_of(model.model)))[:1]
        reader = taught_reader(
            model,
            embedder,
            config=ReaderConfig(**parts),
            training=ReaderTraining(seed=seed, steps=steps),
            progress=_share(tick, number),
        )
        report = run_model_suite(
            "reader", None, model=model, embedder=embedder, limit=limit, seed=seed,
            systems=["adapter"], conditions=CONDITIONS, trained=reader,
        )  # fmt: skip
        reader.detach()
        systems[name] = report.systems["adapter"]
        seconds[name] = report.seconds["adapter"]
        rows += [Row({**row.about, "variant": name}, {name: row.metrics["adapter"]}) for row in report.rows]
    assert report is not None
    return Report(
        suite="reader --ablate", dataset="invented", n=report.n, left_out=0, seed=seed, versions=report.versions,
        systems=systems, skipped={}, seconds=seconds, rows=rows,
    )  # fmt: skip


def _share(tick: Callable[[int, int], None] | None, number: int) -> Any:
    """Progress of one training as a share of all."""
    if tick is None:
        return False
    return lambda done, total: tick(number * total + done, len(VARIANTS) * total)
