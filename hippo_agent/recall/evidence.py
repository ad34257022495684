"""What is known beside the recalled traces, as short sentences that a model reads with them: facts and ways.

A fact stands for the traces that say it and has their score; one that holds no more is left out. Steps come from the
map when the question names a place and asks for a way or an action; they rest on no trace.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hippo_agent.model.packing import POINTS, PackedTrace
from hippo_agent.recall.result import Recall
from hippo_agent.relational.relations import relation

if TYPE_CHECKING:
    from hippo_agent.spatial.places import Places

__all__ = ["EvidenceConfig", "Told", "fact_sentence", "facts_said", "route_sentence", "step_sentence", "steps_asked"]

_WAY = re.compile(r"\b(way|route|path|directions?|get|reach|go|walk|come|find)\b")
_MOST_FACTS = 3  # of a trace
_MOST_STEPS = 12
_EDGES = re.compile(r"^\W+|\W+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceConfig:
    """What `Memory.ask` lets the model read beside the recalled traces."""

    facts: bool = True
    steps: bool = True


class Told(Protocol):
    """A fact, as far as it is read here."""

    @property
    def subject(self) -> str: ...
    @property
    def predicate(self) -> str: ...
    @property
    def object(self) -> str: ...
    @property
    def denied(self) -> bool: ...
    @property
    def traces(self) -> Sequence[str]: ...


def fact_sentence(fact: Told) -> str:
    """The fact as a sentence: "Ada lives in Lisbon.", "The boss of Teo is Ines."."""
    known = relation(fact.predicate)
    if known is None or fact.predicate in known.verbs:
        said = f"{fact.subject} {fact.predicate} {fact.object}"
    elif fact.predicate.endswith((" in", " on", " of", " at")) and known.verbs:
        said = f"{fact.subject} {known.verbs[0]} {fact.object}"
    else:
        said = f"the {fact.predicate} of {fact.subject} is {fact.object}"
    said = said.strip().rstrip(".")
    return f"It is not true that {said}." if fact.denied else f"{said[:1].upper()}{said[1:]}."


def step_sentence(place: str, action: str, leads_to: str) -> str:
    """One step of a way as a sentence: "From the hall, north leads to the library."."""
    return f"From {place}, {action} leads to {leads_to}."


def route_sentence(start: str, goal: str, actions: Sequence[str]) -> str:
    """A whole way as a sentence: "The way from the hall to the attic is: north, up."."""
    return f"The way from {start} to {goal} is: {', '.join(actions)}."


def facts_said(facts: Iterable[Told], recall: Recall) -> list[PackedTrace]:
    """The facts as sentences under the ids and with the scores of the recalled traces that say them.

    A sentence that a trace says word for word is left out; of each trace there are few.
    """
    scores = {hit.trace.id: hit.score for hit in recall.hits}
    known = {_bare(hit.trace.text) for hit in recall.hits}
    counts: dict[str, int] = {}
    out = []
    for fact in facts:
        said = [trace for trace in fact.traces if trace in scores]
        text = fact_sentence(fact)
        if not said or _bare(text) in known:
            continue
        best = max(said, key=lambda trace: scores[trace])
        counts[best] = counts.get(best, 0) + 1
        if counts[best] <= _MOST_FACTS:
            known.add(_bare(text))
            out.append(PackedTrace(id=best, text=text, source="relational", score=POINTS * scores[best]))
    return out


def steps_asked(question: str, places: Places, *, score: float) -> list[PackedTrace]:
    """Steps of the map that a question asks for: the way between places that it names, what an action there leads to.

    Each has the id of the place that it starts from. Without "from" a way starts where the agent is.
    """
    asked = question.casefold()
    named = _named(asked, question, [(place.id, place.label) for place in places.map.places.values()])
    if not named:
        return []
    spelled = {place: text for _, place, text in named}

    def label(place: str) -> str:
        return spelled.get(place) or places.place(place).label

    found: list[tuple[str, str]] = []
    if _WAY.search(asked):
        found += _way(asked, named, places, label)
    for _, place, _ in named:
        for edge in places.map.edges(place):
            said = edge.spoken or edge.action
            if edge.target is not None and re.search(rf"\b{re.escape(said.casefold())}\b", asked):
                found.append((place, step_sentence(label(place), said, label(edge.target))))
    texts = list(dict.fromkeys(found))[:_MOST_STEPS]
    return [PackedTrace(id=place, text=text, source="spatial", score=score) for place, text in texts]


def _way(
    asked: str, named: Sequence[tuple[int, str, str]], places: Places, label: Callable[[str], str]
) -> list[tuple[str, str]]:
    """The way as one sentence and step by step; nothing without a known way."""
    start = next((place for at, place, _ in named if re.search(r"\bfrom (the )?$", asked[:at])), None)
    goals = [place for _, place, _ in named if place != start]
    if not goals or (start is None and places.current is None):
        return []
    plan = places.plan(goals[-1], start=start)
    if not plan or not plan.steps:
        return []
    whole = route_sentence(label(plan.start), label(goals[-1]), plan.actions)
    steps = [(step.place, step_sentence(label(step.place), step.action, label(step.expected))) for step in plan.steps]
    return [(plan.start, whole), *steps]


def _named(asked: str, question: str, labels: Iterable[tuple[str, str]]) -> list[tuple[int, str, str]]:
    """(where, id, as it is spelled) of the places that the question names, in its order; long names before short."""
    found: list[tuple[int, str, str]] = []
    taken: list[range] = []
    for place, label in sorted(labels, key=lambda one: -len(one[1])):
        name = label.casefold()
        match = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", asked) if name in asked else None
        if match is None or any(match.start() < span.stop and span.start < match.end() for span in taken):
            continue
        taken.append(range(match.start(), match.end()))
        same = len(asked) == len(question)
        found.append((match.start(), place, question[match.start() : match.end()] if same else label))
    return sorted(found)


def _bare(text: str) -> str:
    return _EDGES.sub("", " ".join(text.casefold().split()))
