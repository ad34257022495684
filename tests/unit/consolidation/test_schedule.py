"""The schedule: what is new, due again, kept warm or postponed, and how much of each."""

from __future__ import annotations

from datetime import timedelta

from hippo_agent.consolidation.config import SelectionConfig
from hippo_agent.consolidation.schedule import due, new_card, plan, reviewed
from tests.unit.consolidation.conftest import NOW, item

CONFIG = SelectionConfig()


def test_salient_and_used_items_come_first_and_the_rest_waits() -> None:
    dull, vivid = item("Orla", salience=0.1), item("Bram", salience=0.9)
    used = item("Cato", salience=0.9, strength=4.0)
    night = plan([dull, vivid, used], {}, {}, now=NOW, config=SelectionConfig(per_night=2))
    assert night.new == (used, vivid)
    assert night.postponed == (dull,)


def test_in_fifo_order_the_oldest_comes_first() -> None:
    old, new = item("Orla", said_at=NOW - timedelta(days=2), salience=0.1), item("Bram", salience=0.9)
    assert plan([new, old], {}, {}, now=NOW, config=SelectionConfig(fifo=True)).new == (old, new)


def test_what_is_known_without_memory_needs_teaching_least() -> None:
    known, unknown = item("Orla"), item("Bram")
    night = plan([known, unknown], {}, {known.key: True, unknown.key: False}, now=NOW, config=CONFIG)
    assert night.new == (unknown, known)


def test_a_taught_item_stays_warm_until_it_is_forgotten_or_due() -> None:
    one = item()
    cards = {one.key: new_card(NOW)}
    fresh = plan([one], cards, {one.key: True}, now=NOW + timedelta(hours=1), config=CONFIG)
    assert fresh.warm == (one,)
    forgotten = plan([one], cards, {one.key: False}, now=NOW + timedelta(hours=1), config=CONFIG)
    assert forgotten.again == (one,)
    later = plan([one], cards, {one.key: True}, now=NOW + timedelta(days=90), config=CONFIG)
    assert later.again == (one,)


def test_each_remembered_probe_puts_the_next_one_further_off() -> None:
    card = new_card(NOW)
    once = reviewed(card, True, NOW + timedelta(days=3))
    after = NOW + timedelta(days=3 + 6)
    assert due(card, after, CONFIG)
    assert not due(once, after, CONFIG)
    assert due(reviewed(card, False, NOW + timedelta(days=3)), after, CONFIG)


def test_a_misfit_gets_a_richer_dose_and_what_was_forgotten_a_double_one() -> None:
    fitting, misfit = item("Orla", fit=1.0), item("Bram", fit=0.0)
    night = plan([fitting, misfit], {}, {}, now=NOW, config=CONFIG)
    assert night.doses == {fitting.key: 4.0, misfit.key: 12.0}
    lost = plan([fitting], {fitting.key: new_card(NOW)}, {fitting.key: False}, now=NOW, config=CONFIG)
    assert lost.doses[fitting.key] == 8.0
