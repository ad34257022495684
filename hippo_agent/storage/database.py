"""One SQLite file, opened carefully: what is not ours is never touched, and every failure has a typed error.

- Writes run in ``BEGIN IMMEDIATE`` transactions; an error rolls back all of it.
- One connection per process behind a re-entrant lock, so threads can share it. A forked child gets its own connection.
- Nobody checkpoints by chance: one process at a time does, under ``writer.lock``, when the log has grown, and at close.
- A file that was not closed cleanly is checked (``quick_check``) before it is used.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import struct
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hippo_agent.errors import (
    CorruptMemory,
    Locked,
    MemoryClosed,
    MigrationError,
    ReadOnlyMemory,
    StorageError,
    StorageFull,
)
from hippo_agent.storage import migrations
from hippo_agent.storage.base import Durability
from hippo_agent.storage.locks import FileLock, held
from hippo_agent.storage.rows import state_hash

__all__ = ["Database"]

logger = logging.getLogger(__name__)

_PAGE_BYTES = 8192  # three traces with vectors fit in a page; with 4096 half of each page would be empty
_LOG_BYTES = 16 * 1024 * 1024  # the log is folded into the file when it has grown by this much
_BUSY_MS = 10_000


class Database:
    """The connection to one record file."""

    def __init__(self, path: Path, *, read_only: bool = False, durability: Durability = "process") -> None:
        """Open, creating the file when there is none.

        Raises CorruptMemory (damaged, truncated or foreign; not written to), MigrationError (of a newer version),
        ReadOnlyMemory (nothing there and nothing may be created), StorageError.
        """
        self.path = path
        self.durability: Durability = durability
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._next_checkpoint = _LOG_BYTES
        self._open_lock = FileLock(path.parent / "open.lock")
        self.read_only = read_only or not _writable(path)
        self._open()
        _databases.add(self)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """The connection, for reads outside a transaction (each statement sees the newest state)."""
        with self._lock, translated(self.path, writing=False):
            yield self._current()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """The connection inside one read transaction: all statements see the same state."""
        with self._lock, translated(self.path, writing=False):
            connection = self._current()
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """One write transaction, committed when the block ends, rolled back when it raises.

        ``durable`` waits until the commit survives power loss whatever the default is.
        """
        with self._lock, translated(self.path, writing=True):
            connection = self._current()
            if self.read_only:
                raise ReadOnlyMemory(f"{str(self.path)!r} is open read-only; open it where the folder can be written")
            lift = durable and self.durability != "power"
            if lift:
                connection.execute("PRAGMA synchronous = FULL")
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            finally:
                if lift:
                    connection.execute("PRAGMA synchronous = NORMAL")
        self._checkpoint_when_due()

    def checkpoint(self) -> bool:
        """Fold the log into the file; False when another process is reading or doing it."""
        writer = FileLock(self.path.parent / "writer.lock")
        with self._lock, translated(self.path, writing=True):
            connection = self._current()
            if not writer.try_acquire():
                return False
            try:
                connection.execute("PRAGMA busy_timeout = 0")
                busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                return not busy
            except sqlite3.OperationalError as error:
                if "locked" in str(error):
                    return False
                raise
            finally:
                connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
                writer.release()

    @contextmanager
    def fresh(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection of its own in one read transaction: what is on disk, past every cache."""
        if self._closed:
            raise MemoryClosed(f"{str(self.path)!r} was closed; open a new Memory")
        with (
            translated(self.path, writing=False),
            contextlib.closing(_connect(self.path, read_only=True)) as connection,
        ):
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")  # damaged text is read, not raised
            connection.execute("BEGIN")
            yield connection

    def vacuum(self) -> None:
        """Rewrite the file without free pages, and empty the log."""
        with self._lock, translated(self.path, writing=True):
            self._current().execute("VACUUM")
        self.checkpoint()

    def close(self) -> None:
        """Close; a second call does nothing."""
        with self._lock:
            if self._closed:
                return
            if self._connection is not None:
                if not self.read_only:
                    with contextlib.suppress(StorageError):  # the log stays and is read at the next open
                        self.checkpoint()
                self._connection.close()
                self._connection = None
            self._closed = True
            self._open_lock.release()
            _databases.discard(self)

    def _current(self) -> sqlite3.Connection:
        if self._closed:
            raise MemoryClosed(f"{str(self.path)!r} was closed; open a new Memory")
        if self._connection is None:  # a forked child
            self._open()
        assert self._connection is not None
        return self._connection

    def _open(self) -> None:
        with translated(self.path, writing=False):
            if self.read_only:
                if not self.path.exists():
                    raise ReadOnlyMemory(
                        f"there is no memory at {str(self.path.parent)!r} and none can be created there"
                    )
                _check_header(self.path)
                self._connection = _connect(self.path, read_only=True)
                _check_format(self._connection, self.path)
                return
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.path.exists():
                with held(self.path.parent / "writer.lock"):
                    if not self.path.exists():
                        _create(self.path)
            _check_header(self.path)
            self._check_unclean()
            self._connection = _connect(self.path, read_only=False, durability=self.durability)
            migrations.apply(self._connection)
            self.path.chmod(0o600)

    def _check_unclean(self) -> None:
        """Check everything when the last process to use the file died with it open, before it is opened for writing."""
        log = self.path.with_name(self.path.name + "-wal")
        alone = self._open_lock.try_acquire()
        try:
            left_open = log.exists() and log.stat().st_size > 0
            with contextlib.closing(_connect(self.path, read_only=True)) as connection:
                _check_format(connection, self.path)
                if alone and left_open:
                    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
                    if found != "ok":
                        raise CorruptMemory(
                            f"{str(self.path)!r} is damaged ({found}); it was not changed: restore a backup"
                        )
        except BaseException:
            self._open_lock.release()
            raise
        self._open_lock.acquire(shared=True)

    def _checkpoint_when_due(self) -> None:
        log = self.path.with_name(self.path.name + "-wal")
        try:
            size = log.stat().st_size
        except OSError:
            return
        if size >= self._next_checkpoint:
            done = self.checkpoint()
            self._next_checkpoint = _LOG_BYTES if done else size + _LOG_BYTES

    def _leave_to_parent(self) -> None:
        """In a forked child: let go of what belongs to the parent; the next use opens anew."""
        self._lock = threading.RLock()
        connection, self._connection = self._connection, None
        if connection is not None and not connection.in_transaction:
            connection.close()
        self._open_lock.release()


def _connect(path: Path, *, read_only: bool, durability: Durability = "process") -> sqlite3.Connection:
    uri = path.absolute().as_uri() + ("?mode=ro" if read_only else "?mode=rw")
    log = path.with_name(path.name + "-wal")
    if read_only and not log.exists() and not os.access(path.parent, os.W_OK):
        uri += "&immutable=1"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=_BUSY_MS / 1000
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


def _create(path: Path) -> None:
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


def _check_header(path: Path) -> None:
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


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
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


def _writable(path: Path) -> bool:
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


_databases: weakref.WeakSet[Database] = weakref.WeakSet()


def _hold_all() -> None:
    for database in list(_databases):
        database._lock.acquire(timeout=_BUSY_MS / 1000)


def _release_all() -> None:
    for database in list(_databases):
        with contextlib.suppress(RuntimeError):
            database._lock.release()


def _leave_all() -> None:
    for database in list(_databases):
        database._leave_to_parent()


# A connection must not be carried into a forked child: SQLite's file locks belong to the process. No statement runs
# while the process forks, and the child closes its copies at once, while the parent still holds its own locks.
os.register_at_fork(before=_hold_all, after_in_parent=_release_all, after_in_child=_leave_all)
