"""When an item is replayed: spaced by how well it is remembered without memory, most important first.

Each item has a card of FSRS (the `fsrs` package): a probe of the serving model without memory counts as a review,
answered or not. What is due again, or was never taught, is ranked by salience x usage x how badly it is known; facts
that fit their schema get a light dose, misfits a rich one (Tse et al. 2007: what fits is learnt fast).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from hippo_agent.consolidation.config import SelectionConfig
from hippo_agent.consolidation.items import Item

if TYPE_CHECKING:
    from fsrs import Card, Scheduler

__all__ = ["Plan", "due", "new_card", "plan", "reviewed"]

_UNKNOWN_BOOST = 2.0  # a dose is multiplied by it when the item was forgotten


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A night: items taught for the first time, those due again, those kept warm, and the dose of each by key."""

    new: tuple[Item, ...]
    again: tuple[Item, ...]
    warm: tuple[Item, ...]
    doses: Mapping[str, float]
    postponed: tuple[Item, ...] = ()  # over the night's limit

    @property
    def tonight(self) -> tuple[Item, ...]:
        return (*self.new, *self.again)


def plan(
    candidates: Sequence[Item],
    cards: Mapping[str, str],
    known: Mapping[str, bool],
    *,
    now: datetime,
    config: SelectionConfig,
) -> Plan:
    """Divide the candidates. ``cards``: by key of those taught before; ``known``: answered without memory just now."""
    new = [item for item in candidates if item.key not in cards]
    ranked = sorted(new, key=lambda item: (item.said_at, item.key) if config.fifo else (-_worth(item, known), item.key))
    taught = [item for item in candidates if item.key in cards]
    again = [item for item in taught if not known.get(item.key, False) or due(cards[item.key], now, config)]
    due_keys = {item.key for item in again}
    chosen = ranked[: config.per_night]
    return Plan(
        new=tuple(chosen),
        again=tuple(again),
        warm=tuple(item for item in taught if item.key not in due_keys),
        doses={item.key: _dose(item, known, config) for item in (*chosen, *taught)},
        postponed=tuple(ranked[config.per_night :]),
    )


def new_card(now: datetime) -> str:
    """The card of an item that is taught for the first time."""
    from fsrs import Card, Rating

    card, _ = _scheduler(0.9).review_card(Card(card_id=1, due=now), Rating.Good, now)
    return str(card.to_json())


def reviewed(card: str, remembered: bool, now: datetime) -> str:
    """The card after a probe."""
    from fsrs import Rating

    again, _ = _scheduler(0.9).review_card(_card(card), Rating.Good if remembered else Rating.Again, now)
    return str(again.to_json())


def due(card: str, now: datetime, config: SelectionConfig) -> bool:
    """Whether the chance that it is still remembered has fallen below the one that is wanted."""
    return bool(_scheduler(config.retention).get_card_retrievability(_card(card), now) < config.retention)


def _worth(item: Item, known: Mapping[str, bool]) -> float:
    """In [0, 1]: salient, used, and not known without memory."""
    usage = item.strength / (1.0 + item.strength)
    return item.salience * usage * (0.1 if known.get(item.key, False) else 1.0)


def _dose(item: Item, known: Mapping[str, bool], config: SelectionConfig) -> float:
    dose = config.light + (config.rich - config.light) * (1.0 - item.fit)
    return dose * (1.0 if known.get(item.key, True) else _UNKNOWN_BOOST)


@lru_cache(maxsize=8)
def _scheduler(retention: float) -> Scheduler:
    from fsrs import Scheduler

    return Scheduler(desired_retention=retention, learning_steps=(), relearning_steps=(), enable_fuzzing=False)


def _card(raw: str) -> Card:
    from fsrs import Card

    return Card.from_json(raw)
