"""Every suite, end to end: the real memory and all baselines on a slice of our own conversations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hippo_agent import Config, GateConfig, HashingEmbedder, Memory
from hippo_agent.embedding.base import Embedder
from hippo_agent.evaluation.runner import run_suite

TALK = Path(__file__).resolve().parents[2] / "examples" / "data" / "mira_and_teo.json"
BASELINES = ["bm25", "dense", "chroma", "bm25+dense", "simple"]

METRICS = {
    "locomo": {
        "turn_recall@5",
        "turn_recall@10",
        "turn_recall@5_no_adversarial",
        "turn_recall@5_multi_hop",
        "turn_recall@5_temporal",
        "turn_recall@5_open_domain",
        "turn_recall@5_single_hop",
        "turn_recall@5_adversarial",
        "session_recall@5",
        "session_recall@10",
        "all_gold@5",
        "p@1",
    },
    "partial-cue": {"p@1_keep80", "p@1_keep60", "p@1_keep40", "p@1_keep20", "p@1_typo", "p@1_slots"},
    "lures": {"p@1", "merge_precision", "merge_recall"},
    "gate": {
        "evidence_kept@70",
        "evidence_kept@50",
        "evidence_kept@30",
        "turn_recall@5_budget70",
        "turn_recall@5_budget50",
        "turn_recall@5_budget30",
        "junk_stored",
    },
}


def open_memory(folder: Path, *, embedder: Embedder, write_rate: float | None) -> Memory:
    budget = write_rate if write_rate is not None and write_rate < 1.0 else None
    gate = GateConfig(enabled=write_rate is not None, budget=budget)
    return Memory(folder, embedder=embedder, config=Config(gate=gate))


@pytest.mark.parametrize(("name", "limit"), [("locomo", 60), ("partial-cue", 15), ("lures", 40), ("gate", 40)])
def test_a_suite_measures_the_memory_beside_every_baseline(name: str, limit: int, tmp_path: Path) -> None:
    pytest.importorskip("chromadb")
    report = run_suite(name, TALK, open_memory=open_memory, embedder=HashingEmbedder(quiet=True), limit=limit, seed=1)
    assert report.n == limit
    assert report.skipped == {}
    assert {*BASELINES, "hippo"} <= set(report.systems)
    assert METRICS[name] <= set(report.systems["hippo"])
    assert all(0.0 <= value <= 1.0 for metrics in report.systems.values() for value in metrics.values())
    rows = report.write(tmp_path / "report.json")
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert written["systems"]["hippo"] == report.systems["hippo"]
    assert len(rows.read_text(encoding="utf-8").splitlines()) == len(report.rows)


def test_with_the_gate_off_the_memory_holds_every_turn_and_finds_most_evidence() -> None:
    report = run_suite("locomo", TALK, open_memory=open_memory, embedder=HashingEmbedder(quiet=True), systems=["hippo"])
    assert report.n == 100
    assert report.systems["hippo"]["turn_recall@10"] > 0.5
    assert report.systems["hippo"]["session_recall@10"] > 0.8
