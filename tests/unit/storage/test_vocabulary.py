from __future__ import annotations

from pathlib import Path

from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.vocabulary import Vocabulary
from hippo_agent.testing.fakes import new_trace


def test_words_are_counted_by_trace_and_followed(tmp_path: Path) -> None:
    with SqliteRecord(tmp_path) as record:
        vocabulary = Vocabulary(record)
        assert vocabulary.words() == {}
        record.append([new_trace("t1", "Ada, Ada and the violin"), new_trace("t2", "Straße 東京 violin's")])
        assert vocabulary.words() == {"ada": 1, "and": 1, "the": 1, "violin": 2, "straße": 1, "東京": 1, "s": 1}
        record.append([new_trace("t3", "violin")])
        assert vocabulary.words()["violin"] == 3
        record.delete(["t1"], reason="asked")
        assert vocabulary.words() == {"violin": 2, "straße": 1, "東京": 1, "s": 1}
