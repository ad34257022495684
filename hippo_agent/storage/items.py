"""JSON documents by namespace and key, beside the traces: what a framework's key-value store is kept in.

    items.write([ItemWrite(namespace=("ada",), key="food", value={"likes": "figs"}, texts=(("$", "likes figs"),))])
    items.get(("ada",), "food").value
    items.scores([item.number for item in items.under(("ada",))], "what does she eat?")

One `write` is one transaction. A document may expire; its texts may be embedded, each field by itself, and are compared
exactly. Nothing here is gated, merged or recalled: an item is what was put, until it is put again or deleted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_agent.errors import InvalidInput
from hippo_agent.storage.database import Database
from hippo_agent.storage.rows import check_text, dump_document, from_micros, load_namespace, micros
from hippo_agent.types import Namespace

__all__ = ["Embed", "Item", "ItemWrite", "Items", "plain_json"]

#: Texts to vectors [n, d] of any norm; None when no model is here.
Embed = Callable[[Sequence[str]], NDArray[np.float32] | None]

_COLUMNS = "number, namespace, key, value, created_at, updated_at, minutes, expires_at"
_CHUNK = 500  # values per IN list


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemWrite:
    """One document to put, or, with ``value`` None, to delete."""

    namespace: Namespace
    key: str
    value: Mapping[str, Any] | None
    texts: Sequence[tuple[str, str]] = ()  # (field, text) to search by
    minutes: float | None = None  # until it expires, counted anew when it is touched


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One stored document."""

    number: int
    namespace: Namespace
    key: str
    value: dict[str, Any]
    created_at: datetime  # when the key was first put
    updated_at: datetime
    minutes: float | None
    expires_at: datetime | None


class Items:
    """The documents of one bank.

    Args:
        embed: texts to vectors, ``embedder_id`` names it. Texts of another embedder are embedded anew when searched.
        clock: now, timezone-aware.
        redact: a JSON value without what must not be kept, before it is stored, embedded or logged.
    """

    def __init__(
        self,
        database: Database,
        *,
        embed: Embed,
        embedder_id: Callable[[], str],
        clock: Callable[[], datetime],
        redact: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self._redact = redact
        self._database = database
        self._embed = embed
        self._embedder_id = embedder_id
        self._clock = clock

    def searched_by(self, embed: Embed, embedder_id: str) -> Items:
        """The same documents with another embedder."""
        return Items(
            self._database, embed=embed, embedder_id=lambda: embedder_id, clock=self._clock, redact=self._redact
        )

    def write(self, writes: Sequence[ItemWrite]) -> None:
        """Put and delete in order, all or nothing; what has expired goes too.

        Raises InvalidInput (not JSON, not text, a time to live that is no positive number); nothing was changed.
        """
        writes = [self._screened(write) for write in writes]
        prepared = [(write, _value(write), _until(write.minutes)) for write in writes]
        texts = [text for write in writes for _, text in write.texts]
        for write in writes:
            for text in (*write.namespace, write.key, *(part for pair in write.texts for part in pair)):
                check_text(text)
        vectors = iter(self._vectors(texts))
        now = micros(self._clock())
        with self._database.write() as connection:
            connection.execute("DELETE FROM item WHERE expires_at <= ?", (now,))
            for write, value, left in prepared:
                where = (dump_document(write.namespace), write.key)
                if value is None:
                    connection.execute("DELETE FROM item WHERE namespace = ? AND key = ?", where)
                    continue
                expires = None if left is None else now + left
                number = connection.execute(
                    "INSERT INTO item (namespace, key, value, created_at, updated_at, minutes, expires_at) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value, "
                    "updated_at = excluded.updated_at, minutes = excluded.minutes, expires_at = excluded.expires_at "
                    "RETURNING number",
                    (*where, value, now, now, write.minutes, expires),
                ).fetchone()[0]
                connection.execute("DELETE FROM item_text WHERE item = ?", (number,))
                connection.executemany(
                    "INSERT OR REPLACE INTO item_text VALUES (?, ?, ?, ?, ?)",
                    [(number, field, text, *next(vectors)) for field, text in write.texts],
                )

    def _screened(self, write: ItemWrite) -> ItemWrite:
        if write.value is None:
            return write
        _value(write)  # what is no JSON is said before anything is looked into
        texts = tuple((field, self._redact({field: text})[field]) for field, text in write.texts)
        return replace(write, value=self._redact(write.value), texts=texts)

    def get(self, namespace: Namespace, key: str, *, expired: bool = False) -> Item | None:
        """The document under a key; ``expired`` ones count as gone unless asked for."""
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM item WHERE namespace = ? AND key = ? AND {_LIVING}",
                (dump_document(namespace), key, self._horizon(expired)),
            ).fetchone()
        return None if row is None else _item(row)

    def under(
        self, namespace: Namespace = (), *, expired: bool = False, limit: int = -1, offset: int = 0
    ) -> list[Item]:
        """The documents of a namespace and of all below it, the newest first; () sees no reserved ones."""
        own = dump_document(namespace)
        below = own[:-1] + "," if namespace else "["
        hidden = "" if namespace else f"AND {_OPEN}"
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM item WHERE (namespace = ? OR substr(namespace, 1, ?) = ?) AND {_LIVING} "
                f"{hidden} ORDER BY updated_at DESC, number DESC LIMIT ? OFFSET ?",
                (own, len(below), below, self._horizon(expired), limit, offset),
            ).fetchall()
        return [_item(row) for row in rows]

    def namespaces(self) -> list[Namespace]:
        """All namespaces that hold something and are not reserved, in order."""
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT DISTINCT namespace FROM item WHERE {_LIVING} AND {_OPEN}", (self._horizon(False),)
            ).fetchall()
        return sorted(load_namespace(row[0]) for row in rows)

    def scores(self, numbers: Sequence[int], query: str) -> dict[int, float]:
        """Cosine of the query and each document's best text; documents without a vector are left out."""
        found = self._embed([query])
        if found is None:
            return {}
        self._embed_backlog(numbers)
        owners: list[int] = []
        rows: list[bytes] = []
        with self._database.read() as connection:
            for part in _parts(numbers):
                for number, vec in connection.execute(
                    f"SELECT item, vec FROM item_text WHERE embedder_id = ? AND vec IS NOT NULL "
                    f"AND item IN ({', '.join('?' * len(part))})",
                    (self._embedder_id(), *part),
                ):
                    owners.append(number)
                    rows.append(vec)
        if not rows:
            return {}
        vectors = np.frombuffer(b"".join(rows), dtype="<f4").reshape(len(rows), -1)
        cosines = vectors @ _unit(found[0])
        best: dict[int, float] = {}
        for number, cosine in zip(owners, cosines.tolist(), strict=True):
            best[number] = max(best.get(number, -1.0), cosine)
        return best

    def touch(self, numbers: Sequence[int]) -> None:
        """Begin the time to live of these documents anew."""
        now = micros(self._clock())
        with self._database.write() as connection:
            connection.executemany(
                "UPDATE item SET expires_at = ? + CAST(minutes * 60000000 AS INTEGER) "
                "WHERE number = ? AND minutes IS NOT NULL",
                [(now, number) for number in numbers],
            )

    def sweep(self) -> int:
        """Delete what has expired; returns how many."""
        with self._database.write() as connection:
            return connection.execute("DELETE FROM item WHERE expires_at <= ?", (micros(self._clock()),)).rowcount

    def _horizon(self, expired: bool) -> int:
        return -1 if expired else micros(self._clock())

    def _vectors(self, texts: Sequence[str]) -> list[tuple[str | None, bytes | None]]:
        """(embedder, vector) of each text; None without a model, no vector for a text that has no direction."""
        found = self._embed(texts) if texts else None
        if found is None:
            return [(None, None)] * len(texts)
        units = [_unit(row) for row in found]
        return [(self._embedder_id(), row.tobytes() if row.any() else None) for row in units]

    def _embed_backlog(self, numbers: Sequence[int]) -> None:
        """Embed the texts that have no vector of this embedder."""
        waiting: list[tuple[int, str, str]] = []
        with self._database.read() as connection:
            for part in _parts(numbers):
                waiting += connection.execute(
                    f"SELECT item, field, text FROM item_text WHERE embedder_id IS NOT ? "
                    f"AND item IN ({', '.join('?' * len(part))})",
                    (self._embedder_id(), *part),
                ).fetchall()
        if not waiting or self._database.read_only:
            return
        vectors = self._vectors([text for _, _, text in waiting])
        with self._database.write() as connection:
            connection.executemany(
                "UPDATE item_text SET embedder_id = ?, vec = ? WHERE item = ? AND field = ? AND text = ?",
                [(*vector, *row) for vector, row in zip(vectors, waiting, strict=True)],
            )


_LIVING = "(expires_at IS NULL OR expires_at > ?)"
_OPEN = """namespace NOT LIKE '[".%'"""  # a first label that begins with a dot is reserved: seen only when named


def _item(row: Sequence[Any]) -> Item:
    number, namespace, key, value, created_at, updated_at, minutes, expires_at = row
    return Item(
        number=number,
        namespace=load_namespace(namespace),
        key=key,
        value=json.loads(value),
        created_at=from_micros(created_at),
        updated_at=from_micros(updated_at),
        minutes=minutes,
        expires_at=None if expires_at is None else from_micros(expires_at),
    )


def plain_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """The value as plain dicts and lists; InvalidInput for what JSON cannot hold as it is."""
    try:
        found: dict[str, Any] = _plain(value, where="value")
    except RecursionError as error:
        raise InvalidInput("value is nested too deeply; flatten it") from error
    return found


def _value(write: ItemWrite) -> str | None:
    return None if write.value is None else dump_document(plain_json(write.value))


def _plain(value: object, *, where: str) -> Any:
    """The value with dicts and lists for mappings and tuples; keys are strings and nothing is converted in silence."""
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise InvalidInput(f"{where} has the key {key!r}; JSON keys are strings")
        return {key: _plain(inner, where=f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, where=f"{where}[{at}]") for at, inner in enumerate(value)]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise InvalidInput(f"{where} is {value!r}, not JSON; pass str, numbers, bool, None, lists and dicts")


def _until(minutes: float | None) -> int | None:
    """Microseconds to live."""
    if minutes is None:
        return None
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float)) or not 0 < minutes < math.inf:
        raise InvalidInput(f"the time to live must be a positive number of minutes or None, not {minutes!r}")
    return int(minutes * 60_000_000)


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 [d] of norm 1; zeros stay."""
    wide = np.asarray(vector, dtype=np.float64)
    norm = float(np.linalg.norm(wide))
    if not math.isfinite(norm):
        raise InvalidInput("the embedder gave a vector with NaN or infinity; correct the embedder")
    return np.asarray(wide / norm if norm else wide, dtype="<f4")


def _parts(numbers: Sequence[int]) -> list[Sequence[int]]:
    return [numbers[start : start + _CHUNK] for start in range(0, len(numbers), _CHUNK)]
