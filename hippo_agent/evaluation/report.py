"""The report of a run: a JSON document with the figures, a JSONL file with every question, a table for people."""

from __future__ import annotations

import json
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hippo_agent import __version__
from hippo_agent.evaluation.run import Row

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Report", "versions"]

_ACROSS = 8  # systems that fit side by side
_PACKAGES = ("numpy", "torch", "transformers", "sentence-transformers", "chromadb")


@dataclass(frozen=True, kw_only=True)
class Report:
    """``as_dict`` is a public contract: suite, dataset, n, seed, versions, systems -> metric -> value."""

    suite: str
    dataset: str
    n: int
    left_out: int  # questions of the data whose evidence is not in it
    seed: int
    versions: Mapping[str, str]
    systems: Mapping[str, Mapping[str, float]]
    skipped: Mapping[str, str]  # system -> why it is not there
    seconds: Mapping[str, float]  # system -> taking in and answering, without embedding the pool
    rows: Sequence[Row]

    def as_dict(self) -> dict[str, Any]:
        return {
            "suite": self.suite,
            "dataset": self.dataset,
            "n": self.n,
            "seed": self.seed,
            "versions": dict(self.versions),
            "systems": {name: dict(metrics) for name, metrics in self.systems.items()},
            "left_out": self.left_out,
            "skipped": dict(self.skipped),
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
        }

    def write(self, out: Path) -> Path:
        """Write the figures to ``out`` and the questions beside it; returns the path of the latter."""
        rows = out.with_suffix(".jsonl") if out.suffix != ".jsonl" else out.with_name(out.name + ".rows.jsonl")
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        with rows.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row.as_dict(), ensure_ascii=False) + "\n" for row in self.rows)
        return rows

    def table(self) -> Table:
        """Metrics down, systems across (the other way round for many systems); the best of each metric is bold."""
        from rich.markup import escape
        from rich.table import Table

        table = Table(title=escape(f"{self.suite} on {self.dataset}: {self.n} questions, seed {self.seed}"))
        metrics = list(dict.fromkeys(metric for found in self.systems.values() for metric in found))
        best = {m: max(found[m] for found in self.systems.values() if m in found) for m in metrics}

        def cell(system: str, metric: str) -> str:
            value = self.systems[system].get(metric)
            if value is None:
                return ""
            return f"[bold]{value:.3f}[/bold]" if f"{value:.3f}" == f"{best[metric]:.3f}" else f"{value:.3f}"

        if len(self.systems) <= _ACROSS:
            table.add_column("metric", no_wrap=True)
            for system in self.systems:
                table.add_column(escape(system), justify="right")
            for metric in metrics:
                table.add_row(escape(metric), *(cell(system, metric) for system in self.systems))
        else:
            table.add_column("system", no_wrap=True)
            for metric in metrics:
                table.add_column(escape(metric), justify="right")
            for system in self.systems:
                table.add_row(escape(system), *(cell(system, metric) for metric in metrics))
        if self.skipped:
            table.caption = escape("; ".join(f"no {name}: {reason}" for name, reason in self.skipped.items()))
        return table


def versions(embedder_id: str) -> dict[str, str]:
    """What the figures depend on, without importing any of it."""
    found = {
        "hippo-agent": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "embedder": embedder_id,
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
