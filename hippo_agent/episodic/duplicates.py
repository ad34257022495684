"""Near-duplicates that the write gate could not see: imports, parallel writers, texts that got their vector later.

The rule is the gate's own (`same_event.difference`), and the older trace keeps the event. Left alone are pinned traces,
and pairs that differ in who vouched for them, in trust, in kind or in privacy.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator

import numpy as np

from hippo_agent.episodic.same_event import Neighbour, difference
from hippo_agent.storage.base import Mask
from hippo_agent.storage.columns import Columns
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.signs import alike
from hippo_agent.types import Event, Namespace, Trace

__all__ = ["duplicates", "event_of"]

_CANDIDATES = 32  # stored vectors whose exact cosine is looked at


def duplicates(
    record: SqliteRecord,
    columns: Columns,
    seqs: Iterable[int],
    *,
    least_cosine: float,
    keep: Container[str] = (),
    apart: Callable[[Trace, Trace], bool] = lambda older, newer: False,
) -> Iterator[tuple[Trace, Trace]]:
    """(older, newer) pairs that tell of the same event, of which at least one is among ``seqs``; all traces as stored.

    No trace is the newer one twice, nor an older one after it was a newer one. ``keep``: ids that may not go;
    ``apart``: (older, newer) may not become one.
    """
    gone: set[int] = set()
    masks: dict[Namespace, Mask] = {}
    for seq in sorted(set(seqs)):
        at = int(columns.positions([seq])[0])
        if seq in gone or at < 0 or not columns.has_vector[at]:
            continue
        space = columns.namespaces[columns.namespace[at]]
        if space not in masks:
            masks[space] = columns.visible(space, exact_namespace=True) & columns.has_vector
        mask = masks[space]
        if not mask[at]:  # not active
            continue
        mask[at] = False
        rows = alike(columns.signs, columns.signs[:, at], _CANDIDATES, mask)
        mask[at] = True
        cosines = columns.vectors[rows] @ columns.vectors[at]
        near = [(int(columns.seq[row]), float(cos), int(row)) for row, cos in zip(rows, cosines, strict=True)]
        near = [one for one in near if one[1] >= least_cosine]
        if not near:
            continue
        traces = record.by_seq([seq, *(one[0] for one in near)])
        for other, cosine, row in sorted(near, key=lambda one: (one[0] > seq, -one[1], one[0])):
            older, newer = traces.get(min(seq, other)), traces.get(max(seq, other))
            if older is None or newer is None or newer.id in keep or not _one_source(older, newer):
                continue
            if difference(event_of(newer), Neighbour.of(older, cosine), least_cosine=least_cosine) is not None:
                continue
            if apart(older, newer):
                continue
            yield older, newer
            gone.add(newer.seq)
            mask[at if newer.seq == seq else row] = False
            if newer.seq == seq:
                break


def event_of(trace: Trace) -> Event:
    """The event that became this trace."""
    return Event(
        text=trace.text,
        namespace=trace.namespace,
        provenance=trace.provenance,
        speaker=trace.speaker,
        event_time=trace.event_time,
        kind=trace.kind,
        key=trace.key,
        pin=trace.pinned,
        reward=trace.reward,
        slots=trace.slots,
        meta=trace.meta,
    )


def _one_source(older: Trace, newer: Trace) -> bool:
    a, b = older.provenance, newer.provenance
    return (
        not (older.pinned or newer.pinned)
        and older.status == newer.status == "active"
        and bool(np.isclose(a.trust, b.trust))
        and a.principal == b.principal
        and older.kind == newer.kind
        and older.meta.get("consolidate") == newer.meta.get("consolidate")
    )
