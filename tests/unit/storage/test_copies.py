"""Backups are whole or not there, restores are checked, and what can be read of a damaged bank is saved."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hippo_agent import HashingEmbedder, Memory
from hippo_agent.errors import CorruptMemory, InvalidInput
from hippo_agent.storage.copies import read_backup, restore
from hippo_agent.storage.items import ItemWrite
from hippo_agent.storage.mounts import network_filesystem
from hippo_agent.storage.record import FILE_NAME, SqliteRecord
from hippo_agent.storage.salvage import salvage
from hippo_agent.storage.verify import verify
from hippo_agent.testing.fakes import EPOCH, new_trace


def open_memory(folder: Path, **options: Any) -> Memory:
    return Memory(folder, embedder=HashingEmbedder(quiet=True), **options)


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    folder = tmp_path / "bank"
    with open_memory(folder) as memory:
        memory.write("Ines lives in Porto.", source="user")
        memory.places.observe("A red kitchen.", action="north")
        memory.items.write([ItemWrite(namespace=("ada",), key="food", value={"likes": "figs"})])
    version = folder / "adapters" / "root" / "v0001"
    version.mkdir(parents=True)
    (version / "adapter_model.safetensors").write_bytes(b"weights")
    (version / "manifest.json").write_text(json.dumps({"traces": [], "promoted": True}))
    return folder


def test_a_backup_of_a_memory_in_use_is_restored_whole(bank: Path, tmp_path: Path) -> None:
    with open_memory(bank) as memory:
        made = memory.backup(tmp_path / "copy")
        memory.write("Written after the backup.", source="user")
    assert read_backup(tmp_path / "copy") == made
    assert sorted(made.files) == [
        "adapters/root/v0001/adapter_model.safetensors",
        "adapters/root/v0001/manifest.json",
        FILE_NAME,
    ]
    restore(tmp_path / "copy", tmp_path / "again")
    with open_memory(tmp_path / "again") as memory:
        assert [trace.text for trace in memory.recall("Ines").traces] == ["Ines lives in Porto."]
        assert len(memory.places.map) == 1
        assert memory.items.get(("ada",), "food") is not None
        assert memory.verify().clean
    for path in (tmp_path / "copy", tmp_path / "again"):
        assert path.stat().st_mode & 0o777 == 0o700
        assert (path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_forgetting_names_the_backups_that_still_hold_it(bank: Path, tmp_path: Path) -> None:
    with open_memory(bank) as memory:
        memory.backup(tmp_path / "copy")
        gone = memory.forget(query="Ines")
        assert gone.older_backups == (str((tmp_path / "copy").resolve()),)
        assert datetime.fromisoformat(gone.as_dict()["time"])


def test_a_backup_that_was_changed_is_refused(bank: Path, tmp_path: Path) -> None:
    with open_memory(bank) as memory:
        memory.backup(tmp_path / "copy")
        with pytest.raises(InvalidInput, match="exists"):
            memory.backup(tmp_path / "copy")
    damages = {
        "flipped": lambda p: (p / FILE_NAME).write_bytes(b"x" + (p / FILE_NAME).read_bytes()[1:]),
        "missing": lambda p: (p / FILE_NAME).unlink(),
        "added": lambda p: (p / "more").write_text("x"),
        "note": lambda p: (p / "BACKUP.json").write_text("{"),
        "no note": lambda p: (p / "BACKUP.json").unlink(),
        "link": lambda p: (p / "link").symlink_to("/etc/passwd"),
    }
    for name, damage in damages.items():
        copy = tmp_path / name
        shutil.copytree(tmp_path / "copy", copy)
        damage(copy)
        with pytest.raises(CorruptMemory):
            restore(copy, tmp_path / "new")
        assert not (tmp_path / "new").exists()
    with pytest.raises(InvalidInput, match="not empty"):
        restore(tmp_path / "copy", bank)


def test_what_can_be_read_of_damaged_pages_is_saved(tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    with SqliteRecord(folder) as record:
        record.append([new_trace(f"t{n}", f"trace number {n} " + "word " * 40, dim=64) for n in range(200)])
        record.merge("t3", new_trace("-", "seen again").event, write_time=EPOCH)
        record.delete(["t7"], reason="asked")
    path = folder / FILE_NAME
    data = bytearray(path.read_bytes())
    at = data.find(b"trace number 150 ")
    page = at // 8192 * 8192
    data[page : page + 64] = bytes(64)  # a page of rows
    flipped = data.find(b"trace number 20 ")
    data[flipped] = ord("T")  # a letter
    path.write_bytes(data)
    before = path.read_bytes()
    found = salvage(folder, tmp_path / "saved")
    assert path.read_bytes() == before
    assert found.damaged == 1
    assert 185 <= found.traces <= 198
    assert found.traces + found.unreadable >= 199
    assert found.repeats == 1
    with SqliteRecord(tmp_path / "saved") as record:
        held = record.get([f"t{n}" for n in range(200)])
        assert len(held) == found.traces
        assert held["t20"].status == "quarantined"
        assert held["t3"].repeats == 1
        assert [stone.id for stone in record.tombstones()] == ["t7"]
        assert verify(record).clean


def test_a_sound_bank_is_salvaged_without_loss(bank: Path, tmp_path: Path) -> None:
    found = salvage(bank, tmp_path / "saved")
    assert (found.traces, found.damaged, found.unreadable, found.incomplete) == (1, 0, 0, ())
    with open_memory(tmp_path / "saved") as memory:
        assert memory.verify().clean
        assert memory.facts.current("Ines", "lives in").value == "Porto"
        assert len(memory.places.map) == 1
        assert memory.items.get(("ada",), "food") is not None
    with pytest.raises(InvalidInput, match="exists"):
        salvage(bank, tmp_path / "saved")
    (bank / FILE_NAME).write_bytes(b"not a database" * 100)
    with pytest.raises(CorruptMemory, match="hippo restore"):
        salvage(bank, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_network_file_system_is_told_by_its_longest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/vda / ext4 rw 0 0\nhost:/x {tmp_path}/far\\040away nfs4 rw 0 0\n"
        f"/dev/vdb {tmp_path}/far\\040away/near xfs rw 0 0\n"
    )
    assert network_filesystem(tmp_path / "far away" / "bank", mounts) == "nfs4"
    assert network_filesystem(tmp_path / "far away" / "near" / "bank", mounts) is None
    assert network_filesystem(tmp_path / "bank", mounts) is None
    assert network_filesystem(tmp_path, tmp_path / "nothing") is None


def test_only_the_owner_reads_a_bank(bank: Path) -> None:
    assert bank.stat().st_mode & 0o777 == 0o700
    for path in bank.rglob("*"):
        if path.is_file() and "adapters" not in path.parts:
            assert path.stat().st_mode & 0o077 == 0, path
