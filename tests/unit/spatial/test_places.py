"""One world on disk: reopened, shared, repaired, recalled by place, forgotten."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from hippo_agent.errors import InvalidInput, InvalidVector, MemoryClosed, StorageError
from hippo_agent.spatial.file import PlaceFile
from hippo_agent.spatial.place import Place
from hippo_agent.spatial.places import Places
from hippo_agent.spatial.store import PlaceLink, SpatialStore
from hippo_agent.storage.database import Database

HALL = "Hall\nPortraits stare down from the walls of this long room. Doors lead north and east."
KITCHEN = "Kitchen\nCopper pans hang in rows above a cold iron stove. The hall is south."
STUDY = "Study\nPapers lie in heaps on every surface of this cramped room. The hall is west."


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[PlaceFile]:
    opened = PlaceFile(tmp_path / "map.sqlite3")
    yield opened
    opened.close()


def house(file: PlaceFile, clock: Clock) -> Places:
    places = Places(SpatialStore(file), world=("agent", "house"), clock=clock)
    places.observe(HALL)
    places.observe(KITCHEN, action="north")
    places.observe(HALL, action="south")
    places.observe(STUDY, action="east")
    return places


def test_a_reopened_world_plans_the_same(file: PlaceFile, clock: Clock) -> None:
    places = house(file, clock)
    before = places.plan("kitchen", start="p0")
    again = Places(SpatialStore(file), world=("agent", "house"), clock=clock)
    assert again.current == places.current == "p3"
    again_plan = again.plan("kitchen", start="p0")
    assert (again_plan.steps, again_plan.weight) == (before.steps, before.weight)
    assert before.actions == ("north",)
    arrival = again.observe(HALL, action="west")
    assert arrival.place == "p0" and again.plan("kitchen").actions == ("north",)


def test_worlds_never_meet(file: PlaceFile, clock: Clock) -> None:
    house(file, clock)
    other = Places(SpatialStore(file), world=("agent", "ship"), clock=clock)
    assert len(other.map) == 0 and other.current is None
    assert other.plan("kitchen").reason == "it is not known where we are"
    other.observe("Deck\nSalt and tar.")
    assert other.plan("p1").reason == "unknown place 'p1'"


def test_two_holders_of_one_world_see_each_other(file: PlaceFile, clock: Clock) -> None:
    one = house(file, clock)
    two = Places(SpatialStore(file), world=("agent", "house"), clock=clock)
    two.observe(HALL, action="west")
    one.observe("Attic\nDust and old trunks under a sloping roof, and a window to the north.", action="up")
    two.block("p0", "up", reason="ladder gone")
    one.block("p0", "north", reason="locked")
    again = Places(SpatialStore(file), world=("agent", "house"), clock=clock)
    assert again.plan("attic", start="p0").reason == "blocked: 'up' at 'Hall' (ladder gone)"
    assert again.plan("kitchen", start="p0").reason == "blocked: 'north' at 'Hall' (locked)"
    assert [step.seq for step in again.journal()] == [0, 1, 2, 3, 4, 5]


def test_the_records_own_database_carries_it(tmp_path: Path, clock: Clock) -> None:
    database = Database(tmp_path / "record.sqlite3")
    places = Places(SpatialStore(database), world="w", clock=clock)
    places.observe(HALL)
    places.observe(KITCHEN, action="north")
    database.close()
    with pytest.raises(MemoryClosed):
        places.observe(HALL, action="south")
    reopened = Database(tmp_path / "record.sqlite3")
    again = Places(SpatialStore(reopened), world="w", clock=clock)
    assert again.plan("p0").reason == "no known way leads there" and again.current == "p1"
    reopened.close()


def test_a_failed_write_leaves_memory_as_it_was(file: PlaceFile, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    places = house(file, clock)

    def full(*_: object) -> int:
        raise StorageError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(SpatialStore, "save", full)
        with pytest.raises(StorageError):
            places.observe("Attic\nDust.", action="up")
    assert places.current == "p3" and len(places.map) == 3
    assert places.observe("Attic\nDust.", action="up").place == "p4"


def test_blocks_expire_and_time_never_goes_back(file: PlaceFile, clock: Clock) -> None:
    places = house(file, clock)
    places.block("p0", "north", reason="wet floor", seconds=60)
    assert not places.plan("kitchen", start="p0")
    clock.now -= 500
    assert not places.plan("kitchen", start="p0")
    clock.now += 561
    assert places.plan("kitchen", start="p0").actions == ("north",)
    for seconds in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InvalidInput):
            places.block("p0", "north", seconds=seconds)


def test_what_was_told_outlives_reading_the_journal_again(file: PlaceFile, clock: Clock) -> None:
    places = house(file, clock)
    places.require("p0", "east", {"has": "brass key"})
    places.block("p0", "north", reason="locked")
    places.tell("Study", "up", "Observatory")
    places.consolidate()
    assert places.plan("study", start="p0", have={}).reason == "needs has: brass key: 'east' at 'Hall'"
    assert places.plan("kitchen", start="p0").reason == "blocked: 'north' at 'Hall' (locked)"
    plan = places.plan("observatory")
    assert plan.actions == ("up",)
    assert places.map.edge("p3", "up").provenance == "told"  # type: ignore[union-attr]


def test_a_merge_is_undone_exactly(file: PlaceFile, clock: Clock) -> None:
    places = house(file, clock)
    places.link("e1", place="p1")

    def picture() -> object:
        return (
            {place.id: (place.name, place.visits, sorted(place.sentences)) for place in places.map.places.values()},
            {(e.source, e.action): (dict(e.outcomes), e.tries) for e in places.map.all_edges()},
        )

    before = picture()
    number = places.merge("p1", "p3", reason="a mistake")
    assert places.places_of("e1") == ["p3"] and len(places.map) == 2
    assert places.plan("p1", start="p0").goal == "p3"
    places.unmerge(number)
    assert picture() == before
    assert places.places_of("e1") == ["p1"]
    with pytest.raises(InvalidInput):
        places.unmerge(number)
    with pytest.raises(InvalidInput):
        places.merge("p1", "p1")
    again = Places(SpatialStore(file), world=("agent", "house"), clock=clock)
    assert {place: again.map.places[place].name for place in again.map.places} == {
        "p0": "hall",
        "p1": "kitchen",
        "p3": "study",
    }


def test_merges_are_explained(file: PlaceFile, clock: Clock) -> None:
    places = house(file, clock)
    newest = places.explain_merge("p0")[0]
    assert newest["step"] == 2 and newest["action"] == "south" and newest["band"] == "same"
    assert newest["terms"]["back"] == 3.0
    assert newest["rival"]["kind"] == "new"
    number = places.merge("p1", "p3", reason="same smell")
    assert {"merge": number, "reason": "same smell"}.items() <= places.explain_merge("p3")[-1].items()


def test_recall_here_ranks_near_before_far_and_fitting_before_other(file: PlaceFile, clock: Clock) -> None:
    places = house(file, clock)
    texts = {"e1": "the stove was cold", "e2": "a letter from Ada", "e3": "a letter from Bo", "f1": "keys hang here"}
    places.link("e1", place="p1")
    places.link("e2", place="p0")
    places.link("e3", place="p3")
    places.link("f1", place="p3")

    def look(items: object) -> dict[str, str]:
        return {item: texts[item] for item in items}  # type: ignore[attr-defined]

    assert [hit.item for hit in places.recall_here("p3", query="letter", texts=look).hits][:2] == ["e3", "e2"]
    assert [hit.item for hit in places.recall_here("p3", radius=0).hits] == ["e3", "f1"]
    far = places.recall_here("p3", radius=2, query="cold stove", texts=look, k=10).hits
    assert {hit.item: hit.distance for hit in far} == {"e3": 0.0, "f1": 0.0, "e2": 1.0, "e1": 2.0}
    with pytest.raises(InvalidInput):
        places.recall_here("p3", k=0)


def test_what_failed_here_is_recalled(file: PlaceFile, clock: Clock) -> None:
    places = house(file, clock)
    places.observe("The window is locked.", action="out")
    places.block(None, "west", reason="guard asleep in the way")
    found = {failure.action: (failure.reason, failure.blocked) for failure in places.recall_here().failures}
    assert found == {"out": ("The window is locked.", False), "west": ("guard asleep in the way", True)}


def test_recall_at_five_with_ten_thousand_episodes(file: PlaceFile, clock: Clock) -> None:
    """500 places in a grid, 20 episodes each; asked at the place with two words of the episode."""
    rng = random.Random(3)
    places = Places(SpatialStore(file), world="grid", clock=clock)
    vocabulary = [
        "".join(rng.choices("bcdfglmnprstv", k=1) + rng.choices("aeiou", k=1)) * 2 + str(n) for n in range(400)
    ]
    texts: dict[str, str] = {}
    with places._world.changing() as changes:
        for number in range(500):
            places.map.add(Place(id=f"g{number}", name=f"cell {number}"))
        for number in range(500):
            for action, other in (("east", number + 1), ("south", number + 25)):
                if other < 500 and (action == "south" or other % 25):
                    places.map.record(f"g{number}", action, f"g{other}", at=1.0)
                    back = "west" if action == "east" else "north"
                    places.map.record(f"g{other}", back, f"g{number}", at=1.0)
            for _ in range(20):
                item = f"e{len(texts)}"
                texts[item] = " ".join(rng.choices(vocabulary, k=8))
                changes.links.append(PlaceLink(item=item, place=f"g{number}", seq=1, time=1.0))

    def look(items: object) -> dict[str, str]:
        return {item: texts[item] for item in items}  # type: ignore[attr-defined]

    right = shuffled = 0
    asked = rng.sample(sorted(texts), 200)
    for item in asked:
        cue = " ".join(rng.sample(texts[item].split(), 2))
        home = f"g{int(item[1:]) // 20}"
        right += item in [hit.item for hit in places.recall_here(home, query=cue, texts=look).hits]
        elsewhere = f"g{rng.randrange(500)}"
        shuffled += item in [hit.item for hit in places.recall_here(elsewhere, query=cue, texts=look).hits]
    assert right / 200 >= 0.95
    assert shuffled / 200 <= 0.05


def test_forgetting_leaves_no_text_behind(file: PlaceFile, clock: Clock) -> None:
    places = Places(SpatialStore(file), world="w", clock=clock)
    places.observe(HALL, traces=["e1"])
    places.observe("Vault\nThe secret number is four and twenty blackbirds.", action="down", traces=["e2"])
    assert places.forget_items(["e2"]) == 1
    with file.read() as connection:
        for table in ("place", "place_step", "place_link"):
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()
            assert "blackbirds" not in repr(rows)
    assert places.places_of("e2") == [] and places.places_of("e1") == ["p0"]
    assert places.plan("p1", start="p0").actions == ("down",)


def test_a_forgotten_place_is_gone_from_plans_and_journal(file: PlaceFile, clock: Clock) -> None:
    places = house(file, clock)
    plan = places.plan("kitchen", start="p0")
    places.forget_place("p1")
    assert "Copper" not in repr([step.text for step in places.journal()])
    assert not places.plan(plan.goal or "", start="p0")
    with pytest.raises(InvalidInput):
        places.place("p1")


def test_where_am_i_gives_the_runner_up_when_it_was_close(file: PlaceFile, clock: Clock) -> None:
    places = house(file, clock)
    assert places.where_am_i() == [("p3", 1.0)]
    places.restart()
    assert places.where_am_i() == []


def test_names(file: PlaceFile, clock: Clock) -> None:
    places = house(file, clock)
    places.name_place("p3", "Ada's den")
    assert [place.id for place in places.named("ada s den")] == ["p3"]
    assert places.plan("Ada's Den", start="p0").goal == "p3"
    for name in ("", " ", "?!"):
        with pytest.raises(InvalidInput):
            places.name_place("p3", name)


@pytest.mark.parametrize("coordinate", [(math.nan, 0.0), (math.inf,), (), ("a", "b"), 5])
def test_bad_coordinates(file: PlaceFile, clock: Clock, coordinate: object) -> None:
    places = house(file, clock)
    with pytest.raises(InvalidInput):
        places.observe(HALL, action="west", coordinate=coordinate)  # type: ignore[arg-type]
    assert places.current == "p3"


def test_the_journal_is_read_again_when_it_has_doubled(file: PlaceFile, clock: Clock) -> None:
    places = Places(SpatialStore(file), world="w", clock=clock)
    route = [(None, HALL), *[("north", KITCHEN), ("south", "Hall")] * 10]
    arrivals = [places.observe(text, action=action) for action, text in route]
    assert {arrival.place for arrival in arrivals} == {"p0", "p1"}
    assert [step.place for step in places.journal()] == [arrival.place for arrival in arrivals]
    assert places.map.edge("p0", "north").tries == 10  # type: ignore[union-attr]


def test_a_closed_file_is_an_error(file: PlaceFile, clock: Clock) -> None:
    places = house(file, clock)
    file.close()
    with pytest.raises(MemoryClosed):
        places.observe(HALL, action="west")


@pytest.mark.parametrize("vector", [[], [0.0, 0.0], [math.nan, 1.0], [[1.0], [2.0]], "no"])
def test_bad_vectors(file: PlaceFile, clock: Clock, vector: object) -> None:
    places = house(file, clock)
    with pytest.raises(InvalidVector):
        places.observe(HALL, action="west", vector=vector)  # type: ignore[arg-type]
    assert places.current == "p3"


def test_vectors_of_another_model_are_not_compared(file: PlaceFile, clock: Clock) -> None:
    places = Places(SpatialStore(file), world="views", clock=clock)
    places.observe("a red wall", view=True, vector=[1.0, 0.0])  # type: ignore[arg-type]
    arrival = places.observe("a red wall", view=True, action="look", vector=[1.0, 0.0, 0.0])  # type: ignore[arg-type]
    assert "vector" not in arrival.terms and arrival.place == "p0"


def test_absurd_observations_are_bounded(file: PlaceFile, clock: Clock) -> None:
    places = house(file, clock)
    many = (f"door {number}" for number in range(100_000))
    places.observe("Lobby\n" + "\x00\x1b[31m" + "x" * 1_000_000, action="up", exits=many)
    assert len(places.place(places.current or "").exits) == 256
    assert max(len(step.text) for step in places.journal()) == 8_000
    for text in (None, 5, b"bytes"):
        with pytest.raises(InvalidInput):
            places.observe(text)  # type: ignore[arg-type]
