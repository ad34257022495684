"""`hippo stats`, `hippo doctor` and `hippo reembed`: how a memory is doing, and its care."""

from __future__ import annotations

from typing import Annotated

import typer

from hippo_agent.cli.options import DEFAULT_FOLDER, EmbedderOption, FolderOption, JsonOption, opened
from hippo_agent.cli.output import console, emit, fields, plain

NOT_CLEAN = 3


def stats(memory: FolderOption = DEFAULT_FOLDER, json_: JsonOption = False) -> None:
    """Count what the memory holds and what the write gate did.

    Example: hippo stats --memory agent-memory
    """
    with opened(memory) as store:
        found = store.stats().as_dict()
    if json_:
        emit(found)
    else:
        console().print(fields(found, title=f"memory {str(memory)!r}"))


def doctor(
    memory: FolderOption = DEFAULT_FOLDER,
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild what can be rebuilt from the rows.")] = False,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Also set damaged traces aside: kept, never recalled. Needs --repair.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Check every row, index and hash; exit code 3 when something is wrong.

    Example: hippo doctor --repair
    """
    if quarantine and not repair:
        raise typer.BadParameter("--quarantine needs --repair: checking changes nothing")
    with opened(memory) as store:
        done = store.repair(quarantine=quarantine) if repair else ()
        report = store.verify()
    if json_:
        emit({"clean": report.clean, "repaired": done, **plain(report)})
    else:
        console().print(fields(report, title=f"memory {str(memory)!r}"))
        for what in done:
            typer.echo(what)
        typer.echo("clean" if report.clean else "not clean" + ("" if repair else "; try: hippo doctor --repair"))
    if not report.clean:
        raise typer.Exit(NOT_CLEAN)


def reembed(memory: FolderOption = DEFAULT_FOLDER, embedder: EmbedderOption = None, json_: JsonOption = False) -> None:
    """Give every trace a vector of another embedder: the bank belongs to that one from then on.

    Example: hippo reembed --embedder ./my-model
    """
    with opened(memory, embedder=embedder) as store:
        made = store.reembed()
        held = store.stats().embedder
    if json_:
        emit({"embedded": made, "embedder": held})
    else:
        typer.echo(f"{made} traces embedded by {held}")
