"""Who, what, where and when are read from invented sentences."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from hippo_agent.episodic.slots import MAX_WHAT, extract
from hippo_agent.types import Slots

WEDNESDAY = datetime(2023, 5, 10, tzinfo=timezone.utc)


def slots(text: str, **options: object) -> Slots:
    return extract(text, event_time=WEDNESDAY, **options)  # type: ignore[arg-type]


def test_all_four_slots_of_a_sentence() -> None:
    assert slots("Orla moved to Lisbon on 3 May.", speaker="Sam") == Slots(
        who=("Sam", "Orla"), what=("moved",), where=("Lisbon",), when=("2023-05-03",)
    )


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("I met Petra van Houten and Maria de la Cruz.", ("Petra van Houten", "Maria de la Cruz")),
        ("The letter is by J. R. Holloway.", ("J. R. Holloway",)),
        ("Dr. Amara Voss called Mrs. Kettle.", ("Amara Voss", "Kettle")),
        ("Jean-Luc and O'Neill laughed", ("Jean-Luc", "O'Neill")),
        ("Ingvild's dog barked at Tomasz\u2019s cat", ("Ingvild", "Tomasz")),
        ("Yesterday Mira sang.", ("Mira",)),
        ("Did Zoltan call you?", ("Zoltan",)),
        ("Rose told me so.", ("Rose",)),
        ("Grace Holloway sang.", ("Grace Holloway",)),
        ("My sister sang with Élodie.", ("Élodie", "sister")),
        ("ORLA VENN MOVED AGAIN AND AGAIN", ("ORLA VENN",)),
        ("I gave the book to Tomasz and got a letter from Mira.", ("Tomasz", "Mira")),
        ("Hope is a good thing. Wow! Thanks. Monday was fine.", ()),
        ("I think I'm late", ()),
        ("nothing is said of anybody here", ()),
    ],
)
def test_who(text: str, who: tuple[str, ...]) -> None:
    assert slots(text).who == who


def test_the_speaker_comes_first_and_only_once() -> None:
    assert slots("I am MIRA, says Mira to Zoltan", speaker="Mira").who == ("Mira", "Zoltan")


def test_known_names_count_in_any_casing() -> None:
    assert slots("where did orla go", known={"orla"}).who == ("orla",)
    assert slots("We stayed in Orla", known={"orla"}).where == ()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("We stayed in New Corvin and Velstrand.", ("New Corvin", "Velstrand")),
        ("She studied in Austin, Texas", ("Austin", "Texas")),
        ("He flew from Oslo to Kyoto with Mira", ("Oslo", "Kyoto")),
        ("I am from Sweden", ("Sweden",)),
        ("They met at the Corvin market", ("Corvin market",)),
        ("A walk by Lake Ilmen and Harbour Street", ("Lake Ilmen", "Harbour Street")),
        ("We are at the old public library", ("old public library",)),
        ("He went from school to the gym", ("school", "gym")),
        ("The Isle of Wight is nice", ("Isle of Wight",)),
        ("ORLA STAYED IN VELSTRAND FOR LONG", ("VELSTRAND",)),
        ("a library card", ()),
        ("I stayed at Mira's", ()),
    ],
)
def test_where(text: str, where: tuple[str, ...]) -> None:
    assert slots(text).where == where


def test_what_holds_things_numbers_as_digits_and_rare_words_first() -> None:
    assert slots("She bought three sousaphones and a Tesla for her house").what == (
        "Tesla",
        "3",
        "sousaphones",
        "bought",
        "house",
    )
    rarity = {"bought": 9.0, "sousaphones": 5.0}
    assert slots("She bought sousaphones", rarity=lambda word: rarity.get(word, 0.0)).what == ("bought", "sousaphones")


def test_what_leaves_out_what_the_other_slots_hold() -> None:
    found = slots("Orla sang a ballad in Velstrand last Friday at the town hall")
    assert found.what == ("ballad", "sang")
    assert len(slots(" ".join(f"word{i}" for i in range(50))).what) == MAX_WHAT


def test_an_empty_text_has_no_slots() -> None:
    assert not slots("")
    assert not slots("?! ... \u200b")
