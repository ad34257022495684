"""What is in one bank never comes out of another. `make faults` does twenty banks and 2,000 operations each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_no_operation_reads_another_bank() -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("banks.py")), "4", "60"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["operations"] == 240
    assert found["typed_errors"] > 0, "ids of other banks were asked for"
    assert found["cross_bank_reads"] == 0
