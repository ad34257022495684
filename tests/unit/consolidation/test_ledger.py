"""The ledger: what was taught, until a trace of it is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from hippo_agent import HashingEmbedder, Memory
from hippo_agent.consolidation.ledger import Ledger, Taught
from hippo_agent.storage.record import SqliteRecord
from tests.unit.consolidation.conftest import item


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Memory(tmp_path / "bank", embedder=HashingEmbedder(quiet=True), new_id=iter("abc").__next__) as memory:
        memory.write("Orla lives in Tarn.")
        memory.write("Bram told me that Orla lives in Tarn, by the lake.")
    return tmp_path / "bank"


def test_lessons_come_back_as_they_were_taught(folder: Path) -> None:
    taught = Taught(item=item(traces=("a", "b")), card='{"due": "tomorrow"}', night=3, dose=4.0)
    with SqliteRecord(folder) as record:
        Ledger(record.database, ()).save([taught])
        assert Ledger(record.database, ()).lessons() == {taught.item.key: taught}
        assert Ledger(record.database, ("other",)).lessons() == {}


def test_a_lesson_falls_with_the_first_of_its_traces(folder: Path) -> None:
    both, one = item("Orla", traces=("a", "b")), item("Bram", traces=("a",))
    with SqliteRecord(folder) as record:
        ledger = Ledger(record.database, ())
        ledger.save([Taught(item=each, card="{}", night=1, dose=1.0) for each in (both, one)])
        record.delete(["b"], reason="asked to")
        assert list(ledger.lessons()) == [one.key]
        assert ledger.missing(["a", "b"]) == {"b"}
        with record.database.read() as connection:
            assert connection.execute("SELECT count(*) FROM lesson_trace").fetchone() == (1,)


def test_a_lesson_of_a_forgotten_trace_is_not_taken_in(folder: Path) -> None:
    with SqliteRecord(folder) as record:
        ledger = Ledger(record.database, ())
        ledger.save([Taught(item=item(traces=("a", "gone")), card="{}", night=1, dose=1.0)])
        assert ledger.lessons() == {}


def test_what_holds_no_more_is_dropped_and_what_was_taught_again_keeps_its_night(folder: Path) -> None:
    old, kept = item("Orla", traces=("a",)), item("Bram", traces=("b",))
    with SqliteRecord(folder) as record:
        ledger = Ledger(record.database, ())
        ledger.save([Taught(item=each, card="{}", night=1, dose=1.0) for each in (old, kept)])
        ledger.save([Taught(item=kept, card='{"again": 1}', night=2, dose=8.0)], dropped=[old.key])
        [left] = ledger.lessons().values()
        assert (left.item, left.card, left.night, left.dose) == (kept, '{"again": 1}', 1, 8.0)
