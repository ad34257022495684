"""The words of a bank as they are written, with how many traces have them: what a misspelt cue is corrected against.

Loaded at first use and then followed by seq. Deleted traces keep their words in it until many are gone, so check a
correction against `RecordStore.document_frequency` before it is used or shown.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Mapping

from hippo_agent.storage.record import SqliteRecord

__all__ = ["Vocabulary"]

_WORD = re.compile(r"\w+")
_BATCH = 5000
_GONE_SHARE = 0.02  # of the traces deleted: the words are counted anew


class Vocabulary:
    """Surface words, lower case, by document frequency. Thread-safe."""

    def __init__(self, record: SqliteRecord) -> None:
        self._database = record.database
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._words: Counter[str] = Counter()
        self._last = 0  # seq of the last trace counted
        self._counted = self._gone = self._position = 0

    def words(self) -> Mapping[str, int]:
        """Every word with the number of traces that have it; live, so do not keep it across writes of other threads."""
        with self._lock, self._database.snapshot() as connection:
            query = "SELECT max(position), sum(op = 'delete') FROM outbox WHERE position > ?"
            position, gone = connection.execute(query, (self._position,)).fetchone()
            if position is None:
                return self._words
            self._gone += gone
            if self._gone > _GONE_SHARE * self._counted:
                self._clear()
            self._position = position
            query = "SELECT seq, text FROM trace WHERE seq > ? ORDER BY seq"
            cursor = connection.execute(query, (self._last,))
            while found := cursor.fetchmany(_BATCH):
                for _, text in found:
                    self._words.update(set(_WORD.findall(text.lower())))
                self._last = found[-1][0]
                self._counted += len(found)
            return self._words
