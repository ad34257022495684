"""The report's shape is a public contract."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from hippo_agent import __version__
from hippo_agent.evaluation.report import Report, versions
from hippo_agent.evaluation.run import Row

REPORT = Report(
    suite="locomo",
    dataset="talk.json",
    n=2,
    left_out=1,
    seed=7,
    versions={"python": "3"},
    systems={"bm25": {"turn_recall@5": 0.25, "p@1": 0.5}, "hippo": {"turn_recall@5": 0.75}},
    skipped={"chroma": "not [installed]"},
    seconds={"bm25": 0.12345},
    rows=[Row({"id": "1", "question": "Où?"}, {"bm25": {"p@1": 1.0}}), Row({"id": "2"}, {"bm25": {"p@1": 0.0}})],
)


def test_the_json_has_the_keys_of_the_contract() -> None:
    assert REPORT.as_dict() == {
        "suite": "locomo",
        "dataset": "talk.json",
        "n": 2,
        "seed": 7,
        "versions": {"python": "3"},
        "systems": {"bm25": {"turn_recall@5": 0.25, "p@1": 0.5}, "hippo": {"turn_recall@5": 0.75}},
        "left_out": 1,
        "skipped": {"chroma": "not [installed]"},
        "seconds": {"bm25": 0.123},
    }


def test_figures_and_questions_are_written_side_by_side(tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.json"
    rows = REPORT.write(out)
    assert rows == tmp_path / "new" / "report.jsonl"
    assert json.loads(out.read_text(encoding="utf-8")) == REPORT.as_dict()
    lines = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
    assert lines[0] == {"id": "1", "question": "Où?", "systems": {"bm25": {"p@1": 1.0}}}
    assert len(lines) == 2


def test_the_questions_never_overwrite_the_figures(tmp_path: Path) -> None:
    out = tmp_path / "report.jsonl"
    assert REPORT.write(out) == tmp_path / "report.jsonl.rows.jsonl"
    assert json.loads(out.read_text(encoding="utf-8"))["n"] == 2


def test_the_table_marks_the_best_and_names_what_was_skipped() -> None:
    shown = io.StringIO()
    Console(file=shown, width=100, force_terminal=True, color_system="standard").print(REPORT.table())
    text = shown.getvalue()
    assert "\x1b[1m0.750\x1b[0m" in text
    assert "\x1b[1m0.250\x1b[0m" not in text
    assert "no chroma: not [installed]" in text


def test_versions_name_what_the_figures_depend_on() -> None:
    found = versions("some-embedder")
    assert (found["hippo-agent"], found["embedder"]) == (__version__, "some-embedder")
    assert {"python", "sqlite", "numpy"} <= set(found)
