"""A machine without CUDA, and a process that is out of memory: a typed error, and nothing acknowledged is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hippo_agent import HashingEmbedder, Memory
from hippo_agent.errors import ModelUnavailable
from hippo_agent.model.local import LocalModel
from tests.faults.test_degraded import works

REPOSITORY = Path(__file__).parents[2]

#: Writes texts of a megabyte until there is no more memory, reads, and goes on when there is some again.
STARVE = """
import json, os, resource, sys
from hippo_agent import HashingEmbedder, Memory
from hippo_agent.errors import HippoError

def size():
    return int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")

words = "".join(chr(97 + n % 26) for n in range(9))
with Memory(sys.argv[1], embedder=HashingEmbedder(quiet=True)) as memory:
    memory.write("Ines lives in Porto.", source="user", key="first", pin=True)
    memory.recall("where does Ines live?")
    said, errors = ["first"], set()
    resource.setrlimit(resource.RLIMIT_AS, (size() + 6_000_000, resource.RLIM_INFINITY))
    for n in range(40):
        try:
            memory.write(f"{n} {words} " * 40_000, source="user", key=str(n), pin=True)
            said.append(str(n))
        except (HippoError, MemoryError) as error:
            errors.add(type(error).__name__)
    try:
        memory.recall("where does Ines live?")
    except (HippoError, MemoryError) as error:
        errors.add(type(error).__name__)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    memory.write("Ada lives in Lisbon.", source="user", key="last", pin=True)
    said.append("last")
    assert "Porto" in memory.recall("where does Ines live?").render()
    print(json.dumps([said, sorted(errors)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_a_process_that_is_out_of_memory_loses_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", STARVE, str(tmp_path / "bank")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    said, errors = json.loads(done.stdout)
    assert errors, "memory never ran out: the limit is too high for this test"
    with Memory(tmp_path / "bank", embedder=HashingEmbedder(quiet=True)) as memory:
        held = {trace.key for batch in memory._record.scan() for trace, _ in batch}
        assert set(said) <= held
        assert memory.verify().clean


def test_without_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model = LocalModel(device="cuda")
    with Memory(tmp_path / "bank", embedder=HashingEmbedder(quiet=True)) as memory:
        works(memory)
        for use in (lambda: memory.ask("Where does Ines live?", model=model), lambda: memory.consolidate(model)):
            with pytest.raises(ModelUnavailable, match="cuda"):
                use()
        works(memory)
        assert memory.ask("Where does Ines live?").text == "Porto"
        assert memory.nights.serving() is None
        assert memory.verify().clean
