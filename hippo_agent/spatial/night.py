"""The night's work on a map: read the journal again, close loops, split contradictions, find macros.

Everything streams over the journal on disk; memory holds the map and what is being decided. All of it happens inside
one change of the world.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from hippo_agent.spatial import repair
from hippo_agent.spatial.journal import Merge, Step
from hippo_agent.spatial.macros import Act, Macro, MacroConfig, Trajectory, distil
from hippo_agent.spatial.retelling import Rereading, fold
from hippo_agent.spatial.store import Changes, PlaceLink
from hippo_agent.spatial.world import World

__all__ = ["close_loops", "find_macros", "read_again", "refold", "split_places", "trajectories"]

_BATCH = 1000  # rows written together
_WINDOW = 20_000  # actions of the newest successful episodes that macros are sought in
_LONGEST = 5_000  # actions of one episode; a longer one teaches no habit


def read_again(world: World, changes: Changes) -> None:
    """Derive places anew from the journal's texts; what was told (names, blocks, needs) is carried over."""
    world.flush(changes)
    old = world.atlas
    if not old.next_seq:
        return
    reading = Rereading(old)
    rows: dict[int, Step] = {}
    for step in world.journal():
        for row in reading.take(step):
            if row.seq != step.seq or row != step:
                rows[row.seq] = row
        if len(rows) >= _BATCH:
            world.store.write_steps(world.connection, world.id, rows.values())
            rows.clear()
    changes.steps = list(rows.values())
    moved = reading.finish()
    fresh = reading.fresh
    offset = old.merges[-1].number if old.merges else 0
    fresh.merges = [
        Merge(number=merge.number + offset, old=merge.old, new=merge.new, seq=merge.seq, reason=merge.reason)
        for merge in fresh.merges
    ]
    _relink(world, changes, moved)
    world.replace(fresh)
    world.macros = {name: _moved(macro, moved) for name, macro in world.macros.items()}
    changes.macros.update({name: macro.to_json() for name, macro in world.macros.items()})


def refold(world: World, merges: Iterable[Merge]) -> None:
    """Derive places and edges anew from the journal's recorded places, under these merges."""
    world.replace(fold(world.atlas, world.journal(), merges))


def close_loops(world: World) -> int:
    """Merge tentative places that have proved to be their candidates; returns how many."""
    places, closed = world.atlas.map, 0
    for place in [place.id for place in places.places.values() if place.tentative is not None]:
        found = places.places.get(place)
        reason = None if found is None else repair.closes(places, place)
        if found is not None and found.tentative is not None and reason is not None:
            world.atlas.merge(place, found.tentative, reason=reason)
            closed += 1
    return closed


def split_places(world: World, changes: Changes) -> int:
    """Take places apart whose contradictions are explained by where one came from; returns how many."""
    world.flush(changes)
    found = repair.splits(world.atlas.map, world.journal)
    if not found:
        return 0
    places = {seq: f"s{split.steps[0]}" for split in found for seq in split.steps}
    rows = []
    for seq, place in places.items():
        step = world.store.step(world.connection, world.id, seq)
        assert step is not None
        step.place = place
        rows.append(step)
    world.store.write_steps(world.connection, world.id, rows)
    refold(world, world.atlas.merges)
    return len(found)


def find_macros(world: World, changes: Changes, config: MacroConfig) -> int:
    """Macros of the newest successful episodes; those in use keep their record. Returns how many there are."""
    world.flush(changes)
    recent = deque[Trajectory]()
    held = 0
    for trajectory in trajectories(world.journal(), world.atlas.map.find):
        if not trajectory.success:
            continue
        recent.append(trajectory)
        held += len(trajectory.acts)
        while held > _WINDOW and len(recent) > 1:
            held -= len(recent.popleft().acts)
    found = distil(recent, config, known=list(world.macros.values()))
    kept = {macro.id: macro for macro in world.macros.values() if macro.status != "active" or macro.uses}
    gone = world.macros.keys() - kept.keys() - {macro.id for macro in found}
    world.macros = kept | {macro.id: macro for macro in found}
    changes.macros.update({macro: row.to_json() for macro, row in world.macros.items()})
    changes.macros.update(dict.fromkeys(gone))
    return len(found)


def trajectories(journal: Iterable[Step], find: Callable[[str], str]) -> Iterator[Trajectory]:
    """The episodes of a journal, one at a time; success is the caller's verdict, else a reward above zero."""
    acts: list[Act] = []
    episode: int | None = None
    verdict: bool | None = None
    reward, count = 0.0, 0

    def made() -> Trajectory:
        success = verdict if verdict is not None else reward > 0
        return Trajectory(id=str(episode), acts=tuple(acts), success=success and count <= _LONGEST)

    for step in journal:
        if step.episode != episode:
            if episode is not None:
                yield made()
            acts, episode, verdict, reward, count = [], step.episode, None, 0.0, 0
        verdict = step.verdict if step.verdict is not None else verdict
        reward = math.fsum((reward, step.reward))
        if step.action is not None and step.ok is not False:
            count += 1
            if count <= _LONGEST:
                acts.append(Act(step.action, find(step.origin) if step.origin else "", find(step.place)))
    if episode is not None:
        yield made()


def _relink(world: World, changes: Changes, moved: Mapping[str, str]) -> None:
    """Links to the places that came out of the second reading."""
    find = world.atlas.map.find
    stored = list({*moved, *world.atlas.map.aliases})
    for link in [*world.store.links_at(world.id, stored), *changes.links]:
        place = moved.get(find(link.place))
        if place is not None and place != link.place:
            world.store.unlink_at(world.connection, world.id, link.item, link.place)
            changes.links.append(PlaceLink(item=link.item, place=place, seq=link.seq, time=link.time))


def _moved(macro: Macro, moved: Mapping[str, str]) -> Macro:
    return replace(
        macro,
        starts=frozenset(moved.get(place, place) for place in macro.starts),
        after=tuple(frozenset(moved.get(place, place) for place in places) for places in macro.after),
    )
