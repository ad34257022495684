"""`hippo stats` and `hippo doctor`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hippo_agent import HashingEmbedder


def test_stats_count_traces(hippo: Any, hippo_json: Any) -> None:
    hippo("write", "The goat ate the map.")
    hippo("write", "The safe opens with a spoon and a song.")
    stats = hippo_json("stats")
    assert stats["traces"] == 2
    assert "traces" in hippo("stats").stdout


def test_a_whole_memory_is_clean(hippo: Any, hippo_json: Any) -> None:
    hippo("write", "The goat ate the map.")
    assert hippo_json("doctor")["clean"] is True
    assert hippo("doctor").stdout.endswith("clean\n")


def test_damage_is_exit_code_3_and_repair_mends_what_is_derived(hippo: Any) -> None:
    hippo("write", "The goat ate the map.")
    [database] = Path("agent-memory").glob("record.sqlite3")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DELETE FROM fulltext_data WHERE id > 10")
        connection.commit()
    result = hippo("doctor", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["clean"] is False
    assert hippo("doctor").stdout.endswith("try: hippo doctor --repair\n")
    assert hippo("doctor", "--repair").exit_code == 0
    assert hippo("doctor").exit_code == 0


def test_a_bank_is_given_to_another_embedder(hippo: Any, hippo_json: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hippo("write", "The goat ate the map.")
    monkeypatch.setattr(HashingEmbedder.__init__, "__defaults__", (64,))
    assert "reembed" in hippo("recall", "goat").stderr
    done = hippo_json("reembed", "--embedder", "hashing")
    assert done["embedded"] == 1
    assert done["embedder"].endswith("64")
    assert "The goat ate the map." in hippo("recall", "goat").stdout


def test_a_file_that_is_not_ours_is_left_alone(hippo: Any) -> None:
    hippo("write", "The goat ate the map.")
    [database] = Path("agent-memory").glob("record.sqlite3")
    for extra in Path("agent-memory").glob("record.sqlite3-*"):
        extra.unlink()
    database.write_bytes(b"this is not a database" * 100)
    result = hippo("doctor")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert database.read_bytes() == b"this is not a database" * 100
