"""kill -9 at any moment loses nothing that was acknowledged, and leaves every check clean."""

from __future__ import annotations

import os
import random
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hippo_agent.storage.index.managed import ManagedIndex
from hippo_agent.storage.mirror import Mirror
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.verify import verify

WRITER = Path(__file__).with_name("writer.py")
expected = runpy.run_path(str(WRITER))["expected"]


def start(folder: Path, name: str, count: int = 1_000_000) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(WRITER), str(folder), name, str(count)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(WRITER.parents[2])},
    )


def check(folder: Path, outputs: dict[str, str]) -> int:
    """Compare what was acknowledged with what a fresh opening holds; returns the number of acknowledged steps.

    One step more may have been done than was said: it was killed between the commit and the line.
    """
    total = 0
    with SqliteRecord(folder) as record:
        for name, output in outputs.items():
            steps = output.count("\n")
            held = {t.id: t.repeats for batch in record.scan() for t, _ in batch if t.id.startswith(name + "-")}
            assert held in (expected(name, steps), expected(name, steps + 1))
            assert all(len(record.observations(trace_id)) == repeats for trace_id, repeats in held.items())
            total += steps
        with ManagedIndex(record, Mirror(record), kind="exact") as index:
            found = verify(record, index)
        assert found.clean, found
    return total


def kill_some(folder: Path, times: int, seed: int) -> int:
    """Start, kill after 10 to 400 ms, check; again and again on the same folder."""
    chance = random.Random(seed)
    total = 0
    for round_number in range(times):
        writer = start(folder, f"w{round_number}")
        assert writer.stdout is not None
        opened = writer.stdout.readline()
        time.sleep(chance.uniform(0.010, 0.400))
        writer.send_signal(signal.SIGKILL)
        output, _ = writer.communicate()
        assert opened == "open\n"
        total += check(folder, {f"w{round_number}": output})
    return total


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_kill_nine_ten_times_loses_nothing(tmp_path: Path, seed: int) -> None:
    assert kill_some(tmp_path, 10, seed) > 100


def test_kill_nine_while_the_memory_is_made(tmp_path: Path) -> None:
    chance = random.Random(7)
    for number in range(10):
        folder = tmp_path / str(number)
        writer = start(folder, "w")
        time.sleep(chance.uniform(0.1, 0.4))
        writer.send_signal(signal.SIGKILL)
        output, _ = writer.communicate()
        check(folder, {"w": output.removeprefix("open\n")})


def test_four_processes_write_at_once(tmp_path: Path) -> None:
    SqliteRecord(tmp_path).close()
    writers = {name: start(tmp_path, name, 500) for name in ("a", "b", "c", "d")}
    outputs = {name: writer.communicate(timeout=120)[0].removeprefix("open\n") for name, writer in writers.items()}
    assert [writer.returncode for writer in writers.values()] == [0, 0, 0, 0]
    assert check(tmp_path, outputs) == 4 * 500
    with SqliteRecord(tmp_path) as record:
        assert (record.count(), record.counters()["written"]) == (800, 1200)
        seqs = [trace.seq for batch in record.scan() for trace, _ in batch]
        assert seqs == sorted(set(seqs))
