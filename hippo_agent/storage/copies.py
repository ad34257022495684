"""Copies of a bank: a backup that can be checked, and a new bank made from one.

    backup/
      record.sqlite3    a consistent copy, made while the bank is in use
      adapters/         as they were
      BACKUP.json       when, of what, and the SHA-256 of every file

Indexes and model states are not copied: they are made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hippo_agent.errors import CorruptMemory, InvalidInput
from hippo_agent.storage.opening import sync_folder, translated
from hippo_agent.storage.record import FILE_NAME, SqliteRecord

__all__ = ["BACKUPS", "Backup", "backup", "read_backup", "restore"]

BACKUPS = "backups"  # in the record: the copies that were made, so that a forgetting can name them
_NOTE = "BACKUP.json"
_ADAPTERS = "adapters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy of a bank."""

    path: str
    time: str  # ISO 8601
    traces: int
    files: dict[str, str]  # relative path -> SHA-256


def backup(record: SqliteRecord, target: str | Path, *, now: datetime) -> Backup:
    """Copy a bank into a new folder, while it is in use; the folder appears when it is whole.

    Raises InvalidInput (the folder exists), StorageError, OSError.
    """
    path = Path(target)
    if path.exists():
        raise InvalidInput(f"{str(path)!r} exists; choose a new folder for the backup")
    draft = path.with_name(path.name + ".part")
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700, parents=True)
    try:
        record.backup(draft / FILE_NAME)
        source = record.folder / _ADAPTERS
        if source.is_dir():
            skipped = shutil.ignore_patterns("draft", "*.lock", "*.new")
            shutil.copytree(source, draft / _ADAPTERS, ignore=skipped, symlinks=True)
        with translated(draft / FILE_NAME, writing=True), closing(sqlite3.connect(draft / FILE_NAME)) as copy:
            copy.execute("PRAGMA journal_mode = DELETE")
            traces = int(copy.execute("SELECT count(*) FROM trace").fetchone()[0])
        made = Backup(path=str(path.resolve()), time=now.isoformat(), traces=traces, files=dict(_digests(draft)))
        note = draft / _NOTE
        note.write_text(json.dumps(asdict(made), indent=1, sort_keys=True), encoding="utf-8")
        note.chmod(0o600)
        sync_folder(draft)
        draft.rename(path)
        sync_folder(path.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    held: list[dict[str, Any]] = record.value(BACKUPS) or []
    record.note(values={BACKUPS: [*held, {"path": made.path, "time": made.time}]})
    return made


def read_backup(source: str | Path) -> Backup:
    """What a backup says of itself, after every file was compared with its digest. Raises CorruptMemory."""
    path = Path(source)
    try:
        raw = json.loads((path / _NOTE).read_text(encoding="utf-8"))
        made = Backup(**raw)
        wanted = {name: str(digest) for name, digest in made.files.items()}
    except FileNotFoundError as error:
        raise CorruptMemory(f"{str(path)!r} is not a backup: it has no {_NOTE}; name the folder of one") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CorruptMemory(f"{str(path / _NOTE)!r} is damaged ({error}); use another backup") from error
    found = dict(_digests(path))
    if wrong := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        raise CorruptMemory(f"{wrong[0]!r} of the backup {str(path)!r} is not as it was made; use another backup")
    return made


def restore(source: str | Path, folder: str | Path) -> Backup:
    """Make a new bank of a backup; the folder appears when it is whole and was checked.

    Raises CorruptMemory (the backup is damaged), InvalidInput (the folder holds something).
    """
    made = read_backup(source)
    path = Path(folder)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InvalidInput(f"{str(path)!r} is not empty; restore into a new folder, then put it in the old one's place")
    draft = path.with_name(path.name + ".part")
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700, parents=True)
    try:
        for name in made.files:
            (draft / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(Path(source) / name, draft / name)
            (draft / name).chmod(0o600)
        with SqliteRecord(draft) as record:  # opens as ours, of a format that we read
            record.count()
        if path.exists():
            path.rmdir()
        draft.rename(path)
        sync_folder(path.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return made


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file but the note; links are refused, so that nothing outside is read or written through one."""
    for base, folders, names in os.walk(folder):
        for name in sorted([*folders, *names]):
            path = Path(base) / name
            where = str(path.relative_to(folder))
            if path.is_symlink():
                raise CorruptMemory(f"{where!r} of {str(folder)!r} is a link; a backup has none")
            if path.is_file() and where != _NOTE:
                with path.open("rb") as stream:
                    digest = hashlib.sha256()
                    while block := stream.read(1 << 20):
                        digest.update(block)
                    yield where, digest.hexdigest()
