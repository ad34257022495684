"""What was taught, in the record: each lesson with the traces it rests on, its card and the night that taught it first.

A lesson falls with the first of its traces that is forgotten (in the same transaction, by a trigger); the next night
reads it anew from those that are left. One about a way falls with a place on it, or with that place's name. A version
knows the traces and steps it was made of, so one that knows what is gone is found by asking the record for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from hippo_agent.consolidation.items import Item
from hippo_agent.consolidation.steps import ends, holding, is_step
from hippo_agent.storage.database import Database
from hippo_agent.storage.rows import dump_document
from hippo_agent.types import Namespace

__all__ = ["Ledger", "Taught"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """A lesson of the ledger. ``card`` is FSRS's, as JSON."""

    item: Item
    card: str
    night: int  # number of the version that taught it first
    dose: float


class Ledger:
    """The lessons of one namespace of a bank."""

    def __init__(self, database: Database, namespace: Namespace) -> None:
        self._database = database
        self._space = dump_document(list(namespace))

    def lessons(self) -> dict[str, Taught]:
        """By key, in the order in which they were taught."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT item, card, night, dose FROM lesson WHERE namespace = ? ORDER BY night, key", (self._space,)
            ).fetchall()
        found = [Taught(item=_item(raw), card=card, night=night, dose=dose) for raw, card, night, dose in rows]
        return {taught.item.key: taught for taught in found}

    def save(self, taught: Iterable[Taught], *, dropped: Iterable[str] = ()) -> None:
        """Put lessons and take out what holds no more, in one transaction; those whose traces are gone are left out."""
        with self._database.write() as connection:
            for key in dropped:
                connection.execute("DELETE FROM lesson WHERE namespace = ? AND key = ?", (self._space, key))
            for one in taught:
                item = one.item
                steps = [name for name in item.traces if is_step(name)]
                traces = [name for name in item.traces if not is_step(name)]
                marks = ",".join("?" * len(traces))
                seqs = connection.execute(f"SELECT seq FROM trace WHERE id IN ({marks})", traces).fetchall()
                if len(seqs) < len(traces) or len(holding(connection, steps)) < len(steps):
                    continue
                raw = dump_document({**asdict(item), "said_at": item.said_at.isoformat()})
                connection.execute(
                    "INSERT INTO lesson (namespace, key, item, card, night, dose) VALUES (?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (namespace, key) DO UPDATE SET "
                    "item = excluded.item, card = excluded.card, dose = excluded.dose",
                    (self._space, item.key, raw, one.card, one.night, one.dose),
                )
                connection.executemany(
                    "INSERT OR IGNORE INTO lesson_trace (namespace, key, trace_seq) VALUES (?, ?, ?)",
                    [(self._space, item.key, seq) for (seq,) in seqs],
                )
                connection.executemany(
                    "INSERT OR IGNORE INTO lesson_place (namespace, key, world, place, named) VALUES (?, ?, ?, ?, ?)",
                    [(self._space, item.key, *end) for name in steps for end in ends(connection, name)],
                )

    def missing(self, traces: Iterable[str]) -> frozenset[str]:
        """Which of these trace ids the record no longer has, and which steps the map."""
        rests_on = list(traces)
        wanted = [one for one in rests_on if not is_step(one)]
        with self._database.read() as connection:
            held = holding(connection, filter(is_step, rests_on)) | {
                row[0]
                for start in range(0, len(wanted), 500)
                for row in connection.execute(
                    f"SELECT id FROM trace WHERE id IN ({','.join('?' * len(wanted[start : start + 500]))})",
                    wanted[start : start + 500],
                )
            }
        return frozenset(rests_on) - held


def _item(raw: str) -> Item:
    values: Mapping[str, Any] = json.loads(raw)
    said_at = datetime.fromisoformat(values["said_at"])
    return Item(**{**values, "traces": tuple(values["traces"]), "said_at": said_at})
