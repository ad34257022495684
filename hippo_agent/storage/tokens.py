"""The terms that the full-text index makes of a text, by asking the same tokenizer."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

from hippo_agent.storage.migrations import TOKENIZER

__all__ = ["Tokenizer"]

_KEPT = 100_000  # words whose terms are remembered


class Tokenizer:
    """SQLite's own tokenizer, in an empty database of its own."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._connection.execute(
            f"CREATE VIRTUAL TABLE document USING fts5 (text, content = '', tokenize = '{TOKENIZER}')"
        )
        self._connection.execute("CREATE VIRTUAL TABLE term USING fts5vocab (document, instance)")

    def terms(self, word: str) -> tuple[str, ...]:
        """The terms of a word, in order: usually one, several for "2023-05-07", none for "!"."""
        with self._lock:
            found = self._known.get(word)
            if found is None:
                if len(self._known) >= _KEPT:
                    self._known.clear()
                rows = self._split([(1, _storable(word))], "SELECT term FROM term ORDER BY offset")
                found = self._known[word] = tuple(row[0] for row in rows)
            return found

    def counts(self, texts: Iterable[tuple[int, str]]) -> dict[int, Counter[str]]:
        """How often each term occurs in each of many numbered texts."""
        with self._lock:
            numbered = [(number, _storable(text)) for number, text in texts]
            found: dict[int, Counter[str]] = {number: Counter() for number, _ in numbered}
            for number, term in self._split(numbered, "SELECT doc, term FROM term"):
                found[number][term] += 1
            return found

    def _split(self, texts: list[tuple[int, str]], query: str) -> list[tuple[Any, ...]]:
        self._connection.execute("BEGIN")
        try:
            self._connection.executemany("INSERT INTO document (rowid, text) VALUES (?, ?)", texts)
            return self._connection.execute(query).fetchall()
        finally:
            self._connection.execute("ROLLBACK")


def _storable(text: str) -> str:
    return text.replace("\x00", " ").encode("utf-8", "replace").decode()
