"""Is everything still what was written? And what can be mended when it is not.

SQLite's own check does not notice a flipped byte inside a value, so every row carries hashes and all of them are
recomputed here. Nothing is ever deleted: a damaged row is named, and set aside (quarantined) if that is asked for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hippo_agent.errors import StorageError
from hippo_agent.storage.places import damaged_steps, loose_ends, mend
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.rows import IMMUTABLE, STATE, event_hash, length, row_hash, state_hash

__all__ = ["Audited", "IndexAudit", "Verification", "repair", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexAudit:
    """A derived index held against the record."""

    missing: int  # embedded traces that it does not know
    ghosts: int  # traces that it knows and the record does not
    self_recall: float  # share of sampled traces that are found by their own vector


class Audited(Protocol):
    def audit(self) -> IndexAudit: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What `verify` found; ``clean`` when there is nothing to say."""

    traces: int
    record_ok: bool  # SQLite's integrity check, foreign keys included
    problems: tuple[str, ...]  # what SQLite said, at most ten
    row_hash_bad: tuple[str, ...]  # ids of traces (or of the traces of observations) that are not as written
    vectors_bad: tuple[str, ...]  # ids of traces whose vector is not a unit vector of the bank's embedder
    fts_equal: bool  # the full-text index says what the rows say
    outbox_equal: bool  # following the outbox from the start leads to the rows
    orphans: int  # observations without a trace, and forgotten ids that are back
    journal_bad: tuple[str, ...] = ()  # steps of maps ("world/seq") that are not as written
    map_loose: tuple[str, ...] = ()  # rows of maps that do not hold together; repair derives them anew
    index_missing: int = 0
    index_ghosts: int = 0
    self_recall: float = 1.0

    @property
    def clean(self) -> bool:
        bad = (
            self.journal_bad
            or self.map_loose
            or self.row_hash_bad
            or self.vectors_bad
            or self.orphans
            or self.index_missing
            or self.index_ghosts
        )
        return self.record_ok and self.fts_equal and self.outbox_equal and not bad and self.self_recall >= 0.99


def verify(record: SqliteRecord, index: Audited | None = None) -> Verification:
    """Check everything against what is on disk; reads only. Damage is reported, not raised."""
    problems: list[str] = []

    def checked(
        check: Callable[[sqlite3.Connection], tuple[str, ...]], connection: sqlite3.Connection
    ) -> tuple[str, ...]:
        try:
            return check(connection)
        except (
            sqlite3.Error,
            ValueError,
            TypeError,
        ) as error:  # damaged pages or values: said by the check that met them
            problems.append(f"{check.__name__.strip('_')}: {error}")
            return ("?",)

    with record.database.fresh() as connection:
        problems.extend(checked(_integrity, connection))
        row_hash_bad = checked(_row_hashes, connection) + checked(_observation_hashes, connection)
        vectors_bad = checked(_vectors, connection)
        outbox_bad = checked(_outbox, connection)
        words_bad = checked(_indexed_rows, connection)
        orphans = checked(_orphans, connection)
        traces = checked(_count, connection)
        journal_bad = checked(damaged_steps, connection)
        map_loose = checked(loose_ends, connection)
    audit = IndexAudit(missing=0, ghosts=0, self_recall=1.0) if index is None else index.audit()
    return Verification(
        traces=int(traces[0]) if traces[0].isdigit() else -1,
        record_ok=not problems,
        problems=tuple(problems[:10]),
        row_hash_bad=tuple(dict.fromkeys(row_hash_bad)),
        vectors_bad=vectors_bad,
        fts_equal=not words_bad and _words_equal(record),
        outbox_equal=not outbox_bad,
        orphans=len(orphans),
        journal_bad=journal_bad,
        map_loose=map_loose,
        index_missing=audit.missing,
        index_ghosts=audit.ghosts,
        self_recall=audit.self_recall,
    )


def repair(record: SqliteRecord, *, quarantine: bool = False) -> tuple[str, ...]:
    """Rebuild what can be rebuilt from the rows (indexes, full text, outbox); says what was done.

    ``quarantine`` sets damaged rows aside: kept, named by `verify` until they are forgotten, never recalled.
    """
    found = verify(record)
    done: list[str] = []
    with record.database.write(durable=True) as connection:
        if not found.record_ok:
            connection.execute("REINDEX")
            done.append("rebuilt the indexes of the tables")
        if not found.fts_equal:
            connection.execute("INSERT INTO fulltext (fulltext) VALUES ('rebuild')")
            done.append("rebuilt the full-text index")
        if not found.outbox_equal:
            connection.execute(f"INSERT INTO outbox (op, seq) SELECT 'put', seq FROM trace WHERE seq IN ({_UNSAID})")
            connection.execute(f"INSERT INTO outbox (op, seq) SELECT 'delete', seq FROM ({_UNTRUE})")
            done.append("completed the outbox")
        if found.map_loose:
            done.append(f"took {mend(connection)} loose rows out of the maps")
    bad = [trace_id for trace_id in (*found.row_hash_bad, *found.vectors_bad) if trace_id != "?"]
    if quarantine and bad:
        record.set_status(bad, "quarantined")
        done.append(f"set {len(bad)} damaged traces aside")
    return tuple(done)


_LATEST = "SELECT seq, op, max(position) FROM outbox GROUP BY seq"
_UNSAID = f"SELECT trace.seq FROM trace LEFT JOIN ({_LATEST}) said ON said.seq = trace.seq WHERE said.op IS NOT 'put'"
_UNTRUE = f"SELECT seq FROM ({_LATEST}) WHERE op = 'put' AND seq NOT IN (SELECT seq FROM trace)"


def _integrity(connection: sqlite3.Connection) -> tuple[str, ...]:
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(10)") if row[0] != "ok"]
    return tuple(found)


def _row_hashes(connection: sqlite3.Connection) -> tuple[str, ...]:
    query = f"SELECT state_hash, row_hash, {', '.join(STATE[1:])}, {', '.join(IMMUTABLE)} FROM trace ORDER BY seq"
    bad = []
    for state, row, *values in connection.execute(query):
        mutable, immutable = values[: len(STATE) - 1], tuple(values[len(STATE) - 1 :])
        if state_hash(immutable[0], *mutable) != state or row_hash(immutable) != row:
            bad.append(str(immutable[1]))
    return tuple(bad)


def _observation_hashes(connection: sqlite3.Connection) -> tuple[str, ...]:
    query = (
        "SELECT trace.id, o.row_hash, o.trace_seq, o.t_write, o.event "
        "FROM observation o LEFT JOIN trace ON trace.seq = o.trace_seq"
    )
    return tuple(str(row[0]) for row in connection.execute(query) if event_hash(*row[2:]) != row[1])


def _vectors(connection: sqlite3.Connection) -> tuple[str, ...]:
    held = connection.execute(
        "SELECT json_extract(value, '$.id'), json_extract(value, '$.dim') FROM kv WHERE key = 'embedder'"
    ).fetchone()
    bad = []
    for trace_id, embedder_id, dim, vec in connection.execute(
        "SELECT id, embedder_id, dim, vec FROM trace WHERE vec IS NOT NULL"
    ):
        vector = np.frombuffer(vec, "<f4")
        if (embedder_id, dim) != held or len(vector) != dim or not abs(length(vector) - 1.0) < 2e-3:
            bad.append(str(trace_id))
    return tuple(bad)


def _outbox(connection: sqlite3.Connection) -> tuple[str, ...]:
    return tuple(str(row[0]) for query in (_UNSAID, _UNTRUE) for row in connection.execute(query))


def _indexed_rows(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Rows of one of trace and the full-text index that the other does not have."""
    query = (
        "SELECT seq FROM trace WHERE seq NOT IN (SELECT id FROM fulltext_docsize) "
        "UNION ALL SELECT id FROM fulltext_docsize WHERE id NOT IN (SELECT seq FROM trace)"
    )
    return tuple(str(row[0]) for row in connection.execute(query))


def _orphans(connection: sqlite3.Connection) -> tuple[str, ...]:
    query = (
        "SELECT 'observation ' || number FROM observation WHERE trace_seq NOT IN (SELECT seq FROM trace) "
        "UNION ALL SELECT id FROM tombstone WHERE id IN (SELECT id FROM trace)"
    )
    return tuple(str(row[0]) for row in connection.execute(query))


def _count(connection: sqlite3.Connection) -> tuple[str, ...]:
    return (str(connection.execute("SELECT count(*) FROM trace").fetchone()[0]),)


def _words_equal(record: SqliteRecord) -> bool:
    """FTS5's own check of its index against the rows; it needs a connection that may write."""
    if record.read_only:
        return True
    try:
        with record.database.write() as connection:
            connection.execute("INSERT INTO fulltext (fulltext, rank) VALUES ('integrity-check', 1)")
    except StorageError:
        return False
    return True
