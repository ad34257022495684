"""What a model made of a trace when it read it, kept in the bank's folder so that each trace is read once.

A file a trace and model: safetensors, whole or absent, the least recently used go when the folder passes its cap. The
folder is derived: it may be deleted at any time, and what belongs to a forgotten trace is deleted with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "StateCache", "forget_states"]

FOLDER = "states"
CAP = 256 * 2**20  # bytes
_FILLED = 0.9  # of the cap, after something had to go

Tensors = dict[str, Any]  # name -> torch tensor


class StateCache:
    """Tensors of traces in a folder, up to ``cap`` bytes. Threads and processes may share the folder."""

    def __init__(self, folder: str | Path, *, cap: int = CAP) -> None:
        self._folder = Path(folder)
        self._cap = cap
        self._lock = threading.Lock()
        self._size = -1  # not counted yet
        self.hits = self.misses = 0

    def many(
        self, ids: Sequence[str], keys: Sequence[str], compute: Callable[[Sequence[int]], Sequence[Tensors]]
    ) -> list[Tensors]:
        """The tensors of traces, in their order; ``compute`` makes those of the places that are not here.

        ``keys`` name all that the tensors depend on but the trace: model, layers, precision, text.
        """
        files = [self._file(one, key) for one, key in zip(ids, keys, strict=True)]
        found: list[Tensors | None] = [_read(file) for file in files]
        missing = [at for at, tensors in enumerate(found) if tensors is None]
        self.hits += len(files) - len(missing)
        self.misses += len(missing)
        for at, tensors in zip(missing, compute(missing) if missing else (), strict=True):
            found[at] = tensors
            self._write(files[at], tensors)
        return [tensors for tensors in found if tensors is not None]

    def _file(self, trace_id: str, key: str) -> Path:
        return self._folder / f"{_short(trace_id)}-{_short(key)}.safetensors"

    def _write(self, file: Path, tensors: Tensors) -> None:
        """Keep it when there is room; a folder that cannot be written to costs time, nothing else."""
        from safetensors.torch import save

        content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
        if len(content) > self._cap:
            return
        temporary = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            temporary.write_bytes(content)
            temporary.replace(file)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            return
        with self._lock:
            self._size = self._size + len(content) if self._size >= 0 else self._count()
            if self._size > self._cap:
                self._shrink()

    def _count(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _shrink(self) -> None:
        """Delete the least recently used until the folder is well below its cap."""
        total = self._count()
        for _, size, file in sorted(self._files()):
            if total <= _FILLED * self._cap:
                break
            with contextlib.suppress(OSError):
                file.unlink()
                total -= size
        self._size = total

    def _files(self) -> list[tuple[float, int, Path]]:
        """(last use, bytes, file) of each; another process may delete some meanwhile."""
        found = []
        for file in self._folder.glob("*.safetensors"):
            with contextlib.suppress(OSError):
                state = file.stat()
                found.append((state.st_mtime, state.st_size, file))
        return found


def forget_states(bank: Path, trace_ids: Iterable[str] | None = None) -> None:
    """Delete what models made of these traces, or of all. ``bank`` is the memory's folder."""
    folder = bank / FOLDER
    if not folder.is_dir():
        return
    names = None if trace_ids is None else {_short(one) for one in trace_ids}
    for file in folder.iterdir():
        if names is None or file.name.lstrip(".").partition("-")[0] in names:
            file.unlink(missing_ok=True)


def _read(file: Path) -> Tensors | None:
    """None when it is not there or damaged; a damaged one is deleted, so that it is made again."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors: Tensors = load(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError):
        with contextlib.suppress(OSError):
            file.unlink()
        return None
    with contextlib.suppress(OSError):
        os.utime(file)
    return tensors


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
