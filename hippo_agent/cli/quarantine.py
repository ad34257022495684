"""`hippo quarantine`: what was set aside, and why; a person may let it out."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from hippo_agent.cli.options import DEFAULT_FOLDER, FolderOption, JsonOption, NamespaceOption, opened
from hippo_agent.cli.output import console, emit, origin, safe

_SHOWN = 200  # characters of a text in the table


def quarantine(
    memory: FolderOption = DEFAULT_FOLDER,
    namespace: NamespaceOption = None,
    release: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Let this trace be recalled; may be repeated.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who answers for the release; is kept.")] = None,
    add: Annotated[list[str] | None, typer.Option(metavar="ID", help="Set this trace aside; may be repeated.")] = None,
    reason: Annotated[str, typer.Option(help="Why it is set aside.")] = "by hand",
    json_: JsonOption = False,
) -> None:
    """List traces that were set aside, release some of them, or set others aside.

    Example: hippo quarantine --release 01JD2M9V0Q8K --by Mira
    """
    if release and not by:
        raise typer.BadParameter("say who answers for it: --by NAME")
    with opened(memory, namespace) as store:
        if add:
            store.quarantine.add(add, reason=reason)
        if release:
            store.quarantine.release(release, by=by or "")
        held = store.quarantine.list()
    if json_:
        emit([{"id": one.trace.id, "reasons": one.reasons, "since": one.since, "trace": one.trace} for one in held])
    elif not held:
        typer.echo("nothing is set aside")
    else:
        table = Table("id", "from", "why", "text", title_justify="left")
        for one in held:
            table.add_row(
                one.trace.id,
                Text(origin(one.trace)),
                Text(safe("; ".join(one.reasons) or "not said")),
                Text(safe(one.trace.text[:_SHOWN])),
            )
        console().print(table)
