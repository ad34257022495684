"""Rules over what the gate saw, combined with ``&``, ``|`` and ``~`` (after tenacity's stop strategies).

``Surprising(0.2) | Rewarded(0.5)``, ``Informative(8.0) & ~Novel(0.1)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from hippo_agent.types import Signals


class Rule(ABC):
    """A yes or no to an event's signals."""

    @abstractmethod
    def __call__(self, signals: Signals) -> bool: ...

    def __and__(self, other: Rule) -> Rule:
        return AllOf((self, other))

    def __or__(self, other: Rule) -> Rule:
        return AnyOf((self, other))

    def __invert__(self) -> Rule:
        return Not(self)


@dataclass(frozen=True, slots=True)
class AllOf(Rule):
    """Yes when every rule says yes."""

    rules: tuple[Rule, ...]

    def __call__(self, signals: Signals) -> bool:
        return all(rule(signals) for rule in self.rules)


@dataclass(frozen=True, slots=True)
class AnyOf(Rule):
    """Yes when at least one rule says yes."""

    rules: tuple[Rule, ...]

    def __call__(self, signals: Signals) -> bool:
        return any(rule(signals) for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Not(Rule):
    """The opposite of a rule."""

    rule: Rule

    def __call__(self, signals: Signals) -> bool:
        return not self.rule(signals)


@dataclass(frozen=True, slots=True)
class Always(Rule):
    """Yes to everything."""

    def __call__(self, signals: Signals) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Surprising(Rule):
    """Surprise of at least ``least`` in [0, 1]."""

    least: float

    def __call__(self, signals: Signals) -> bool:
        return signals.surprise >= self.least


@dataclass(frozen=True, slots=True)
class Informative(Rule):
    """Information of at least ``nats``."""

    nats: float

    def __call__(self, signals: Signals) -> bool:
        return signals.information >= self.nats


@dataclass(frozen=True, slots=True)
class Novel(Rule):
    """Novelty (1 - similarity to the nearest trace) of at least ``least`` in [0, 1]."""

    least: float

    def __call__(self, signals: Signals) -> bool:
        return signals.novelty >= self.least


@dataclass(frozen=True, slots=True)
class Rewarded(Rule):
    """A reward or punishment of at least ``least`` in [0, 1], whatever its sign: failures are worth keeping too."""

    least: float

    def __call__(self, signals: Signals) -> bool:
        return abs(signals.reward) >= self.least
