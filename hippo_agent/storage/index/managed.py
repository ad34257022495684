"""Nearest traces, always right: an approximate snapshot when the bank is large, exact search for everything else.

Answer = snapshot at an outbox position + exact scan of what changed since + join with the record's columns. Scores are
computed here from the record's own vectors, so an index that lags, lies or breaks can cost speed, never truth: what it
says is checked, and when it is wrong it is set aside, the same call is answered exactly, and a new one is built.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import threading
from typing import Literal

import numpy as np

from hippo_agent.errors import IndexBroken, MissingExtra, StorageError
from hippo_agent.storage.base import Mask, Scores, Seqs, Vector
from hippo_agent.storage.columns import Columns
from hippo_agent.storage.index.exact import check_query, nearest
from hippo_agent.storage.index.generation import (
    Generation,
    build,
    drop_unsealed,
    generations,
    open_generation,
    quarantine,
    read_manifest,
    remove_all,
)
from hippo_agent.storage.locks import FileLock
from hippo_agent.storage.mirror import Mirror
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.verify import IndexAudit

__all__ = ["IndexKind", "ManagedIndex"]

logger = logging.getLogger(__name__)

IndexKind = Literal["auto", "exact", "chroma"]

EXACT_UP_TO = 200_000  # traces that exact search serves well
_STALE_SHARE = 0.2  # of the snapshot changed: a new one is built
_TOLERANCE = 1e-3  # between a score that the index computed and ours
_DEEPEST = 1000  # hits asked of the index; a filter that needs more is served exactly
_ATTEMPTS = 3  # builds that may fail before this process stays with exact search
_SAMPLE = 100  # traces that an audit looks for


class ManagedIndex:
    """Nearest neighbours over one bank. Thread-safe; one process owns the index on disk, the others search exactly."""

    def __init__(
        self,
        record: SqliteRecord,
        mirror: Mirror,
        *,
        kind: IndexKind = "auto",
        exact_up_to: int = EXACT_UP_TO,
        background: bool = True,
        seed: int = 0,
    ) -> None:
        """``background`` False builds inside the call that finds a build due."""
        self._installed = importlib.util.find_spec("chromadb") is not None
        if kind == "chroma" and not self._installed:
            raise MissingExtra("Chroma is not installed; run: pip install 'hippo-agent[chroma]', or use index='exact'")
        self._record, self._mirror = record, mirror
        self._kind, self._exact_up_to, self._background, self._seed = kind, exact_up_to, background, seed
        self._folder = record.folder / "index"
        self._owner = FileLock(record.folder / "index.lock")
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._builder: threading.Thread | None = None
        self._generation: Generation | None = None
        self._failures = 0
        self._changed: set[int] = set()  # seqs that changed since the generation's position
        self._changed_at = 0

    @property
    def serving(self) -> str:
        """ "chroma" while an approximate snapshot answers, else "exact"."""
        return "exact" if self._generation is None else "chroma"

    def search(
        self, query: Vector, k: int, *, mask: Mask | None = None, columns: Columns | None = None
    ) -> tuple[Seqs, Scores]:
        """Positions in ``columns`` of the k nearest live rows, best first, and their cosine.

        mask: [n] rows that may be returned (`Columns.visible`); it holds before the cut.
        """
        columns = self._mirror.refresh() if columns is None else columns
        if not columns.has_vector.any():
            return np.empty(0, np.int64), np.empty(0, np.float32)
        query = check_query(query, columns.vectors.shape[1])
        usable = columns.live & columns.has_vector
        if mask is not None:
            usable &= mask
        with self._lock:
            generation = self._ready(columns)
            if generation is not None:
                try:
                    found = self._through(generation, columns, query, k, usable)
                except IndexBroken as error:
                    self._set_aside(generation, error)
                else:
                    if found is not None:
                        return found
        answer = nearest(columns.vectors, query, k, usable)
        if generation is not None and self._generation is None:
            self._start_build()
        return answer

    def rebuild(self) -> None:
        """Build a new snapshot now, and serve from it; does nothing where exact search is the index."""
        columns = self._mirror.refresh()
        if self._wanted(columns) and self._own():
            self._join()
            self._build()

    def wait(self) -> None:
        """Wait for a build in the background."""
        self._join()

    def purge(self) -> tuple[str, ...]:
        """Remove the snapshot and all that was set aside: a trace was forgotten. A new one is built when due.

        Returns what is left and why: another process may own the index.
        """
        self._stop_build()
        with self._lock:
            if self._folder.exists() and self._own():
                self._drop()
                remove_all(self._folder)
        held = sorted(path.name for kind in ("gen-*", "quarantine-*") for path in self._folder.glob(kind))
        return tuple(f"the index {name}: another process has it open" for name in held)

    def audit(self) -> IndexAudit:
        """The index held against the record: what is missing, what is too much, what finds itself."""
        columns = self._mirror.refresh()
        said = set(columns.seq[columns.live].tolist())
        kept = set(self._record.retention().seq.tolist())
        rows = np.flatnonzero(columns.live & columns.has_vector)
        sample = np.random.default_rng(self._seed).choice(rows, min(_SAMPLE, len(rows)), replace=False)
        found = sum(self._finds(columns, int(row)) for row in sample)
        recall = found / len(sample) if len(sample) else 1.0
        return IndexAudit(missing=len(kept - said), ghosts=len(said - kept), self_recall=recall)

    def close(self) -> None:
        """Stop a build and let go of the files; a second call does nothing."""
        if os.getpid() == self._pid:  # a forked child holds nothing
            self._stop_build()
            with self._lock:
                self._drop()
                self._owner.release()

    def __enter__(self) -> ManagedIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _finds(self, columns: Columns, row: int) -> bool:
        rows, scores = self.search(columns.vectors[row], 1, columns=columns)
        return len(rows) == 1 and (int(rows[0]) == row or float(scores[0]) > 1.0 - _TOLERANCE)

    def _wanted(self, columns: Columns) -> bool:
        if self._kind == "exact" or self._record.read_only or os.getpid() != self._pid:
            return False
        large = self._kind == "chroma" or (self._installed and len(columns) > self._exact_up_to)
        return large and bool(columns.has_vector.any())

    def _own(self) -> bool:
        try:
            return self._owner.is_held or self._owner.try_acquire()
        except OSError:
            return False

    def _ready(self, columns: Columns) -> Generation | None:
        """The generation to ask, opened and checked at first use; starts a build when one is due."""
        if not self._wanted(columns) or self._failures >= _ATTEMPTS or not self._own():
            return None
        building = self._builder is not None and self._builder.is_alive()
        if self._generation is None and not building:
            self._open_newest(columns)
            if self._generation is None:
                self._start_build()
        if self._generation is not None:
            self._follow()
            if len(self._changed) > 1000 + _STALE_SHARE * self._generation.manifest.count and not building:
                self._start_build()
        return self._generation

    def _open_newest(self, columns: Columns) -> None:
        embedder = self._record.embedder()
        drop_unsealed(self._folder)
        for path in reversed(generations(self._folder)):
            if embedder is None:
                return
            try:
                self._changed, self._changed_at = set(), read_manifest(path).position
                self._follow()
                self._generation = open_generation(path, columns, embedder[0], self._changed, self._seed)
                return
            except IndexBroken as error:
                logger.warning("index set aside: %s", error)
                quarantine(path)

    def _follow(self) -> None:
        """Note what changed since the snapshot."""
        while changes := self._record.changes(self._changed_at):
            self._changed.update(change.seq for change in changes)
            self._changed_at = changes[-1].position

    def _through(
        self, generation: Generation, columns: Columns, query: Vector, k: int, usable: Mask
    ) -> tuple[Seqs, Scores] | None:
        """The answer by way of the snapshot; None when a filter makes exact search the better way."""
        count = generation.manifest.count
        enough = int(usable.sum())
        share = enough / max(1, len(columns))
        wanted = int((4 * k + 32) / max(share, 1e-9))
        if wanted > _DEEPEST:
            return None
        wanted = min(wanted, count)
        seqs, said = generation.index.search(query, wanted)
        if len(seqs) < wanted:
            raise IndexBroken(f"the index returned {len(seqs)} of {wanted} hits; it will be rebuilt")
        rows = columns.positions(seqs)
        self._follow()  # after looking at the rows: a row that is gone by now has its change in the outbox
        changed = np.fromiter(self._changed, np.int64, len(self._changed))
        settled = (rows >= 0) & ~np.isin(seqs, changed)
        if np.abs(columns.vectors[rows[settled]] @ query - said[settled]).max(initial=0.0) > _TOLERANCE:
            raise IndexBroken("the index scores differ from the record's vectors; it will be rebuilt")
        if (~settled & ~np.isin(seqs, changed)).any():
            raise IndexBroken("the index returned traces that the record never had; it will be rebuilt")
        tail = columns.positions(changed)
        pool = np.unique(np.concatenate([rows[rows >= 0], tail[tail >= 0]]))
        pool = pool[usable[pool]]
        if len(pool) < min(k, enough):
            return None
        best, scores = nearest(columns.vectors[pool], query, k)
        return pool[best], scores

    def _set_aside(self, generation: Generation, error: Exception) -> None:
        logger.warning("index set aside: %s", error)
        self._failures += 1
        self._drop()
        if generation.path.exists():
            quarantine(generation.path)

    def _drop(self) -> None:
        if self._generation is not None:
            self._generation.index.close()
            self._generation = None

    def _start_build(self) -> None:
        if self._failures >= _ATTEMPTS or self._stop.is_set():
            return
        if not self._background:
            self._build()
        elif self._builder is None or not self._builder.is_alive():
            self._builder = threading.Thread(target=self._build, name="hippo-index", daemon=True)
            self._builder.start()

    def _build(self) -> None:
        try:
            columns, embedder = self._mirror.refresh(), self._record.embedder()
            if embedder is None:
                return
            path = build(self._folder, columns, embedder[0], self._stop)
            if path is None:
                return
            generation = open_generation(path, columns, embedder[0], set(), self._seed)
        except (StorageError, OSError) as error:
            logger.warning("index could not be built, searching exactly: %s", error)
            self._failures += 1
            return
        with self._lock:
            self._drop()
            self._generation = generation
            self._changed, self._changed_at = set(), generation.manifest.position
            for old in generations(self._folder):
                if old != path:
                    shutil.rmtree(old, ignore_errors=True)

    def _stop_build(self) -> None:
        self._stop.set()
        self._join()
        self._stop.clear()

    def _join(self) -> None:
        builder = self._builder
        if builder is not None and builder is not threading.current_thread():
            builder.join()
            self._builder = None
