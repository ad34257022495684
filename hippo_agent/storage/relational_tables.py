"""Tables of the relational store: entities, facts, where they were said, and why they were let in.

A fact row is a claim (subject, predicate, object, denied or not); a `statement` row is one trace saying it. Statements
go with their trace (ON DELETE CASCADE); a fact without statements and without parents goes with its last statement, by
the store. Nothing is overwritten: a value that is no longer true gets ``invalid_at``. Times are microseconds since
1970, UTC.
"""

from __future__ import annotations

import sqlite3

__all__ = ["m002_relational", "m005_facts_read"]


def m002_relational(connection: sqlite3.Connection) -> None:
    """Entities, aliases, merges, facts, statements, derivations, promotion log, and how far the outbox was followed."""
    for statement in _TABLES.split(";;"):
        connection.execute(statement)


def m005_facts_read(connection: sqlite3.Connection) -> None:
    """Vectors of facts, and which traces were read for facts; those with a statement were."""
    for statement in _READ.split(";;"):
        connection.execute(statement)


_READ = """
CREATE TABLE fact_vector (
    fact INTEGER PRIMARY KEY REFERENCES fact (id) ON DELETE CASCADE,
    embedder_id TEXT NOT NULL,
    vec BLOB NOT NULL
) STRICT
;;
CREATE TABLE read_trace (trace INTEGER PRIMARY KEY REFERENCES trace (seq) ON DELETE CASCADE) STRICT
;;
INSERT INTO read_trace SELECT DISTINCT trace FROM statement
"""

_TABLES = """
CREATE TABLE entity (
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL DEFAULT '',
    UNIQUE (namespace, key)
) STRICT
;;
CREATE TABLE entity_merge (
    number INTEGER PRIMARY KEY,
    loser INTEGER NOT NULL UNIQUE REFERENCES entity (id) ON DELETE CASCADE,
    winner INTEGER NOT NULL REFERENCES entity (id) ON DELETE CASCADE,
    time INTEGER NOT NULL,
    evidence TEXT NOT NULL
) STRICT
;;
CREATE INDEX entity_merge_winner ON entity_merge (winner)
;;
CREATE TABLE fact (
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    subject INTEGER NOT NULL REFERENCES entity (id),
    predicate TEXT NOT NULL,
    object INTEGER NOT NULL REFERENCES entity (id),
    denied INTEGER NOT NULL CHECK (denied IN (0, 1)),
    status TEXT NOT NULL CHECK (status IN ('active', 'deferred')),
    valid_at INTEGER,
    invalid_at INTEGER,
    recorded_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    UNIQUE (namespace, subject, predicate, object, denied)
) STRICT
;;
CREATE INDEX fact_subject ON fact (subject, predicate)
;;
CREATE INDEX fact_object ON fact (object)
;;
CREATE INDEX fact_predicate ON fact (predicate)
;;
CREATE TABLE statement (
    fact INTEGER NOT NULL REFERENCES fact (id) ON DELETE CASCADE,
    trace INTEGER NOT NULL REFERENCES trace (seq) ON DELETE CASCADE,
    trace_id TEXT NOT NULL,
    span_start INTEGER NOT NULL,
    span_end INTEGER NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_until INTEGER,
    said_at INTEGER NOT NULL,
    confidence REAL NOT NULL,
    trust REAL NOT NULL,
    principal TEXT NOT NULL,
    qualifiers TEXT NOT NULL,
    PRIMARY KEY (fact, trace, span_start)
) STRICT
;;
CREATE INDEX statement_trace ON statement (trace)
;;
CREATE TABLE derivation (
    child INTEGER NOT NULL REFERENCES fact (id) ON DELETE CASCADE,
    parent INTEGER NOT NULL REFERENCES fact (id) ON DELETE CASCADE,
    PRIMARY KEY (child, parent)
) STRICT
;;
CREATE INDEX derivation_parent ON derivation (parent)
;;
CREATE TABLE promotion (
    number INTEGER PRIMARY KEY,
    fact INTEGER NOT NULL REFERENCES fact (id) ON DELETE CASCADE,
    time INTEGER NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('route', 'aggregate', 'defer')),
    reasons TEXT NOT NULL
) STRICT
;;
CREATE INDEX promotion_fact ON promotion (fact)
;;
CREATE TABLE relational_state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT
"""
