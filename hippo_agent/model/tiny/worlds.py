"""Sheets of invented facts with questions about them, some of which cannot be answered. A generator decides all."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hippo_agent.model.tiny.names import DIRECTIONS, Split, invent, look_alike
from hippo_agent.model.tiny.relations import RELATIONS, Relation
from hippo_agent.model.tiny.wordings import loosened, more_asks, more_states, reversed_states

__all__ = ["PLAIN", "UNKNOWN", "Absence", "Fact", "Query", "Sheet", "Wording", "absent", "ask", "draw", "state"]

UNKNOWN = "unknown"
Absence = Literal["relation", "look-alike", "stranger"]


@dataclass(frozen=True, slots=True)
class Wording:
    """Shares of statements and questions in the further wordings of base training, of statements whose value stands
    first, and of questions as people type them."""

    varied: float = 0.0
    reversed: float = 0.0
    loose: float = 0.0


#: Only what `relations` says: for examinations, lessons and nights.
PLAIN = Wording()


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement. ``outdated`` if a later one of the sheet replaces it."""

    text: str
    relation: Relation
    subject: str
    detail: str
    value: str
    outdated: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        return self.relation.name, self.subject, self.detail


@dataclass(frozen=True, slots=True)
class Query:
    """A question, its answer, the fact that gives it (none: the answer is "unknown"), and why there is none."""

    text: str
    answer: str
    fact: Fact | None = None
    absence: Absence | Literal["no context"] | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """Statements in the order in which they are told."""

    facts: tuple[Fact, ...]
    split: Split

    @property
    def current(self) -> list[Fact]:
        return [fact for fact in self.facts if not fact.outdated]


def draw(
    rng: random.Random,
    count: int,
    *,
    split: Split,
    crowding: float = 0.5,
    updates: float = 0.15,
    wording: Wording | None = None,
    among: Sequence[Relation] = (),
) -> Sheet:
    """About ``count`` facts. Crowding 0: all of different relations and subjects as they come; 1: few subjects and few
    relations, so that many facts share the one or the other. ``updates`` is the share that replaces an older fact.
    ``among`` are the relations to choose from, instead of some by chance."""
    wording = wording or PLAIN
    facts: list[Fact] = []
    taken: set[tuple[str, str, str]] = set()
    relations = list(among) or rng.sample(RELATIONS, max(2, round(len(RELATIONS) * (1 - crowding))))
    subjects: dict[str, list[str]] = {}
    tries = 0
    while len(facts) < count and tries < 20 * count:
        tries += 1
        relation = rng.choice(relations)
        known = subjects.setdefault(relation.subject, [])
        if known and rng.random() < crowding:
            subject = rng.choice(known)
            if rng.random() < crowding / 3:
                subject = look_alike(rng, relation.subject, subject, split)
        else:
            subject = invent(rng, relation.subject, split)
        detail = _detail(rng, relation, split)
        if (relation.name, subject, detail) in taken:
            continue
        taken.add((relation.name, subject, detail))
        if subject not in known:
            known.append(subject)
        value = _value(rng, relation, subject, split)
        if relation.past and rng.random() < updates:
            older = _value(rng, relation, subject, split)
            if older != value:
                facts.extend(_updated(rng, relation, subject, detail, older, value, wording))
                continue
        facts.append(Fact(state(rng, relation, subject, detail, value, wording), relation, subject, detail, value))
    return Sheet(tuple(_shuffled(rng, facts)), split)


def state(
    rng: random.Random, relation: Relation, subject: str, detail: str, value: str, wording: Wording = PLAIN
) -> str:
    """A statement of the fact."""
    templates = more_states(relation) if _hit(rng, wording.varied) else relation.states
    if _hit(rng, wording.reversed):
        templates = reversed_states(relation) or templates
    return _fill(rng.choice(templates), subject, detail, value)


def ask(rng: random.Random, fact: Fact, *, fresh: bool = False, wording: Wording = PLAIN) -> Query:
    """A question for the value; with ``fresh``, by a template that training never shows."""
    return Query(_question(rng, fact.relation, fact.subject, fact.detail, fresh, wording), fact.value, fact)


def absent(
    rng: random.Random, sheet: Sheet, why: Absence | None = None, *, fresh: bool = False, wording: Wording = PLAIN
) -> Query:
    """A question that the sheet does not answer, though it looks as if it might."""
    why = why or rng.choice(("relation", "look-alike", "stranger"))
    taken = {fact.key for fact in sheet.facts}
    for _ in range(50):
        fact = rng.choice(sheet.facts)
        relation, subject, detail = fact.relation, fact.subject, fact.detail
        if why == "relation":
            relation = rng.choice([other for other in RELATIONS if other.subject == relation.subject])
            detail = _detail(rng, relation, sheet.split)
        elif why == "look-alike":
            subject = look_alike(rng, relation.subject, subject, sheet.split)
        else:
            subject = invent(rng, relation.subject, sheet.split)
        if (relation.name, subject, detail) not in taken:
            return Query(_question(rng, relation, subject, detail, fresh, wording), UNKNOWN, None, why)
    return absent(rng, sheet, "stranger", fresh=fresh, wording=wording)


def _updated(
    rng: random.Random, relation: Relation, subject: str, detail: str, older: str, value: str, wording: Wording
) -> list[Fact]:
    """The fact that held and the one that holds: told as past, or told first and replaced later."""
    new = state(rng, relation, subject, detail, value, wording)
    if rng.random() < 0.5:
        old = _fill(rng.choice(relation.past), subject, detail, older)
        if rng.random() < 0.4:
            new = _lower(rng.choice(("Now ", "These days ", "By now ")), new, subject, value)
    else:
        old = state(rng, relation, subject, detail, older, wording)
        new = _lower(rng.choice(("Update: ", "Since then ", "Now ", "Correction: ", "Later: ")), new, subject, value)
    return [
        Fact(old, relation, subject, detail, older, outdated=True),
        Fact(new, relation, subject, detail, value),
    ]


def _shuffled(rng: random.Random, facts: list[Fact]) -> list[Fact]:
    """In any order, but what is outdated before what replaces it."""
    rng.shuffle(facts)
    place = {fact.key: at for at, fact in enumerate(facts) if fact.outdated}
    for at, fact in enumerate(facts):
        old = place.get(fact.key)
        if old is not None and not fact.outdated and at < old:
            facts[at], facts[old] = facts[old], facts[at]
    return facts


def _value(rng: random.Random, relation: Relation, subject: str, split: Split) -> str:
    while True:
        value = invent(rng, relation.value, split)
        if value != subject:
            return value


def _detail(rng: random.Random, relation: Relation, split: Split) -> str:
    if relation.detail == "direction":
        return rng.choice(DIRECTIONS)
    return invent(rng, relation.detail, split) if relation.detail else ""


def _question(rng: random.Random, relation: Relation, subject: str, detail: str, fresh: bool, wording: Wording) -> str:
    if fresh:
        return _fill(rng.choice(relation.fresh), subject, detail, "")
    templates = more_asks(relation) if _hit(rng, wording.varied) else relation.asks
    question = _fill(rng.choice(templates), subject, detail, "")
    return loosened(rng, question) if _hit(rng, wording.loose) else question


def _hit(rng: random.Random, share: float) -> bool:
    """Whether chance says so; a share of 0 leaves the generator as it is, so that plain sheets stay the same."""
    return share > 0 and rng.random() < share


def _fill(template: str, subject: str, detail: str, value: str) -> str:
    return template.format(x=subject, d=detail, y=value)


def _lower(prefix: str, text: str, *names: str) -> str:
    """The text behind the prefix, in small letters where it does not start with a name."""
    return prefix + (text if text.startswith(names) else text[0].lower() + text[1:])
