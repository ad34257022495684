"""`hippo backup`, `restore` and `salvage`: copies of a memory, and what can be saved of a damaged one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hippo_agent.cli.options import DEFAULT_FOLDER, FolderOption, JsonOption, opened
from hippo_agent.cli.output import emit, ticking


def backup(
    target: Annotated[Path, typer.Argument(help="A new folder for the copy.")],
    memory: FolderOption = DEFAULT_FOLDER,
    json_: JsonOption = False,
) -> None:
    """Copy a memory into a new folder, also while it is in use.

    Example: hippo backup backups/monday
    """
    with opened(memory) as store:
        made = store.backup(target)
    if json_:
        emit(made)
    else:
        typer.echo(f"{target}: {made.traces} traces")


def restore(
    source: Annotated[Path, typer.Argument(help="The folder that `hippo backup` made.")],
    memory: FolderOption = DEFAULT_FOLDER,
    json_: JsonOption = False,
) -> None:
    """Make a memory of a backup, in a new folder; every file is compared with its digest before.

    Example: hippo restore backups/monday --memory agent-memory
    """
    from hippo_agent.storage.copies import restore as restored

    made = restored(source, memory)
    if json_:
        emit(made)
    else:
        typer.echo(f"{memory}: {made.traces} traces, as of {made.time}")


def salvage(
    target: Annotated[Path, typer.Argument(help="A new folder for what can be read.")],
    memory: FolderOption = DEFAULT_FOLDER,
    json_: JsonOption = False,
) -> None:
    """Make a new memory of what can still be read of a damaged one, which is only read.

    Example: hippo salvage rescued --memory agent-memory
    """
    from hippo_agent.storage.salvage import salvage as salvaged

    with ticking("reading") as tick:
        found = salvaged(memory, target, progress=tick)
    if json_:
        emit(found)
        return
    typer.echo(
        f"{target}: {found.traces} traces ({found.damaged} of them damaged and set aside), {found.repeats} repeats; "
        f"{found.unreadable} could not be read"
    )
    for table in found.incomplete:
        typer.echo(f"not complete: {table}")
