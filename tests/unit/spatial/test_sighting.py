"""What is read from a text: titles, posture, darkness, refusal, movement."""

from __future__ import annotations

import pytest

from hippo_agent.spatial import actions
from hippo_agent.spatial.sighting import normalise, read, style_of, words


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Boat House\nOars hang on the wall.", "boat house"),
        ("<< Boat house >>\nOars hang on the wall.", "boat house"),
        ("-= Boat House =-\nOars hang on the wall.", "boat house"),
        ("You row in.\n\nBoat House\nOars hang on the wall.", "boat house"),
        ("Boat House", "boat house"),
        ('At "Q7"\nA rough room.', "at q7"),
        ("Лодочный Сарай\nВёсла висят на стене.", "лодочный сарай"),
    ],
)
def test_a_title_is_found_however_it_is_framed(text: str, name: str) -> None:
    assert read(text, action="north").name == name


@pytest.mark.parametrize(
    "text",
    [
        "Taken.",
        "You are carrying:\n  A lamp\n  A rope",
        "The Menu\nThe Soup\nThe Fish",
        "you row on",
        "Copyright 2020 by nobody",
        "",
        "\x01\x02",
    ],
)
def test_ordinary_answers_have_no_title(text: str) -> None:
    assert read(text, action="take lamp").name is None


def test_an_aside_is_a_title_after_a_move_only() -> None:
    assert read("(west wing)\nA long wing.", action="west").name == "west wing"
    assert read("(opening the door first)\nDone.", action="west").name is None
    assert read("(to the guard)\nHe nods.", action="give coin").name is None


def test_an_opening_may_tell_a_story_first() -> None:
    story = (
        "It was late.\n\nTHE GAME\nAn Interactive Story\nRelease 1 / Serial number 1\n\n"
        "Harbour\nBoats rock in the dark water, and a lantern swings on the quay."
    )
    assert read(story, opening=True).name == "harbour"
    assert read("Kitchen\nTiny.", opening=True).name == "kitchen"
    assert read("Once upon a time.\nThe End", opening=True).name is None


def test_furniture_is_told_from_the_room() -> None:
    sighting = read("Cabin, on the bunk\nIt rocks.", action="look")
    assert (sighting.name, sighting.outside, sighting.thing) == ("cabin on the bunk", "cabin", frozenset({"bunk"}))


def test_darkness_refusal_and_movement() -> None:
    assert read("Darkness\nIt is pitch dark.", action="north").dark
    assert read("You can't go that way.", action="north").refused
    assert read("You climb up the rope.", action="up").moved
    assert read("You are standing on a ledge.", action="up").settled
    assert read("You end up back where you started.", action="up").returned
    assert not read("The door creaks.", action="open door").moved


def test_sentences_are_normalised_and_the_digest_covers_everything() -> None:
    one = read("Cave\nIt drips. A bat hangs here!", action="down")
    assert one.sentences == ("it drips", "a bat hangs here")
    assert one.first == "it drips"
    long = "Cave\n" + "x" * 20_000
    assert read(long).digest != read(long + "y").digest
    assert len(read(long).text) == 8_000


def test_styles() -> None:
    assert [style_of(title) for title in ("On The Old Bridge", "On the old bridge", "OLD BRIDGE", "Bridge")] == [
        "title",
        "sentence",
        "capitals",
        "any",
    ]


def test_normalise_keeps_letters_of_any_script() -> None:
    assert normalise("  Café-Bar, 2. OG ") == "café bar 2 og"
    assert words("on the long bench") == {"long", "bench"}


@pytest.mark.parametrize(
    ("said", "key"),
    [("N", "north"), ("go  north", "north"), ("Go sw", "southwest"), ("climb tree", "climb tree"), ("u", "up")],
)
def test_action_keys_spell_directions_out(said: str, key: str) -> None:
    assert actions.action_key(said) == key


def test_what_verbs_tell() -> None:
    assert actions.moves("follow guide") and not actions.moves("take lamp")
    assert [actions.looks(action) for action in ("look", "read sign", "take lamp", "follow guide")] == [
        "look",
        "read",
        "still",
        "",
    ]
    assert actions.leaves("stand up") and actions.leaves("get out of boat") and not actions.leaves("north")
    assert actions.enters("sit on bench") and actions.enters("enter boat") and not actions.enters("go in")
    assert actions.OPPOSITE["forward"] == "aft" and actions.OPPOSITE["aft"] == "fore"
