"""The typer application, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hippo_agent import __version__
from hippo_agent.cli import care, copies, facts, files, forgetting, maps, measure, model, nights, quarantine, traces
from hippo_agent.errors import HippoError

INTERRUPTED = 130  # 128 + SIGINT
BROKEN_PIPE = 141  # 128 + SIGPIPE


class _Group(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            done = super().invoke(ctx)
            sys.stdout.flush()
            return done
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the flush at exit must not fail again
            raise typer.Exit(BROKEN_PIPE) from None
        except KeyboardInterrupt:
            typer.echo("interrupted; what was acknowledged is safe", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except (HippoError, OSError) as exc:
            typer.echo(f"error: {' '.join(str(exc).split())}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    name="hippo",
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A memory for LLM agents, in one folder on your disk.\n\n"
    'Start with: [bold]hippo write "Ada moved to Lisbon."[/bold], then [bold]hippo recall "where is Ada?"[/bold]',
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hippo-agent {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


app.command("write")(traces.write)
app.command("import")(files.import_)
app.command("recall")(traces.recall)
app.command("ask")(model.ask)
app.command("show")(traces.show)
app.command("facts")(facts.facts)
app.command("graph")(facts.graph)
app.command("stats")(care.stats)
app.command("forget")(forgetting.forget)
app.command("quarantine")(quarantine.quarantine)
app.command("backup")(copies.backup)
app.command("restore")(copies.restore)
app.command("salvage")(copies.salvage)
app.command("export")(files.export)
app.command("map")(maps.map_)
app.command("doctor")(care.doctor)
app.command("reembed")(care.reembed)
app.command("consolidate")(nights.consolidate)
app.command("versions")(nights.versions)
app.command("rollback")(nights.rollback)
app.command("schedule")(nights.schedule)
app.command("eval")(measure.evaluate)
app.command("bench")(measure.bench)
app.add_typer(model.app, name="model")


def main() -> None:
    """Entry point of the `hippo` command."""
    app(prog_name="hippo")
