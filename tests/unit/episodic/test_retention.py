from datetime import datetime, timedelta, timezone
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippo_agent.episodic.retention import Retention, RetentionConfig
from hippo_agent.errors import ConfigError, InvalidInput
from hippo_agent.types import Provenance, Slots, Trace

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
ON = Retention(RetentionConfig(enabled=True, tau_days=10.0))


def later(days: float) -> datetime:
    return START + timedelta(days=days)


def trace(seq: int, **more: object) -> Trace:
    values = {
        "id": f"t{seq}", "seq": seq, "text": "x", "namespace": (), "provenance": Provenance(), "speaker": None,
        "event_time": START, "write_time": START, "kind": "episode", "key": None, "pinned": False, "reward": 0.0,
        "slots": Slots(), "salience": 0.5, "strength": 1.0, "repeats": 0, "status": "active", "meta": {},
    }  # fmt: skip
    return Trace(**(values | more))  # type: ignore[arg-type]


def test_the_curve() -> None:
    """exp(-dt / (tau S)): 1/e after tau days at strength 1, after two tau at strength 2; 1 in the future or if off."""
    assert ON.retained(strength=1.0, since=START, now=later(10)) == pytest.approx(exp(-1))
    assert ON.retained(strength=2.0, since=START, now=later(20)) == pytest.approx(exp(-1))
    assert ON.retained(strength=1.0, since=later(3), now=START) == 1.0
    assert Retention().retained(strength=1.0, since=START, now=later(1000)) == 1.0


@given(st.floats(1, 50), st.floats(0.1, 50), st.floats(0.01, 365))
def test_stronger_memories_fade_slower(strength: float, more: float, days: float) -> None:
    """At any age, and the loss over any further day is a smaller share of what is left."""
    weak = ON.retained(strength=strength, since=START, now=later(days))
    strong = ON.retained(strength=strength + more, since=START, now=later(days))
    weak_next = ON.retained(strength=strength, since=START, now=later(days + 1))
    strong_next = ON.retained(strength=strength + more, since=START, now=later(days + 1))

    assert strong > weak
    assert strong_next * weak > weak_next * strong


def test_only_useful_recall_strengthens() -> None:
    """And the more, the nearer the trace was to being forgotten; up to the ceiling."""
    fresh = ON.strengthened(1.0, useful=True, since=START, now=START)
    faded = ON.strengthened(1.0, useful=True, since=START, now=later(60))

    assert ON.strengthened(1.0, useful=False, since=START, now=later(60)) == 1.0
    assert fresh == pytest.approx(1.5)
    assert 1.9 < faded <= 2.0
    assert ON.strengthened(99.9, useful=True, since=START, now=START) == 100.0


def test_eviction_takes_the_faded_and_spares_the_pinned() -> None:
    """Least retention x salience x repeats first; a pinned trace is never in the list."""
    traces = [
        trace(1, pinned=True, salience=0.0),
        trace(2, strength=5.0),
        trace(3),
        trace(4, salience=0.9),
        trace(5, repeats=3),
        trace(6),
    ]
    order = ON.eviction_order(traces, now=later(20), last_useful={"t6": later(19)})

    assert [t.seq for t in order] == [3, 4, 5, 2, 6]
    assert [t.seq for t in ON.to_evict(traces, capacity=4, now=later(20))] == [3, 6]
    assert ON.to_evict(traces, capacity=6, now=later(20)) == []


@given(st.lists(st.booleans(), max_size=12), st.integers(0, 12))
def test_capacity_never_touches_pinned(pins: list[bool], capacity: int) -> None:
    """Whatever the capacity; and no more goes than has to."""
    traces = [trace(i, pinned=pinned) for i, pinned in enumerate(pins)]
    gone = ON.to_evict(traces, capacity=capacity, now=later(1))

    assert not any(t.pinned for t in gone)
    assert len(gone) == min(max(len(traces) - capacity, 0), pins.count(False))


def test_bad_settings_are_refused() -> None:
    """Typed errors that name the value."""
    with pytest.raises(ConfigError, match="tau_days"):
        RetentionConfig(tau_days=0.0)
    with pytest.raises(ConfigError, match="capacity"):
        ON.to_evict([], capacity=-1, now=START)
    with pytest.raises(InvalidInput, match="strength"):
        ON.retained(strength=0.5, since=START, now=START)
