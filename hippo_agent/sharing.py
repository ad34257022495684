"""One open `Memory` per folder in this process: what names a folder gets the memory that is open on it.

Two memories on one folder are safe but load everything twice. The integrations open folders through here, so that a
retriever, a store and a middleware on the same folder share one, and a locator read back from JSON finds it again.
"""

from __future__ import annotations

import atexit
import threading
from pathlib import Path

from hippo_agent.memory import Memory

__all__ = ["shared"]

_open: dict[Path, Memory] = {}
_lock = threading.Lock()


def shared(memory: Memory | str | Path) -> Memory:
    """The memory that is open on this folder, opened with the defaults if there is none; it is closed at exit.

    A `Memory` that is handed in becomes the one for its folder, and whoever opened it closes it.
    """
    with _lock:
        if isinstance(memory, Memory):
            _open[memory.folder.resolve()] = memory
            return memory
        folder = Path(memory).resolve()
        held = _open.get(folder)
        if held is None or held.closed or not folder.exists():
            held = _open[folder] = Memory(memory)
            atexit.register(_close, held)
        return held


def _close(memory: Memory) -> None:
    if memory.folder.exists():  # a temporary folder may be gone before the process is
        memory.close()
