"""Schemas induced from the facts: what kind of thing a predicate joins to what, and whether it holds one value.

Kinds are not declared. A name's kind is what it looks like (`entities.shape`) and the roles it already plays: what
"lives
in" somewhere also "works for" something. The fit of a new claim is how well its two names agree with what the predicate
has joined so far, in [0, 1]; relations known beforehand start with a prior, unknown ones with nothing and earn it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from hippo_agent.relational.entities import key, shape
from hippo_agent.relational.relations import relation

__all__ = ["Schema", "SchemaFit", "Schemas"]

_PRIOR = 3.0  # claims that a known relation counts as
_ENOUGH = 4  # subjects before the facts decide whether a predicate holds one value
_ONE_VALUED = 0.8  # share of subjects with a single value that makes a predicate functional
_SHAPES = {"place": "name", "person": "name", "organisation": "name", "date": "date", "number": "number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a predicate was seen to join."""

    predicate: str
    claims: int
    functional: bool
    subject_shapes: dict[str, int]
    object_shapes: dict[str, int]


@dataclass(frozen=True, slots=True)
class SchemaFit:
    """How well a claim fits, in [0, 1], and why."""

    score: float
    reasons: tuple[str, ...]


class Schemas:
    """Counts over claims; `add` and `remove` keep them current."""

    def __init__(self, claims: Iterable[tuple[str, str, str]] = ()) -> None:
        self._subjects: dict[str, Counter[str]] = defaultdict(Counter)
        self._objects: dict[str, Counter[str]] = defaultdict(Counter)
        self._values: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        self._roles: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        for subject, predicate, value in claims:
            self.add(subject, predicate, value)

    def add(self, subject: str, predicate: str, value: str, count: int = 1) -> None:
        """Count an accepted claim."""
        self._subjects[predicate][shape(subject)] += count
        self._objects[predicate][shape(value)] += count
        self._values[predicate][key(subject)][key(value)] += count
        self._roles[key(subject)][predicate, "subject"] += count
        self._roles[key(value)][predicate, "object"] += count

    def remove(self, subject: str, predicate: str, value: str) -> None:
        """Take a claim back."""
        self.add(subject, predicate, value, -1)

    def functional(self, predicate: str) -> bool:
        """Whether it holds one value at a time: known beforehand, else learnt from the subjects, else not."""
        known = relation(predicate)
        if known is not None:
            return known.one
        subjects = [values for values in self._values.get(predicate, {}).values() if sum(values.values()) > 0]
        if len(subjects) < _ENOUGH:
            return False
        single = sum(sum(1 for count in values.values() if count > 0) == 1 for values in subjects)
        return single / len(subjects) >= _ONE_VALUED

    def schema(self, predicate: str) -> Schema:
        """What was seen of a predicate."""
        return Schema(
            predicate=predicate,
            claims=sum(self._objects.get(predicate, Counter()).values()),
            functional=self.functional(predicate),
            subject_shapes=dict(+self._subjects.get(predicate, Counter())),
            object_shapes=dict(+self._objects.get(predicate, Counter())),
        )

    def fit(self, subject: str, predicate: str, value: str) -> SchemaFit:
        """How well a claim fits what the predicate joins."""
        known = relation(predicate)
        seen = sum(self._objects.get(predicate, Counter()).values())
        support = (seen + (_PRIOR if known else 0.0)) / (seen + _PRIOR)
        left, right = shape(subject), shape(value)
        subject_fit = self._agree(self._subjects.get(predicate, Counter()), left, "name" if known else "")
        expected = _SHAPES.get(known.kind, "") if known else ""
        object_fit = self._agree(
            self._objects.get(predicate, Counter()), right, expected or ("" if not known else right)
        )
        roles = self._role_fit(subject, predicate, "subject") * self._role_fit(value, predicate, "object")
        score = support * subject_fit * object_fit * roles
        reasons = (
            f"{predicate!r} was seen {seen} times{', and is known' if known else ''}: {support:.2f}",
            f"a {left} as subject: {subject_fit:.2f}; a {right} as object: {object_fit:.2f}",
            f"roles of both names: {roles:.2f}",
        )
        return SchemaFit(score, reasons)

    def _agree(self, seen: Counter[str], found: str, expected: str) -> float:
        """Share of the commonest shape that this one has, the prior counted in."""
        counts = Counter(+seen)
        if expected:
            counts[expected] += int(_PRIOR)
        if not counts:
            return 0.0
        return counts[found] / max(counts.values())

    def _role_fit(self, name: str, predicate: str, side: str) -> float:
        """1 when a name's other roles go with this one, less when they never met in one name, 1 when it has none."""
        roles = +self._roles.get(key(name), Counter())
        roles.pop((predicate, side), None)
        if not roles:
            return 1.0
        known = relation(predicate)
        clash = 0
        for other, where in roles:
            item = relation(other)
            wanted = known.kind if known and side == "object" else "person" if known and known.kind == "person" else ""
            has = item.kind if item and where == "object" else ""
            clash += bool(wanted and has and wanted != has)
        return 1.0 - 0.7 * clash / len(roles)
