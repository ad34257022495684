"""Second thoughts: tentative places that prove to be another one (loop closure), and places that prove to be two.

A closure needs sequence support: two aligned passages, or one and the way back; never between places visited within
five steps of each other (SPTM), never on a name alone. A split needs a contradiction that the predecessor explains:
the discrete form of what clone-structured graphs learn (CSCG).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from hippo_agent.spatial import actions
from hippo_agent.spatial.journal import Step
from hippo_agent.spatial.map import PlaceMap

__all__ = ["Split", "closes", "splits"]

_APART = 5  # steps

_Way = tuple[str, str]  # place and action


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The steps that belong to a new place, split off from another."""

    place: str
    steps: tuple[int, ...]  # seqs
    action: str
    reason: str


def closes(places: PlaceMap, tentative: str, *, recent: Sequence[str] = ()) -> str | None:
    """Whether a tentative place has proved to be its candidate: the reason to merge, or None.

    ``recent``: places of the last steps, newest last. A contradiction ends the candidacy.
    """
    place = places.place(tentative)
    if place.tentative is None or place.tentative not in places:
        return None
    candidate = places.find(place.tentative)
    if candidate == place.id:
        return None
    near = [position for position, seen in enumerate(recent) if places.find(seen) in (place.id, candidate)]
    kinds = {places.find(recent[position]) for position in near}
    if len(kinds) == 2 and max(near) - min(near) <= _APART:
        return None
    aligned, back = 0, 0
    for edge in places.edges(place.id):
        mine, theirs = edge.target, places.edge(candidate, edge.action)
        if mine is None or theirs is None or theirs.target is None:
            continue
        if theirs.target != mine:
            place.tentative = None
            places.touch(place.id)
            return None
        aligned += 1
        heading = actions.direction(edge.action)
        opposite = actions.OPPOSITE.get(heading) if heading else None
        if opposite is not None and places.last(mine, opposite) in (place.id, candidate):
            back += 1
    if aligned >= 2 or (aligned == 1 and back == 1):
        return f"{aligned} aligned passages" + (f", {back} with the way back" if back else "")
    return None


def splits(places: PlaceMap, journal: Callable[[], Iterable[Step]]) -> list[Split]:
    """Places whose contradictions are explained by where one came from.

    A contradiction: one action with two destinations, each seen twice or more. It is split when every predecessor
    (place and action that led in) always went on to one and the same destination. The journal is read twice, so that
    counts are held for all of it and steps only for what is split.
    """
    ways: dict[_Way, dict[str, Counter[_Way | None]]] = defaultdict(lambda: defaultdict(Counter))
    for origin, action, target, arrived_by, _ in _stays(places, journal()):
        ways[origin, action][target][arrived_by] += 1
    chosen: dict[tuple[str, str, str], list[int]] = {}
    reasons: dict[tuple[str, str, str], str] = {}
    for (place, action), destinations in ways.items():
        edge = places.edge(place, action) if place in places else None
        if edge is None or edge.needs or edge.blocked_until is not None:
            continue
        strong = {target: counts for target, counts in destinations.items() if counts.total() >= 2 and target != place}
        met = Counter(way for counts in strong.values() for way in counts)
        if len(strong) < 2 or None in met or max(met.values()) > 1:
            continue
        kept = max(strong, key=lambda target: strong[target].total())
        for target in strong:
            if target != kept:
                chosen[place, action, target] = []
                reasons[place, action, target] = (
                    f"{action!r} led to {kept!r} and to {target!r}, depending on where one came from"
                )
    if chosen:
        for origin, action, target, _, seqs in _stays(places, journal()):
            if (origin, action, target) in chosen:
                chosen[origin, action, target] += seqs
    return [
        Split(place=key[0], steps=tuple(sorted(set(seqs))), action=key[1], reason=reasons[key])
        for key, seqs in chosen.items()
    ]


def _stays(places: PlaceMap, journal: Iterable[Step]) -> Iterator[tuple[str, str, str, _Way | None, list[int]]]:
    """Each departure: from where, by which action, to where, the way that had led in, and the steps of the stay."""
    arrived_by: _Way | None = None
    stay: list[int] = []
    previous: Step | None = None
    for step in journal:
        if previous is None or step.episode != previous.episode:
            arrived_by, stay = None, [step.seq]
        elif step.moved and step.action is not None:
            origin = places.find(previous.place)
            yield origin, step.action, places.find(step.place), arrived_by, stay
            arrived_by, stay = (origin, step.action), [step.seq]
        else:
            stay.append(step.seq)
        previous = step
