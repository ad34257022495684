"""Which value holds now, or held at time t? By code, from dated claims; the same claims give the same answer.

For a relation that has one value at a time, claims are ordered by

1. world time: a claim from a later time replaces an earlier one;
2. serial order: of two claims about the same time the one recorded later is a correction;
3. trust, then the number of independent sources, between claims of one trace.

What untrusted sources say, however many, never replaces and never takes back what a trusted one says.

A denial ("no longer lives in Rome", "that was wrong") takes its value away from its time on, and never brings an
older value
back: after a retraction the answer is "not known", not the stale value. Claims that nothing orders are a conflict and
are
reported as one.

Measured elsewhere: taking the latest serial by code answers 78-95 % of MemoryAgentBench's FactConsolidation single
hops,
where published memory systems reach 7-56 % (arXiv 2606.01435).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hippo_agent.types import TRUSTED

__all__ = ["Claim", "Interval", "Verdict", "intervals", "verdict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One statement of one value, or its denial."""

    value: str
    denied: bool = False
    valid_from: datetime
    valid_until: datetime | None = None
    seq: int  # serial order
    trust: float = 1.0
    principal: str = ""

    @property
    def rank(self) -> tuple[datetime, int]:
        """Later wins."""
        return (self.valid_from, self.seq)


@dataclass(frozen=True, slots=True)
class Interval:
    """When a value holds: from ``start`` until before ``end`` (None: still)."""

    value: str
    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer at one time."""

    values: tuple[str, ...]
    runner_up: str | None
    conflict: bool
    why: tuple[str, ...]


def intervals(claims: Iterable[Claim], *, functional: bool) -> list[Interval]:
    """When each claimed value holds, by start. For a functional relation none overlap but those in open conflict."""
    ordered = sorted(claims, key=lambda claim: (*claim.rank, not claim.denied, -claim.trust, claim.value))
    open_: dict[str, datetime] = {}
    done: list[Interval] = []
    vouched: set[str] = set()  # open values that a trusted source says

    def close(value: str, at: datetime) -> None:
        start = open_.pop(value, None)
        vouched.discard(value)
        if start is not None and start < at:
            done.append(Interval(value, start, at))

    def overruled(claim: Claim) -> bool:
        if claim.trust >= TRUSTED:
            return False
        return claim.value in vouched if claim.denied else functional and bool(vouched - {claim.value})

    for same in _same_rank(ordered):
        at = same[0].valid_from
        group = [claim for claim in same if not overruled(claim)]
        for claim in group:
            if claim.denied:
                close(claim.value, at)
        told = [claim for claim in group if not claim.denied]
        if functional and told:
            keep = {claim.value for claim in _strongest(told)}
            for value in list(open_):
                if value not in keep:
                    close(value, at)
            told = [claim for claim in told if claim.value in keep]
        vouched |= {claim.value for claim in told if claim.trust >= TRUSTED and claim.valid_until is None}
        for claim in told:
            if claim.valid_until is not None:
                if claim.valid_until > at:
                    done.append(Interval(claim.value, at, claim.valid_until))
                close(claim.value, claim.valid_until)
            else:
                open_.setdefault(claim.value, at)
    done += [Interval(value, start, None) for value, start in open_.items()]
    return sorted(done, key=lambda item: (item.start, item.value))


def verdict(claims: Sequence[Claim], *, functional: bool, at: datetime) -> Verdict:
    """What holds at ``at``, what came second, and why."""
    known = [claim for claim in claims if claim.valid_from <= at]
    if not known:
        return Verdict(values=(), runner_up=None, conflict=False, why=("nothing was said about it by then",))
    holding = [i for i in intervals(known, functional=functional) if i.start <= at and (i.end is None or at < i.end)]
    support = _support(known)
    holding.sort(key=lambda i: (i.start, *support[i.value], i.value), reverse=True)
    values = tuple(dict.fromkeys(i.value for i in holding))
    others = sorted((c for c in known if not c.denied and c.value not in values), key=lambda c: c.rank, reverse=True)
    runner_up = others[0].value if others else None
    if not values:
        last = max((c for c in known if c.denied), key=lambda c: c.rank, default=None)
        ended = f"{last.value!r} was taken back on {last.valid_from:%Y-%m-%d}" if last else "it ended"
        return Verdict(values=(), runner_up=runner_up, conflict=False, why=(f"{ended} and nothing replaced it",))
    conflict = functional and len(values) > 1
    return Verdict(values=values, runner_up=runner_up, conflict=conflict, why=_why(values, known, runner_up, conflict))


def _why(values: Sequence[str], known: Sequence[Claim], runner_up: str | None, conflict: bool) -> tuple[str, ...]:
    out = []
    first = max((c for c in known if not c.denied and c.value == values[0]), key=lambda c: c.rank)
    if conflict:
        out.append(f"sources of equal standing disagree: {', '.join(map(repr, values))}")
    principals = {c.principal for c in known if not c.denied and c.value == values[0]}
    out.append(f"{values[0]!r} is said since {first.valid_from:%Y-%m-%d}, by {len(principals)} source(s)")
    if runner_up is not None:
        other = max((c for c in known if not c.denied and c.value == runner_up), key=lambda c: c.rank)
        reason = (
            "earlier"
            if other.valid_from < first.valid_from
            else "recorded before"
            if other.seq < first.seq
            else "weaker"
        )
        out.append(f"{runner_up!r} is {reason} ({other.valid_from:%Y-%m-%d}) or was taken back")
    return tuple(out)


def _same_rank(ordered: Sequence[Claim]) -> Iterable[list[Claim]]:
    group: list[Claim] = []
    for claim in ordered:
        if group and claim.rank != group[0].rank:
            yield group
            group = []
        group.append(claim)
    if group:
        yield group


def _strongest(claims: Sequence[Claim]) -> list[Claim]:
    best = max(claim.trust for claim in claims)
    return [claim for claim in claims if claim.trust == best]


def _support(claims: Iterable[Claim]) -> Mapping[str, tuple[float, int]]:
    trust: dict[str, float] = defaultdict(float)
    who: dict[str, set[str]] = defaultdict(set)
    for claim in claims:
        if not claim.denied:
            trust[claim.value] = max(trust[claim.value], claim.trust)
            who[claim.value].add(claim.principal)
    return {value: (trust[value], len(who[value])) for value in trust}
