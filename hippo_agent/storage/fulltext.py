"""BM25 over the full-text index: SQLite keeps the postings, NumPy scores them.

FTS5 needs a microsecond or two per posting to rank; here the postings of a term are read once, kept as arrays and
followed through the outbox, so that a match costs a millisecond or two at 100,000 traces. No text is ever a query
language: a term reaches SQLite only as a bound value. Scores are BM25 (Robertson and Zaragoza, 2009) with Lucene's
non-negative idf.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hippo_agent.storage.base import Allowed, Mask, Scores, Seqs
from hippo_agent.storage.database import Database
from hippo_agent.storage.tokens import Tokenizer

__all__ = ["FullText"]

K1, B = 1.2, 0.75
_POSTINGS = 60_000  # per match at most, the rarest terms first; the rarest is always read
_TAIL = 2_000  # new traces that are followed one by one; more are read anew

Rows = NDArray[np.int32]  # indexes into the documents
Floats = NDArray[np.float32]


class FullText:
    """Words of one bank: which traces match, and how common a term is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tokenizer = Tokenizer()
        self._lock = threading.RLock()
        self._reset()

    def _reset(self) -> None:
        self._position = -1  # outbox position of everything below
        self._seqs: Seqs = np.empty(0, np.int64)  # [n] documents, in seq order
        self._lengths: Floats = np.empty(0, np.float32)  # [n] in terms
        self._live: Mask = np.empty(0, np.bool_)  # [n]
        self._norm: Floats = np.empty(0, np.float32)  # [n] BM25's length norm
        self._total = 0  # live documents
        self._postings: dict[str, tuple[Rows, Floats]] = {}  # term -> documents, occurrences in each
        self._counted: dict[str, int] = {}  # term -> how many documents have it, of terms whose postings are not here

    def match(self, words: Sequence[str], *, limit: int, allowed: Allowed | None = None) -> tuple[Seqs, Scores]:
        """The best ``limit`` traces for an OR of words; ``allowed`` holds before the cut. Ties: the older trace first.

        A word that is cut into several terms ("2023-05-07") matches where all of them occur. When the words are so
        common that there are too many postings, the most common ones are left out.
        """
        with self._lock, self._database.snapshot() as connection:
            self._follow(connection)
            scores = np.zeros(len(self._seqs), np.float32)
            for rows, counts in self._chosen(connection, words):
                having = min(len(rows), self._total)
                idf = np.log1p((self._total - having + 0.5) / (having + 0.5))
                scores[rows] += np.float32(idf * (K1 + 1.0)) * counts / (counts + self._norm[rows])
            scores[~self._live] = 0.0
            found = np.flatnonzero(scores)
            if allowed is not None and len(found):
                found = found[allowed(self._seqs[found])]
            if 0 < limit < len(found):
                found = found[np.argpartition(-scores[found], limit - 1)[:limit]]
            best = found[np.lexsort((found, -scores[found]))][: max(0, limit)]
            return self._seqs[best], scores[best]

    def document_frequency(self, words: Sequence[str]) -> dict[str, int]:
        """In how many traces each word occurs (all terms of it)."""
        with self._lock, self._database.snapshot() as connection:
            self._follow(connection)
            return {word: self._frequency(connection, self._tokenizer.terms(word)) for word in words}

    def _chosen(self, connection: sqlite3.Connection, words: Iterable[str]) -> list[tuple[Rows, Floats]]:
        """Postings of the words, rarest first, within the limit."""
        wanted = {terms for word in words if (terms := self._tokenizer.terms(word))}
        counted = sorted((self._frequency(connection, terms), terms) for terms in wanted)
        chosen: list[tuple[Rows, Floats]] = []
        budget = _POSTINGS
        for count, terms in counted:
            if not count:
                continue
            if chosen and count > budget:
                break
            budget -= count
            chosen.append(self._together(connection, terms))
        return chosen

    def _together(self, connection: sqlite3.Connection, terms: tuple[str, ...]) -> tuple[Rows, Floats]:
        rows, counts = self._term(connection, terms[0])
        for term in terms[1:]:
            others, other_counts = self._term(connection, term)
            rows, left, right = np.intersect1d(rows, others, assume_unique=True, return_indices=True)
            counts = np.minimum(counts[left], other_counts[right])
        return rows, counts

    def _term(self, connection: sqlite3.Connection, term: str) -> tuple[Rows, Floats]:
        held = self._postings.get(term)
        if held is None:
            _attach_vocabulary(connection)
            query = "SELECT group_concat(doc) FROM temp.fulltext_instance WHERE term = ?"  # one row: twice as fast
            seqs = np.fromstring(connection.execute(query, (term,)).fetchone()[0] or "", np.int64, sep=",")
            seqs.sort(kind="stable")  # they are: costs nothing
            first = np.flatnonzero(np.diff(seqs, prepend=-1))
            held = self._postings[term] = (
                np.searchsorted(self._seqs, seqs[first]).astype(np.int32),
                np.diff(first, append=len(seqs)).astype(np.float32),
            )
        return held

    def _frequency(self, connection: sqlite3.Connection, terms: tuple[str, ...]) -> int:
        if len(terms) == 1 and terms[0] not in self._postings:
            if terms[0] not in self._counted:
                _attach_vocabulary(connection)
                found = connection.execute("SELECT doc FROM temp.fulltext_row WHERE term = ?", terms).fetchone()
                self._counted[terms[0]] = int(found[0]) if found else 0
            return self._counted[terms[0]]
        return int(self._live[self._together(connection, terms)[0]].sum()) if terms else 0

    def _follow(self, connection: sqlite3.Connection) -> None:
        """Catch up with the record as the open read transaction sees it."""
        position = int(connection.execute("SELECT ifnull(max(position), 0) FROM outbox").fetchone()[0])
        if position == self._position:
            return
        known = int(self._seqs[-1]) if len(self._seqs) else 0
        changed = connection.execute("SELECT op, seq FROM outbox WHERE position > ?", (self._position,)).fetchall()
        added = sum(op == "put" and seq > known for op, seq in changed)
        if self._position < 0 or added > _TAIL:
            self._reset()
            self._load(connection)
        else:
            gone = np.array([seq for op, seq in changed if op == "delete" and seq <= known], np.int64)
            at = np.searchsorted(self._seqs, gone)
            self._live[at[self._seqs[at] == gone]] = False
            if len(gone):
                self._counted.clear()
            if added:
                query = "SELECT seq, text, speaker FROM trace WHERE seq > ? ORDER BY seq"
                self._extend(connection.execute(query, (known,)).fetchall())
        self._total = int(self._live.sum())
        mean = float(self._lengths[self._live].mean()) if self._total else 1.0
        self._norm = K1 * (1.0 - B + B * self._lengths / np.float32(max(1.0, mean)))
        self._position = position

    def _load(self, connection: sqlite3.Connection) -> None:
        found = connection.execute("SELECT id, sz FROM fulltext_docsize ORDER BY id").fetchall()
        self._seqs = np.fromiter((row[0] for row in found), np.int64, len(found))
        self._lengths = np.fromiter((_sum_varints(row[1]) for row in found), np.float32, len(found))
        self._live = np.ones(len(found), np.bool_)

    def _extend(self, found: list[tuple[int, str, str | None]]) -> None:
        start = len(self._seqs)
        counts = self._tokenizer.counts((seq, f"{text} {speaker or ''}") for seq, text, speaker in found)
        self._seqs = np.concatenate([self._seqs, np.array([row[0] for row in found], np.int64)])
        lengths = [sum(counts[row[0]].values()) for row in found]
        self._lengths = np.concatenate([self._lengths, np.array(lengths, np.float32)])
        self._live = np.concatenate([self._live, np.ones(len(found), np.bool_)])
        new: dict[str, list[tuple[int, int]]] = {}
        for row, (seq, _, _) in enumerate(found, start):
            for term, count in counts[seq].items():
                if term in self._counted:
                    self._counted[term] += 1
                if term in self._postings:
                    new.setdefault(term, []).append((row, count))
        for term, pairs in new.items():
            rows, held = self._postings[term]
            self._postings[term] = (
                np.concatenate([rows, np.array([pair[0] for pair in pairs], np.int32)]),
                np.concatenate([held, np.array([pair[1] for pair in pairs], np.float32)]),
            )


def _attach_vocabulary(connection: sqlite3.Connection) -> None:
    for detail in ("row", "instance"):
        connection.execute(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS temp.fulltext_{detail} USING fts5vocab (main, fulltext, {detail})"
        )


def _sum_varints(blob: bytes) -> int:
    """The sum of SQLite varints (7 bits a byte, high bit: more follows): terms in all columns of a document."""
    total = value = 0
    for byte in blob:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            total += value
            value = 0
    return total
