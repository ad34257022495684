"""Which traces a request to forget means: every condition that is given must hold. Text is data, never a query."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from hippo_agent.errors import InvalidInput, TraceNotFound
from hippo_agent.storage.rows import load_namespace, micros
from hippo_agent.types import Namespace

__all__ = ["Selector", "chosen", "parents", "resting_on", "spaces_below"]

_WORD = re.compile(r"\w+")
_CHUNK = 500  # values per IN list


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """What to forget. At least one condition besides ``scope`` is needed."""

    trace_ids: tuple[str, ...] = ()
    query: str | None = None  # traces that have all of its words, in the text, the speaker or a repeat
    principal: str | None = None  # who vouched for them
    namespace: Namespace | None = None  # it and everything below, with its documents and its map
    before: datetime | None = None  # that happened before
    scope: Namespace = ()  # where query, principal and before look

    def __post_init__(self) -> None:
        if not self.trace_ids and all(
            value is None for value in (self.query, self.principal, self.namespace, self.before)
        ):
            raise InvalidInput("nothing is named; give a trace_id, a query, a principal, a namespace or a time")
        if self.query is not None and not _WORD.search(self.query):
            raise InvalidInput(f"the query {self.query!r} has no word; name what should be forgotten")

    @property
    def whole_namespace(self) -> Namespace | None:
        """The namespace when all of it is meant: its documents and its map go too."""
        others = self.trace_ids or self.query or self.principal or self.before
        return None if others else self.namespace


def chosen(connection: sqlite3.Connection, selector: Selector) -> list[str]:
    """Ids of the traces meant, oldest first, quarantined ones included. Raises TraceNotFound for an unknown id."""
    conditions, values = ["1"], list[object]()
    if selector.trace_ids:
        known = _among(connection, "SELECT id FROM trace WHERE id IN", selector.trace_ids)
        if unknown := [one for one in selector.trace_ids if one not in known]:
            raise TraceNotFound(f"no trace {unknown[0]!r}: it was never written, or it was forgotten")
        conditions.append("id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(selector.trace_ids))
    inside = selector.namespace
    if inside is None and not selector.trace_ids:
        inside = selector.scope
    if inside:
        conditions.append("namespace IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(spaces_below(connection, "trace", inside)))
    if selector.principal is not None:
        conditions.append("principal = ?")
        values.append(selector.principal)
    if selector.before is not None:
        conditions.append("t_event < ?")
        values.append(micros(selector.before))
    if selector.query is not None:
        conditions.append("seq IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(_having(connection, _WORD.findall(selector.query))))
    rows = connection.execute(f"SELECT id FROM trace WHERE {' AND '.join(conditions)} ORDER BY seq", values)
    return [row[0] for row in rows]


def resting_on(connection: sqlite3.Connection, trace_ids: list[str]) -> list[str]:
    """Traces that were derived from nothing but these, and what was derived from those, oldest first."""
    gone, found = set(trace_ids), list[str]()
    derived = connection.execute("SELECT id, parents FROM trace WHERE parents <> '[]' ORDER BY seq").fetchall()
    while more := [one for one, raw in derived if one not in gone and gone.issuperset(load_namespace(raw))]:
        gone.update(more)
        found += more
    return found


def parents(connection: sqlite3.Connection) -> set[str]:
    """Ids of the traces that others were derived from."""
    rows = connection.execute("SELECT DISTINCT j.value FROM trace, json_each(trace.parents) j WHERE parents <> '[]'")
    return {row[0] for row in rows}


def spaces_below(connection: sqlite3.Connection, table: str, namespace: Namespace) -> list[str]:
    """Namespaces of a table, as stored, that are this one or lie below it."""
    rows = connection.execute(f"SELECT DISTINCT namespace FROM {table}").fetchall()
    return [row[0] for row in rows if tuple(json.loads(row[0]))[: len(namespace)] == namespace]


def _having(connection: sqlite3.Connection, words: list[str]) -> list[int]:
    """Positions of traces that have all words, themselves or in one of their repeats."""
    quoted = " AND ".join(f'"{word}"' for word in words)
    found = {row[0] for row in connection.execute("SELECT rowid FROM fulltext WHERE fulltext MATCH ?", (quoted,))}
    wanted = {word.casefold() for word in words}
    for seq, text in connection.execute("SELECT trace_seq, json_extract(event, '$.text') FROM observation"):
        if wanted <= {word.casefold() for word in _WORD.findall(text)}:
            found.add(seq)
    return sorted(found)


def _among(connection: sqlite3.Connection, query: str, values: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(values), _CHUNK):
        part = values[start : start + _CHUNK]
        found.update(row[0] for row in connection.execute(f"{query} ({', '.join('?' * len(part))})", part))
    return found
