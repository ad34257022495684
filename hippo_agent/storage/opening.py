"""How a record file is made, judged and opened, and what its failures are called. What is not ours is only read."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hippo_agent.errors import (
    CorruptMemory,
    Locked,
    MigrationError,
    ReadOnlyMemory,
    StorageError,
    StorageFull,
)
from hippo_agent.storage import migrations
from hippo_agent.storage.base import Durability
from hippo_agent.storage.rows import state_hash

__all__ = ["BUSY_MS", "check_format", "check_header", "connect", "create", "sync_folder", "translated", "writable"]

_PAGE_BYTES = 8192  # three traces with vectors fit in a page; with 4096 half of each page would be empty
BUSY_MS = 10_000


def connect(path: Path, *, read_only: bool, durability: Durability = "process") -> sqlite3.Connection:
    uri = path.absolute().as_uri() + ("?mode=ro" if read_only else "?mode=rw")
    log = path.with_name(path.name + "-wal")
    if read_only and not log.exists() and not os.access(path.parent, os.W_OK):
        uri += "&immutable=1"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=BUSY_MS / 1000
    )
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -16384")
        if not read_only:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
        connection.create_function("state_hash", 5, state_hash, deterministic=True)
    except BaseException:
        connection.close()
        raise
    return connection


def create(path: Path) -> None:
    """Make the file under another name and rename it when it is complete: a file of ours is never half made."""
    for stale in path.parent.glob(f"{path.name}.new*"):
        stale.unlink()
    draft = path.with_name(path.name + ".new")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            migrations.apply(connection)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # closing would do it too, and hide that it failed
        log = draft.with_name(draft.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise StorageFull(f"no space left for {str(path)!r}; nothing was made: free space and try again")
        draft.rename(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive power loss."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def check_header(path: Path) -> None:
    """Raise unless the first bytes say that the file is ours and all there. Reads only."""
    with path.open("rb") as file:
        header = file.read(100)
        size = os.fstat(file.fileno()).st_size
    if len(header) < 100 or not header.startswith(b"SQLite format 3\x00"):
        raise CorruptMemory(
            f"{str(path)!r} is not a SQLite database; it was not changed: move it away or restore a backup"
        )
    page = struct.unpack_from(">H", header, 16)[0]
    changes, pages, checked = (struct.unpack_from(">I", header, at)[0] for at in (24, 28, 92))
    log = path.with_name(path.name + "-wal")
    settled = not log.exists() or log.stat().st_size == 0
    if settled and changes == checked and pages and size < pages * (65536 if page == 1 else page):
        raise CorruptMemory(f"{str(path)!r} is truncated ({size} bytes); it was not changed: restore a backup")
    if settled and struct.unpack_from(">I", header, 68)[0] != migrations.APPLICATION_ID:
        raise CorruptMemory(
            f"{str(path)!r} is a database of another program; it was not changed: choose another folder"
        )


def check_format(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != migrations.APPLICATION_ID:
        raise CorruptMemory(
            f"{str(path)!r} is a database of another program; it was not changed: choose another folder"
        )
    found, newest = migrations.schema_version(connection), len(migrations.MIGRATIONS)
    if found > newest:
        raise MigrationError(
            f"{str(path)!r} has format {found}, this version reads up to {newest}; upgrade hippo-agent"
        )
    if found < 1:
        raise CorruptMemory(f"{str(path)!r} has no format number; it was not changed: restore a backup")


def writable(path: Path) -> bool:
    """Whether the folder (or the nearest that exists) and the file can be written."""
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK) and (not path.exists() or os.access(path, os.W_OK))


@contextmanager
def translated(path: Path, *, writing: bool) -> Iterator[None]:
    """Turn sqlite3's and the system's errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(error, path, writing=writing) from error
    except PermissionError as error:
        raise ReadOnlyMemory(
            f"{str(path)!r} cannot be used: {error.strerror}; check the rights of the folder"
        ) from error


def _translate(error: sqlite3.Error, path: Path, *, writing: bool) -> StorageError:
    text, where = str(error), repr(str(path))
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # Python >= 3.11; the message decides before that
    if code in (11, 26) or "malformed" in text or "not a database" in text or "decode to UTF-8" in text:
        return CorruptMemory(f"{where} is damaged ({text}); run `hippo doctor` or restore a backup")
    if code == 13 or "is full" in text:
        return StorageFull(f"no space left for {where}; what was acknowledged is safe: free space and try again")
    if code == 8 or "readonly" in text:
        return ReadOnlyMemory(f"{where} cannot be written ({text}); check the rights of the folder")
    if code in (5, 6) or "locked" in text:
        return Locked(f"{where} is being written by another process ({text}); try again")
    if writing and (code == 10 or "disk I/O" in text):
        return StorageFull(f"{where} could not be written ({text}); free space or check the disk, then try again")
    return StorageError(f"{where} cannot be used: {text}")
