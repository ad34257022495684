"""Efficacy and forgetting over the versions of a bank, as a picture: .png, or .html with the table beside it."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hippo_agent.consolidation.versions import Version
from hippo_agent.errors import InvalidInput, MissingExtra

__all__ = ["draw_history"]

_LINES = ("taught", "paraphrase", "form", "earlier", "in_context", "abstention", "locality")
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Nights of a memory</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse}}td,th{{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ddd}}
td:last-child,th:last-child{{text-align:left}}svg{{max-width:100%;height:auto}}</style>
<h1>Nights of a memory</h1>{picture}<table><tr>{head}</tr>{rows}</table></html>
"""


def draw_history(versions: Sequence[Version], path: Path) -> Path:
    """Write the picture of these versions; one line per mark of the gate, rejected nights as hollow points."""
    if not versions:
        raise InvalidInput("there is no version yet to draw; run `hippo consolidate` first")
    if path.suffix not in (".png", ".html"):
        raise InvalidInput(f"{path.name!r} is neither .png nor .html; name a file that ends so")
    figure = _figure(versions)
    if path.suffix == ".png":
        figure.savefig(path, dpi=120)
        return path
    picture = io.StringIO()
    figure.savefig(picture, format="svg")
    shown = ("version", "promoted", "scale", *_LINES, "loss", "reasons")
    rows = "".join(f"<tr>{''.join(f'<td>{_cell(version, name)}</td>' for name in shown)}</tr>" for version in versions)
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in shown)
    svg = picture.getvalue()
    path.write_text(_PAGE.format(picture=svg[svg.index("<svg") :], head=head, rows=rows), encoding="utf-8")
    return path


def _figure(versions: Sequence[Version]) -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra('pictures need matplotlib: pip install "hippo-agent[pictures]"') from error
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(
        title="What the weights know, night by night", xlabel="version", ylabel="share of exact answers", ylim=(0, 1.05)
    )
    numbers = [version.number for version in versions]
    for name in _LINES:
        values = [version.manifest["after"].get(name) for version in versions]
        kept = [(number, value) for number, value in zip(numbers, values, strict=True) if value is not None]
        if kept:
            axes.plot(*zip(*kept, strict=True), marker="o", label=name.replace("_", " "))
    for version in versions:
        if not version.promoted:
            axes.axvline(version.number, color="0.8", linestyle=":", zorder=0)
    axes.set_xticks(numbers)
    axes.legend(loc="lower left", fontsize="small")
    return figure


def _cell(version: Version, name: str) -> str:
    if name == "reasons":
        return html.escape("; ".join(version.manifest["reasons"]))
    value = version.manifest.get(name, version.manifest["after"].get(name))
    return "–" if value is None else f"{value:.3f}" if isinstance(value, float) else html.escape(str(value))
