"""The command as a real process: speed of --help, a reader that goes away, Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hippo_agent import __version__

COMMANDS = ("write", "import", "recall", "show", "stats", "forget", "export", "doctor", "eval", "bench")
HIPPO = [sys.executable, "-m", "hippo_agent.cli"]
HEAVY = ("numpy", "sqlite3", "torch", "transformers", "hippo_agent.memory", "hippo_agent.evaluation")


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    code = "import sys\nsys.argv = ['hippo', '--help']\nfrom hippo_agent.cli import main\ntry:\n    main()\nfinally:\n"
    code += "    print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert [command for command in COMMANDS if command not in done.stdout] == []
    assert set(HEAVY) & set(done.stderr.split()) == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(hippo: Any, command: str) -> None:
    text = hippo(command, "-h").stdout
    assert f"Example: hippo {command}" in " ".join(text.split())
    assert "--json" in text


def test_the_version_is_printed() -> None:
    done = subprocess.run([*HIPPO, "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"hippo-agent {__version__}\n")


def test_a_reader_that_goes_away_is_no_crash(hippo: Any) -> None:
    for number in range(3):
        hippo("write", f"Parcel {number} weighs {number * 37} grams: " + "x" * 90_000, "--pin")
    with subprocess.Popen([*HIPPO, "export", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141


def test_ctrl_c_is_exit_code_130_without_a_traceback(tmp_path: Path) -> None:
    command = [*HIPPO, "write", "-", "-m", str(tmp_path / "m")]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    ) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=4)  # it reads stdin, which stays open
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
        assert said == "interrupted; what was acknowledged is safe\n"
        assert process.returncode == 130
