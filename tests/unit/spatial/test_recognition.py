"""Places recognised in text: what is merged, what is kept apart, and that it can be explained and undone."""

from __future__ import annotations

import math
from itertools import count

import pytest

from hippo_agent.errors import InvalidInput, TooLarge
from hippo_agent.spatial.atlas import Arrival, Atlas
from hippo_agent.spatial.journal import Step
from hippo_agent.spatial.manner import Manner
from hippo_agent.spatial.repair import splits
from hippo_agent.spatial.retelling import reread

HALL = "Hall\nPortraits stare down from the walls of this long room. Doors lead north and east."
KITCHEN = "Kitchen\nCopper pans hang in rows above a cold iron stove. The hall is south."
STUDY = "Study\nPapers lie in heaps on every surface of this cramped room. The hall is west."


def walk(atlas: Atlas, *steps: tuple[str | None, str]) -> list[Arrival]:
    return [atlas.observe(text, action=action) for action, text in steps]


def test_the_way_back_leads_to_the_same_place() -> None:
    seen = walk(Atlas(keep_steps=True), (None, HALL), ("north", KITCHEN), ("south", HALL), ("e", STUDY), ("west", HALL))
    assert [arrival.place for arrival in seen] == ["p0", "p1", "p0", "p3", "p0"]
    assert [arrival.band for arrival in seen] == ["new", "new", "same", "new", "same"]
    assert seen[2].terms["back"] == 3.0 and seen[2].terms["position"] == 1.5


def test_two_rooms_of_one_name_stay_two() -> None:
    atlas = Atlas(keep_steps=True)
    wide = "Corridor\nA wide corridor with a red carpet runs north and south here."
    narrow = "Corridor\nThe walls come closer, and bare boards creak under every step you take."
    seen = walk(atlas, (None, HALL), ("north", wide), ("north", narrow), ("south", wide), ("north", narrow))
    assert [arrival.place for arrival in seen] == ["p0", "p1", "p2", "p1", "p2"]
    assert atlas.map.place("p1").coordinate != atlas.map.place("p2").coordinate


def test_a_bare_title_is_an_old_place_where_descriptions_come_once() -> None:
    atlas = Atlas(keep_steps=True)
    seen = walk(atlas, (None, HALL), ("north", KITCHEN), ("south", "Hall"), ("north", "Kitchen"), ("south", "Hall"))
    assert [arrival.place for arrival in seen] == ["p0", "p1", "p0", "p1", "p0"]
    assert atlas.manner.verbosity < 0.2


def test_look_alikes_of_a_maze_are_told_apart_by_being_described_anew() -> None:
    """Where descriptions come once, a full one means a new place, however alike."""
    maze = "Maze\nYou are in a maze of little passages that all look the same."
    atlas = Atlas(keep_steps=True)
    known = [(None, HALL), ("north", KITCHEN), ("south", "Hall"), ("north", "Kitchen"), ("south", "Hall")]
    seen = walk(atlas, *known, ("down", maze), ("east", maze), ("up", maze), ("down", "Maze"))  # type: ignore[arg-type]
    places = [arrival.place for arrival in seen[5:]]
    assert len(set(places[:3])) == 3
    assert places[3] == places[1]


def test_a_refusal_moves_nothing_and_is_remembered() -> None:
    atlas = Atlas(keep_steps=True)
    seen = walk(atlas, (None, HALL), ("west", "You can't go that way."))
    assert not seen[1].moved
    edge = atlas.map.edge("p0", "west")
    assert edge is not None and edge.target is None and edge.failure == "You can't go that way."


def test_a_move_without_a_title_gets_its_name_later() -> None:
    atlas = Atlas(keep_steps=True)
    seen = walk(atlas, (None, HALL), ("north", "You step into the dark and wait."), ("wait", KITCHEN), ("south", HALL))
    assert [arrival.place for arrival in seen] == ["p0", "p1", "p1", "p0"]
    assert atlas.map.place("p1").title == "Kitchen"


def test_an_unnoticed_move_is_found_out_by_looking() -> None:
    atlas = Atlas(keep_steps=True)
    walk(atlas, (None, HALL), ("north", KITCHEN), ("south", HALL))
    story = "The butler takes your arm. Before you know it you stand in the kitchen again."
    seen = walk(atlas, ("ring bell", story), ("look", KITCHEN))
    assert seen[1].place == "p1"
    assert atlas.place_at(3) == "p1"
    edge = atlas.map.edge("p0", "ring bell")
    assert edge is not None and edge.target == "p1"


def test_furniture_is_a_place_inside_a_place() -> None:
    atlas = Atlas(keep_steps=True)
    seen = walk(
        atlas, (None, HALL), ("sit on bench", "You sit down on the bench."), ("stand up", "You get up from the bench.")
    )
    assert [arrival.place for arrival in seen] == ["p0", "p1", "p0"]
    assert atlas.map.place("p1").outside == "p0"


def test_walking_on_in_one_direction_makes_no_places_in_between() -> None:
    atlas = Atlas(keep_steps=True)
    seen = walk(
        atlas, (None, HALL), ("up", "You climb on."), ("up", "You climb on."), ("up", "Tower\nThe wind howls up here.")
    )
    assert len(atlas.map) == 2
    assert atlas.map.last("p0", "up") == seen[-1].place


def test_a_key_decides_alone_and_views_go_by_their_looks() -> None:
    atlas = Atlas(keep_steps=True)
    first = atlas.observe("anything", key="room-7")
    atlas.observe("another text altogether", action="east", key="room-8")
    again = atlas.observe("a third text", action="west", key="room-7")
    assert again.place == first.place
    views = Atlas(keep_steps=True)
    shown = [
        views.observe("wall wall door", view=True).place,
        views.observe("wall door wall", action="left turn", view=True).place,
        views.observe("wall wall door", action="right turn", view=True).place,
    ]
    assert shown[0] == shown[2] != shown[1]


def test_a_new_episode_draws_no_passage() -> None:
    atlas = Atlas(keep_steps=True)
    walk(atlas, (None, HALL), ("north", KITCHEN))
    atlas.restart()
    again = atlas.observe(HALL)
    assert again.place == "p0"
    assert {(edge.source, edge.action) for edge in atlas.map.all_edges()} == {("p0", "north")}


def test_surprise_and_novelty() -> None:
    atlas = Atlas(keep_steps=True)
    walk(atlas, (None, HALL), ("north", KITCHEN), ("south", HALL), ("north", KITCHEN), ("south", HALL))
    odd = atlas.observe(STUDY, action="north")
    assert odd.expected == "p1" and odd.surprise == pytest.approx(3 / 4) and odd.novelty == 1.0
    atlas.observe(HALL, action="west")
    usual = atlas.observe(KITCHEN, action="north")
    assert usual.surprise == 0.0 and usual.novelty == pytest.approx(1 / 3)


def test_rebuilding_gives_the_same_map_when_nothing_was_learnt_late() -> None:
    atlas = Atlas(keep_steps=True)
    walk(atlas, (None, HALL), ("north", KITCHEN), ("south", "Hall"), ("e", STUDY), ("west", "Hall"))
    again = reread(atlas)
    assert [again.map.find(step.place) for step in again.steps] == [step.place for step in atlas.steps]
    assert {(edge.source, edge.action, edge.target) for edge in again.map.all_edges()} == {
        (edge.source, edge.action, edge.target) for edge in atlas.map.all_edges()
    }


@pytest.mark.parametrize(
    ("text", "options", "error"),
    [
        ("Hall", {"action": " "}, InvalidInput),
        ("Hall", {"action": "x" * 201}, TooLarge),
        ("Hall", {"cost": math.nan}, InvalidInput),
        ("Hall", {"cost": -1.0}, InvalidInput),
        ("Hall", {"reward": math.inf}, InvalidInput),
        (None, {}, InvalidInput),
        (b"Hall", {}, InvalidInput),
    ],
)
def test_bad_input_changes_nothing(text: object, options: dict[str, object], error: type[Exception]) -> None:
    atlas = Atlas(keep_steps=True)
    atlas.observe(HALL)
    version = atlas.map.version
    with pytest.raises(error):
        atlas.observe(text, **options)  # type: ignore[arg-type]
    assert atlas.map.version == version and atlas.next_seq == 1


@pytest.mark.parametrize("text", ["", "\x00\x01\x02", "x" * 1_000_000, "\ud800 lone", "كهف\nمظلم", "\n" * 5000])
def test_strange_texts_are_taken(text: str) -> None:
    atlas = Atlas(keep_steps=True)
    atlas.observe(text)
    arrival = atlas.observe(text, action="north")
    assert arrival.place in atlas.map


def test_a_hundred_thousand_offered_exits_are_bounded() -> None:
    atlas = Atlas(keep_steps=True)
    arrival = atlas.observe(HALL, exits=(f"door {number}" for number in count()))
    assert len(atlas.map.place(arrival.place).exits) == 256


def test_contradictions_explained_by_the_way_in_are_split() -> None:
    """Room X entered from A leads north to C, entered from B it leads north to D: it is two rooms."""
    atlas = Atlas(keep_steps=True)
    rooms = {name: f"{name}\nRoom {name} has its very own and unmistakable kind of furniture." for name in "ABCDX"}
    atlas.observe(rooms["A"])
    journal: list[Step] = []
    for _ in range(3):
        for origin, end in (("A", "C"), ("B", "D")):
            atlas.restart()
            atlas.observe(rooms[origin], key=origin)
            atlas.observe(rooms["X"], action="east" if origin == "A" else "west", key="X")
            atlas.observe(rooms[end], action="north", key=end)
    journal = atlas.steps
    found = splits(atlas.map, lambda: journal)
    assert len(found) == 1 and len(found[0].steps) == 3
    assert {journal[seq].text for seq in found[0].steps} == {rooms["X"]}


def test_a_fresh_world_believes_little_about_repetition() -> None:
    assert Manner().verbosity == 0.25


def test_a_look_at_another_place_begins_a_new_episode() -> None:
    """A process that starts again somewhere else, or a teleport: no passage is made up, and no room is overwritten."""
    atlas = Atlas(keep_steps=True)
    walk(atlas, (None, HALL), ("north", KITCHEN))
    arrival = atlas.observe(HALL)
    assert (arrival.place, arrival.moved, atlas.episode) == ("p0", True, 1)
    assert [edge.action for edge in atlas.map.all_edges()] == ["north"]
    assert atlas.observe(HALL).moved is False and atlas.episode == 1


def test_a_world_that_describes_once_does_so_in_each_episode() -> None:
    atlas = Atlas(keep_steps=True)
    walk(atlas, (None, HALL), ("north", KITCHEN), ("south", "Hall"), ("e", STUDY), ("west", "Hall"))
    assert atlas.manner.verbosity < 0.3
    atlas.restart()
    seen = walk(atlas, (None, KITCHEN), ("south", HALL), ("east", STUDY))
    assert [arrival.place for arrival in seen] == ["p1", "p0", "p3"]
