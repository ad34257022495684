"""`hippo forget`: what goes, first as a list, then for good, with a certificate."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hippo_agent.cli.options import DEFAULT_FOLDER, FolderOption, JsonOption, NamespaceOption, moment, opened
from hippo_agent.cli.output import emit
from hippo_agent.errors import InvalidInput

if TYPE_CHECKING:
    from hippo_agent.forgetting import Forgotten

INCOMPLETE = 3


def forget(
    trace_ids: Annotated[list[str] | None, typer.Argument(help="The ids of traces.")] = None,
    memory: FolderOption = DEFAULT_FOLDER,
    namespace: NamespaceOption = None,
    query: Annotated[str | None, typer.Option(help="Traces in which all these words occur.")] = None,
    principal: Annotated[str | None, typer.Option(help="What this one vouched for.")] = None,
    before: Annotated[
        datetime | None, typer.Option(parser=moment, metavar="TIME", help="What happened before this time.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would go; change nothing.")] = False,
    certificate: Annotated[
        Path | None, typer.Option(help="Write the certificate to this new file, as JSON without any text.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Kept in the tombstone, without the text.")] = "asked on the command line",
    json_: JsonOption = False,
) -> None:
    """Forget for good: traces, what was learnt from them alone, their vectors, index entries and adapters.

    Every condition that is given must hold; --namespace alone means all of it, its documents and its map too.
    Exit code 3: all is forgotten, but another process keeps some bytes in the files; run hippo forget again later.

    Example: hippo forget 01JD2M9V0Q8K --reason "Ada asked"

    First a list: hippo forget --principal crawler --before 2024-01-01 --dry-run
    """
    if certificate is not None and certificate.exists():
        raise InvalidInput(f"{str(certificate)!r} exists; choose a new file for the certificate")
    if not (trace_ids or query or principal or before or namespace):
        raise typer.BadParameter("name what to forget: ids, --query, --principal, --before or --namespace")
    with opened(memory) as store:
        gone = store.forget(
            trace_id=trace_ids or (),
            query=query,
            principal=principal,
            before=before,
            namespace=None if namespace is None else tuple(namespace),
            dry_run=dry_run,
            reason=reason,
        )
    if certificate is not None:
        certificate.write_text(json.dumps(gone.as_dict(), indent=2) + "\n", encoding="utf-8")
    if json_:
        emit(gone.as_dict())
    else:
        for line in _lines(gone):
            typer.echo(line)
    if gone.left:
        raise typer.Exit(INCOMPLETE)


def _lines(gone: Forgotten) -> list[str]:
    count = len(gone.traces)
    traces = f"{count} trace{'s' if count != 1 else ''}"
    lines = [f"would forget {traces}" if gone.dry_run else f"forgot {traces} for good"]
    if gone.dry_run:
        lines += [f"  {one}" for one in gone.traces]
    if gone.derived:
        lines.append(f"{len(gone.derived)} of them rested on nothing but the others")
    lines += [f"{name}: {number}" for name, number in gone.removed.items()]
    if gone.changed_facts:
        lines.append(f"facts that stay, with fewer sources: {gone.changed_facts}")
    if gone.adapters:
        lines.append(f"adapters that knew them: {', '.join(gone.adapters)}")
    if gone.older_backups:
        lines.append(f"backups that were made before and still hold them: {', '.join(gone.older_backups)}")
    return lines + [f"not yet removed: {what}" for what in gone.left]
