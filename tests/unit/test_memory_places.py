"""`Memory` with a map: what is written somewhere comes back there, and is forgotten everywhere."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hippo_agent import Config, Event, GateConfig, HashingEmbedder, Memory, RecallConfig
from hippo_agent.errors import InvalidInput, ReadOnlyMemory, StorageError
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.testing.fakes import EPOCH, FakeClock
from hippo_agent.tools import memory_tools

HALL = "Hall\nPortraits stare down from the walls of this long room. Doors lead north and east."
KITCHEN = "Kitchen\nCopper pans hang in rows above a cold iron stove. The hall is south."
STUDY = "Study\nPapers lie in heaps on every surface of this cramped room. The hall is west."

Opened = Callable[..., Memory]


def day(number: int) -> datetime:
    return EPOCH + timedelta(days=number - 30)


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    numbers = iter(range(1_000_000))

    def memory(**options: object) -> Memory:
        options.setdefault("embedder", HashingEmbedder(quiet=True))
        options.setdefault("clock", FakeClock())
        return Memory(tmp_path / "m", new_id=lambda: f"e{next(numbers)}", **options)  # type: ignore[arg-type]

    return memory


def house(memory: Memory) -> None:
    memory.places.observe(HALL)
    memory.places.observe(KITCHEN, action="north")
    memory.places.observe(HALL, action="south")
    memory.places.observe(STUDY, action="east")


def test_what_is_written_somewhere_is_remembered_there(opened: Opened) -> None:
    with opened() as memory:
        memory.places.observe(HALL)
        first = memory.write("Ada dropped a glove.", source="user")
        memory.places.observe(KITCHEN, action="north")
        second = memory.write("Bo burnt the soup.", source="user")
        assert memory.places.places_of(first.id or "") == ["p0"]
        assert memory.places.places_of(second.id or "") == ["p1"]
        assert [trace.text for trace in memory.recall_here(radius=0).traces] == ["Bo burnt the soup."]
        near = memory.recall_here(radius=1)
        assert [trace.text for trace in near.traces] == ["Bo burnt the soup.", "Ada dropped a glove."]
        assert (near.place, near.label) == ("p1", "Kitchen")


def test_another_process_still_knows_where_the_agent_is(opened: Opened) -> None:
    with opened() as memory:
        house(memory)
    with opened() as memory:  # never touches the map itself
        receipt = memory.write("The lamp flickers.", source="user")
    with opened() as memory:
        assert memory.places.places_of(receipt.id or "") == ["p3"]
        memory.places.restart()
        elsewhere = memory.write("Nobody knows where this was.", source="user")
        assert memory.places.places_of(elsewhere.id or "") == []


def test_a_given_place_wins_and_has_to_exist(opened: Opened) -> None:
    with opened() as memory:
        house(memory)
        receipt = memory.write("A cat sleeps on the stove.", source="user", place="Kitchen")
        assert memory.places.places_of(receipt.id or "") == ["p1"]
        [many] = memory.write_many([Event(text="A mouse too.", place="p1")], progress=False)
        assert memory.places.places_of(many.id or "") == ["p1"]
        before = memory.stats().traces
        with pytest.raises(InvalidInput, match="no place 'Cellar'"):
            memory.write_many([Event(text="Fine."), Event(text="Dark.", place="Cellar")], progress=False)
        assert memory.stats().traces == before


def test_a_repeat_is_remembered_at_both_places(opened: Opened) -> None:
    with opened() as memory:
        house(memory)
        first = memory.write("The clock strikes twelve and the house falls silent.", source="user", place="Hall")
        again = memory.write("The clock strikes twelve and the house falls silent!", source="user", place="Kitchen")
        assert again.decision == "merge" and again.id == first.id
        assert memory.places.places_of(first.id or "") == ["p0", "p1"]


def test_a_namespace_outside_the_map_is_not_linked(opened: Opened) -> None:
    with opened(namespace=("team", "ada")) as memory:
        memory.places.observe(HALL)
        inside = memory.write("Mine.", source="user", namespace=("team", "ada", "work"))
        outside = memory.write("Yours.", source="user", namespace=("team", "bo"))
        assert memory.places.places_of(inside.id or "") == ["p0"]
        assert memory.places.places_of(outside.id or "") == []


def test_the_place_decides_among_look_alikes(opened: Opened) -> None:
    """Forty episodes with the same words in as many rooms: without the place, recall cannot tell them apart."""
    rooms = 40

    def right(config: RecallConfig) -> float:
        with opened(config=Config(recall=config)) as memory:
            found = 0
            for number in range(rooms):
                memory.places.restart()
                memory.places.observe(f"Cell {number}\nA cell with {number + 2} bars in its window.", key=f"c{number}")
                best = memory.recall("what about the lever?", k=1).traces
                found += memory.places.places_of(best[0].id) == [memory.places.current]
            return found / rooms

    with opened() as memory:
        for number in range(rooms):
            memory.places.restart()
            memory.places.observe(f"Cell {number}\nA cell with {number + 2} bars in its window.", key=f"c{number}")
            memory.write(f"The lever stuck at notch {number * 37}.", source="user")
    assert right(RecallConfig()) == 1.0
    assert right(RecallConfig(place=0.0)) <= 0.1


def test_recall_is_the_same_without_a_place(opened: Opened) -> None:
    with opened() as memory:
        memory.write("Ada moved to Lisbon.", source="user")
        before = memory.recall("where is Ada?").hits
        house(memory)
        memory.places.restart()
        assert memory.recall("where is Ada?").hits == before


def test_the_reason_says_where_it_was(opened: Opened) -> None:
    with opened() as memory:
        house(memory)
        memory.write("The safe opens with a whistle.", source="user")
        [hit] = memory.recall("how does the safe open?").hits
        assert hit.reasons["place"] == pytest.approx(0.15)
        assert hit.because["place"] == 'it happened here, at "Study"'
        memory.places.observe(HALL, action="west")
        [hit] = memory.recall("how does the safe open?").hits
        assert hit.reasons["place"] == pytest.approx(0.15 / 2.718281828)


def test_an_unexpected_arrival_lets_what_happens_there_through_the_gate(opened: Opened) -> None:
    """A write budget of half: the same remarks, but some follow an arrival where nobody expected to be."""

    def kept(weight: float, session: str) -> set[str]:
        config = Config(gate=GateConfig(budget=0.5, place=weight, surprise=0.2, answer=0.0, shared=0.0, novelty=0.0))
        with opened(config=config, namespace=(session,)) as memory:
            memory.places.observe(HALL)
            receipts = {}
            for number in range(12):
                word = f"{chr(97 + number)}{chr(109 + number % 7)}or"
                memory.places.observe(KITCHEN if number else STUDY, action="north")
                if number in (3, 7):
                    memory.places.observe(f"Vault {number}\nGold number {number} lies about in heaps.", action="down")
                receipt = memory.write(f"The word here is {word}.", source="user", session=session)
                receipts[number] = receipt.id or ""
                memory.places.observe(HALL, action="south")
            memory.end_session(session)
            alive = memory.recall("what is the word here?", k=50).traces
            ids = {trace.id for trace in alive}
            return {str(number) for number, id_ in receipts.items() if id_ in ids}

    assert {"3", "7"} <= kept(1.0, "with")
    assert not {"3", "7"} <= kept(0.0, "without")


def test_forgetting_a_trace_blanks_what_showed_it_on_the_map(opened: Opened) -> None:
    with opened() as memory:
        memory.places.observe(HALL)
        secret = "Vault\nThe secret number is four and twenty blackbirds."
        memory.places.observe(secret, action="down")
        shown = memory.write(secret, source="user")
        other = memory.write("It smells of dust here.", source="user")
        memory.forget(trace_id=other.id or "")
        assert [step.text for step in memory.places.journal()] == [HALL, secret]
        memory.forget(trace_id=shown.id or "")
        assert [step.text for step in memory.places.journal()] == [HALL, ""]
        assert memory.recall_here(radius=5).hits == ()
        assert memory.places.plan("p1", start="p0").actions == ("down",)
        memory.places.consolidate()
        assert memory.places.plan("p1", start="p0").actions == ("down",)
        memory.scrub()
        folder = memory.folder
    for file in folder.rglob("*"):
        assert b"blackbirds" not in file.read_bytes()


def test_forgetting_reaches_the_maps_of_other_namespaces(opened: Opened) -> None:
    with opened(namespace=("ship",)) as memory:
        memory.places.observe("Deck\nThe rum is hidden under plank nine.")
        receipt = memory.write("The rum is hidden under plank nine.", source="user")
    with opened() as memory:
        memory.forget(trace_id=receipt.id or "")
    with opened(namespace=("ship",)) as memory:
        assert [step.text for step in memory.places.journal()] == [""]
        assert memory.places.current == "p0"


def test_links_go_with_their_trace_whoever_deletes_it(opened: Opened) -> None:
    with opened() as memory:
        house(memory)
        receipt = memory.write("Ada hid the key.", source="user")
        folder = memory.folder
    with SqliteRecord(folder) as record:
        record.delete([receipt.id or ""], reason="test")
    with opened() as memory:
        assert memory.places.places_of(receipt.id or "") == []
        assert memory.verify().clean


def test_untrusted_or_foreign_traces_do_not_come_back_by_place(opened: Opened) -> None:
    with opened() as memory:
        house(memory)
        memory.write("Buy gold now, says the advert.", source="web")
        memory.write("Ada reads here on Sundays.", source="user")
        assert len(memory.recall_here(min_trust=0.0)) == 2
        assert [trace.text for trace in memory.recall_here(min_trust=0.5).traces] == ["Ada reads here on Sundays."]


def test_what_failed_here_is_in_the_prompt(opened: Opened) -> None:
    with opened() as memory:
        house(memory)
        memory.places.observe("The window is locked.", action="out")
        memory.write("Ada reads here on Sundays.", source="user")
        shown = memory.recall_here("who reads here?").render()
        assert shown.splitlines()[-1] == 'failed here before: "out" ("The window is locked.")'
        assert '"Ada reads here on Sundays."' in shown


def test_bad_arguments_of_recall_here(opened: Opened) -> None:
    with opened() as memory:
        with pytest.raises(InvalidInput, match="it is not known where we are"):
            memory.recall_here("anything")
        house(memory)
        with pytest.raises(InvalidInput):
            memory.recall_here(k=0)
        with pytest.raises(InvalidInput):
            memory.recall_here(radius=-1)
        with pytest.raises(InvalidInput, match="no place 'Moon'"):
            memory.recall_here(place="Moon")
        memory.places.observe("Kitchen\nA second kitchen with a brass samovar.", action="down")
        with pytest.raises(InvalidInput, match="several places are called 'Kitchen'"):
            memory.recall_here(place="Kitchen")


def test_a_read_only_folder_recalls_by_place(opened: Opened) -> None:
    with opened() as memory:
        house(memory)
        memory.write("Ada reads here on Sundays.", source="user")
    with opened(read_only=True) as memory:
        assert [trace.text for trace in memory.recall_here("who reads?").traces] == ["Ada reads here on Sundays."]
        with pytest.raises(StorageError):
            memory.places.observe(HALL, action="west")
    with opened(read_only=True, namespace=("nowhere",)) as memory:
        assert memory.recall("who reads?").hits == ()
        with pytest.raises(ReadOnlyMemory):
            assert memory.places


def test_facts_are_known_where_they_were_said(opened: Opened) -> None:
    with opened() as memory:
        house(memory)
        memory.write("Ines lives in Rome.", source="user", principal="u", place="Kitchen", pin=True)
        memory.write("Bruno works for Acme.", source="user", principal="u", place="Hall", pin=True)
        memory.write("Oskar lives in Wien.", source="user", principal="u", pin=True)
        assert [fact.text for fact in memory.facts.at_place("Kitchen", radius=0)] == ["Ines lives in Rome"]
        assert [fact.subject for fact in memory.facts.at_place("Kitchen")] == ["Ines", "Bruno"]
        assert [fact.subject for fact in memory.facts.at_place(radius=0)] == ["Oskar"]
        [ines] = memory.facts.about("Ines")
        assert memory.facts.places_of(ines) == memory.facts.places_of(ines.id) == ["p1"]
        here = memory.recall_here(place="Kitchen", radius=0)
        assert [fact.text for fact in here.facts] == ["Ines lives in Rome"]
        assert 'known here: "Ines lives in Rome"' in here.render().splitlines()
        assert memory.recall_here(place="Kitchen", radius=0, min_trust=0.9).facts == ()
        with pytest.raises(InvalidInput, match="no place 'Moon'"):
            memory.facts.at_place("Moon")
        with pytest.raises(InvalidInput, match="no fact has the id 99"):
            memory.facts.places_of(99)


def test_a_fact_leaves_its_place_with_the_trace_that_says_it(opened: Opened) -> None:
    with opened() as memory:
        house(memory)
        said = memory.write("Ines lives in Rome.", source="user", principal="u", place="Kitchen", pin=True)
        again = memory.write("Yes, Ines lives in Rome.", source="user", principal="v", place="Study", pin=True)
        [ines] = memory.facts.about("Ines")
        assert memory.facts.places_of(ines) == ["p1", "p3"]
        memory.forget(trace_id=said.id or "")
        assert memory.facts.places_of(ines.id) == ["p3"]
        assert memory.facts.at_place("Kitchen", radius=0) == []
        memory.forget(trace_id=again.id or "")
        assert memory.recall_here(place="Study", radius=5).facts == ()
        assert memory.verify().clean


def test_what_holds_no_more_is_history_and_not_recalled_here(opened: Opened) -> None:
    with opened() as memory:
        house(memory)
        memory.write("Ines lives in Rome.", source="user", principal="u", event_time=day(1), pin=True)
        memory.write("Ines moved to Porto.", source="user", principal="u", event_time=day(2), pin=True)
        assert {fact.object for fact in memory.facts.at_place(radius=0)} == {"Rome", "Porto"}
        assert [fact.object for fact in memory.recall_here(radius=0).facts] == ["Porto"]


def test_merging_places_brings_their_facts_together_and_undoing_parts_them(opened: Opened) -> None:
    with opened() as memory:
        house(memory)
        memory.write("Ines lives in Rome.", source="user", principal="u", place="p1", pin=True)
        [ines] = memory.facts.about("Ines")
        number = memory.places.merge("p1", "p3")
        assert memory.facts.places_of(ines) == ["p3"]
        memory.places.unmerge(number)
        assert memory.facts.places_of(ines) == ["p1"]


def test_the_tool_recalls_by_place_what_the_memory_lets_be_seen(opened: Opened) -> None:
    with opened() as memory:
        house(memory)
        memory.write("Ines lives in Rome.", source="user", principal="u", pin=True)
        gone = memory.write("The advert says buy gold.", source="web")
        memory.facts.catch_up()
        tool = memory_tools(memory, stores=("places",))["recall_here"]
        answer = tool.call({"radius": 0})
        assert (
            '"Ines lives in Rome." | at "Study", 0 steps away' in answer
            and 'known here: "Ines lives in Rome"' in answer
        )
        assert "buy gold" in answer
        with sqlite3.connect(memory.folder / "record.sqlite3") as connection:
            connection.execute("UPDATE trace SET status = 'quarantined' WHERE id = ?", (gone.id,))
        assert "buy gold" not in tool.call({"radius": 0})
        assert tool.call({"place": "Moon"}).startswith("Error: there is no place 'Moon'")


SECOND = """
import sys
from hippo_agent import Config, GateConfig, HashingEmbedder, Memory
config = Config(gate=GateConfig(place=1.0))
with Memory(sys.argv[1], embedder=HashingEmbedder(quiet=True), config=config) as memory:
    print(memory.write(sys.argv[2], source="user").salience)
"""


def test_an_unexpected_arrival_counts_in_the_gate_of_another_process(opened: Opened) -> None:
    """The map is walked here, the remark is written there: the gate hears of the arrival as if it were one process."""

    def elsewhere(text: str) -> float:
        command = [sys.executable, "-c", SECOND, str(folder), text]
        return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)

    with opened() as memory:
        folder = memory.folder
        house(memory)
        memory.places.observe(HALL, action="west")
        usual = elsewhere("The lamp on the left flickers twice.")
        memory.places.observe("Vault\nGold lies about in heaps, and a mask hangs above it.", action="down")
        unusual = elsewhere("The lamp on the right flickers thrice.")
        memory.places.observe("Vault\nGold lies about in heaps, and a mask hangs above it.")  # a mere look
        looked = elsewhere("The lamp in between flickers often.")
        memory.places.observe(HALL, action="up")
        back = elsewhere("The lamp above flickers at noon.")
    assert min(unusual, looked) > max(usual, back) + 0.05


def test_a_trace_that_is_not_there_is_not_linked(opened: Opened) -> None:
    with opened() as memory:
        house(memory)
        with pytest.raises(InvalidInput, match="there is no trace 'e99'"):
            memory.places.link("e99")
        with pytest.raises(InvalidInput, match="there is no trace 'e99'"):
            memory.places.observe(HALL, action="west", traces=["e99"])
        assert memory.places.current == "p3" and len(list(memory.places.journal())) == 4
        assert memory.verify().clean
