"""The ``hippo`` command: thin over Memory and evaluation."""

from __future__ import annotations

import typer

import hippo_agent

__all__ = ["main"]

app = typer.Typer(
    name="hippo", no_args_is_help=True, add_completion=False, help="A memory of its own for an LLM agent."
)


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hippo-agent {hippo_agent.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(False, "--version", callback=show_version, is_eager=True, help="Show the version."),
) -> None:
    """Options of every command."""


def main() -> None:
    """Entry point of the ``hippo`` script."""
    app()
