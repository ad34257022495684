"""`import hippo_agent` is cheap: the heavy libraries load when they are first needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "sentence_transformers", "peft", "chromadb"}


FRAMEWORKS = {"langchain", "langchain_core", "langgraph", "llama_index.core"}
OURS = ["hippo_agent", "hippo_agent.cli", "hippo_agent.evaluation", "hippo_agent.tools"]
INTEGRATIONS = ["langchain_hippo", "langchain_hippo.middleware", "llama_index_hippo", "llama_index_hippo.memory"]


def loaded(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", [*OURS, *INTEGRATIONS])
def test_importing_it_loads_no_heavy_library(module: str) -> None:
    assert HEAVY & loaded(module) == set()


@pytest.mark.parametrize("module", [*OURS, "langchain_hippo", "llama_index_hippo"])
def test_no_framework_is_loaded_before_it_is_needed(module: str) -> None:
    assert FRAMEWORKS & loaded(module) == set()
