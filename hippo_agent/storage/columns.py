"""Live traces as aligned in-memory arrays, in seq order: what recall filters and scores with NumPy.

`Columns` is one immutable view: positions 0..n-1 mean the same row in each of its arrays for as long as you hold it. A
`Mirror` follows the record by its outbox (own writes and other processes') and hands out the newest view:

    mirror = Mirror(record)
    columns = mirror.refresh()                 # microseconds when nothing changed
    mask = columns.visible(cue.namespace, since=cue.since)
    scores = columns.vectors @ query           # [n]

Derived and never saved. Rows are appended past the end of every view that is out; a deletion or a change of status
shows in views that are out as well (sooner is safer).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_agent.storage.base import Mask, Seqs, Vector
from hippo_agent.storage.rows import micros
from hippo_agent.storage.signs import Signs
from hippo_agent.types import SOURCE_KINDS, Namespace, SourceKind, Status

__all__ = ["STATUSES", "Columns"]

#: Order of the status codes.
STATUSES: tuple[Status, ...] = ("active", "deferred", "quarantined")

Codes = NDArray[np.int32]
Micros = NDArray[np.int64]  # microseconds since 1970, UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """All traces of a bank at one outbox position; n rows, d dimensions, w bytes of slot codes."""

    seq: Seqs  # [n]
    live: Mask  # [n] False: deleted since
    status: NDArray[np.int8]  # [n] index into STATUSES
    source: NDArray[np.int8]  # [n] index into SOURCE_KINDS
    namespace: Codes  # [n] index into namespaces
    session: Codes  # [n] index into sessions, -1: none
    speaker: Codes  # [n] index into speakers, -1: none
    kind: Codes  # [n] index into kinds
    event_time: Micros  # [n]
    write_time: Micros  # [n]
    trust: NDArray[np.float32]  # [n]
    salience: NDArray[np.float32]  # [n]
    words: Codes  # [n] whitespace-separated words in the text
    pinned: Mask  # [n]
    slot_codes: NDArray[np.int8]  # [n, w]; zeros where a row has none
    vectors: Vector  # [n, d]; zeros where a row has none
    signs: Signs  # [d / 64, n] sign bits of the vectors
    has_vector: Mask  # [n]
    before: Seqs  # [n] position of the previous row of the same session, -1: none (may be a deleted row)
    after: Seqs  # [n] position of the next one; read it through `neighbours`
    namespaces: Sequence[Namespace]
    sessions: Sequence[tuple[Namespace, str]]  # a session name belongs to its namespace
    speakers: Sequence[str]
    kinds: Sequence[str]
    position: int  # outbox position that this view shows

    def __len__(self) -> int:
        return len(self.seq)

    def visible(
        self,
        namespace: Namespace = (),
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        sources: Sequence[SourceKind] = (),
        kinds: Sequence[str] = (),
        session: str | None = None,
        min_trust: float = 0.0,
        statuses: Sequence[Status] = ("active",),
        exact_namespace: bool = False,
    ) -> Mask:
        """[n] True for rows that pass every filter.

        A namespace sees itself and everything below it (() sees the whole bank), with ``exact_namespace`` only itself.
        Times filter the event time: ``since`` inclusive, ``until`` exclusive. Empty ``sources`` and ``kinds`` mean all.
        """
        mask = self.live & _among(self.status, [STATUSES.index(status) for status in statuses])
        if exact_namespace:
            mask &= _among(self.namespace, [at for at, own in enumerate(self.namespaces) if own == namespace])
        elif namespace:
            depth = len(namespace)
            inside = np.fromiter((own[:depth] == namespace for own in self.namespaces), bool, len(self.namespaces))
            mask &= inside.take(self.namespace)
        if since is not None:
            mask &= self.event_time >= micros(since)
        if until is not None:
            mask &= self.event_time < micros(until)
        if sources:
            mask &= _among(self.source, [SOURCE_KINDS.index(source) for source in sources])
        if kinds:
            mask &= _among(self.kind, [at for at, kind in enumerate(self.kinds) if kind in kinds])
        if session is not None:
            mask &= np.isin(self.session, [code for code, (_, name) in enumerate(self.sessions) if name == session])
        if min_trust > 0.0:
            mask &= self.trust >= np.float32(min_trust)
        return mask

    def positions(self, seqs: Seqs | Sequence[int]) -> Seqs:
        """Positions of seqs, -1 for those that are not here or deleted."""
        wanted = np.asarray(seqs, dtype=np.int64)
        if not len(self.seq):
            return np.full(len(wanted), -1, dtype=np.int64)
        found = np.minimum(np.searchsorted(self.seq, wanted), len(self.seq) - 1)
        return np.where((self.seq[found] == wanted) & self.live[found], found, -1)

    def neighbours(self, positions: Seqs | Sequence[int], reach: int = 1) -> Seqs:
        """[m, 2 * reach] live rows around each position in its session, -reach .. -1, 1 .. reach; -1: there is none."""
        start = np.asarray(positions, dtype=np.int64)
        out = np.full((len(start), 2 * reach), -1, dtype=np.int64)
        for sign, links in ((-1, self.before), (1, self.after)):
            here = start
            for step in range(1, reach + 1):
                here = self._follow(here, links)
                out[:, reach - step if sign < 0 else reach + step - 1] = here
        return out

    def _follow(self, here: Seqs, links: Seqs) -> Seqs:
        """One live row further along the links."""
        here = self._step(here, links)
        while (dead := (here >= 0) & ~self.live[here]).any():
            here[dead] = self._step(here[dead], links)
        return here

    def _step(self, here: Seqs, links: Seqs) -> Seqs:
        there = np.where(here >= 0, links[here], -1)
        return np.where(there < len(self.seq), there, -1)  # a link may lead to a row past the end of this view


def _among(codes: NDArray[Any], wanted: Sequence[int]) -> Mask:
    """[n] whether each code is one of a few; many times faster than np.isin."""
    found = np.zeros(len(codes), dtype=np.bool_)
    for code in wanted:
        found |= codes == code
    return found
