"""`hippo eval` and `hippo bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[3] / "examples" / "data" / "mira_and_teo.json"
SMALL = ("--data", str(DATA), "--limit", "3", "--embedder", "hashing")


def test_eval_writes_a_report_and_a_row_per_question(hippo: Any, tmp_path: Path) -> None:
    result = hippo("eval", "locomo", *SMALL, "--seed", "7", "--json", "out/report.json")
    assert result.exit_code == 0, result.output
    assert "turn_recall@5" in result.stdout and "…" not in result.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["suite"], report["dataset"], report["n"], report["seed"]) == ("locomo", DATA.name, 3, 7)
    assert {"bm25", "dense", "bm25+dense", "simple", "hippo"} <= set(report["systems"])
    assert 0.0 <= report["systems"]["hippo"]["turn_recall@5"] <= 1.0
    rows = (tmp_path / "out" / "report.jsonl").read_text().splitlines()
    assert len(rows) == 3
    assert {"id", "question", "gold", "systems"} <= set(json.loads(rows[0]))


def test_eval_prints_the_report_on_request(hippo: Any) -> None:
    result = hippo("eval", "locomo", *SMALL, "--system", "bm25", "--json", "-")
    assert list(json.loads(result.stdout)["systems"]) == ["bm25"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eval", "rumours", *SMALL], "there is no suite 'rumours'; choose one of locomo"),
        (["eval", "locomo", *SMALL, "--system", "oracle"], "there is no system 'oracle'"),
        (["eval", "locomo", "--data", "missing.json", "--embedder", "hashing"], "missing.json"),
        (["eval", "locomo", "--embedder", "hashing"], "needs a data file"),
        (["eval", "longmemeval", *SMALL], "has no 'haystack_sessions'"),
        (["eval", "locomo", "--data", str(DATA), "--limit", "0", "--embedder", "hashing"], "limit 0 asks nothing"),
    ],
)
def test_a_mistake_is_one_line(hippo: Any, arguments: list[str], message: str) -> None:
    result = hippo(*arguments)
    assert result.exit_code == 1
    [line] = result.stderr.splitlines()
    assert line.startswith("error: ") and message in line


def test_bench_gives_ratios_to_the_floor(hippo: Any) -> None:
    result = hippo("bench", "--size", "50", "--repeats", "3", "--embedder", "hashing", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["import_ms"] > 0
    figures = report["sizes"]["50"]
    assert figures["write_ratio"] > 0 and figures["recall_ratio"] > 0
