"""Write policies: which turns to keep at a budget, what is left of the evidence then, and how much junk gets in.

Turns arrive in order; a policy says which are kept. Evidence kept = the share of (question, gold turn) pairs whose turn
was kept, so a turn that three questions need counts three times. Baselines: random at an equal rate, the longest turns,
and everything.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Protocol

from hippo_agent.conversations import Conversation
from hippo_agent.episodic import wording
from hippo_agent.episodic.gate import GateConfig, WriteGate, conversation_of
from hippo_agent.episodic.same_event import Neighbour
from hippo_agent.evaluation.junk import JUNK, Streamed
from hippo_agent.types import Event

BUDGETS = (1.0, 0.7, 0.5, 0.3)

#: (events in order, budget) -> positions of the kept ones. A budget of 1 means: no limit.
Policy = Callable[[Sequence[Event], float], set[int]]


class Neighbours(Protocol):
    """The stored events, as far as the gate may look at them."""

    def nearest(self, event: Event) -> Neighbour | None: ...

    def add(self, event: Event, id: str) -> None: ...


class WordNeighbours:
    """Nearest by words: cosine of the two sets of words. Needs no embedder."""

    def __init__(self) -> None:
        self._events: dict[str, tuple[Event, frozenset[str]]] = {}
        self._holding: dict[str, list[str]] = {}

    def nearest(self, event: Event) -> Neighbour | None:
        """The stored event with the highest cosine; the earlier one on a tie."""
        ours = frozenset(wording.words(event.text))
        shared = Counter(id for word in sorted(ours) for id in self._holding.get(word, ()))
        best: tuple[float, str] | None = None
        for id, count in shared.items():
            cosine = count / sqrt(len(ours) * len(self._events[id][1]))
            if best is None or cosine > best[0]:
                best = (cosine, id)
        if best is None:
            return None
        stored = self._events[best[1]][0]
        return Neighbour(
            id=best[1], text=stored.text, cosine=best[0], speaker=stored.speaker, event_time=stored.event_time
        )

    def add(self, event: Event, id: str) -> None:
        """Store an event."""
        words = frozenset(wording.words(event.text))
        self._events[id] = (event, words)
        for word in words:
            self._holding.setdefault(word, []).append(id)


def gate_policy(config: GateConfig | None = None, *, neighbours: Callable[[], Neighbours] = WordNeighbours) -> Policy:
    """The write gate at a budget; a conversation is settled when another one begins, and at the end."""
    base = config or GateConfig()

    def keep(events: Sequence[Event], budget: float) -> set[int]:
        gate = WriteGate(replace(base, budget=budget if budget < 1.0 else None))
        stored = neighbours()
        kept: set[int] = set()
        current = ""
        for position, event in enumerate(events):
            if (conversation := conversation_of(event.namespace, event.provenance.session)) != current:
                kept |= {int(done.token) for done in gate.settle() if done.decision == "write"}
                current = conversation
            made = gate.decide(event, token=str(position), nearest=stored.nearest(event))
            if made.decision in ("write", "defer"):
                stored.add(event, str(position))  # a deferred trace is in the record until it is settled
            if made.decision == "write":
                kept.add(position)
            kept |= {int(done.token) for done in made.settled if done.decision == "write"}
        return kept | {int(done.token) for done in gate.settle() if done.decision == "write"}

    return keep


def random_policy(seed: int = 0) -> Policy:
    """An equal number of turns, drawn at random."""

    def keep(events: Sequence[Event], budget: float) -> set[int]:
        return set(random.Random(seed).sample(range(len(events)), _allowed(events, budget)))

    return keep


def length_policy(events: Sequence[Event], budget: float) -> set[int]:
    """The longest turns of the whole conversation, in words: it may look ahead, the gate may not."""
    longest = sorted(range(len(events)), key=lambda i: (-len(wording.words(events[i].text)), i))
    return set(longest[: _allowed(events, budget)])


def everything_policy(events: Sequence[Event], budget: float) -> set[int]:
    """All turns, whatever the budget."""
    return set(range(len(events)))


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRow:
    """One question under one policy and budget."""

    conversation: str
    question: str
    category: int
    budget: float
    gold: int
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a policy kept at a budget."""

    budget: float
    evidence: float  # share of (question, gold turn) pairs, in [0, 1]
    stored: float  # share of turns
    rows: tuple[EvidenceRow, ...]


def evidence_kept(
    conversations: Iterable[Conversation], policy: Policy, *, budgets: Sequence[float] = BUDGETS
) -> list[Kept]:
    """One `Kept` per budget, over all conversations; each conversation has a gate and a budget of its own."""
    listed = list(conversations)
    results: list[Kept] = []
    for budget in budgets:
        rows: list[EvidenceRow] = []
        turns = stored = 0
        for conversation in listed:
            events = conversation.events()
            kept = {conversation.turns[i].id for i in policy(events, budget)}
            known = {turn.id for turn in conversation.turns}
            turns += len(events)
            stored += len(kept)
            for question in conversation.questions:
                gold = [turn for turn in question.evidence if turn in known]
                if gold:
                    rows.append(
                        EvidenceRow(
                            conversation=conversation.id,
                            question=question.text,
                            category=question.category,
                            budget=budget,
                            gold=len(gold),
                            kept=sum(turn in kept for turn in gold),
                        )
                    )
        pairs = sum(row.gold for row in rows)
        results.append(
            Kept(
                budget=budget,
                evidence=sum(row.kept for row in rows) / pairs if pairs else 0.0,
                stored=stored / turns if turns else 0.0,
                rows=tuple(rows),
            )
        )
    return results


def junk_stored(stream: Sequence[Streamed], policy: Policy, *, budget: float = 1.0) -> Mapping[str, float]:
    """Share stored, in [0, 1], of all junk ("junk"), of each kind of it, and of the news ("news")."""
    kept = policy([item.event for item in stream], budget)
    total: Counter[str] = Counter()
    stored: Counter[str] = Counter()
    for position, item in enumerate(stream):
        for name in (item.kind, *(("junk",) if item.kind in JUNK else ())):
            total[name] += 1
            stored[name] += position in kept
    return {name: stored[name] / total[name] for name in sorted(total)}


def _allowed(events: Sequence[Event], budget: float) -> int:
    return int(budget * len(events) + 1e-9)
