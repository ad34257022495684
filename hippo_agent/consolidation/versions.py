"""Numbered adapters in the bank's folder: each is written once, one of them serves, the pointer moves atomically.

    adapters/
      v0001/  adapter_model.safetensors  adapter_config.json  manifest.json
      v0002/  ...
      current            {"version": 2}

A folder appears under its name only when it is whole. What is not named by the pointer serves nobody, so a crash at any
moment leaves the old version or the new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hippo_agent.errors import AdapterError
from hippo_agent.storage.locks import FileLock
from hippo_agent.weights import file_digest

__all__ = ["Version", "Versions"]

_NAME = re.compile(r"v(\d{4,})")
_POINTER = "current"
_MANIFEST = "manifest.json"
_WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One adapter on disk. ``manifest`` holds what it was made of and how it did at the gate."""

    number: int
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def traces(self) -> frozenset[str]:
        """Ids of the traces that were replayed into it."""
        return frozenset(self.manifest["traces"])

    def check(self) -> None:
        """AdapterError unless the weights are those that were published."""
        wanted = self.manifest.get("weights_sha256")  # older versions have none
        if wanted is not None and file_digest(self.folder / _WEIGHTS) != wanted:
            raise AdapterError(
                f"the weights in {str(self.folder)!r} are not those of its manifest; run `hippo rollback`"
            )

    @property
    def promoted(self) -> bool:
        return bool(self.manifest["promoted"])


class Versions:
    """The adapters of one bank."""

    def __init__(self, folder: Path, *, keep: int = 7) -> None:
        self.folder = folder
        self._keep = keep

    def all(self) -> list[Version]:
        """Every whole version, oldest first."""
        found = []
        for path in sorted(self.folder.glob("v*")) if self.folder.is_dir() else []:
            if (match := _NAME.fullmatch(path.name)) and (path / _MANIFEST).is_file() and (path / _WEIGHTS).is_file():
                found.append(self._read(int(match[1]), path))
        return sorted(found, key=lambda version: version.number)

    def current(self) -> Version | None:
        """The version that serves; None: the bare base does. AdapterError when the pointer names a missing one."""
        try:
            number = json.loads((self.folder / _POINTER).read_text(encoding="utf-8"))["version"]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise AdapterError(f"{str(self.folder / _POINTER)!r} is damaged ({error}); run `hippo rollback`") from error
        return None if number is None else self.get(number)

    def get(self, number: int) -> Version:
        """One version; AdapterError when it is not there."""
        found = {version.number: version for version in self.all()}
        if number not in found:
            held = ", ".join(map(str, found)) or "none"
            raise AdapterError(f"no version {number!r} in {str(self.folder)!r} (there: {held}); run `hippo rollback`")
        return found[number]

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """A folder to train in, left in place when the block raises so that the training can be resumed."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(self.folder / "night.lock")
        if not lock.try_acquire():
            raise AdapterError(f"another process consolidates in {str(self.folder)!r}; wait for it to end")
        try:
            draft = self.folder / "draft"
            draft.mkdir(mode=0o700, exist_ok=True)
            yield draft
        finally:
            lock.release()

    def drop_draft(self) -> bool:
        """Remove a training that was not finished; False when another process is at it."""
        draft = self.folder / "draft"
        if not draft.is_dir():
            return True
        lock = FileLock(self.folder / "night.lock")
        if not lock.try_acquire():
            return False
        try:
            shutil.rmtree(draft, ignore_errors=True)
        finally:
            lock.release()
        return not draft.exists()

    def publish(self, draft: Path, manifest: Mapping[str, Any]) -> Version:
        """Make a version of a draft that holds the weights; it does not serve yet."""
        number = max([version.number for version in self.all()] + [self._highest()], default=0) + 1
        whole = {**manifest, "version": number, "weights_sha256": file_digest(draft / _WEIGHTS)}
        _write(draft / _MANIFEST, json.dumps(whole, indent=2, ensure_ascii=False))
        target = self.folder / f"v{number:04d}"
        _write(self.folder / "last", str(number))
        for path in (*draft.iterdir(), draft):
            _sync(path)
        draft.rename(target)
        _sync(self.folder)
        return self._read(number, target)

    def promote(self, version: Version | None) -> None:
        """Let this version serve, or the bare base; readers see the old pointer or the new one."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self.folder / _POINTER, json.dumps({"version": None if version is None else version.number}))
        _sync(self.folder)

    def rollback(self, to: int | None = None, *, without: frozenset[str] = frozenset()) -> Version | None:
        """Serve version ``to``, or the newest promoted one before the serving one that knows none of ``without``.

        Returns what serves now: None is the bare base.
        """
        if to is not None:
            chosen: Version | None = self.get(to)
        else:
            try:
                serving = self.current()
            except AdapterError:  # a damaged pointer is what rolling back mends
                serving = None
            earlier = [
                version
                for version in self.all()
                if version.promoted
                and not (version.traces & without)
                and (not serving or version.number < serving.number)
            ]
            chosen = earlier[-1] if earlier else None
        self.promote(chosen)
        return chosen

    def prune(self) -> list[int]:
        """Delete all but the newest versions and the serving one; returns the numbers that went."""
        serving = self.current()
        versions = self.all()
        gone = [version for version in versions[: -self._keep] if serving is None or version.number != serving.number]
        self.delete(gone)
        return [version.number for version in gone]

    def delete(self, versions: list[Version]) -> None:
        """Remove versions from the disk; the serving one must have been replaced before."""
        for version in versions:
            shutil.rmtree(version.folder)

    def _highest(self) -> int:
        """Numbers are never used twice, those of deleted versions included."""
        try:
            return int((self.folder / "last").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def _read(self, number: int, path: Path) -> Version:
        try:
            manifest = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
            version = Version(number=number, folder=path, manifest=manifest)
            assert isinstance(version.traces, frozenset) and isinstance(version.promoted, bool)
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise AdapterError(f"{str(path / _MANIFEST)!r} is damaged ({error}); delete that folder") from error
        return version


def _write(path: Path, text: str) -> None:
    """Replace a file by a whole new one."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    _sync(new)
    new.replace(path)


def _sync(path: Path) -> None:
    """Let what was written survive a power loss."""
    number = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot sync a folder
            os.fsync(number)
    finally:
        os.close(number)
