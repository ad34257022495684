"""Fail the Nth file operation, for every N until an action finishes: `python nth.py [--runs COUNT] [ACTION ...]`.

Prints one JSON line for each action and mode. An action is done in a forked child on a copy of a bank; another child
opens what is left, verifies it, and says which state it is in: the one before the action or the one after it. A child
that said "done" must have left the state after it. Runs itself again with `fault.c` preloaded.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hippo_agent import Config, Event, HashingEmbedder, Memory, Provenance
from hippo_agent.consolidation import job, lora
from hippo_agent.consolidation.items import Item
from hippo_agent.consolidation.schedule import Plan
from hippo_agent.consolidation.selection import Selection
from hippo_agent.errors import HippoError
from hippo_agent.testing.fakes import EPOCH, FakeClock

CANARY = "Quorlimbast"
KILL, FAIL, FULL = "kill", "fail once", "fail from then on"
MODES = {KILL: 0, FAIL: 1, FULL: 2}


def opened(folder: Path, **options: Any) -> Memory:
    """A memory whose ids and times are the same in every run."""
    count = iter(range(10**6))
    return Memory(
        folder,
        embedder=HashingEmbedder(quiet=True),
        clock=FakeClock(EPOCH + timedelta(days=3)),
        new_id=lambda: f"n{next(count)}",
        **options,
    )


def template(folder: Path) -> None:
    clock, count = FakeClock(), iter(range(10**6))
    with Memory(folder, embedder=HashingEmbedder(quiet=True), clock=clock, new_id=lambda: f"t{next(count)}") as memory:
        for n in range(12):
            memory.write(f"Meter number {n} in the cellar stands at {n * 37}.", source="user", pin=True)
        memory.write(f"{CANARY} lives in {CANARY}ville.", source="user", principal="mira", pin=True)
        memory.write(f"Krall, says {CANARY}, lives in Porto.", source="web", principal="page", pin=True)
        memory.places.observe("A hall. A door leads north.", action="north")
        memory.facts.catch_up()
        memory.export_jsonl(folder.parent / "export.jsonl")
    night(folder, ("t0",))


def night(folder: Path, traces: tuple[str, ...]) -> None:
    """A night's publishing and promoting, without the training: the weights are a few bytes."""
    item = Item(
        key="".join(traces),
        subject="meter",
        relation="stands at",
        value="0",
        text="Meter number 0 stands at 0.",
        traces=traces,
        trust=0.8,
        said_at=EPOCH,
        salience=0.5,
        strength=1.0,
        fit=1.0,
    )
    verdict = SimpleNamespace(promoted=True, reasons=("a test",), scale=1.0, as_dict=lambda: {"promoted": True})
    unread = SimpleNamespace(refused={})
    result = SimpleNamespace(
        verdict=verdict, trained=SimpleNamespace(steps=1, cpu_seconds=0.0), rank=1, tonight=unread, warm=unread
    )

    @contextlib.contextmanager
    def train(*_: Any, **__: Any) -> Any:
        yield None, result

    def save(_: Any, draft: Path) -> None:
        (draft / "adapter_model.safetensors").write_bytes(b"weights of " + "".join(traces).encode())

    with opened(folder) as memory:
        consolidation = memory.nights._job(memory.config.consolidation)
        quick = SimpleNamespace(base=SimpleNamespace(fingerprint="base"), train=train)
        plan = Plan(new=(item,), again=(), warm=(), postponed=(), doses={item.key: 1.0})
        before, lora.save = lora.save, save
        job.trusted = lambda *_, **__: True
        try:
            consolidation._night(
                quick,
                plan,
                Selection((item,), ()),
                {},
                (),
                {item.key: False},
                EPOCH,
                {},
                None,  # type: ignore[arg-type]
            )
        finally:
            lora.save = before


def write(folder: Path) -> None:
    with opened(folder) as memory:
        memory.write("Ines moved to Lisbon.", source="user", pin=True)
        done()


def write_many(folder: Path) -> None:
    with opened(folder) as memory:
        origin = Provenance(source="user")
        memory.write_many([Event(text=f"Hive {n}.", provenance=origin, pin=True) for n in range(5)], progress=False)
        done()


def make(folder: Path) -> None:
    with opened(folder):
        done()


def import_(folder: Path) -> None:
    with opened(folder) as memory:
        memory.import_jsonl(folder.parent / "export.jsonl")
        done()


def forget(folder: Path) -> None:
    with opened(folder) as memory:
        memory.forget(query=CANARY)
        done()


def consolidate(folder: Path) -> None:
    night(folder, ("t1",))
    done()


def backup(folder: Path) -> None:
    with opened(folder) as memory:
        memory.backup(folder / "copy")
        done()


def index(folder: Path) -> None:
    with opened(folder, config=Config(index="chroma")) as memory:
        memory._index.rebuild()
        done()


ACTIONS: dict[str, Callable[[Path], None]] = {
    "write": write,
    "write many": write_many,
    "make": make,
    "import": import_,
    "forget": forget,
    "consolidate": consolidate,
    "backup": backup,
    "index": index,
}


FRESH = ("make", "import")  # begin without a bank


def state(folder: Path) -> dict[str, Any]:
    """Everything that an action may change, after checking that it holds together."""
    if not folder.exists():
        return {"traces": {}}
    with opened(folder) as memory:
        found = memory.verify()
        assert found.clean, found
        serving = memory.nights.serving()
        copies = folder / "copy"
        result = {
            "traces": {t.id: (t.text, t.status) for batch in memory._record.scan() for t, _ in batch},
            "facts": sorted(fact.text for fact in memory.facts.all(waiting=True)),
            "forgotten": sorted(stone.id for stone in memory._record.tombstones()),
            "places": len(memory.places.map),
            "serving": None if serving is None else sorted(serving.traces),
            "backup": copies.exists(),
        }
        if serving is not None:
            serving.check()
        assert memory.recall("meter in the cellar").traces or not result["traces"]
        if copies.exists():
            from hippo_agent.storage.copies import read_backup

            read_backup(copies)
    if "t12" not in result["traces"]:
        left = [p.name for p in folder.rglob("*") if p.is_file() and CANARY.lower().encode() in p.read_bytes().lower()]
        assert not left, left
    return result


_said = -1


def done() -> None:
    """Say that the call has returned."""
    os.write(_said, b"done")


def child(work: Callable[[], Any]) -> tuple[int, bytes]:
    """(wait status, what it said) of a forked child that does the work."""
    global _said
    read, _said = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        code = 0
        try:
            answer = work()
            if answer is not None:
                os.write(_said, json.dumps(answer).encode())
        except BaseException as error:
            if isinstance(error, (HippoError, OSError)):
                code = 3
            else:
                code = 4
                import traceback

                traceback.print_exc()
        finally:
            fault.fault_arm(-1, 0)
            os._exit(code)
    os.close(_said)
    with os.fdopen(read, "rb") as stream:
        said = stream.read()
    return os.waitpid(pid, 0)[1], said


def look(folder: Path) -> dict[str, Any] | None:
    """The state that is left; None, with the reason on stderr, when it cannot be opened or is not clean."""

    def work() -> dict[str, Any]:
        try:
            return state(folder)
        except (HippoError, OSError) as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            raise

    status, said = child(work)
    return json.loads(said) if status == 0 else None


def attempt(action: str, base: Path, folder: Path, n: int, mode: str) -> tuple[int, bytes, int]:
    """Do an action on a copy of the bank with the nth operation failing; (status, said, operations)."""
    shutil.rmtree(folder, ignore_errors=True)
    if action not in FRESH:
        shutil.copytree(base, folder)

    def work() -> None:
        fault.fault_arm(n, MODES[mode])
        ACTIONS[action](folder)
        count = fault.fault_seen()
        fault.fault_arm(-1, 0)
        os.write(_said, b" %d" % count)

    status, said = child(work)
    word, _, count = said.partition(b" ")
    return status, word, int(count or 0)


def loop(action: str, base: Path, folder: Path, runs: int | None, mode: str) -> dict[str, Any]:
    before = look(base)
    status, word, total = attempt(action, base, folder, 0, mode)
    after = look(folder)
    assert status == 0 and word == b"done" and before is not None and after is not None, (action, status, word)
    if action in FRESH:
        before = {"traces": {}}
    row: dict[str, Any] = {
        "action": action,
        "mode": mode,
        "operations": total,
        "runs": 0,
        "before": 0,
        "after": 0,
        "bad": [],
    }
    step = 1 if runs is None else max(1, total / runs)
    for n in dict.fromkeys(int(1 + k * step) for k in range(int(total / step))):
        status, word, _ = attempt(action, base, folder, n, mode)
        found = look(folder)
        row["runs"] += 1
        code = os.waitstatus_to_exitcode(status)
        empty = found is not None and not found["traces"] and not before["traces"]
        if found is None or code == 4:
            row["bad"].append([n, "not clean" if found is None else "an error of another kind"])
        elif found == after:
            row["after"] += 1
        elif (found == before or empty) and word != b"done":
            row["before"] += 1
        else:
            row["bad"].append([n, "acknowledged and lost" if word == b"done" else "neither state"])
    return row


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("actions", nargs="*", default=[])
    parser.add_argument("--runs", type=int, default=None)
    parser.add_argument("--modes", nargs="*", default=list(MODES))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hippo-nth-") as scratch:
        base = Path(scratch) / "bank"
        child(lambda: template(base))
        for action in options.actions or ACTIONS:
            for mode in options.modes:
                row = loop(action, base, Path(scratch) / "copy-of-bank", options.runs, mode)
                print(json.dumps(row), flush=True)


def preload(scratch: Path) -> dict[str, str]:
    """The environment with `fault.c` compiled and preloaded; needs a C compiler."""
    library = scratch / "fault.so"
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise FileNotFoundError("no C compiler")
    source = Path(__file__).with_name("fault.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return {**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}


if __name__ == "__main__":
    if "fault.so" not in os.environ.get("LD_PRELOAD", ""):
        with tempfile.TemporaryDirectory(prefix="hippo-fault-") as built:
            sys.exit(subprocess.run([sys.executable, *sys.argv], env=preload(Path(built)), check=False).returncode)
    fault = ctypes.CDLL(None)
    fault.fault_arm.argtypes = [ctypes.c_long, ctypes.c_int]
    fault.fault_seen.restype = ctypes.c_long
    main()
