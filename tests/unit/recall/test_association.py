"""Hopfield completion and sparse keys work when they are switched on, and slots that a cue lacked come back filled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hippo_agent import Config, HashingEmbedder, Memory, RecallConfig, Slots
from hippo_agent.recall.association import completed, sparse_overlap

TEXTS = ["Ilvar keeps bees behind the mill.", "Runa mends nets in the harbour.", "The ferry to Tarn leaves at nine."]


def unit(rows: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((rows, 64)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_a_noisy_cue_is_completed_to_the_stored_pattern() -> None:
    stored = unit(20)
    cue = stored[7] + 0.5 * unit(1, seed=1)[0]
    cue /= np.linalg.norm(cue)
    assert float(completed(cue, stored, beta=50.0) @ stored[7]) > 0.99 > float(cue @ stored[7])


def test_sparse_keys_overlap_most_with_the_same_vector() -> None:
    stored = unit(20)
    found = sparse_overlap(stored[3], stored)
    assert found[3] == 1.0
    assert np.delete(found, 3).max() < 0.5


def test_the_switches_add_their_reasons_and_keep_the_first_hit(tmp_path: Path) -> None:
    embedder = HashingEmbedder(quiet=True)
    with Memory(tmp_path / "bank", embedder=embedder) as memory:
        memory.write_many(TEXTS, progress=False)
        plain = memory.recall("where does Ilvar keep his bees?")
    config = Config(recall=RecallConfig(hopfield=50.0, sparse=0.5))
    with Memory(tmp_path / "bank", embedder=embedder, config=config) as memory:
        switched = memory.recall("where does Ilvar keep his bees?")
    assert "sparse" not in plain.hits[0].reasons
    assert switched.hits[0].reasons["sparse"] > 0.0
    assert switched.hits[0].reasons["meaning"] > plain.hits[0].reasons["meaning"]
    assert switched.traces[0].id == plain.traces[0].id


def test_the_slots_that_the_cue_lacked_come_back_filled(tmp_path: Path) -> None:
    with Memory(tmp_path / "bank", embedder=HashingEmbedder(quiet=True)) as memory:
        memory.write("Ilvar met Runa in Tarn on 3 May 2024.", slots=Slots(who=("Ilvar", "Runa"), where=("Tarn",)))
        memory.write("Bo met Runa in Oskeld.", slots=Slots(who=("Bo", "Runa"), where=("Oskeld",)))
        found = memory.recall("", slots=Slots(where=("Tarn",)))
        assert found.completed.who == ("Ilvar", "Runa")
        assert found.completed.where == ("Tarn",)
        assert found.completed.when == ("2024-05-03",)
