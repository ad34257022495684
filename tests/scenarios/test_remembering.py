"""What was told comes back: the next day, from a fragment, through typos, and the right one of two that look alike.

Each story writes in one opening of the folder and recalls in another. Its control is a memory without the told fact:
there, the same cue must not produce the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from hippo_agent import Memory, Slots
from hippo_agent.embedding.base import Embedder

Reopen = Callable[..., Memory]
MONDAY = datetime(2024, 5, 6, 9, tzinfo=timezone.utc)


@pytest.fixture
def embedder(meaning: Embedder) -> Embedder:
    return meaning


def test_it_remembers_yesterday(reopen: Reopen) -> None:
    with reopen(clock=lambda: MONDAY) as memory:
        receipt = memory.write("The courier left Ines's parcel with the tailor at number 9.", source="user")
        assert receipt.decision == "write"
    with reopen(clock=lambda: MONDAY + timedelta(days=1)) as memory, reopen("without") as without:
        cue = "where is the parcel for Ines?"
        found = memory.recall(cue, k=3)
        assert found.traces[0].id == receipt.id
        assert found.traces[0].event_time == MONDAY
        assert "with the tailor at number 9" in found.render()
        assert "tailor" not in without.recall(cue, k=3).render()


def test_yesterday_in_the_cue_is_counted_from_when_it_is_asked(reopen: Reopen) -> None:
    with reopen() as memory:
        for offset, place in enumerate(("Brasa", "Nori", "Talvi")):
            memory.write(
                f"Lunch with Pia at {place}.", source="user", event_time=MONDAY + timedelta(days=offset), pin=True
            )
    with reopen() as memory:
        for offset, place in ((1, "Brasa"), (2, "Nori"), (3, "Talvi")):
            asked_at = MONDAY + timedelta(days=offset, hours=6)
            found = memory.recall("where did I have lunch with Pia yesterday?", k=3, asked_at=asked_at)
            assert place in found.traces[0].text


@pytest.mark.parametrize(
    ("cue", "why"),
    [
        ("lighthouse keeper's spare key coffee tin", "a handful of its words"),
        ("behind the third", "a few common words of it"),
        ("what does Runa keep in a tin?", "a question in other words"),
        ("the lighhtouse keeprs spaer key", "a typo in every longer word"),
    ],
)
def test_it_recalls_the_whole_from_a_fragment(reopen: Reopen, cue: str, why: str) -> None:
    told = "Runa keeps the lighthouse keeper's spare key in a coffee tin behind the third stair."
    with reopen() as memory:
        memory.write(told, source="user")
    with reopen() as memory, reopen("without") as without:
        assert memory.recall(cue, k=1).traces[0].text == told, why
        assert "stair" not in without.recall(cue, k=3).render()


def test_slots_alone_bring_the_episode_back_with_the_others_filled(reopen: Reopen) -> None:
    with reopen() as memory:
        for who, where, month in (("Odo", "Ghent", 3), ("Odo", "Porto", 4), ("Lena", "Ghent", 4)):
            memory.write(
                f"{who} met the printers in {where}.",
                source="user",
                event_time=datetime(2024, month, 12, tzinfo=timezone.utc),
                slots=Slots(who=(who,), where=(where,), when=(f"2024-{month:02}",)),
                pin=True,
            )
    with reopen() as memory:
        found = memory.recall("", slots=Slots(who=("Odo",), when=("2024-04",)), k=1).traces[0]
        assert found.slots.where == ("Porto",)
        found = memory.recall("", slots=Slots(where=("Ghent",), who=("Lena",)), k=1).traces[0]
        assert found.slots.when == ("2024-04",)


def test_it_tells_near_duplicates_apart(reopen: Reopen) -> None:
    told = {
        (who, what): f"{who} returned the {what} to the toolshed on a rainy afternoon."
        for who in ("Anselm", "Berit", "Caspar")
        for what in ("ladder", "wheelbarrow", "hedge trimmer")
    }
    with reopen() as memory:
        receipts = memory.write_many([], progress=False)
        assert receipts == []
        for number, text in enumerate(told.values()):
            decision = memory.write(text, source="user", session=f"shed-{number}", pin=True).decision
            assert decision == "write", f"{text!r} is an episode of its own"
    with reopen() as memory:
        for (who, what), text in told.items():
            assert memory.recall(f"when did {who} return the {what}?", k=1).traces[0].text == text


def test_repeats_are_merged_and_counted(reopen: Reopen) -> None:
    told = "The alarm code of the studio is 4471."
    with reopen() as memory:
        first = memory.write(told, source="user", session="s", event_time=MONDAY)
        again = memory.write(told, source="user", session="s", event_time=MONDAY + timedelta(minutes=2))
        assert (first.decision, again.decision, again.id) == ("write", "merge", first.id)
    with reopen() as memory:
        assert first.id is not None
        assert memory.get(first.id).repeats == 1
        found = memory.recall("the studio's alarm code", k=5)
        assert [trace.text for trace in found.traces].count(told) == 1
        assert found.traces[0].id == first.id


def test_the_same_key_is_the_same_event(reopen: Reopen) -> None:
    with reopen() as memory:
        first = memory.write("The tulips came up on the ninth.", source="user", key="diary/9")
    with reopen() as memory:
        again = memory.write("The tulips came up on the ninth.", source="user", key="diary/9")
        assert (again.decision, again.id) == ("duplicate", first.id)


def test_it_says_why(reopen: Reopen) -> None:
    with reopen() as memory:
        memory.write("Yusuf tunes the harpsichord with a fork in A 415.", source="user", speaker="Yusuf")
    with reopen() as memory:
        found = memory.recall("how does Yusuf tune the harpsichord?", k=2)
        hit = found.hits[0]
        assert hit.reasons, "every hit has reasons"
        assert sum(hit.reasons.values()) == pytest.approx(hit.score, abs=1e-4)
        assert list(hit.reasons.values()) == sorted(hit.reasons.values(), reverse=True)
        explained = found.explain()
        assert hit.trace.id in explained or hit.trace.text[:40] in explained
        for reason in hit.reasons:
            assert reason in explained
        assert found.hits[0].score > found.hits[1].score
