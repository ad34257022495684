"""Holding a write budget: at once by a running threshold, or at the end of a conversation by the best of it.

Deciding late is worth much: with the whole conversation in view the budget goes to its best turns, and the rate is met
exactly. What is deferred is kept meanwhile; nothing is dropped before it was settled.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from hippo_agent.errors import ConfigError

_EPSILON = 1e-9
_MAX_CARRY = 20.0  # items of unspent budget that a later conversation may use


class Recent:
    """The last scores, sorted for quantiles."""

    def __init__(self, window: int, scores: Sequence[float] = ()) -> None:
        self._window = window
        self._order: deque[float] = deque(scores, maxlen=window)
        self._sorted = sorted(self._order)

    def __len__(self) -> int:
        return len(self._order)

    def add(self, score: float) -> None:
        """Take a score in; the oldest leaves a full window."""
        if len(self._order) == self._window:
            del self._sorted[bisect_left(self._sorted, self._order[0])]
        self._order.append(score)
        insort(self._sorted, score)

    def top(self, share: float) -> float:
        """The score that the best ``share`` of the window reaches."""
        place = int((1.0 - share) * len(self._sorted))
        return self._sorted[min(max(place, 0), len(self._sorted) - 1)]

    def scores(self) -> list[float]:
        """Oldest first."""
        return list(self._order)


class RateController:
    """Decides each score at once: above the running quantile of the last ``window`` scores, less what is owed.

    The share let through stays within one item plus one of every hundred of ``rate``, whatever the scores are.
    """

    def __init__(self, rate: float, *, window: int = 200) -> None:
        self.rate = _checked(rate)
        self.seen = 0
        self.kept = 0
        self._recent = Recent(window)

    def admit(self, score: float) -> bool:
        """Whether the item is within the budget; counts it."""
        owed = self.rate * (self.seen + 1) - self.kept
        slack = 1.0 + 0.01 * (self.seen + 1)
        aim = min(max(self.rate + 0.02 * owed, 0.02), 0.98)
        fits = len(self._recent) < 8 or score >= self._recent.top(aim)
        keep = (fits and owed > 1.0 - slack + _EPSILON) or owed >= slack
        self._recent.add(score)
        self.count(keep)
        return keep

    def count(self, kept: bool) -> None:
        """Count an item that was decided elsewhere (pinned, or nothing new)."""
        self.seen += 1
        self.kept += kept

    def state(self) -> dict[str, Any]:
        """JSON-able."""
        return {"seen": self.seen, "kept": self.kept, "recent": self._recent.scores()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that `state` gave."""
        self.seen, self.kept = state["seen"], state["kept"]
        self._recent = Recent(self._recent._window, state["recent"])


class DeferredBudget:
    """Spends a budget on the best of each conversation: the clearly good at once, the rest when it is settled.

    Args:
        rate: share of all items that may be kept, in (0, 1].
        urgent: share of the budget that may be spent at once on items above the matching running quantile.
        window: number of last scores that the quantile looks at; before 30 of them nothing is urgent.
    """

    def __init__(self, rate: float, *, urgent: float = 0.5, window: int = 300) -> None:
        self.rate = _checked(rate)
        self.urgent = urgent
        self._recent = Recent(window)
        self._carry = 0.0  # budget left over from settled conversations, in items
        self._open: dict[str, _Open] = {}

    def offer(self, token: str, score: float, *, conversation: str) -> bool:
        """True: keep it now. False: it waits for `settle`."""
        current = self._open.setdefault(conversation, _Open())
        current.seen += 1
        share = self.urgent * self.rate
        outstanding = self._carry + self.rate * current.seen - current.kept
        now = outstanding >= 1.0 and share > 0.0 and len(self._recent) >= 30 and score >= self._recent.top(share)
        self._recent.add(score)
        if now:
            current.kept += 1
        else:
            current.waiting.append((token, score))
        return now

    def wait(self, token: str, score: float, *, conversation: str) -> None:
        """Put an item among those that wait (it was deferred before a restart), unless it is there."""
        current = self._open.setdefault(conversation, _Open())
        if all(token != waiting for waiting, _ in current.waiting):
            current.seen += 1
            current.waiting.append((token, score))

    def count(self, kept: bool, *, conversation: str) -> None:
        """Count an item that was decided elsewhere (pinned, or nothing new)."""
        current = self._open.setdefault(conversation, _Open())
        current.seen += 1
        current.kept += kept

    def waiting(self, conversation: str) -> int:
        """How many items wait."""
        current = self._open.get(conversation)
        return len(current.waiting) if current else 0

    def conversations(self) -> list[str]:
        """Those that have not been settled, oldest first."""
        return list(self._open)

    def settle(self, conversation: str) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
        """(kept, dropped) of what waits, as (token, score) in order of arrival; the best stay, ties to the earlier."""
        current = self._open.pop(conversation, None)
        if current is None:
            return [], []
        allowance = self._carry + self.rate * current.seen - current.kept
        quota = min(max(int(allowance + _EPSILON), 0), len(current.waiting))
        best = sorted(range(len(current.waiting)), key=lambda i: (-current.waiting[i][1], i))[:quota]
        self._carry = min(allowance - quota, _MAX_CARRY)
        chosen = set(best)
        kept = [item for i, item in enumerate(current.waiting) if i in chosen]
        dropped = [item for i, item in enumerate(current.waiting) if i not in chosen]
        return kept, dropped

    def withdraw(self, token: str) -> None:
        """Take a waiting item out (its event was forgotten)."""
        for current in self._open.values():
            current.waiting = [item for item in current.waiting if item[0] != token]

    def state(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "carry": self._carry,
            "recent": self._recent.scores(),
            "open": [[name, c.seen, c.kept, [list(item) for item in c.waiting]] for name, c in self._open.items()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that `state` gave."""
        self._carry = state["carry"]
        self._recent = Recent(self._recent._window, state["recent"])
        self._open = {
            name: _Open(seen, kept, [(token, score) for token, score in waiting])
            for name, seen, kept, waiting in state["open"]
        }


class _Open:
    """A conversation that is still going on."""

    def __init__(self, seen: int = 0, kept: int = 0, waiting: list[tuple[str, float]] | None = None) -> None:
        self.seen = seen
        self.kept = kept
        self.waiting: list[tuple[str, float]] = waiting or []


def _checked(rate: float) -> float:
    if not 0.0 < rate <= 1.0:
        raise ConfigError(f"a write budget of {rate!r} is not in (0, 1]; leave it out to keep everything that is news")
    return float(rate)
