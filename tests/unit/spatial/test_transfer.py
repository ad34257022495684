"""Maps leave and come back whole, and are believed no more than any other file."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from hippo_agent import HashingEmbedder, Memory
from hippo_agent.errors import CorruptMemory, ImportFailed
from hippo_agent.storage.record import FILE_NAME

HALL = "Hall\nPortraits stare down from the walls of this long room. Doors lead north and east."
KITCHEN = "Kitchen\nCopper pans hang in rows above a cold iron stove. The hall is south."


def opened(folder: Path, namespace: str = "agent") -> Memory:
    return Memory(folder, namespace=namespace, embedder=HashingEmbedder(quiet=True))


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """A bank with a map on which everything was used."""
    with opened(tmp_path / "a") as memory:
        for _ in range(3):
            memory.places.observe(HALL, exits=["north", "up"], coordinate=(1.5, 2.0))
            memory.places.observe(KITCHEN, action="north")
            memory.places.observe("You open the box.", action="open box")
            memory.places.observe("You take the pan.", action="take pan", reward=1.0)
            memory.places.finish(True)
            memory.places.observe("Cellar\nBarrels stand along the damp wall of this low vault.")
            memory.places.observe("You open the box.", action="open box")
            memory.places.observe("You take the pan.", action="take pan")
            memory.places.finish(True)
        memory.places.observe(HALL)
        memory.write("Ada lost a glove.", source="user")
        memory.places.name_place(None, "Ada's hall")
        memory.places.block(None, "north", reason="wet")
        memory.places.tell("Ada's hall", "east", "Orangery")
        memory.places.require("p1", "up", {"has": "key"})
        memory.places.consolidate()
    return tmp_path / "a"


def picture(memory: Memory) -> dict[str, Any]:
    places = memory.places
    return {
        "places": {place.id: place.to_json() for place in places.map.places.values()},
        "edges": {(edge.source, edge.action): edge.to_json() for edge in places.map.all_edges()},
        "journal": [(step.seq, step.episode, step.place, step.to_json()) for step in places.journal()],
        "macros": {macro.id: macro.to_json() for macro in places.macros},
        "current": places.current,
        "here": [trace.text for trace in memory.recall_here(radius=0).traces],
    }


def test_a_map_comes_back_exactly(told: Path, tmp_path: Path) -> None:
    with opened(told) as memory:
        memory.export_jsonl(tmp_path / "out.jsonl")
        before = picture(memory)
    assert before["macros"] and before["here"] == ["Ada lost a glove."]
    with opened(tmp_path / "b") as memory:
        assert memory.import_jsonl(tmp_path / "out.jsonl") == 1
        assert picture(memory) == before
        assert memory.verify().clean
        assert memory.import_jsonl(tmp_path / "out.jsonl") == 0
        assert picture(memory) == before
        memory.export_jsonl(tmp_path / "again.jsonl")
    lines = [sorted(path.read_text().splitlines()) for path in (tmp_path / "out.jsonl", tmp_path / "again.jsonl")]
    assert lines[0] == lines[1]


def test_a_world_that_is_here_stays_as_it_is(told: Path, tmp_path: Path) -> None:
    with opened(told) as memory:
        memory.export_jsonl(tmp_path / "out.jsonl")
    with opened(tmp_path / "b") as memory:
        memory.places.observe("Attic\nDust and old trunks under a sloping roof.")
        memory.import_jsonl(tmp_path / "out.jsonl")
        assert [place.title for place in memory.places.map.places.values()] == ["Attic"]
        assert memory.get(memory.recall("glove").traces[0].id).text == "Ada lost a glove."


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("world", {"next_seq": -1}),
        ("world", {"namespace": [""]}),
        ("step", {"text": "x" * 9_000}),
        ("step", {"cost": -1.0}),
        ("step", {"cost": float("nan")}),
        ("step", {"surprise": 1}),
        ("place", {"seen": [1.0]}),
        ("place", {"frame": None}),
        ("place", {"vector": "no base64!"}),
        ("edge", {"outcomes": {"p0": "many"}}),
        ("edge", {"provenance": "divine"}),
        ("macro", {"steps": []}),
        ("link", {"kind": "rumour"}),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_imported(
    told: Path, tmp_path: Path, kind: str, change: dict[str, Any]
) -> None:
    with opened(told) as memory:
        memory.export_jsonl(tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    number = next(at for at, line in enumerate(lines) if line["type"] == kind and (kind != "place" or "at" in line))
    lines[number] |= change
    (tmp_path / "bad.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with opened(tmp_path / "b") as memory:
        with pytest.raises(ImportFailed, match=f"line {number + 1} "):
            memory.import_jsonl(tmp_path / "bad.jsonl")
        assert memory.stats().traces == 0 and len(memory.places.map) == 0


def test_a_line_without_its_world_is_refused(told: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text(json.dumps({"type": "step", "seq": 0, "episode": 0, "place": "p0"}))
    with opened(tmp_path / "b") as memory, pytest.raises(ImportFailed, match="belongs to no world"):
        memory.import_jsonl(tmp_path / "bad.jsonl")


def damage(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE place SET row = substr(row, 1, 20) WHERE id = 'p1'",
        "UPDATE place_edge SET row = 'x' WHERE source = 'p0'",
        "DELETE FROM place WHERE id = 'p1'",
        "INSERT INTO place_merge VALUES (1, 99, 'p77', 'p78', 0, 'nonsense')",
    ],
)
def test_a_damaged_map_is_found_and_folded_anew(told: Path, statement: str) -> None:
    with opened(told) as memory:
        start = memory.places.named("Ada's hall")[0].id
        memory.places.unblock(start, "north")
        memory.places.restart()
    damage(told, statement)
    with opened(told) as memory:
        found = memory.verify()
        assert not found.clean and found.map_loose and not found.journal_bad
        assert any("maps" in what for what in memory.repair())
        assert memory.verify().clean
        assert memory.places.plan("kitchen", start=start).actions == ("north",)


def test_a_damaged_map_is_a_typed_error_with_the_remedy(told: Path) -> None:
    damage(told, "UPDATE place SET row = '{}'")
    with opened(told) as memory, pytest.raises(CorruptMemory, match="hippo doctor --repair"):
        assert memory.places


def test_a_changed_step_of_the_journal_is_found(told: Path) -> None:
    damage(told, "UPDATE place_step SET row = replace(row, 'Copper', 'Silver') WHERE seq = 1")
    with opened(told) as memory:
        assert memory.verify().journal_bad == ("1/1",)
