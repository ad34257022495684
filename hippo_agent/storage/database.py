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
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hippo_agent.errors import (
    CorruptMemory,
    MemoryClosed,
    ReadOnlyMemory,
    StorageError,
)
from hippo_agent.storage import migrations
from hippo_agent.storage.base import Durability
from hippo_agent.storage.locks import FileLock, held
from hippo_agent.storage.mounts import network_filesystem
from hippo_agent.storage.opening import BUSY_MS, check_format, check_header, connect, create, translated, writable

__all__ = ["Database"]

logger = logging.getLogger(__name__)


_LOG_BYTES = 16 * 1024 * 1024  # the log is folded into the file when it has grown by this much


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
        self._writing = False  # a write transaction is open; guarded by the lock
        self._next_checkpoint = _LOG_BYTES
        self._log = path.with_name(path.name + "-wal")
        self._open_lock = FileLock(path.parent / "open.lock")
        self.read_only = read_only or not writable(path)
        self._open()
        if (kind := network_filesystem(path.parent)) is not None:
            logger.warning(
                "%s is on a network file system (%s): processes of several hosts damage the memory; use a local disk",
                path.parent,
                kind,
            )
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

        A block inside a block is part of the outer transaction: all of it is committed, or nothing.
        ``durable`` waits until the commit survives power loss whatever the default is.
        """
        with self._lock, translated(self.path, writing=True):
            connection = self._current()
            if self.read_only:
                raise ReadOnlyMemory(f"{str(self.path)!r} is open read-only; open it where the folder can be written")
            if self._writing:
                yield connection
                return
            lift = durable and self.durability != "power"
            if lift:
                connection.execute("PRAGMA synchronous = FULL")
            try:
                connection.execute("BEGIN IMMEDIATE")
                self._writing = True
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                finally:
                    self._writing = False
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
                connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
                writer.release()

    @contextmanager
    def fresh(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection of its own in one read transaction: what is on disk, past every cache."""
        if self._closed:
            raise MemoryClosed(f"{str(self.path)!r} was closed; open a new Memory")
        with (
            translated(self.path, writing=False),
            contextlib.closing(connect(self.path, read_only=True)) as connection,
        ):
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")  # damaged text is read, not raised
            connection.execute("BEGIN")
            yield connection

    def vacuum(self) -> bool:
        """Rewrite the file without free pages, and empty the log; False when a reader kept it full."""
        with self._lock, translated(self.path, writing=True):
            self._current().execute("VACUUM")
        return self.checkpoint()

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
                check_header(self.path)
                self._connection = connect(self.path, read_only=True)
                check_format(self._connection, self.path)
                return
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.path.exists():
                with held(self.path.parent / "writer.lock"):
                    if not self.path.exists():
                        create(self.path)
            check_header(self.path)
            self._check_unclean()
            self._connection = connect(self.path, read_only=False, durability=self.durability)
            migrations.apply(self._connection)
            self.path.chmod(0o600)

    def _check_unclean(self) -> None:
        """Check everything when the last process to use the file died with it open, before it is opened for writing."""
        alone = self._open_lock.try_acquire()
        try:
            left_open = self._log.exists() and self._log.stat().st_size > 0
            with contextlib.closing(connect(self.path, read_only=True)) as connection:
                check_format(connection, self.path)
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
        try:
            size = self._log.stat().st_size
        except OSError:
            return
        if size >= self._next_checkpoint:
            done = self.checkpoint()
            self._next_checkpoint = _LOG_BYTES if done else size + _LOG_BYTES

    def _leave_to_parent(self) -> None:
        """In a forked child: let go of what belongs to the parent; the next use opens anew."""
        self._lock = threading.RLock()
        self._writing = False
        connection, self._connection = self._connection, None
        if connection is not None and not connection.in_transaction:
            connection.close()
        self._open_lock.release()


_databases: weakref.WeakSet[Database] = weakref.WeakSet()


def _hold_all() -> None:
    for database in list(_databases):
        database._lock.acquire(timeout=BUSY_MS / 1000)


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
