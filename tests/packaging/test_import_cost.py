"""`import hippo_agent` is cheap: the heavy libraries load when they are first needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "sentence_transformers", "peft", "chromadb"}


@pytest.mark.parametrize("module", ["hippo_agent", "hippo_agent.cli", "hippo_agent.evaluation"])
def test_importing_it_loads_no_heavy_library(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) == set()
