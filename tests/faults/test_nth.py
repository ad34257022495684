"""Whatever file operation fails or is the last one, a bank is in the state before or in the state after. A few of each.

`make faults` tries every one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NTH = Path(__file__).with_name("nth.py")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="needs Linux and a C compiler")
@pytest.mark.parametrize(
    ("actions", "mode", "runs"),
    [
        ("write import consolidate", "kill", 4),
        ("forget", "kill", 4),
        ("forget", "fail once", 4),
        ("make", "fail once", 12),  # a database that was half made and renamed all the same was found so
    ],
)
def test_the_nth_file_operation_leaves_the_old_state_or_the_new_one(actions: str, mode: str, runs: int) -> None:
    command = [sys.executable, str(NTH), *actions.split(), "--runs", str(runs), "--modes", mode]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["action"] for row in rows] == actions.split()
    for row in rows:
        assert row["bad"] == [], row
        assert row["before"] + row["after"] == row["runs"] >= 4
        assert row["operations"] > 20, "the operations are counted"
