"""The bench: what it reports, and that the invented text is the same each time."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from hippo_agent import Config, GateConfig, HashingEmbedder, Memory
from hippo_agent.embedding.base import Embedder
from hippo_agent.evaluation.bench import import_seconds, run_bench
from hippo_agent.evaluation.synthetic import Babble, unit_vectors


def open_memory(folder: Path, *, embedder: Embedder, write_rate: float | None) -> Memory:
    return Memory(folder, embedder=embedder, config=Config(gate=GateConfig(enabled=write_rate is not None)))


def test_a_bench_reports_ratios_times_and_space_at_each_size() -> None:
    told: list[tuple[int, int]] = []
    report = run_bench(
        open_memory=open_memory,
        embedder=HashingEmbedder(quiet=True),
        sizes=(30, 60),
        repeats=4,
        tick=lambda done, total: told.append((done, total)),
    )
    assert list(report.sizes) == [30, 60]
    for figures in report.sizes.values():
        assert figures["bytes_per_trace"] > 4 * 384  # at least the vector
        for kind in ("write", "recall"):
            for suffix in ("", "_no_embedding"):
                ours, floor = figures[f"{kind}_p50_ms{suffix}"], figures[f"{kind}_floor_p50_ms{suffix}"]
                assert figures[f"{kind}_ratio{suffix}"] == pytest.approx(ours / floor)
                assert figures[f"{kind}_p95_ms{suffix}"] >= ours > 0
        assert figures["open_and_first_recall_ms"] > figures["open_ms"] > 0
    assert report.as_dict()["sizes"]["30"].keys() == report.sizes[30].keys()
    assert (report.as_dict()["repeats"], report.as_dict()["seed"]) == (4, 0)
    assert told[-1][0] <= told[-1][1]
    assert report.table().row_count == len(report.sizes[30])


def test_importing_the_package_is_timed_in_fresh_processes() -> None:
    assert 0.0 < import_seconds() < 30.0


def test_the_same_seed_babbles_the_same() -> None:
    assert Babble(3).events(30) == Babble(3).events(30)
    assert Babble(3).question() == Babble(3).question()
    assert Babble(3).event() != Babble(4).event()


def test_babble_is_a_conversation_in_sessions_with_a_common_few_and_many_rare_words() -> None:
    events = Babble(0).events(400)
    assert len({event.provenance.session for event in events}) == 20
    assert all(one.speaker != other.speaker for one, other in itertools.pairwise(events))
    words = " ".join(event.text.lower().rstrip(".") for event in events).split()
    counts = sorted((words.count(word) for word in set(words)), reverse=True)
    assert counts[0] > 50
    assert counts.count(1) > len(counts) / 3


def test_vectors_have_norm_one() -> None:
    assert np.linalg.norm(unit_vectors(5, 16, seed=1), axis=1) == pytest.approx(np.ones(5), abs=1e-6)
