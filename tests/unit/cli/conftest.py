"""The command, run inside this process, with the embedder that needs no weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hippo_agent.cli import app

Hippo = Callable[..., Result]

EMBEDS = {"write", "import", "recall", "facts", "graph"}


@pytest.fixture
def hippo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hippo:
    """Runs `hippo ARGUMENTS` in an empty folder; the memory is its default one."""
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
        extra = ["--embedder", "hashing"] if arguments and arguments[0] in EMBEDS and "-h" not in arguments else []
        result = runner.invoke(app, [*arguments, *extra], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def hippo_json(hippo: Hippo) -> Callable[..., Any]:
    """Runs `hippo ARGUMENTS --json`, which has to succeed, and decodes its stdout."""

    def run(*arguments: str, stdin: str | None = None) -> Any:
        result = hippo(*arguments, "--json", stdin=stdin)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run
