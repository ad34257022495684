"""A SQLite file that holds maps alone; `Memory` keeps them in its record instead."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hippo_agent.errors import MemoryClosed, StorageError
from hippo_agent.storage.places import create_place_tables

__all__ = ["PlaceFile"]


class PlaceFile:
    """A database of its own for maps alone, e.g. in tests and bots; `Memory` uses the record's instead."""

    def __init__(self, path: str | Path) -> None:
        """``path``: a file, created when missing, or ":memory:"."""
        try:
            self._connection: sqlite3.Connection | None = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=10.0
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            if self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'place_world'").fetchone() is None:
                with contextlib.suppress(sqlite3.OperationalError):  # another process was quicker
                    self._connection.execute("BEGIN IMMEDIATE")
                    create_place_tables(self._connection)
                    self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError(f"{str(path)!r} cannot be used: {error}") from error
        self._lock = threading.RLock()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._open()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._open()
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise StorageError(f"the map could not be written: {error}; nothing was changed") from error
                raise

    def close(self) -> None:
        """Close; a second call does nothing."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise MemoryClosed("the map was closed; open a new one")
        return self._connection
