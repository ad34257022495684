"""`make faults`: every fault in its long form, as a table. Takes hours; FAULTS=short tries a little of each.

python tests/faults/long.py [PART ...]      parts: kill, nth, writers, banks, fuzz
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
SHORT = os.environ.get("FAULTS") == "short"

Row = tuple[str, str, str]  # what was done, how often, what came of it


def kill() -> Iterator[Row]:
    """kill -9 at random moments of writing, and of opening afterwards."""
    import test_kill

    for seed in range(1 if SHORT else 10):
        times = 10 if SHORT else 100
        with tempfile.TemporaryDirectory() as folder:
            acknowledged = test_kill.kill_some(Path(folder), times, seed)
        yield f"kill -9 in writing, seed {seed}", f"{times} kills, {acknowledged} acknowledged", "0 lost, verify clean"


def nth() -> Iterator[Row]:
    """Every file operation of every action, killed and failed."""
    command = [sys.executable, str(HERE / "nth.py"), *(["--runs", "4"] if SHORT else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            row = json.loads(line)
            outcome = f"{row['before']} before, {row['after']} after, bad: {row['bad'] or 'none'}"
            yield f"{row['action']}: {row['mode']}", f"{row['runs']} of {row['operations']} operations", outcome
    assert running.returncode == 0


def writers() -> Iterator[Row]:
    """Four processes write 500 times each."""
    import test_kill

    with tempfile.TemporaryDirectory() as folder:
        test_kill.test_four_processes_write_at_once(Path(folder))
    yield "4 writers", "500 steps each", "0 lost, verify clean"


def banks() -> Iterator[Row]:
    """Twenty banks with canaries."""
    count, each = ("4", "60") if SHORT else ("20", "2000")
    done = subprocess.run([sys.executable, str(HERE / "banks.py"), count, each], capture_output=True, check=True)
    found = json.loads(done.stdout)
    yield (
        f"{found['banks']} banks",
        f"{found['operations']} operations",
        f"cross-bank reads: {found['cross_bank_reads']}",
    )


def fuzz() -> Iterator[Row]:
    """Odd input to import, recall, filters, forgetting and the command."""
    each = 200 if SHORT else 17_000
    command = [sys.executable, "-m", "pytest", "-q", "-x", str(HERE / "test_fuzz.py")]
    done = subprocess.run(command, env={**os.environ, "FUZZ_EXAMPLES": str(each)}, capture_output=True, text=True)
    outcome = "only typed errors, none over 2 s" if done.returncode == 0 else done.stdout[-1500:]
    yield "fuzz", f"{6 * each} cases", outcome


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "kill": kill,
    "writers": writers,
    "nth": nth,
    "banks": banks,
    "fuzz": fuzz,
}


def main() -> None:
    from rich.console import Console

    console = Console()
    for name in sys.argv[1:] or PARTS:
        for what, often, outcome in PARTS[name]():
            console.print(
                f"{time.strftime('%H:%M:%S')}  {what:<34} {often:<38} {outcome}", soft_wrap=True, markup=False
            )


if __name__ == "__main__":
    main()
