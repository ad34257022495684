"""`hippo consolidate`, `versions`, `rollback` and `schedule`: what is learnt overnight, and the way back."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hippo_agent.cli.model import DeviceOption, ModelOption, local_model
from hippo_agent.cli.options import DEFAULT_FOLDER, FolderOption, JsonOption, NamespaceOption, opened
from hippo_agent.cli.output import console, emit

if TYPE_CHECKING:
    from rich.table import Table

    from hippo_agent.consolidation.report import ConsolidationReport
    from hippo_agent.consolidation.versions import Version

REJECTED = 4


def consolidate(
    memory: FolderOption = DEFAULT_FOLDER,
    namespace: NamespaceOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be taught; train nothing.")] = False,
    budget_minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Stop training after so long; the gate judges what was reached.")
    ] = None,
    cool_off: Annotated[
        float | None, typer.Option(min=0.0, help="Hours that a trace has to be old. Default: 24.")
    ] = None,
    guard: Annotated[
        list[Path] | None, typer.Option("--guard", help="A text file whose language must not suffer; may be repeated.")
    ] = None,
    maintenance: Annotated[
        bool, typer.Option("--maintenance/--no-maintenance", help="Put the stores in order before teaching.")
    ] = True,
    picture: Annotated[
        Path | None, typer.Option("--out", help="Draw all nights so far into this .png or .html.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Replay what mattered into the weights of the local model; exit code 4 when the gate rejects the night.

    Example: hippo consolidate --budget-minutes 20
    """
    texts = [path.read_text(encoding="utf-8") for path in guard or ()]
    with opened(memory, namespace) as store:
        report = store.consolidate(
            local_model(model, device),
            dry_run=dry_run,
            minutes=budget_minutes,
            cool_off_hours=cool_off,
            guard_texts=texts,
            maintenance=maintenance,
        )
        if picture is not None:
            store.nights.draw(picture)
    if json_:
        emit(report.as_dict())
    else:
        console().print(_table(report))
        typer.echo(_sentence(report))
        if picture is not None:
            typer.echo(f"picture: {picture}")
    if report.version is not None and not report.promoted:
        raise typer.Exit(REJECTED)


def versions(
    memory: FolderOption = DEFAULT_FOLDER, namespace: NamespaceOption = None, json_: JsonOption = False
) -> None:
    """List the trained versions: what they know, how they did at the gate, which one serves.

    Example: hippo versions
    """
    from rich.table import Table

    with opened(memory, namespace) as store:
        held, serving = store.nights.versions(), _number(store.nights.serving())
    if json_:
        emit({"serving": serving, "versions": [dict(version.manifest) for version in held]})
        return
    table = Table("version", "time", "items", "taught", "paraphrase", "promoted", "", title_justify="left")
    for version in held:
        about, after = version.manifest, version.manifest["after"]
        table.add_row(
            str(version.number),
            about["time"][:16],
            str(len(about["lessons"])),
            _share(after["taught"]),
            _share(after["paraphrase"]),
            "yes" if version.promoted else "no",
            "serves" if version.number == serving else "",
        )
    console().print(table)
    if serving is None:
        typer.echo("the bare base serves")


def rollback(
    to: Annotated[int | None, typer.Argument(help="A version's number. Default: the one before.")] = None,
    memory: FolderOption = DEFAULT_FOLDER,
    namespace: NamespaceOption = None,
    json_: JsonOption = False,
) -> None:
    """Let an earlier version serve, or the bare base when there is none.

    Example: hippo rollback
    """
    with opened(memory, namespace) as store:
        serving = _number(store.nights.rollback(to))
    if json_:
        emit({"serving": serving})
    else:
        typer.echo("the bare base serves" if serving is None else f"version {serving} serves")


def schedule(
    memory: FolderOption = DEFAULT_FOLDER,
    at: Annotated[str, typer.Option(help="Time of day, HH:MM.")] = "03:30",
    minutes: Annotated[int, typer.Option(min=1, help="Limit of one night.")] = 60,
) -> None:
    """Print a cron line and a systemd timer that consolidate every night; nothing is installed.

    Example: hippo schedule --at 03:30
    """
    hour, _, minute = at.partition(":")
    if not (hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60):
        raise typer.BadParameter(f"{at!r} is not a time of day such as 03:30")
    folder = str(memory.resolve())
    command = shlex.join(
        [sys.executable, "-m", "hippo_agent.cli", "consolidate", "--memory", folder, "--budget-minutes", str(minutes)]
    )
    typer.echo(f"# crontab -e\n{int(minute)} {int(hour)} * * * {command}\n")
    typer.echo(
        "# ~/.config/systemd/user/hippo.service\n[Service]\nType=oneshot\n"
        f"ExecStart={command}\n\n"
        "# ~/.config/systemd/user/hippo.timer\n[Timer]\n"
        f"OnCalendar=*-*-* {int(hour):02}:{int(minute):02}:00\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n\n"
        "# systemctl --user enable --now hippo.timer"
    )


def _table(report: ConsolidationReport) -> Table:
    from rich.table import Table

    table = Table("mark", "before", "after", title="the night", title_justify="left")
    for what, before, after in report.marks():
        table.add_row(what, _share(before), _share(after))
    return table


def _sentence(report: ConsolidationReport) -> str:
    counts = f"{report.new} new, {report.again} again, {report.warm} kept warm"
    if report.postponed:
        counts += f", {report.postponed} postponed"
    if report.unreadable:
        counts += f", {report.unreadable} that the model cannot read"
    held = "; ".join(f"{count} {why}" for why, count in report.refused.items())
    outcome = (
        f"no version: {report.reason}"
        if report.version is None
        else f"version {report.version} {'serves' if report.promoted else 'was rejected'}: {report.reason}"
    )
    kept = "; ".join(f"{what}: {count}" for what, count in report.maintenance.items())
    return (
        f"{outcome}\nitems: {counts}"
        + (f"\nnot taught: {held}" if held else "")
        + (f"\nmaintenance: {kept}" if kept else "")
    )


def _number(version: Version | None) -> int | None:
    return None if version is None else version.number


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
