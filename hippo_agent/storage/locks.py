"""Advisory file locks between processes (flock): the kernel frees them when a process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hippo_agent.errors import Locked

__all__ = ["FileLock", "held"]

_POLL_SECONDS = 0.01


class FileLock:
    """One lock on one file, shared or exclusive. Not reentrant; not for threads of one process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    @property
    def is_held(self) -> bool:
        return self._fd is not None

    def try_acquire(self, *, shared: bool = False) -> bool:
        """Take the lock, or change the kind of a held one, without waiting; False when another process holds it."""
        fresh = self._fd is None
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600) if fresh else self._fd
        assert fd is not None
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            if fresh:
                os.close(fd)
            return False
        self._fd = fd
        return True

    def acquire(self, *, shared: bool = False, timeout: float = 10.0) -> None:
        """Take the lock, waiting up to ``timeout`` seconds; Locked after that."""
        deadline = time.monotonic() + timeout
        while not self.try_acquire(shared=shared):
            if time.monotonic() >= deadline:
                raise Locked(f"{self.path!s} is held by another process; close it there or try again later")
            time.sleep(_POLL_SECONDS)

    def release(self) -> None:
        """Give the lock back. In a forked child this only closes the child's copy: the parent keeps its lock."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


@contextmanager
def held(path: Path, *, timeout: float = 10.0) -> Iterator[None]:
    """Hold an exclusive lock for the length of a block."""
    lock = FileLock(path)
    lock.acquire(timeout=timeout)
    try:
        yield
    finally:
        lock.release()
