"""`hippo facts` and `hippo graph`: what the traces say together."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from hippo_agent.cli.options import (
    DEFAULT_FOLDER,
    EmbedderOption,
    FolderOption,
    JsonOption,
    NamespaceOption,
    moment,
    opened,
)
from hippo_agent.cli.output import console, emit, plain, safe

if TYPE_CHECKING:
    from hippo_agent.relational.facts import Fact


def facts(
    question: Annotated[str, typer.Argument(help="Facts near this question; nothing: all.")] = "",
    memory: FolderOption = DEFAULT_FOLDER,
    namespace: NamespaceOption = None,
    embedder: EmbedderOption = None,
    about: Annotated[str | None, typer.Option(help="Only facts about this thing.")] = None,
    place: Annotated[
        str | None, typer.Option(help="Only what was said at this place, by id or name; 'here': where the agent is.")
    ] = None,
    at: Annotated[
        datetime | None, typer.Option(parser=moment, metavar="TIME", help="What held at this time; default: now.")
    ] = None,
    past: Annotated[bool, typer.Option("--past", help="Also what holds no more.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only claims that were not let in yet.")] = False,
    min_trust: Annotated[float, typer.Option(help="Only what sources trusted at least so much say.")] = 0.0,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 100,
    why: Annotated[bool, typer.Option("--why", help="Say of each why it is in, and who says it.")] = False,
    json_: JsonOption = False,
) -> None:
    """List the facts that hold, with when and who says so; reads first what was written since.

    Example: hippo facts --about Ada --at 2024-05-07

    Near a question: hippo facts "where does Ada live?"
    """
    with opened(memory, namespace, embedder) as store:
        if question:
            hits = store.facts.search(question, k=limit, at=at, past=past, min_trust=min_trust)
            found = [hit.fact for hit in hits]
        elif place is not None:
            known = store.facts.at_place(None if place == "here" else place, radius=0, min_trust=min_trust)
            found = known if past or waiting else store.facts.holding(known, at=at)
        elif about is not None:
            known = store.facts.touching(about, min_trust=min_trust)
            found = known if past or waiting else store.facts.about(about, at=at, min_trust=min_trust)
        else:
            found = store.facts.all(waiting=waiting, min_trust=min_trust)
            found = found if past or waiting else store.facts.holding(found, at=at)
        if waiting:
            found = [fact for fact in found if fact.status == "deferred"]
        left_out = max(0, len(found) - limit)
        found = found[:limit]
        reasons = [store.facts.explain(fact) for fact in found] if why else []
        places = [store.facts.places_of(fact) for fact in found] if json_ else []
        missing = store.facts.missing
    if missing:
        typer.echo(f"not brought up to date: {missing}", err=True)
    if json_:
        rows = [
            {"text": fact.text, **plain(fact), "places": at_row} for fact, at_row in zip(found, places, strict=True)
        ]
        emit([{**row, "why": lines} for row, lines in zip(rows, reasons, strict=True)] if why else rows)
        return
    if not found:
        typer.echo(
            "no facts" + (f" about {safe(about)!r}" if about else "") + "; try --past, --waiting or another name"
        )
        return
    table = Table("id", "fact", "since", "until", "sources", "trust")
    for at_row, fact in enumerate(found):
        text = Text(safe(fact.text), style="" if fact.status == "active" else "dim")
        if why:
            text.append("".join(f"\n  {safe(line)}" for line in reasons[at_row]), style="dim")
        table.add_row(
            str(fact.id), text, _day(fact.valid_at), _day(fact.invalid_at), str(_sources(fact)), f"{fact.trust:.2f}"
        )
    console().print(table)
    if left_out:
        typer.echo(f"and {left_out} more: --limit")


def graph(
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="The ending decides: .html, .png, .graphml or .jsonld.", show_default=False),
    ],
    memory: FolderOption = DEFAULT_FOLDER,
    namespace: NamespaceOption = None,
    embedder: EmbedderOption = None,
    at: Annotated[
        datetime | None, typer.Option(parser=moment, metavar="TIME", help="What held at this time; default: now.")
    ] = None,
    min_trust: Annotated[float, typer.Option(help="Only what sources trusted at least so much say.")] = 0.0,
    json_: JsonOption = False,
) -> None:
    """Write the facts that hold as a graph: a page to explore offline, a picture, or a file for other programs.

    Example: hippo graph --out graph.html
    """
    from hippo_agent.relational.export import write_graph

    with opened(memory, namespace, embedder) as store:
        found = store.facts.graph(at=at, min_trust=min_trust)
        missing = store.facts.missing
    if missing:
        typer.echo(f"not brought up to date: {missing}", err=True)
    write_graph(found, out)
    if json_:
        emit({"out": str(out), "facts": len(found), "entities": found.entities})
    else:
        typer.echo(f"{len(found)} facts about {found.entities} things: {out}")


def _day(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d}"


def _sources(fact: Fact) -> int:
    return len({statement.principal for statement in fact.statements})
