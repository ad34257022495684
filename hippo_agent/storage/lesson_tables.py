"""Tables of the nightly replay: what was taught, and the traces and places each lesson rests on.

A lesson falls with the first of its traces, in the transaction that deletes it: no text of a forgotten trace stays. It
falls in the same way with a place, and with the name that it calls the place by.
"""

from __future__ import annotations

import sqlite3

__all__ = ["m006_lessons", "m008_lessons_of_places"]


def m006_lessons(connection: sqlite3.Connection) -> None:
    """Lessons and their traces; the unused table that was meant for adapters goes: their manifests hold it."""
    for statement in _TABLES.split(";;"):
        connection.execute(statement)


# item and card are JSON; card is that of FSRS; night is the number of the version that taught it first.
_TABLES = """
CREATE TABLE lesson (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    item TEXT NOT NULL,
    card TEXT NOT NULL,
    night INTEGER NOT NULL,
    dose REAL NOT NULL,
    PRIMARY KEY (namespace, key)
) STRICT
;;
CREATE TABLE lesson_trace (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    trace_seq INTEGER NOT NULL REFERENCES trace (seq) ON DELETE CASCADE,
    PRIMARY KEY (namespace, key, trace_seq),
    FOREIGN KEY (namespace, key) REFERENCES lesson (namespace, key) ON DELETE CASCADE
) STRICT
;;
CREATE INDEX lesson_trace_seq ON lesson_trace (trace_seq)
;;
CREATE TRIGGER lesson_lost_a_trace AFTER DELETE ON lesson_trace BEGIN
    DELETE FROM lesson WHERE namespace = old.namespace AND key = old.key;
END
;;
DROP TABLE ledger
"""


def m008_lessons_of_places(connection: sqlite3.Connection) -> None:
    """Places that lessons about ways rest on."""
    for statement in _PLACES.split(";;"):
        connection.execute(statement)


# Places are written by INSERT OR REPLACE, which is an insert to a trigger and no delete. named is what the place's row
# says of its name, as in the row ("title":"Hall"), because a trigger may not use functions of JSON while the schema is
# not trusted; a name that was given ("called") goes before a title.
_PLACES = """
CREATE TABLE lesson_place (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    world INTEGER NOT NULL,
    place TEXT NOT NULL,
    named TEXT NOT NULL,
    PRIMARY KEY (namespace, key, world, place),
    FOREIGN KEY (namespace, key) REFERENCES lesson (namespace, key) ON DELETE CASCADE
) STRICT
;;
CREATE INDEX lesson_place_place ON lesson_place (world, place)
;;
CREATE TRIGGER lesson_lost_a_place AFTER DELETE ON place BEGIN
    DELETE FROM lesson WHERE (namespace, key) IN (
        SELECT namespace, key FROM lesson_place WHERE world = old.world AND place = old.id);
END
;;
CREATE TRIGGER lesson_lost_a_name AFTER INSERT ON place BEGIN
    DELETE FROM lesson WHERE (namespace, key) IN (
        SELECT namespace, key FROM lesson_place WHERE world = new.world AND place = new.id
        AND (instr(new.row, named) = 0 OR (substr(named, 1, 7) = '"title"' AND instr(new.row, '"called":') > 0)));
END
"""
