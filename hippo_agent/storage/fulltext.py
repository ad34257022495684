"""BM25 over SQLite's FTS5. No user text is ever a query language: every term is a quoted string, joined by OR.

Common words cost most and tell least, so a match reads at most a fixed number of postings: the rarest terms first.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence

import numpy as np

from hippo_agent.storage.base import Allowed, Scores, Seqs
from hippo_agent.storage.database import Database
from hippo_agent.storage.migrations import TOKENIZER

__all__ = ["FullText", "quote"]

_POSTINGS = 12_000  # read per match at most (the rarest term is always read): about 10 ms
_DRIFT = 0.02  # a document frequency is looked up again when the bank has changed by this share


def quote(term: str) -> str:
    """A term as an FTS5 string: never an operator, a column name or a prefix."""
    return '"' + term.replace("\x00", " ").encode("utf-8", "replace").decode().replace('"', '""') + '"'


class FullText:
    """Searching and counting terms; the triggers of the schema keep the index itself."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stems = _Stemmer()
        self._frequency: dict[str, int] = {}  # by stem
        self._counted_at = 0  # outbox position when the cache was started

    def match(self, terms: Sequence[str], *, limit: int, allowed: Allowed | None = None) -> tuple[Seqs, Scores]:
        """The best ``limit`` traces for an OR of terms; ``allowed`` holds before the cut."""
        query = self._query(terms)
        if not query or limit < 1:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        wanted = limit if allowed is None else 4 * limit
        while True:
            seqs, scores = self._ranked(query, wanted)
            exhausted = wanted < 0 or len(seqs) < wanted
            if allowed is not None:
                keep = allowed(seqs)
                seqs, scores = seqs[keep], scores[keep]
            if exhausted or len(seqs) >= limit:
                return seqs[:limit], scores[:limit]
            wanted = 4 * wanted if wanted < 16 * limit else -1

    def document_frequency(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many traces each term occurs; counts may lag behind the bank by two percent."""
        stems = {term: self._stems(term) for term in terms}
        counts = self._count({stem for found in stems.values() for stem in found})
        return {term: min((counts[stem] for stem in found), default=0) for term, found in stems.items()}

    def forget_counts(self) -> None:
        """Look every frequency up anew."""
        self._frequency.clear()

    def _query(self, terms: Sequence[str]) -> str:
        frequency = self.document_frequency(list(dict.fromkeys(terms)))
        chosen: list[str] = []
        postings = 0
        for term, count in sorted(frequency.items(), key=lambda item: item[1]):
            if not count:
                continue
            if chosen and postings + count > _POSTINGS:
                break
            chosen.append(quote(term))
            postings += count
        return " OR ".join(chosen)

    def _ranked(self, query: str, limit: int) -> tuple[Seqs, Scores]:
        with self._database.read() as connection:
            found = connection.execute(
                "SELECT rowid, rank FROM fulltext WHERE fulltext MATCH ? ORDER BY rank LIMIT ?", (query, limit)
            ).fetchall()
        seqs = np.fromiter((row[0] for row in found), np.int64, len(found))
        return seqs, np.fromiter((-row[1] for row in found), np.float32, len(found))

    def _count(self, stems: set[str]) -> dict[str, int]:
        with self._database.read() as connection:
            position = int(connection.execute("SELECT ifnull(max(position), 0) FROM outbox").fetchone()[0])
            if position - self._counted_at > _DRIFT * self._counted_at or len(self._frequency) > 100_000:
                self._frequency.clear()
                self._counted_at = position
            missing = stems - self._frequency.keys()
            if missing:
                connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.term USING fts5vocab (main, fulltext, row)")
                for stem in missing:
                    row = connection.execute("SELECT doc FROM temp.term WHERE term = ?", (stem,)).fetchone()
                    self._frequency[stem] = row[0] if row else 0
            return {stem: self._frequency[stem] for stem in stems}


class _Stemmer:
    """The tokens that the index makes of a term, by asking the same tokenizer in a database of its own."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._connection.execute(f"CREATE VIRTUAL TABLE word USING fts5 (text, content = '', tokenize = '{TOKENIZER}')")
        self._connection.execute("CREATE VIRTUAL TABLE token USING fts5vocab (word, instance)")

    def __call__(self, term: str) -> tuple[str, ...]:
        with self._lock:
            found = self._known.get(term)
            if found is None:
                if len(self._known) > 100_000:
                    self._known.clear()
                found = self._known[term] = self._tokenize(term.replace("\x00", " ").encode("utf-8", "replace").decode())
            return found

    def _tokenize(self, term: str) -> tuple[str, ...]:
        self._connection.execute("INSERT INTO word (rowid, text) VALUES (1, ?)", (term,))
        found = self._connection.execute("SELECT term FROM token ORDER BY offset").fetchall()
        self._connection.execute("INSERT INTO word (word) VALUES ('delete-all')")
        return tuple(row[0] for row in found)
