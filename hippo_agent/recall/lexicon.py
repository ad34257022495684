"""The words of every trace, in order, as one flat array of word ids: what recall scores coverage with.

A derived mirror of the record's texts: built on the first recall, followed by seq, never saved. Words of a forgotten
trace no longer count, and a word that no trace is left with is unknown again.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hippo_agent.recall.arrays import Growing
from hippo_agent.recall.vocabulary import Ids, Vocabulary, WordVectors
from hippo_agent.recall.words import cut
from hippo_agent.storage.base import RecordStore, Seqs
from hippo_agent.storage.columns import Columns

__all__ = ["Lexicon", "Lines"]

MAX_WORDS = 1_000  # of one text; what comes after is left to the full-text index


@dataclass(frozen=True, slots=True)
class Lines:
    """The words of m traces: line i is ``ids[starts[i] : starts[i] + lengths[i]]``."""

    ids: Ids  # [sum of lengths]
    starts: NDArray[np.int64]  # [m]
    lengths: NDArray[np.int64]  # [m]
    asks: NDArray[np.bool_]  # [m] the text ends with a question mark

    def line(self, at: int) -> Ids:
        return self.ids[self.starts[at] : self.starts[at] + self.lengths[at]]


class Lexicon:
    """Follows the record; see the module. Call `refresh` before anything else."""

    def __init__(self, record: RecordStore, word_vectors: WordVectors | None = None) -> None:
        self._record = record
        self._lock = threading.Lock()
        self.vocabulary = Vocabulary(word_vectors)
        self._seqs: Growing[np.int64] = Growing(np.int64)
        self._starts: Growing[np.int64] = Growing(np.int64)
        self._lengths: Growing[np.int64] = Growing(np.int64)
        self._asks: Growing[np.bool_] = Growing(np.bool_)
        self._live: Growing[np.bool_] = Growing(np.bool_)
        self._ids: Growing[np.int32] = Growing(np.int32)
        self._position = -1
        self.traces = 0  # live ones
        self.mean_length = 1.0  # in words

    def refresh(self, columns: Columns) -> None:
        """Catch up with the record as the columns show it."""
        with self._lock:
            if columns.position == self._position:
                return
            known = int(self._seqs.view[-1]) if len(self._seqs) else 0
            if len(columns) and int(columns.seq[-1]) > known:
                for batch in self._record.texts(after=known):
                    self._add(batch)
            self._bury(columns)
            live = self._live.view
            self.traces = int(live.sum())
            self.mean_length = float(self._lengths.view[live].mean()) if self.traces else 1.0
            self._position = columns.position

    def lines(self, seqs: Seqs) -> Lines:
        """The words of traces by seq; an unknown seq has none."""
        if not len(self._seqs):
            empty = np.zeros(len(seqs), dtype=np.int64)
            return Lines(np.zeros(0, dtype=np.int32), empty, empty, np.zeros(len(seqs), dtype=np.bool_))
        at = np.minimum(np.searchsorted(self._seqs.view, seqs), len(self._seqs) - 1)
        known = self._seqs.view[at] == seqs
        lengths = np.where(known, self._lengths.view[at], 0)
        starts = np.cumsum(lengths) - lengths
        within = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
        ids = self._ids.view[np.repeat(self._starts.view[at], lengths) + within]
        return Lines(ids, starts, lengths, known & self._asks.view[at])

    def _add(self, batch: Sequence[tuple[int, str]]) -> None:
        lines = [cut(text)[:MAX_WORDS] for _, text in batch]
        lengths = np.array([len(line) for line in lines], dtype=np.int64)
        ids = self.vocabulary.add([word for line in lines for word in line])
        self.vocabulary.count(ids, np.repeat(np.arange(len(batch)), lengths), 1)
        self._seqs.extend([seq for seq, _ in batch])
        self._starts.extend(len(self._ids) + np.cumsum(lengths) - lengths)
        self._lengths.extend(lengths)
        self._asks.extend([text.rstrip().endswith("?") for _, text in batch])
        self._live.extend(np.ones(len(batch), dtype=np.bool_))
        self._ids.extend(ids)

    def _bury(self, columns: Columns) -> None:
        """Take out the traces that are deleted."""
        alive = int(self._live.view.sum())
        if alive == int(columns.live.sum()):
            return
        gone = self._live.view & (columns.positions(self._seqs.view) < 0)
        gone &= self._seqs.view <= (int(columns.seq[-1]) if len(columns) else 0)  # a newer one is not in this view yet
        lines = self.lines(self._seqs.view[gone])
        self.vocabulary.count(lines.ids, np.repeat(np.arange(len(lines.lengths)), lines.lengths), -1)
        self._live.view[gone] = False
