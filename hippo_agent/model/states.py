"""What a model made of a trace when it read it, kept in the bank's folder so that each trace is read once.

A file a trace and model: safetensors, whole or absent, the least recently used go when the folder passes its cap. The
folder is derived: it may be deleted at any time, and what belongs to a forgotten trace is deleted with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["StateCache"]

CAP = 256 * 2**20  # bytes
IN_MEMORY = 64 * 2**20  # bytes
_FILLED = 0.9  # of the cap, after something had to go

Tensors = dict[str, Any]  # name -> torch tensor


class StateCache:
    """Tensors of traces: the last used in memory, all in a folder up to ``cap`` bytes. Threads may share it.

    Processes may share the folder; without one (None) there is memory alone.
    """

    def __init__(self, folder: str | Path | None, *, cap: int = CAP, in_memory: int = IN_MEMORY) -> None:
        self._folder = None if folder is None else Path(folder)
        self._cap = cap
        self._near: OrderedDict[tuple[str, str], Tensors] = OrderedDict()
        self._near_cap, self._near_size = in_memory, 0
        self._lock = threading.Lock()
        self._size = -1  # not counted yet
        self.hits = self.misses = 0

    def many(
        self, ids: Sequence[str], keys: Sequence[str], compute: Callable[[Sequence[int]], Sequence[Tensors]]
    ) -> list[Tensors]:
        """The tensors of traces, in their order; ``compute`` makes those of the places that are not here.

        ``keys`` name all that the tensors depend on but the trace: model, layers, precision, text.
        """
        names = [(_short(one), _short(key)) for one, key in zip(ids, keys, strict=True)]
        found: list[Tensors | None] = [self._known(name) for name in names]
        missing = [at for at, tensors in enumerate(found) if tensors is None]
        self.hits += len(names) - len(missing)
        self.misses += len(missing)
        for at, tensors in zip(missing, compute(missing) if missing else (), strict=True):
            found[at] = tensors
            self._hold(names[at], tensors)
            self._write(names[at], tensors)
        return [tensors for tensors in found if tensors is not None]

    def forget(self, ids: Iterable[str] | None = None) -> None:
        """Delete what models made of these traces, or of all."""
        wanted = None if ids is None else {_short(one) for one in ids}
        with self._lock:
            for name in [name for name in self._near if wanted is None or name[0] in wanted]:
                self._near_size -= _bytes(self._near.pop(name))
        if self._folder is not None and self._folder.is_dir():
            for file in self._folder.iterdir():
                if wanted is None or file.name.lstrip(".").partition("-")[0] in wanted:
                    file.unlink(missing_ok=True)

    def _known(self, name: tuple[str, str]) -> Tensors | None:
        with self._lock:
            if name in self._near:
                self._near.move_to_end(name)
                return self._near[name]
        tensors = None if self._folder is None else _read(self._folder / _file(name))
        if tensors is not None:
            self._hold(name, tensors)
        return tensors

    def _hold(self, name: tuple[str, str], tensors: Tensors) -> None:
        """Keep it in memory; the least recently used leave."""
        with self._lock:
            self._near_size += _bytes(tensors) - _bytes(self._near.pop(name, {}))
            self._near[name] = tensors
            while self._near_size > self._near_cap:
                self._near_size -= _bytes(self._near.popitem(last=False)[1])

    def _write(self, name: tuple[str, str], tensors: Tensors) -> None:
        """Keep it in the folder; one that cannot be written to costs time, nothing else."""
        if self._folder is None:
            return
        from safetensors.torch import save

        file = self._folder / _file(name)
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
        for file in () if self._folder is None else self._folder.glob("*.safetensors"):
            with contextlib.suppress(OSError):
                state = file.stat()
                found.append((state.st_mtime, state.st_size, file))
        return found


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


def _file(name: tuple[str, str]) -> str:
    return f"{name[0]}-{name[1]}.safetensors"


def _bytes(tensors: Tensors) -> int:
    return sum(tensor.nbytes for tensor in tensors.values())


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
