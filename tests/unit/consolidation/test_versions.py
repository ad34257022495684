"""Versions: whole or not there, one pointer, numbers never used twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hippo_agent.consolidation.versions import Version, Versions
from hippo_agent.errors import AdapterError


def publish(versions: Versions, **manifest: Any) -> Version:
    with versions.draft() as draft:
        (draft / "adapter_model.safetensors").write_bytes(b"weights")
        (draft / "adapter_config.json").write_text("{}")
        return versions.publish(draft, {"traces": ["t1"], "promoted": True, **manifest})


def test_a_new_bank_serves_the_bare_base(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    assert versions.current() is None
    assert versions.all() == []
    assert versions.rollback() is None


def test_a_version_serves_once_it_is_promoted(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    first = publish(versions)
    assert versions.current() is None
    versions.promote(first)
    assert Versions(tmp_path).current() == first
    assert first.traces == {"t1"}


def test_rolling_back_skips_rejected_versions_and_ends_at_the_base(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    first = publish(versions)
    publish(versions, promoted=False)
    third = publish(versions)
    versions.promote(third)
    assert versions.rollback() == first
    assert versions.rollback() is None
    assert versions.current() is None
    assert versions.rollback(3) == third


def test_rolling_back_avoids_what_knows_a_forgotten_trace(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    first = publish(versions, traces=["a"])
    publish(versions, traces=["a", "b"])
    third = publish(versions, traces=["a", "b", "c"])
    versions.promote(third)
    assert versions.rollback(without=frozenset({"b"})) == first


def test_what_is_not_whole_is_no_version(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    publish(versions)
    (tmp_path / "v0002").mkdir()
    (tmp_path / "v0003.new").mkdir()
    assert [version.number for version in versions.all()] == [1]


def test_the_newest_are_kept_and_the_serving_one_always(tmp_path: Path) -> None:
    versions = Versions(tmp_path, keep=2)
    first = publish(versions)
    versions.promote(first)
    for _ in range(3):
        publish(versions)
    assert versions.prune() == [2]
    assert [version.number for version in versions.all()] == [1, 3, 4]


def test_a_number_is_never_used_twice(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    publish(versions)
    versions.delete([publish(versions)])
    assert publish(versions).number == 3


def test_a_damaged_pointer_is_named_and_mended_by_rolling_back(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    first = publish(versions)
    (tmp_path / "current").write_text("{")
    with pytest.raises(AdapterError, match="hippo rollback"):
        versions.current()
    assert versions.rollback() == first
    assert versions.current() == first


def test_a_pointer_to_a_version_that_is_gone_is_named(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    publish(versions)
    (tmp_path / "current").write_text(json.dumps({"version": 9}))
    with pytest.raises(AdapterError, match="no version 9"):
        versions.current()


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    first = publish(versions)
    (first.folder / "manifest.json").write_text('{"traces": 3}')
    with pytest.raises(AdapterError, match="manifest"):
        versions.all()


def test_two_nights_do_not_run_at_once(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    with versions.draft(), pytest.raises(AdapterError, match="another process"), Versions(tmp_path).draft():
        pass
