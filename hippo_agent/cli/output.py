"""What a terminal or a machine gets to see. Stored text is data: it is never markup and never a control sequence."""

from __future__ import annotations

import dataclasses
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from hippo_agent.types import Hit, Receipt, Trace

_STYLE = {
    "write": "green",
    "merge": "cyan",
    "duplicate": "cyan",
    "defer": "yellow",
    "skip": "yellow",
    "quarantine": "red",
}


def console() -> Console:
    """Made per call, so that it writes to the stdout of the moment."""
    return Console(highlight=False, soft_wrap=False)


@contextmanager
def ticking(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr when that is a terminal: call it with (done, total), where the total may grow."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = Console(stderr=True)
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def emit(value: Any) -> None:
    """JSON on stdout; values shared by all (traces, receipts, times) are made plain first."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(plain(value), ensure_ascii=not utf8, indent=2))


def plain(value: Any) -> Any:
    """Dataclasses and mappings to dicts, tuples to lists, times to ISO 8601."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def safe(text: str) -> str:
    """The text without control characters, so that a memory cannot move the cursor or recolour the terminal."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) != "Cc" else "\ufffd" for c in text)


def receipt_line(receipt: Receipt) -> Text:
    """One line of what a write did."""
    line = Text.assemble((receipt.decision, _STYLE.get(receipt.decision, "")), " ")
    line.append(receipt.id or "not stored", style="bold" if receipt.id else "dim")
    line.append(f"  salience {receipt.salience:.2f}")
    if receipt.reasons:
        line.append(f"  {safe('; '.join(receipt.reasons))}", style="dim")
    return line


def hit_panel(rank: int, hit: Hit) -> Panel:
    """One recalled trace: where it comes from, its text, and what each reason added to its score."""
    reasons = ", ".join(f"{name} {share:+.2f}" for name, share in hit.reasons.items())
    return Panel(
        Group(Text(safe(hit.trace.text)), Text(safe(reasons), style="dim")),
        title=Text(f"{rank}. {origin(hit.trace)}"),
        subtitle=Text(f"{hit.trace.id}  score {hit.score:.3f}", style="dim"),
        title_align="left",
        subtitle_align="right",
    )


def origin(trace: Trace) -> str:
    """When, who and where from, in one line."""
    parts = [f"{trace.event_time:%Y-%m-%d %H:%M}", trace.speaker, trace.provenance.session, trace.provenance.source]
    return safe(" · ".join(part for part in parts if part))


def fields(value: Any, *, title: str) -> Table:
    """Names and values of a (nested) mapping or dataclass, one row each."""
    table = Table("name", "value", title=title, title_justify="left", show_header=False)
    for name, item in _flat(plain(value)):
        table.add_row(Text(name), Text(safe(item)))
    return table


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, item in value.items():
        if isinstance(item, Mapping) and item:
            rows += _flat(item, f"{prefix}{name}.")
        elif isinstance(item, list):
            rows.append((prefix + name, ", ".join(str(part) for part in item) or "-"))
        elif isinstance(item, float):
            rows.append((prefix + name, f"{item:g}"))
        else:
            rows.append((prefix + name, "-" if item is None or item == {} else str(item)))
    return rows
