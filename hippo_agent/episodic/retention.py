"""Forgetting: a retention curve, the order of eviction, and what has faded. Off by default; nothing here deletes.

Retention R = exp(-dt / (tau x S)): dt since the last useful recall (or the write), tau in days, strength S >= 1. S
grows on useful recall only, the more the nearer the trace was to being forgotten (spacing), so stronger memories fade
slower.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import exp, isfinite

from hippo_agent.errors import ConfigError, InvalidInput
from hippo_agent.types import Trace

_DAY = 86_400.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionConfig:
    """Settings of the retention curve."""

    enabled: bool = False
    tau_days: float = 30.0  # after it an unused trace of strength 1 has R = 1/e
    gain: float = 0.5  # how much strength one useful recall adds, up to twice that when R is near 0
    most: float = 100.0  # strength stops growing there
    forget_below: float = 0.0  # the night deletes unpinned traces whose R is below it; 0: it deletes nothing

    def __post_init__(self) -> None:
        if not (isfinite(self.tau_days) and self.tau_days > 0.0):
            raise ConfigError(f"RetentionConfig.tau_days must be above 0, not {self.tau_days!r}")
        if not (isfinite(self.gain) and self.gain >= 0.0) or self.most < 1.0:
            raise ConfigError(f"RetentionConfig needs gain >= 0 and most >= 1, not {self.gain!r} and {self.most!r}")
        if not 0.0 <= self.forget_below < 1.0:
            raise ConfigError(f"RetentionConfig.forget_below must be in [0, 1), not {self.forget_below!r}")
        if self.forget_below and not self.enabled:
            raise ConfigError("RetentionConfig.forget_below needs enabled=True: without a curve nothing fades")


class Retention:
    """The retention curve."""

    def __init__(self, config: RetentionConfig | None = None) -> None:
        self.config = config or RetentionConfig()

    def retained(self, *, strength: float, since: datetime, now: datetime) -> float:
        """R in [0, 1]; 1 for a moment that is not past, and always when retention is off."""
        if not (isfinite(strength) and strength >= 1.0):
            raise InvalidInput(f"a strength of {strength!r} is not a finite number of at least 1")
        if not self.config.enabled:
            return 1.0
        days = max((now - since).total_seconds(), 0.0) / _DAY
        return exp(-days / (self.config.tau_days * strength))

    def strengthened(self, strength: float, *, useful: bool, since: datetime, now: datetime) -> float:
        """Strength after a recall: unchanged unless it was useful; + gain x (2 - R) when it was."""
        if not useful:
            return strength
        retained = self.retained(strength=strength, since=since, now=now)
        return min(strength + self.config.gain * (2.0 - retained), max(self.config.most, strength))

    def eviction_order(
        self, traces: Iterable[Trace], *, now: datetime, last_useful: Mapping[str, datetime] | None = None
    ) -> list[Trace]:
        """Unpinned traces, first to go first: least retention x (1 + salience) x (1 + repeats), then the oldest."""
        used = last_useful or {}

        def worth(trace: Trace) -> tuple[float, int]:
            return self._now(trace, used, now) * (1.0 + trace.salience) * (1.0 + trace.repeats), trace.seq

        return sorted((trace for trace in traces if not trace.pinned), key=worth)

    def faded(
        self, traces: Iterable[Trace], *, now: datetime, last_useful: Mapping[str, datetime] | None = None
    ) -> list[Trace]:
        """Unpinned traces whose retention fell below the floor; none when retention is off or the floor is 0."""
        used = last_useful or {}
        return [
            trace for trace in traces if not trace.pinned and self._now(trace, used, now) < self.config.forget_below
        ]

    def to_evict(
        self,
        traces: Iterable[Trace],
        *,
        capacity: int,
        now: datetime,
        last_useful: Mapping[str, datetime] | None = None,
    ) -> list[Trace]:
        """What has to go so that at most ``capacity`` traces stay; never a pinned one, even if that leaves too many."""
        if capacity < 0:
            raise ConfigError(f"a capacity of {capacity!r} traces is negative; leave it out for no limit")
        listed = list(traces)
        excess = max(len(listed) - capacity, 0)
        return self.eviction_order(listed, now=now, last_useful=last_useful)[:excess]

    def _now(self, trace: Trace, used: Mapping[str, datetime], now: datetime) -> float:
        since = max(trace.write_time, used.get(trace.id, trace.write_time))
        return self.retained(strength=trace.strength, since=since, now=now)
