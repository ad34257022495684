"""What a night may teach of the map: where a step leads, and the ways of learned macros; and why other steps not.

Each item rests on steps (see `steps`) and on the traces that show them. A step is reported by the agent's own program,
so it has the trust of a tool; where a trace shows it, no more than the trace has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from hippo_agent.consolidation.config import SelectionConfig
from hippo_agent.consolidation.items import Item, key_of
from hippo_agent.consolidation.selection import Refused, Selection, unfit
from hippo_agent.consolidation.steps import name_of, sound
from hippo_agent.spatial.actions import OPPOSITE, direction
from hippo_agent.spatial.forgetting import shows
from hippo_agent.spatial.place import Edge
from hippo_agent.spatial.sighting import normalise
from hippo_agent.storage.base import RecordStore
from hippo_agent.types import DEFAULT_TRUST, Trace

if TYPE_CHECKING:
    from hippo_agent.spatial.places import Places

__all__ = ["select_routes"]

_SALIENCE = 0.3  # of a step that no trace shows
_MOST = 2_000  # steps; each is asked about every night
_LONGEST = 60  # characters of a label or an action; a longer one is a description


@dataclass(frozen=True, slots=True)
class _Walk:
    """One time that a step was walked with success, and the traces that show it."""

    at: datetime
    shown: tuple[Trace, ...]


def select_routes(places: Places, record: RecordStore, *, now: datetime, config: SelectionConfig) -> Selection:
    """Every step of the map that leads somewhere, judged; and the macros' ways over steps that may be taught."""
    labels = _labels(places)
    edges = {
        (edge.source, edge.action): edge
        for edge in list(places.map.all_edges())
        if edge.target in labels and edge.source in labels and len(_said(edge)) <= _LONGEST
    }
    walks = _walks(places, record, edges)
    items: dict[tuple[str, str], Item] = {}
    refused: list[Refused] = []
    for at, edge in edges.items():
        item, why = _exit(places, edge, labels, walks.get(at, []), now, config)
        if why:
            refused.append(Refused(item, why))
        else:
            items[at] = item
    by_use = sorted(items, key=lambda at: (-items[at].strength, items[at].key))
    refused += [Refused(items.pop(at), f"beyond the {_MOST:,} steps walked most") for at in by_use[_MOST:]]
    ways = _ways(places, items)
    return Selection((*items.values(), *ways), tuple(refused))


def _labels(places: Places) -> dict[str, str]:
    """By id: names that only one place has."""
    named = {
        place.id: place.label
        for place in list(places.map.places.values())
        if (place.called or place.title) and not place.dark and place.tentative is None and len(place.label) <= _LONGEST
    }
    bearers = Counter(
        name for place in list(places.map.places.values()) for name in {normalise(place.called), place.name} if name
    )
    return {place: label for place, label in named.items() if bearers[normalise(label)] == 1}


def _walks(
    places: Places, record: RecordStore, edges: Mapping[tuple[str, str], Edge]
) -> dict[tuple[str, str], list[_Walk]]:
    """By step: when it was walked with success, oldest first."""
    links: dict[int, list[str]] = {}
    for link in places.links():
        links.setdefault(link.seq, []).append(link.item)
    traces = record.get(sorted({item for items in links.values() for item in items}))
    find = places.map.find
    walks: dict[tuple[str, str], list[_Walk]] = {}
    for step in places.journal():
        if step.action is None or step.origin is None or step.ok is False:
            continue
        at = (find(step.origin), step.action)
        if at in edges and edges[at].target == find(step.place):
            linked = [traces[item] for item in links.get(step.seq, ()) if item in traces]
            shown = tuple(trace for trace in linked if shows(step.text, trace.text))
            walks.setdefault(at, []).append(_Walk(datetime.fromtimestamp(step.at, timezone.utc), shown))
    return walks


def _exit(
    places: Places,
    edge: Edge,
    labels: Mapping[str, str],
    walks: Sequence[_Walk],
    now: datetime,
    config: SelectionConfig,
) -> tuple[Item, str]:
    """The item of a step, and why it may not be taught ("" when it may)."""
    assert edge.target is not None
    origin, goal, said = labels[edge.source], labels[edge.target], _said(edge)
    judged = [(walk, _doubt(walk, now, config)) for walk in walks]
    used = [walk for walk, why in judged if not why][: config.walked] or list(walks)
    shown = {trace.id: trace for walk in used for trace in walk.shown}
    item = Item(
        key=key_of(origin, "exit", said, goal),
        subject=origin,
        relation="exit",
        detail=said,
        value=goal,
        text=f"From {origin}, {said} leads to {goal}.",
        traces=(name_of(places.world_id, edge, origin, goal), *shown),
        trust=min([DEFAULT_TRUST["tool"], *(trace.provenance.trust for trace in shown.values())]),
        said_at=max((walk.at for walk in used), default=now),
        salience=max((trace.salience for trace in shown.values()), default=_SALIENCE),
        strength=float(max(1, edge.hits)),
        fit=_fit(places, edge),
    )
    private = any(trace.meta.get("consolidate") is False for walk in walks for trace in walk.shown)
    doubts = [why for _, why in judged if why]
    if edge.blocked(now.timestamp()):
        return item, "the step is blocked"
    if len(judged) < config.walked:
        return item, f"walked less than {config.walked} times"
    if not sound(edge):
        return item, "the step was told, has a condition, or does not lead there reliably"
    if now.timestamp() - (edge.last_ok or 0.0) > config.stale_days * 86_400:
        return item, f"not walked for {config.stale_days:g} days"
    if private:
        return item, "private: meta says consolidate=False"
    if len(judged) - len(doubts) < config.walked:
        return item, doubts[0]
    return item, f"untrusted: {item.trust:.2f} is below {config.min_trust:.2f}" if item.trust < config.min_trust else ""


def _doubt(walk: _Walk, now: datetime, config: SelectionConfig) -> str:
    """Why a walk does not count."""
    if now - walk.at < timedelta(hours=config.cool_off_hours):
        return f"younger than {config.cool_off_hours:g} hours"
    return next((why for trace in walk.shown if (why := unfit(trace, now, config))), "")


def _ways(places: Places, exits: Mapping[tuple[str, str], Item]) -> list[Item]:
    """Where the active macros lead from where they began, the shortest of each start and goal."""
    found: dict[tuple[str, str], Item] = {}
    for macro in places.macros:
        if macro.status != "active" or macro.parameters:
            continue
        for start in sorted(macro.starts):
            walked = list(_followed(places, exits, start, macro.steps))
            if len(walked) < len(macro.steps) or len(walked) < 2:
                continue
            origin, goal = walked[0].subject, walked[-1].value
            known = found.get((origin, goal))
            if origin == goal or (known is not None and len(known.value.split(", ")) <= len(walked)):
                continue
            said = ", ".join(step.detail for step in walked)
            found[origin, goal] = Item(
                key=key_of(origin, "way", goal, said),
                subject=origin,
                relation="way",
                detail=goal,
                value=said,
                text=f"The way from {origin} to {goal} is: {said}.",
                traces=tuple(dict.fromkeys(one for step in walked for one in step.traces)),
                trust=min(step.trust for step in walked),
                said_at=max(step.said_at for step in walked),
                salience=max(step.salience for step in walked),
                strength=float(macro.support + macro.successes),
                fit=0.0,
            )
    return list(found.values())


def _followed(
    places: Places, exits: Mapping[tuple[str, str], Item], start: str, actions: Iterable[str]
) -> Iterable[Item]:
    """The steps from a place, up to the first that may not be taught."""
    here = places.map.find(start)
    for action in actions:
        step, edge = exits.get((here, action)), places.map.edge(here, action)
        if step is None or edge is None or edge.target is None:
            return
        yield step
        here = edge.target


def _said(edge: Edge) -> str:
    return edge.spoken or edge.action


def _fit(places: Places, edge: Edge) -> float:
    """1 where the opposite direction is known to lead back: the map foretells the step; else 0."""
    heading = direction(edge.action)
    back = OPPOSITE.get(heading) if heading else None
    known = places.map.edge(edge.target, back) if back and edge.target is not None else None
    return 1.0 if known is not None and known.target == edge.source else 0.0
