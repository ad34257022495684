"""The schema and how it came about: each step runs once, in one transaction with its own record.

Steps are never edited after a release; a change is a new step at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, timezone

from hippo_agent.errors import MigrationError
from hippo_agent.storage.item_tables import m004_items
from hippo_agent.storage.lesson_tables import m006_lessons, m008_lessons_of_places
from hippo_agent.storage.places import m003_places
from hippo_agent.storage.quarantine import m007_quarantine
from hippo_agent.storage.relational_tables import m002_relational, m005_facts_read

__all__ = ["APPLICATION_ID", "MIGRATIONS", "TOKENIZER", "apply", "schema_version"]

#: "hipp" in ASCII: the mark in the file header that tells our databases from everybody else's.
APPLICATION_ID = 0x68697070

#: How full text is cut into terms: Unicode words without accents, English endings removed.
TOKENIZER = "porter unicode61"

Migration = Callable[[sqlite3.Connection], None]


def m001_record(connection: sqlite3.Connection) -> None:
    """Traces with their vectors, full text, observations, outbox, tombstones, ledger and small state."""
    for statement in _RECORD.split(";;"):
        connection.execute(statement)


# seq is the order of everything. Small columns come first and the vector last, so that a scan that wants no vectors
# reads no overflow pages. Full text is written by the record, not by a trigger, for SQLite allows no virtual table in a
# trigger while the schema is not trusted. Times are microseconds since 1970 in UTC; namespace, slots, meta and parents
# are JSON.
_RECORD = f"""
CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT
;;
CREATE TABLE trace (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    status TEXT NOT NULL CHECK (status IN ('active', 'deferred', 'quarantined')),
    strength REAL NOT NULL DEFAULT 1.0 CHECK (strength >= 1.0),
    repeats INTEGER NOT NULL DEFAULT 0 CHECK (repeats >= 0),
    last_used INTEGER,
    state_hash BLOB NOT NULL,
    row_hash BLOB NOT NULL,
    id TEXT NOT NULL UNIQUE,
    namespace TEXT NOT NULL,
    session TEXT,
    speaker TEXT,
    kind TEXT NOT NULL,
    key TEXT,
    source TEXT NOT NULL,
    principal TEXT,
    trust REAL NOT NULL CHECK (trust BETWEEN 0.0 AND 1.0),
    parents TEXT NOT NULL,
    t_event INTEGER NOT NULL,
    t_write INTEGER NOT NULL,
    salience REAL NOT NULL,
    reward REAL NOT NULL,
    pinned INTEGER NOT NULL CHECK (pinned IN (0, 1)),
    words INTEGER NOT NULL,
    text TEXT NOT NULL,
    slots TEXT NOT NULL,
    meta TEXT NOT NULL,
    slot_codes BLOB NOT NULL,
    dim INTEGER NOT NULL,
    embedder_id TEXT,
    vec BLOB,
    CHECK ((vec IS NULL) = (embedder_id IS NULL) AND ifnull(length(vec), 0) = 4 * dim)
) STRICT
;;
CREATE UNIQUE INDEX trace_key ON trace (namespace, key) WHERE key IS NOT NULL
;;
CREATE INDEX trace_waiting ON trace (status) WHERE status <> 'active'
;;
CREATE INDEX trace_unembedded ON trace (seq) WHERE vec IS NULL
;;
CREATE VIRTUAL TABLE fulltext USING fts5
    (text, speaker, content = 'trace', content_rowid = 'seq', tokenize = '{TOKENIZER}')
;;
CREATE TRIGGER trace_inserted AFTER INSERT ON trace BEGIN
    INSERT INTO outbox (op, seq) VALUES ('put', new.seq);
END
;;
CREATE TRIGGER trace_deleted AFTER DELETE ON trace BEGIN
    INSERT INTO outbox (op, seq) VALUES ('delete', old.seq);
END
;;
CREATE TRIGGER trace_changed AFTER UPDATE OF status, slot_codes, vec ON trace BEGIN
    INSERT INTO outbox (op, seq) VALUES ('put', new.seq);
END
;;
CREATE TABLE outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    op TEXT NOT NULL CHECK (op IN ('put', 'delete')),
    seq INTEGER NOT NULL
) STRICT
;;
CREATE TABLE observation (
    number INTEGER PRIMARY KEY,
    trace_seq INTEGER NOT NULL REFERENCES trace (seq) ON DELETE CASCADE,
    namespace TEXT NOT NULL,
    key TEXT,
    t_write INTEGER NOT NULL,
    row_hash BLOB NOT NULL,
    event TEXT NOT NULL
) STRICT
;;
CREATE INDEX observation_trace ON observation (trace_seq)
;;
CREATE UNIQUE INDEX observation_key ON observation (namespace, key) WHERE key IS NOT NULL
;;
CREATE TABLE tombstone (id TEXT PRIMARY KEY, time INTEGER NOT NULL, reason TEXT NOT NULL) STRICT
;;
CREATE TABLE ledger (
    generation INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    base_hash TEXT NOT NULL,
    config_hash TEXT NOT NULL,
    seed INTEGER NOT NULL,
    trace_ids TEXT NOT NULL,
    digest TEXT NOT NULL
) STRICT
;;
CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT
;;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT
;;
CREATE TABLE decision (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    decision TEXT NOT NULL,
    reasons TEXT NOT NULL,
    salience REAL NOT NULL,
    digest TEXT NOT NULL
) STRICT
"""

MIGRATIONS: tuple[Migration, ...] = (
    m001_record,
    m002_relational,
    m003_places,
    m004_items,
    m005_facts_read,
    m006_lessons,
    m007_quarantine,
    m008_lessons_of_places,
)


def schema_version(connection: sqlite3.Connection) -> int:
    """How many migrations this database has seen."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def apply(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the schema up to date; a step that fails is rolled back whole and raises MigrationError."""
    newest = len(migrations)
    if schema_version(connection) > newest:
        found = schema_version(connection)
        raise MigrationError(f"the memory has format {found}, this version reads up to {newest}; upgrade hippo-agent")
    while schema_version(connection) < newest:
        connection.execute("BEGIN IMMEDIATE")
        try:
            number = schema_version(connection) + 1
            if number > newest:  # another process was quicker
                connection.execute("ROLLBACK")
                continue
            step = migrations[number - 1]
            step(connection)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute(
                "INSERT INTO migration (number, name, applied_at) VALUES (?, ?, ?)",
                (number, step.__name__, datetime.now(timezone.utc).isoformat()),
            )
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise MigrationError(f"migration {number} failed and was rolled back: {error}") from error
            raise
