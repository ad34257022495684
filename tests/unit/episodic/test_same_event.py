from datetime import datetime, timezone

import pytest

from hippo_agent.episodic.same_event import Neighbour, difference, fingerprint
from hippo_agent.evaluation.lures import make_merge_pairs, merge_scores
from hippo_agent.types import Event, Slots

BASE = "I bought a red bicycle from Clara in Porto for 120 euros on Monday."

SAME = [
    BASE,
    "i bought a red bicycle from Clara in Porto for 120 euros on monday",
    "As I said, I bought a red bicycle from Clara in Porto for 120 euros on Monday!",
    "By the way, I really bought a red bicycle from Clara in Porto for 120 euros on Monday.",
    "On Monday I bought a red bicycle from Clara in Porto for 120 euros.",
    "I've bought a red bicycle from Clara in Porto for 120 euros on Monday.",
    "I bought a red bicylce from Clara in Porto for 120 euros on Monday.",
    "Hey Yusuf, I bought a red bicycle from Clara in Porto for 120 euros on Monday.",
]
LURES = [
    "I bought a blue bicycle from Clara in Porto for 120 euros on Monday.",
    "I bought a red tricycle from Clara in Porto for 120 euros on Monday.",
    "I bought a red bicycle from Carla in Porto for 120 euros on Monday.",
    "I bought a red bicycle from Clara in Leeds for 120 euros on Monday.",
    "I bought a red bicycle from Clara in Porto for 130 euros on Monday.",
    "I bought a red bicycle from Clara in Porto for 120 dollars on Monday.",
    "I bought a red bicycle from Clara in Porto for 120 euros on Tuesday.",
    "I sold a red bicycle to Clara in Porto for 120 euros on Monday.",
    "I bought a red bicycle for Clara in Porto for 120 euros on Monday.",
    "I didn't buy a red bicycle from Clara in Porto for 120 euros on Monday.",
    "You bought a red bicycle from Clara in Porto for 120 euros on Monday.",
    "I bought two red bicycles from Clara in Porto for 120 euros on Monday.",
    "I bought a red bicycle from Clara in Porto for 120 euros.",
    "I bought a red bicycle from Clara and Bram in Porto for 120 euros on Monday.",
    "I will buy a red bicycle from Clara in Porto for 120 euros on Monday.",
]


def neighbour(text: str, **more: object) -> Neighbour:
    return Neighbour(**{"id": "t1", "text": text, "cosine": 0.97, "speaker": "Ines", **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("text", SAME)
def test_restatements_are_the_same_event(text: str) -> None:
    """Fillers, case, emphasis, contractions, a moved clause and a typing error carry no fact."""
    assert difference(Event(text=text, speaker="Ines"), neighbour(BASE), least_cosine=0.8) is None


@pytest.mark.parametrize("text", LURES)
def test_one_other_slot_is_another_event(text: str) -> None:
    """However high the cosine: colour, thing, person, place, number, unit, day, verb, role, negation, tense."""
    assert difference(Event(text=text, speaker="Ines"), neighbour(BASE), least_cosine=0.8) is not None
    assert difference(Event(text=BASE, speaker="Ines"), neighbour(text), least_cosine=0.8) is not None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Ada called Ben.", "Ben called Ada."),
        ("The dog bit the man.", "The man bit the dog."),
        ("My flight lands at 7.", "My flight lands at 8."),
        ("We meet before lunch.", "We meet after lunch."),
        ("Bram likes coffee.", "Bram likes toffee."),
        ("Meet me at the market.", "Meet me at the marker."),
        ("I live in Porto", "I lived in Porto"),
        ("She was born in May 1990", "She was born in May 1991"),
        ("Turn left at the church.", "Turn right at the church."),
    ],
)
def test_small_differences_that_matter(first: str, second: str) -> None:
    """Roles, numbers and single words decide."""
    assert difference(Event(text=second, speaker="Ines"), neighbour(first), least_cosine=0.8) is not None


def test_slots_and_speakers_decide() -> None:
    """Another speaker, or a slot that both fill differently, keeps both; a missing or coarser slot does not."""
    event = Event(text=BASE, speaker="Ines", slots=Slots(where=("Porto",), when=("2024-05-06",)))

    assert difference(event, neighbour(BASE, slots=Slots(when=("2024-05",))), least_cosine=0.8) is None
    assert difference(event, neighbour(BASE, slots=Slots(when=("2024-05-13",))), least_cosine=0.8) == (
        "another 'when': '2024-05-06', not '2024-05-13'"
    )
    moved = "On Monday I bought a red bicycle from Clara in Porto for 120 euros."
    assert difference(event, neighbour(moved, slots=Slots(where=("Leeds",))), least_cosine=0.8) is not None
    assert difference(event, neighbour(moved, slots=Slots(where=("porto",))), least_cosine=0.8) is None
    assert difference(event, neighbour(BASE, speaker="Tomas"), least_cosine=0.8) == "another speaker"
    assert difference(event, neighbour(BASE, cosine=0.5), least_cosine=0.8) == "another topic"


def test_yesterday_on_another_day_is_another_day() -> None:
    """The same words at different dates tell of different days; without a relative time they do not."""

    def on(day: int) -> datetime:
        return datetime(2024, 5, day, tzinfo=timezone.utc)

    relative, plain = "I ran ten miles yesterday.", "I own a boat called Gull."

    assert difference(
        Event(text=relative, speaker="Ines", event_time=on(8)), neighbour(relative, event_time=on(1)), least_cosine=0.8
    ) == ("another date")
    assert (
        difference(
            Event(text=plain, speaker="Ines", event_time=on(8)), neighbour(plain, event_time=on(1)), least_cosine=0.8
        )
        is None
    )


def test_made_up_near_duplicates_merge_precisely() -> None:
    """Of pairs that restate an event or differ from it in one slot: precision at least .97, and most restatements."""
    pairs = make_merge_pairs(400, seed=5)
    merged = [
        difference(
            pair.second,
            Neighbour(
                id="t1",
                text=pair.first.text,
                cosine=0.97,
                speaker=pair.first.speaker,
                event_time=pair.first.event_time,
            ),
            least_cosine=0.8,
        )
        is None
        for pair in pairs
    ]
    scores = merge_scores(pairs, merged)

    assert scores["merge_precision"] >= 0.97
    assert scores["merge_recall"] >= 0.75


def test_fingerprint_ignores_case_and_punctuation() -> None:
    """And nothing else."""
    assert fingerprint("I'm  HERE, now!") == fingerprint("i’m here now") == "i'm here now"
    assert fingerprint("I'm here") != fingerprint("I was here")
