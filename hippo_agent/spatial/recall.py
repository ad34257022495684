"""Recall by place: what was remembered here and nearby. Geometry leads, the question decides among equals.

score = exp(-distance / radius-scale) x (share + (1 - share) x match) x salience x recency; every factor is reported.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hippo_agent.spatial.store import PlaceLink

__all__ = ["Failure", "Here", "PlaceHit", "rank", "word_match"]

Match = Callable[[str, Mapping[str, str]], Mapping[str, float]]  # (query, texts by id) -> match in [0, 1] by id

_FALL = 1.0  # steps in which nearness falls by e
_BASE = 0.05  # what an episode at the place counts when nothing of the question matches


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceHit:
    """One remembered thing, where it is, and why it ranks here."""

    item: str
    place: str
    distance: float  # steps from where one asked
    score: float
    reasons: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Something that did not work at a place."""

    place: str
    action: str
    reason: str
    time: float
    blocked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """Answer of `recall_here`."""

    place: str
    hits: tuple[PlaceHit, ...]
    failures: tuple[Failure, ...]
    macros: tuple[str, ...]  # ids of macros that start here


def rank(
    links: Iterable[PlaceLink],
    distances: Mapping[str, float],
    *,
    where: Callable[[str], str],
    query: str | None,
    texts: Callable[[Sequence[str]], Mapping[str, str]] | None,
    match: Match | None,
    salience: Mapping[str, float] | None,
    now: float,
    half_life: float | None,
    k: int,
) -> tuple[PlaceHit, ...]:
    """The k best of what is linked to some places. ``where`` reads a stored place id through the aliases."""
    nearest: dict[str, tuple[float, PlaceLink]] = {}
    for link in links:
        distance = distances.get(where(link.place))
        if distance is None:
            continue
        known = nearest.get(link.item)
        if known is None or (distance, -link.time) < (known[0], -known[1].time):
            nearest[link.item] = distance, link
    matches: Mapping[str, float] = {}
    if query and texts is not None:
        found = texts(list(nearest))
        matches = (match or word_match)(query, found)
    hits = []
    for item, (distance, link) in nearest.items():
        reasons = {"near": math.exp(-distance / _FALL)}
        if query:
            reasons["match"] = _BASE + (1 - _BASE) * max(0.0, min(1.0, matches.get(item, 0.0)))
        if salience is not None:
            reasons["salience"] = 0.5 + 0.5 * max(0.0, min(1.0, salience.get(item, 0.5)))
        if half_life is not None:
            reasons["recency"] = 0.5 ** (max(0.0, now - link.time) / half_life)
        hits.append(
            PlaceHit(
                item=item,
                place=where(link.place),
                distance=distance,
                score=math.prod(reasons.values()),
                reasons=reasons,
            )
        )
    hits.sort(key=lambda hit: (-hit.score, hit.item))
    return tuple(hits[:k])


def word_match(query: str, texts: Mapping[str, str]) -> dict[str, float]:
    """Share of the question's words (weighted by rarity among the texts) that a text has; 0 to 1."""
    bags = {item: set(_words(text)) for item, text in texts.items()}
    spread = Counter(word for bag in bags.values() for word in bag)
    weights = {word: math.log(1 + len(texts) / (1 + spread[word])) for word in set(_words(query))}
    total = math.fsum(weights.values())
    if total <= 0:
        return dict.fromkeys(texts, 0.0)
    return {item: math.fsum(weights[word] for word in weights.keys() & bag) / total for item, bag in bags.items()}


def _words(text: str) -> list[str]:
    return [word for word in re.findall(r"\w+", text.casefold()) if len(word) > 2]
