from collections import Counter

import pytest

from hippo_agent.conversations import Conversation, parse
from hippo_agent.evaluation.junk import junk_stream
from hippo_agent.evaluation.policies import (
    WordNeighbours,
    everything_policy,
    evidence_kept,
    gate_policy,
    junk_stored,
    length_policy,
    random_policy,
)
from hippo_agent.types import Event

NEWS = [
    "I adopted a greyhound called Pixel in March.",
    "I repaired the gramophone of Professor Okafor yesterday.",
    "We planted forty tulips behind the greenhouse on Monday.",
    "I start at the observatory in Bergen on 9 July.",
    "My sister Clara plays the cello in Porto.",
]
CHAT = [
    "You always make such good choices, and you should be very proud of all that you have done so far.",
    "What do you think that you will want to do about all of these things in the end, when it is over?",
    "You are so kind, and it is wonderful how you care about people and how you make them feel at home.",
    "That is a lovely thought and you are quite right to see it in such a positive way, as you always do!",
    "Do you ever feel that there is so much to do that you do not know where you ought to begin with it?",
]


def conversation() -> Conversation:
    """Short news and long chat in turn; the news is asked for, the first twice."""
    texts = [text for pair in zip(NEWS, CHAT, strict=True) for text in pair]
    turns = [{"speaker": "IT"[i % 2], "dia_id": f"D1:{i + 1}", "text": text} for i, text in enumerate(texts)]
    gold = ["D1:1", "D1:1", "D1:3", "D1:5", "D1:7", "D1:9"]
    return parse(
        {
            "sample_id": "c",
            "conversation": {"session_1": turns, "session_1_date_time": "1:56 pm on 8 May, 2023"},
            "qa": [{"question": "?", "answer": "!", "evidence": [turn], "category": 4} for turn in gold],
        }
    )[0]


def test_the_gate_keeps_the_evidence_at_half_the_budget() -> None:
    """All of it, where length keeps none and a random choice about half."""
    kept = {
        name: evidence_kept([conversation()], policy, budgets=[0.5])[0]
        for name, policy in {
            "gate": gate_policy(),
            "length": length_policy,
            "everything": everything_policy,
            **{f"random {seed}": random_policy(seed) for seed in range(200)},
        }.items()
    }
    by_chance = sum(kept[f"random {seed}"].evidence for seed in range(200)) / 200

    assert kept["gate"].evidence == 1.0 and kept["gate"].stored == 0.5
    assert kept["length"].evidence == 0.0 and kept["length"].stored == 0.5
    assert kept["everything"].evidence == 1.0 and kept["everything"].stored == 1.0
    assert by_chance == pytest.approx(0.5, abs=0.06)


def test_pairs_are_counted_not_turns() -> None:
    """A turn that two questions need counts twice."""
    first_only = evidence_kept([conversation()], lambda events, budget: {0}, budgets=[0.5])[0]

    assert first_only.evidence == pytest.approx(2 / 6)
    assert sum(row.kept for row in first_only.rows) == 2
    assert len(first_only.rows) == 6


def test_without_a_budget_the_gate_keeps_all_evidence() -> None:
    """Nothing that was asked for is dropped."""
    assert evidence_kept([conversation()], gate_policy(), budgets=[1.0])[0].evidence == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_junk_stays_out_and_news_gets_in(seed: int) -> None:
    """At most 5 % of repeats, greetings and echoes is stored, and all of the news; storing everything stores all."""
    stream = junk_stream(400, seed=seed)
    stored = junk_stored(stream, gate_policy())

    assert stored["junk"] <= 0.05
    assert stored["news"] == 1.0
    assert set(junk_stored(stream, everything_policy).values()) == {1.0}


def test_the_junk_stream_is_as_described() -> None:
    """Same seed, same stream; all kinds occur; an echo follows its news closely."""
    stream = junk_stream(500, seed=3)
    kinds = Counter(item.kind for item in stream)

    assert stream == junk_stream(500, seed=3) != junk_stream(500, seed=4)
    assert len(stream) == 500
    assert 25 <= kinds["news"] <= 90 and min(kinds.values()) >= 25
    for i, item in enumerate(stream):
        if item.kind == "echo":
            assert any(before.kind == "news" for before in stream[max(0, i - 2) : i])


def test_word_neighbours_find_the_nearest() -> None:
    """By the cosine of the sets of words."""
    stored = WordNeighbours()
    assert stored.nearest(Event(text="a b")) is None
    stored.add(Event(text="red kayak"), "1")
    stored.add(Event(text="red kayak in Porto"), "2")
    found = stored.nearest(Event(text="Kayak, red!"))

    assert found is not None and (found.id, found.cosine) == ("1", pytest.approx(1.0))
