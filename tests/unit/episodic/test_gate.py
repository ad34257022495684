import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippo_agent.episodic.gate import GateConfig, WriteGate, conversation_of
from hippo_agent.episodic.same_event import Neighbour
from hippo_agent.episodic.strategies import Informative
from hippo_agent.errors import ConfigError, InvalidInput
from hippo_agent.types import Event, Provenance

NEWS = [
    "I bought a kayak in Porto.",
    "My sister Clara has a deaf parrot.",
    "We planted forty tulips on Monday.",
    "The lighthouse museum opens at nine.",
    "I lost a silver ring near Bergen.",
    "Professor Okafor repaired the gramophone.",
]


def said(text: str, speaker: str = "Ines", session: str = "s", **more: object) -> Event:
    return Event(text=text, speaker=speaker, provenance=Provenance(source="user", session=session), **more)  # type: ignore[arg-type]


def test_news_is_written_with_reasons() -> None:
    """The default gate keeps every piece of news and says why."""
    gate = WriteGate()
    made = [gate.decide(said(text), token=str(i)) for i, text in enumerate(NEWS)]

    assert [m.decision for m in made] == ["write"] * len(NEWS)
    assert all(m.reasons and m.reasons[0].startswith("surprise: 0.") and 0.0 < m.salience < 1.0 for m in made)
    assert gate.counters["write"] == len(NEWS)


def test_a_constant_stream_is_written_once() -> None:
    """The write rate falls to 0 after the first copy, with or without a neighbour to compare with."""
    gate, text = WriteGate(), NEWS[0]
    first = gate.decide(said(text), token="0")
    blind = [gate.decide(said(text), token=str(i)) for i in range(1, 50)]
    stored = Neighbour(id="0", text=text, cosine=1.0, speaker="Ines")
    seeing = [gate.decide(said(text), token=str(i), nearest=stored) for i in range(50, 99)]

    assert first.decision == "write"
    assert {m.decision for m in blind} == {"skip"} and all(m.reasons[0].startswith("repeat: ") for m in blind)
    assert {(m.decision, m.merge_into) for m in seeing} == {("merge", "0")}
    assert gate.counters == {
        "write": 1, "write: surprise": 1, "skip": 49, "skip: repeat": 49, "merge": 49, "merge: same event": 49,
    }  # fmt: skip


def test_pinned_and_rewarded_events_are_never_dropped() -> None:
    """Not even a greeting, an echo or what a rule refuses; a punishment counts like a reward."""
    gate = WriteGate(keep=Informative(1e9))

    assert gate.decide(said("Hello!", pin=True), token="0").decision == "write"
    assert gate.decide(said("Hello!", pin=True), token="0").salience == 1.0
    assert gate.decide(said("Thanks!", reward=-0.5), token="1").decision == "write"
    assert gate.decide(said("Thanks!"), token="2").reasons[0].startswith("repeat")
    refused = gate.decide(said("I bought a kayak."), token="3")
    assert (refused.decision, refused.reasons[0]) == ("skip", "rule: refused")


def test_the_gate_can_be_switched_off() -> None:
    """Then everything is written."""
    gate = WriteGate(GateConfig(enabled=False))

    assert [gate.decide(said("Hello!"), token=str(i)).decision for i in range(3)] == ["write"] * 3


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_salience_rises_with_reward_and_novelty(r1: float, r2: float, c1: float, c2: float) -> None:
    """Monotone in |reward| and in 1 - cosine, and always in [0, 1]."""

    def salience(reward: float, cosine: float) -> float:
        near = Neighbour(id="n", text="Something else entirely.", cosine=cosine, speaker="Ines")
        return WriteGate().decide(said(NEWS[0], reward=reward), token="0", nearest=near).salience

    low, high = sorted((abs(r1), abs(r2)))
    far, near = sorted((c1, c2))
    assert 0.0 <= salience(low, near) <= salience(high, near) <= 1.0
    assert 0.0 <= salience(low, near) <= salience(low, far) <= 1.0


def test_salience_rises_with_surprise_answers_and_attachments() -> None:
    """More information, an answer to a question, a shared picture: each more than without."""

    def salience(*turns: tuple[str, str]) -> float:
        gate = WriteGate()
        return [gate.decide(said(text, speaker), token="0").salience for speaker, text in turns][-1]

    plain = salience(("Tomas", "Lunch was late."), ("Ines", "I bought a kayak."))

    assert salience(("Tomas", "Lunch was late."), ("Ines", "I bought a kayak in Porto on Monday.")) > plain
    assert salience(("Tomas", "Was lunch late?"), ("Ines", "I bought a kayak.")) > plain
    assert salience(("Tomas", "Lunch was late."), ("Ines", "I bought a kayak. [shares a photo of a kayak]")) > plain


def test_a_language_models_surprise_counts() -> None:
    """Standardised per source, it raises surprise; a fact that memory made likely does not."""

    def nll(text: str) -> Sequence[float]:
        return [9.0] if "kayak" in text else [2.0, 2.1] if "tulips" in text else [2.0]

    with_model, without = WriteGate(token_surprise=nll), WriteGate()
    surprise = {}
    for name, gate in (("with", with_model), ("without", without)):
        for i, text in enumerate((NEWS[1], NEWS[2], NEWS[3], NEWS[0], NEWS[4])):
            surprise[name, text] = gate.decide(said(text), token=str(i)).signals.surprise

    assert surprise["with", NEWS[0]] > surprise["without", NEWS[0]] + 0.1
    assert surprise["with", NEWS[4]] == surprise["without", NEWS[4]]


def test_a_budget_defers_and_settles_to_the_best() -> None:
    """Every event is first kept as deferred; at the end half of them stay, the more informative half."""
    gate = WriteGate(GateConfig(budget=0.5))
    dull = ["It is dark here.", "The soup was hot.", "A door opened.", "Rain again outside.", "We walked home.", "Tea?"]
    texts = [text for pair in zip(NEWS, dull, strict=True) for text in pair]
    made = [gate.decide(said(text), token=text) for text in texts]
    settled = gate.settle()

    assert {m.decision for m in made} <= {"defer", "skip"}
    assert [s.token for s in settled if s.decision == "write"] == NEWS
    assert all(s.reasons for s in settled)
    assert gate.counters["settled write"] == 6
    assert gate.settle() == []


def test_conversations_are_settled_one_by_one() -> None:
    """Two interleaved sessions; settling one leaves the other waiting."""
    gate = WriteGate(GateConfig(budget=0.5))
    for i, text in enumerate(NEWS):
        gate.decide(said(text, session="ab"[i % 2]), token=str(i))

    assert [s.token for s in gate.settle(conversation_of((), "a"))] in (
        ["0", "2", "4"], ["2", "0", "4"], ["4", "0", "2"],
    )  # fmt: skip
    assert {s.token for s in gate.settle()} == {"1", "3", "5"}


def test_the_buffer_is_bounded() -> None:
    """A full buffer is settled with the event that filled it; nothing waits without limit or gets lost."""
    gate = WriteGate(GateConfig(budget=0.5, buffer=4, urgent=0.0))
    outcome = {}
    for i in range(40):
        made = gate.decide(said(f"I bought {i} kayaks in Porto."), token=str(i))
        outcome |= {done.token: done.decision for done in made.settled}

    assert sorted(outcome, key=int) == [str(i) for i in range(40)]
    assert sum(decision == "write" for decision in outcome.values()) == 20


def test_an_online_budget_decides_at_once() -> None:
    """No deferral; the rate holds within two points."""
    gate = WriteGate(GateConfig(budget=0.3, late=False))
    made = [gate.decide(said(f"I bought {i} {'kayaks in Porto' if i % 3 else 'pens'}."), token="x") for i in range(900)]

    assert {m.decision for m in made} == {"write", "skip"}
    assert sum(m.decision == "write" for m in made) / 900 == pytest.approx(0.3, abs=0.02)


def test_a_forgotten_event_is_not_settled() -> None:
    """It leaves buffer, statistics and context."""
    gate = WriteGate(GateConfig(budget=1.0, urgent=0.0))
    gate.decide(said(NEWS[0]), token="0")
    gate.forget(NEWS[0], token="0")

    assert gate.settle() == []
    assert "kayak" not in json.dumps(gate.state())


@pytest.mark.parametrize("config", [GateConfig(), GateConfig(budget=0.4), GateConfig(budget=0.4, late=False)])
def test_state_survives_json(config: GateConfig) -> None:
    """A restored gate decides as the original does, and equal inputs give equal decisions."""
    texts = [f"{text} Number {i}." for i in range(10) for text in NEWS]
    gate, twin = WriteGate(config), WriteGate(config)
    for i, text in enumerate(texts[:30]):
        assert gate.decide(said(text), token=str(i)) == twin.decide(said(text), token=str(i))
    other = WriteGate(config)
    other.restore(json.loads(json.dumps(gate.state())))

    for i, text in enumerate(texts[30:]):
        assert other.decide(said(text), token=str(i)) == gate.decide(said(text), token=str(i))
    assert other.settle() == gate.settle()
    assert other.state() == gate.state()


def test_bad_settings_and_signals_are_refused() -> None:
    """Typed errors that name the value; the state stays as it was."""
    with pytest.raises(ConfigError, match="budget"):
        GateConfig(budget=0.0)
    with pytest.raises(ConfigError, match="reward"):
        GateConfig(reward=1.5)
    gate = WriteGate()
    before = gate.state()
    with pytest.raises(InvalidInput, match="reward"):
        gate.decide(replace(said(NEWS[0]), reward=float("nan")), token="0")
    near = Neighbour(id="n", text="x", cosine=float("nan"))
    with pytest.raises(InvalidInput, match="novelty"):
        gate.decide(said(NEWS[0]), token="0", nearest=near)

    assert gate.state() == before
