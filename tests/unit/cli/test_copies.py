"""`hippo backup`, `restore` and `salvage`."""

from __future__ import annotations

from typing import Any


def test_a_memory_is_backed_up_restored_and_salvaged(hippo: Any, hippo_json: Any) -> None:
    assert hippo("backup", "copy").exit_code == 1, "no memory yet"
    written = hippo_json("write", "Ada moved to Lisbon on 3 May.")
    assert hippo_json("backup", "copy")["traces"] == 1
    assert hippo("backup", "copy").exit_code == 1
    hippo("forget", written["id"])
    assert hippo_json("restore", "copy", "--memory", "again")["traces"] == 1
    assert hippo("show", written["id"], "--memory", "again").exit_code == 0
    assert hippo("restore", "copy", "--memory", "again").exit_code == 1
    assert hippo_json("salvage", "saved", "--memory", "again")["traces"] == 1
    assert hippo("show", written["id"], "--memory", "saved").exit_code == 0
    assert hippo("restore", "nowhere", "--memory", "other").exit_code == 1
