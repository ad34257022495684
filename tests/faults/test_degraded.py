"""What still works when a part is missing, damaged or of another time; for the rest there is a typed error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hippo_agent import HashingEmbedder, Memory
from hippo_agent.consolidation import lora
from hippo_agent.errors import AdapterError, EmbedderMismatch, InvalidVector, ModelUnavailable
from hippo_agent.model.local import LocalModel
from hippo_agent.testing.fakes import FakeClock


def open_memory(folder: Path, **options: Any) -> Memory:
    return Memory(folder, **{"embedder": HashingEmbedder(quiet=True), **options})


def works(memory: Memory) -> None:
    """Write, recall by text and graph, plan."""
    memory.write("Ines lives in Porto.", source="user", pin=True)
    assert "Porto" in memory.recall("where does Ines live?").render()
    library, kitchen = "Library\nShelves to the ceiling, a green lamp.", "Kitchen\nA stove and copper pans."
    memory.places.observe(library)
    goal = memory.places.observe(kitchen, action="north").place
    memory.places.observe(library, action="south")
    assert [step.action for step in memory.places.plan(goal).steps] == ["north"]


class Missing:
    """An embedder whose weights are not here."""

    id, dim = "missing", 8

    def embed(self, texts: Sequence[str]) -> Any:
        raise ModelUnavailable("no weights here; fetch them")


def test_without_an_embedder(tmp_path: Path) -> None:
    with open_memory(tmp_path / "bank", embedder=Missing()) as memory:
        works(memory)
        assert memory.stats().without_vector == 1
        assert memory.verify().clean


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_an_embedder_that_gives_nonsense(tmp_path: Path, bad: float) -> None:
    class Broken(Missing):
        def embed(self, texts: Sequence[str]) -> Any:
            return np.full((len(texts), self.dim), bad, np.float32)

    with open_memory(tmp_path / "bank", embedder=Broken()) as memory:
        with pytest.raises(InvalidVector):
            memory.write("Ines lives in Porto.")
        assert memory.stats().traces == 0
    with open_memory(tmp_path / "bank") as memory:
        works(memory)


def test_an_embedder_that_was_changed(tmp_path: Path) -> None:
    with open_memory(tmp_path / "bank") as memory:
        memory.write("Ines lives in Porto.", source="user")
    with open_memory(tmp_path / "bank", embedder=HashingEmbedder(dim=64, quiet=True)) as memory:
        with pytest.raises(EmbedderMismatch, match="reembed"):
            memory.recall("Ines")
        assert memory.reembed() == 1
        works(memory)


def test_with_a_clock_that_goes_back_and_jumps(tmp_path: Path) -> None:
    clock = FakeClock()
    with open_memory(tmp_path / "bank", clock=clock) as memory:
        ids = []
        for days in (0, -1, 3650, -3660, 1):
            clock.advance(days=days)
            ids.append(memory.write(f"It is day {clock.now:%Y-%m-%d} for Ines.", source="user", pin=True).id)
        held = [trace for batch in memory._record.scan() for trace, _ in batch]
        assert [trace.id for trace in held] == ids, "the order is that of writing"
        assert len(memory.recall("which day is it for Ines?", k=9).traces) == 5
        assert memory.reinforce([one or "" for one in ids]) == 5
        clock.now -= timedelta(days=30)
        assert memory.reinforce([one or "" for one in ids]) == 5
        assert all(trace.strength >= 1.0 for batch in memory._record.scan() for trace, _ in batch)
        works(memory)
        assert memory.verify().clean


def nightly(folder: Path, base: LocalModel, *, fingerprint: str | None = None) -> Path:
    """A version that serves, with a LoRA that changes nothing."""
    version = folder / "adapters" / "root" / "v0001"
    version.mkdir(parents=True)
    model = lora.attach(base.model, rank=1, seed=0)
    lora.save(model, version)
    lora.detach(model)
    manifest = {"version": 1, "traces": [], "promoted": True, "base": fingerprint or base.fingerprint}
    (version / "manifest.json").write_text(json.dumps(manifest))
    (version.parent / "current").write_text(json.dumps({"version": 1}))
    return version


@pytest.mark.slow
def test_with_an_adapter_that_is_damaged_foreign_or_gone(tmp_path: Path) -> None:
    base = LocalModel()
    for number, damage in enumerate(("cut", "flipped", "swapped", "pickle")):
        folder = tmp_path / str(number)
        with open_memory(folder) as memory:
            works(memory)
            weights = nightly(folder, base) / "adapter_model.safetensors"
            raw = weights.read_bytes()
            if damage == "cut":
                weights.write_bytes(raw[: len(raw) // 2])
            elif damage == "flipped":
                weights.write_bytes(b"\xff" * 8 + raw[8:])
            elif damage == "pickle":
                weights.write_bytes(b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.")
            else:
                import hashlib

                manifest = json.loads((weights.parent / "manifest.json").read_text())
                manifest["weights_sha256"] = hashlib.sha256(raw[:-1]).hexdigest()
                (weights.parent / "manifest.json").write_text(json.dumps(manifest))
            with pytest.raises((AdapterError, ModelUnavailable)):
                memory.ask("where does Ines live?", model=base)
            works(memory)
            memory.nights.rollback()
            assert memory.ask("where does Ines live?", model=base).version is None
    with open_memory(tmp_path / "foreign") as memory:
        works(memory)
        nightly(tmp_path / "foreign", base, fingerprint="of another base")
        assert memory.ask("where does Ines live?", model=base).version is None
