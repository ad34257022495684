"""Odd input to import, recall, filters, forgetting and the command: a result or an error of ours, never anything else.

FUZZ_EXAMPLES sets how many cases of each; `make faults` does 100,000 in all.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from hippo_agent import Cue, HashingEmbedder, Memory, Slots
from hippo_agent.cli import app
from hippo_agent.errors import HippoError

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
SECONDS = 2.0  # a case that takes longer hangs; asked for only when many run, for one slow moment is the machine's
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 1000,
    database=None,
    suppress_health_check=list(HealthCheck),
)

ODD = st.sampled_from(
    (
        *("", "\x00", "\ud800", "a\udfffb", '" OR 1=1 --', "NEAR(a b)", "text:x", "../../etc/passwd", "a" * 3000),
        *("\u202e", "NaN", "{}", "[" * 50, "'; DROP TABLE trace; --", "é" * 40, "👩\u200d👩", "-", "--json", "東京"),
        *("0" * 400, "%s%n", "*", "^", "\r\n", "$(id)"),
    )
)
TEXT = st.one_of(ODD, st.text(max_size=60), st.text(st.characters(codec=None), max_size=20))
NUMBER = st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), TEXT)
NESTED = st.recursive(
    NUMBER, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
LINE = {
    "type": "trace", "id": "x", "text": "Ines lives in Porto.", "namespace": [], "source": "user", "trust": 0.5,
    "event_time": "2024-01-01T00:00:00Z", "write_time": "2024-01-01T00:00:00Z", "kind": "episode", "salience": 0.5,
}  # fmt: skip


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    with Memory(tmp_path_factory.mktemp("fuzz") / "bank", embedder=HashingEmbedder(quiet=True)) as opened:
        for n in range(30):
            opened.write(f"Ines put jar number {n} into the shed.", source="user", pin=True)
        yield opened


@pytest.fixture(autouse=True)
def clean_afterwards(memory: Memory) -> Iterator[None]:
    yield
    assert memory.verify().clean


def ours(call: Any, *arguments: Any, **named: Any) -> None:
    start = time.perf_counter()
    try:
        call(*arguments, **named)
    except HippoError as error:
        assert str(error), "an error says something"
    assert EXAMPLES < 1000 or time.perf_counter() - start < SECONDS


@fuzzed
@given(TEXT, st.sampled_from(["k", "budget_tokens", "min_trust", "session", "kinds", "sources", "namespace"]), NUMBER)
def test_recall_and_its_filters(memory: Memory, cue: str, name: str, value: Any) -> None:
    ours(memory.recall, cue)
    if isinstance(value, str):
        value = value if name in ("session", "namespace") else [value] if name in ("kinds", "sources") else 1
    elif name in ("session", "kinds", "sources", "namespace"):
        value = ("x",)
    elif value is None:
        value = 1
    ours(memory.recall, "jar", **{name: value})


@fuzzed
@given(TEXT, st.lists(TEXT, max_size=3), st.lists(TEXT, max_size=3))
def test_cues_of_slots(memory: Memory, text: str, who: list[str], when: list[str]) -> None:
    ours(memory.recall, Cue(text=text, slots=Slots(who=tuple(who), when=tuple(when))))


@fuzzed
@given(TEXT, st.dictionaries(TEXT, NESTED, max_size=3), NUMBER)
def test_writing(memory: Memory, text: str, meta: dict[str, Any], reward: Any) -> None:
    ours(memory.write, text, meta=meta, session="fuzz", source="web")
    if isinstance(reward, (int, float)):
        ours(memory.write, "a jar", reward=reward, trust=reward)


@fuzzed
@given(st.one_of(st.dictionaries(st.sampled_from(sorted(LINE)), NESTED, max_size=3), NESTED), st.binary(max_size=20))
def test_importing(memory: Memory, change: Any, raw: bytes) -> None:
    path = memory.folder.parent / "fuzz.jsonl"
    line = json.dumps({**LINE, **change} if isinstance(change, dict) else change)
    path.write_text(line + "\n", encoding="utf-8")
    ours(memory.import_jsonl, path)
    path.write_bytes(raw)
    ours(memory.import_jsonl, path)


@fuzzed
@given(TEXT, TEXT)
def test_a_dry_run_of_forgetting(memory: Memory, query: str, principal: str) -> None:
    ours(memory.forget, query=query, dry_run=True)
    ours(memory.forget, principal=principal, dry_run=True)
    ours(memory.forget, trace_id=query, dry_run=True)


COMMANDS = ("recall", "show", "forget", "facts", "write", "import", "quarantine", "nonsense")


@fuzzed
@given(st.sampled_from(COMMANDS), st.lists(TEXT, max_size=3))
def test_the_command(memory: Memory, command: str, arguments: list[str]) -> None:
    """Exit codes of ours and no traceback. A NUL or a lone surrogate cannot be an argument of a process."""
    clean = [one.replace("\x00", "").encode("utf-8", "replace").decode() for one in arguments]
    folder = Path(memory.folder.parent) / "command"
    start = time.perf_counter()
    found = CliRunner().invoke(app, [command, *clean, "--memory", str(folder), "--embedder", "hashing"])
    if command in ("show", "forget", "facts", "quarantine"):
        found = CliRunner().invoke(app, [command, *clean, "--memory", str(folder)])
    assert found.exit_code in (0, 1, 2, 3), (found.exit_code, found.exception)
    assert found.exception is None or isinstance(found.exception, SystemExit), repr(found.exception)
    assert EXAMPLES < 1000 or time.perf_counter() - start < 2 * SECONDS
