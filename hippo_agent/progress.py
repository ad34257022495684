"""Progress of long work: a bar on a terminal, silence in a pipe, or the caller's own function."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

__all__ = ["Progress", "StageProgress", "reporter", "stages"]

#: None: a bar if standard error is a terminal; False: silent; a function: called with (done, total).
Progress = Callable[[int, int], None] | Literal[False] | None
#: The same for work in stages: a function is called with (stage, done, total).
StageProgress = Callable[[str, int, int], None] | Literal[False] | None


@contextmanager
def reporter(progress: Progress, total: int, label: str) -> Iterator[Callable[[int], None]]:
    """A function to call with the number of finished items."""
    if callable(progress):
        told = progress
        yield lambda done: told(done, total)
    elif progress is False or not sys.stderr.isatty():
        yield lambda done: None
    else:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield lambda done: bar.update(task, completed=done)


@contextmanager
def stages(progress: StageProgress) -> Iterator[Callable[[str, int, int], None]]:
    """A function to call with (stage, finished items, all items); one bar per stage on a terminal."""
    if callable(progress):
        yield progress
    elif progress is False or not sys.stderr.isatty():
        yield lambda stage, done, total: None
    else:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            tasks: dict[str, TaskID] = {}

            def tell(stage: str, done: int, total: int) -> None:
                if stage not in tasks:
                    tasks[stage] = bar.add_task(stage, total=total)
                bar.update(tasks[stage], completed=done, total=total)

            yield tell
