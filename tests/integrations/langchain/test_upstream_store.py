"""LangGraph's own tests of its stores, from the source distributions of the installed versions, run on `HippoStore`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import warnings
from importlib.metadata import version
from pathlib import Path

import pytest

SHIM = Path(__file__).with_name("upstream_shim.py")
SDISTS = {
    "langgraph-checkpoint": version("langgraph-checkpoint"),
    "langgraph-checkpoint-sqlite": "3.1.2",  # only its tests are read; the package itself is not needed
}

#: What is not ours to pass, and why.
EXCEPTIONS = {
    "test_vector_store_initialization": "looks for vector tables through SqliteStore.conn (the sync one)",
    "test_nonnull_migrations": "reads SqliteStore.MIGRATIONS",
    "test_escape_glob_literal": "tests a private function of SqliteStore",
    "test_namespace_match_pattern": "tests a private function of SqliteStore",
    "test_list_namespaces_prefix_uses_indexable_condition": "reads the SQL that SqliteStore would run",
    "test_no_running_loop": "wants sync calls inside a running loop to raise; ours work there (a notebook has a loop)",
}

INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
markers =
    flaky: said of tests with short sleeps
"""


@pytest.fixture(scope="module")
def sources(pytestconfig: pytest.Config) -> dict[str, Path]:
    """The unpacked tests of both distributions; skips, loudly, when they cannot be had."""
    cache = Path(pytestconfig.cache.mkdir("langgraph-sdists"))  # type: ignore[union-attr]
    found: dict[str, Path] = {}
    for name, number in SDISTS.items():
        stem = f"{name.replace('-', '_')}-{number}"
        archive = cache / f"{stem}.tar.gz"
        if not archive.exists():
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--no-binary", ":all:", "--timeout", "10", "--retries", "0", "--dest", str(cache)]
            done = subprocess.run([*command, f"{name}=={number}"], capture_output=True, text=True, timeout=120)
            if not archive.exists():
                message = f"LANGGRAPH'S OWN STORE TESTS WERE NOT RUN: {name} {number} cannot be fetched"
                with warnings.catch_warnings():
                    warnings.simplefilter("always")
                    warnings.warn(message, stacklevel=1)
                pytest.skip(f"{message}: {done.stderr.strip()[-300:]}")
        with tarfile.open(archive) as packed:
            packed.extractall(cache, filter="data")
        found[name] = cache / stem / "tests"
    return found


def pointed_at_ours(text: str) -> str:
    """A test module with LangGraph's stores replaced by ours."""
    text = re.sub(
        r"^from langgraph\.store\.sqlite\.base import \(.*?\)$",
        "from upstream_shim import SqliteIndexConfig\n"
        "NS_MATCH_FUNCTION = BaseSqliteStore = _escape_glob_literal = _namespace_match_pattern = None",
        text,
        flags=re.MULTILINE | re.DOTALL,
    )
    return re.sub(
        r"^from langgraph\.store\.(sqlite(\.\w+)?|memory) import", "from upstream_shim import", text, flags=re.M
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("distribution", "module", "least"),
    [
        ("langgraph-checkpoint", "test_store.py", 110),
        ("langgraph-checkpoint-sqlite", "test_store.py", 95),
        ("langgraph-checkpoint-sqlite", "test_async_store.py", 36),
        ("langgraph-checkpoint-sqlite", "test_ttl.py", 11),
    ],
    ids=["memory", "sqlite", "sqlite-async", "ttl"],
)
def test_the_tests_of_langgraph_s_stores_pass(
    sources: dict[str, Path], distribution: str, module: str, least: int, tmp_path: Path
) -> None:
    (tmp_path / "pytest.ini").write_text(INI)
    (tmp_path / "upstream_shim.py").write_text(SHIM.read_text())
    tests = tmp_path / "tests"
    tests.mkdir()
    for path in sources[distribution].glob("*.py"):
        if path.name in ("__init__.py", "embed_test_utils.py", "test_store.py", module):
            (tests / path.name).write_text(pointed_at_ours(path.read_text()))
    assert "from upstream_shim import" in (tests / module).read_text()
    skipped = " or ".join(EXCEPTIONS)
    if module == "test_async_store.py":  # there it looks at settings only, and passes
        skipped = skipped.replace("test_vector_store_initialization or ", "")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"tests/{module}",
        "-k",
        f"not ({skipped})",
    ]
    if module == "test_ttl.py":
        command += ["-n", "4"]  # they sleep
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-2_000:]
    [count] = re.findall(r"^(\d+) passed", done.stdout, flags=re.MULTILINE)
    assert int(count) >= least, done.stdout[-500:]
