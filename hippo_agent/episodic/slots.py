"""Light extraction of who, what, where and when: rules only, deterministic, no model, no download."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from hippo_agent.types import Slots

Rarity = Callable[[str], float]  # word -> higher is rarer (inverse document frequency)


def extract(
    text: str,
    *,
    speaker: str | None = None,
    event_time: datetime | None = None,
    rarity: Rarity | None = None,
    known: Collection[str] = (),
) -> Slots:
    """Slots of a statement. ``known`` are lower-case names that count as persons in any casing."""
    raise NotImplementedError


def extract_cue(
    text: str, *, asked_at: datetime | None = None, rarity: Rarity | None = None, known: Collection[str] = ()
) -> Slots:
    """Slots of a question: its own words ("who", "when", "did") fill nothing; times resolve against ``asked_at`` or absolutely."""
    raise NotImplementedError
