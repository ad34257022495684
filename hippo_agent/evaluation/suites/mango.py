"""The ``mango`` suite: maps of text adventures, drawn from the walkthrough's text alone.

Format: MANGO (Ding et al. 2024, arXiv 2403.19913), one folder per game with ``walkthrough``, ``edges.json`` and
``all_pairs.jsonl``. Rules:

- the mapper sees actions and answers, never labels; every labelled arrival counts, named in the text or not;
- only the first ``steps`` steps are mapped (70: the part that MANGO's maps describe; what lies behind is not in the
  true map, so a real shortcut found later would count as wrong);
- a question is answerable when a directed route over edges that were walked exists; our actions are executed on the
  true edges, and an action may have several true destinations.

Merge precision and recall are over all pairs of labelled arrivals; success is counted over questions and per game.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from hippo_agent.errors import DataError
from hippo_agent.evaluation.run import Outcome, Row, Run, sample
from hippo_agent.spatial.atlas import Atlas
from hippo_agent.spatial.evidence import WEIGHTS
from hippo_agent.spatial.map import PlaceMap
from hippo_agent.spatial.place import Place
from hippo_agent.spatial.plan import Planner
from hippo_agent.spatial.retelling import reread
from hippo_agent.spatial.sighting import read

__all__ = [
    "MAPPERS",
    "Edge",
    "Game",
    "GameScore",
    "MangoOutcome",
    "Mapped",
    "games",
    "load",
    "outcome_of",
    "run",
    "score",
    "suite",
    "weighted",
]

STEPS = 70
_NEVER = 9999  # MANGO's mark for "not walked"
_STEP = re.compile(r"==>STEP NUM: ?(\d+)\n==>ACT: ?(.*?)\n==>OBSERVATION: ?(.*?)(?=\n===========|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One true passage; ``step``: when it was first walked, None for never."""

    source: str
    action: str
    target: str
    step: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """A walkthrough and its true map."""

    name: str
    steps: tuple[tuple[int, str, str], ...]  # (number, action, answer); the first has no action
    edges: tuple[Edge, ...]
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a mapper made of a walkthrough: where each step ended, and its map."""

    at: Mapping[int, str]
    places: PlaceMap


Mapper = Callable[[Sequence[tuple[int, str, str]]], Mapped]


@dataclass(slots=True, kw_only=True)
class GameScore:
    """Counts of one game under one mapper."""

    game: str
    together: int = 0  # pairs of arrivals put at one place
    same: int = 0  # ... that are one place
    both: int = 0  # ... both
    asked: int = 0
    solved: int = 0
    unknown: int = 0  # questions about a place that was never mapped
    walked: int = 0  # steps of solved routes
    shortest: int = 0
    failures: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def success(self) -> float:
        return self.solved / self.asked if self.asked else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MangoOutcome:
    """Metrics by mapper, and the counts behind them."""

    metrics: Mapping[str, Mapping[str, float]]
    games: Mapping[str, tuple[GameScore, ...]]


def games(folder: Path) -> list[str]:
    """Names of the games in a folder. Raises DataError when there are none."""
    found = sorted(path.name for path in folder.iterdir() if (path / f"{path.name}.walkthrough").is_file())
    if not found:
        raise DataError(f"{str(folder)!r} holds no game; expected GAME/GAME.walkthrough, GAME.edges.json, ...")
    return found


def load(folder: Path, name: str, *, steps: int = STEPS) -> Game:
    """One game. Raises DataError when a file is missing or not of the format."""
    base = folder / name / name
    try:
        text = base.with_name(f"{name}.walkthrough").read_text(encoding="utf-8", errors="replace")
        edges = json.loads(base.with_name(f"{name}.edges.json").read_text(encoding="utf-8"))
        pairs = [
            json.loads(line)
            for line in base.with_name(f"{name}.all_pairs.jsonl").read_text(encoding="utf-8").splitlines()
            if line.strip()
        ]
        return Game(
            name=name,
            steps=tuple((int(m[1]), m[2].strip(), m[3]) for m in _STEP.finditer(text) if int(m[1]) <= steps),
            edges=tuple(
                Edge(
                    source=edge["src_node"],
                    action=edge["action"],
                    target=edge["dst_node"],
                    step=edge["seen_in_forward"] if edge["seen_in_forward"] < _NEVER else None,
                )
                for edge in edges
            ),
            pairs=tuple((pair["src_node"], pair["dst_node"]) for pair in pairs),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"game {name!r} in {str(folder)!r} is not in MANGO's format: {error!r}") from error


def ours(steps: Sequence[tuple[int, str, str]]) -> Mapped:
    """Our mapper, as after a night: the journal is read once more, knowing how this world speaks."""
    return _mapped(steps, reread(_observed(steps)))


def weighted(weights: Mapping[str, float]) -> Mapper:
    """Our mapper with other weights of the evidence."""
    return lambda steps: _mapped(steps, reread(_observed(steps, weights)))


def online(steps: Sequence[tuple[int, str, str]]) -> Mapped:
    """Our mapper while walking, without the second reading."""
    return _mapped(steps, _observed(steps))


def by_name(steps: Sequence[tuple[int, str, str]]) -> Mapped:
    """Baseline: a place is its title."""
    return _titled(steps, describe=False)


def by_description(steps: Sequence[tuple[int, str, str]]) -> Mapped:
    """Baseline: a place is its title and the first sentence under it."""
    return _titled(steps, describe=True)


def shuffled(steps: Sequence[tuple[int, str, str]]) -> Mapped:
    """Control: our map with the places of the steps dealt out at random."""
    mapped = ours(steps)
    places = list(mapped.at.values())
    random.Random(0).shuffle(places)
    return Mapped(dict(zip(mapped.at, places, strict=True)), mapped.places)


def memory_off(steps: Sequence[tuple[int, str, str]]) -> Mapped:
    """Control: nothing is remembered."""
    return Mapped({}, PlaceMap())


MAPPERS: Mapping[str, Mapper] = {
    "hippo": ours,
    "hippo-online": online,
    "name": by_name,
    "name+description": by_description,
    "shuffled": shuffled,
    "memory-off": memory_off,
}


def run(
    folder: Path,
    *,
    mappers: Mapping[str, Mapper] = MAPPERS,
    only: Iterable[str] | None = None,
    steps: int = STEPS,
    tick: Callable[[int, int], None] | None = None,
) -> MangoOutcome:
    """Score mappers on all games of a folder (or ``only`` some)."""
    names = list(only) if only is not None else games(folder)
    scores: dict[str, list[GameScore]] = {name: [] for name in mappers}
    for number, name in enumerate(names, start=1):
        game = load(folder, name, steps=steps)
        for label, mapper in mappers.items():
            scores[label].append(score(game, mapper(game.steps)))
        if tick is not None:
            tick(number, len(names))
    return outcome_of(scores)


def outcome_of(scores: Mapping[str, Sequence[GameScore]]) -> MangoOutcome:
    """Figures over all games of each mapper."""
    return MangoOutcome(
        metrics={label: _metrics(rows) for label, rows in scores.items()},
        games={label: tuple(rows) for label, rows in scores.items()},
    )


def suite(data: Path, run_: Run) -> Outcome:
    """The suite as the command runs it: a row per game, figures over all of them."""
    names = sample(games(data), run_.limit, run_.seed)
    run_.expect(len(names), each=1)
    outcome = run(data, only=names, tick=lambda _done, _total: run_.step())
    rows = [
        Row(
            about={"id": name},
            metrics={
                mapper: {"route_success": scores[number].success, "questions": float(scores[number].asked)}
                for mapper, scores in outcome.games.items()
            },
            found={mapper: {"failures": scores[number].failures} for mapper, scores in outcome.games.items()},
        )
        for number, name in enumerate(names)
    ]
    questions = int(next(iter(outcome.metrics.values()))["questions"])
    return Outcome(n=questions, systems=outcome.metrics, rows=rows)


def score(game: Game, mapped: Mapped) -> GameScore:
    """Compare a map with the truth."""
    result = GameScore(game=game.name)
    arrivals = sorted({(edge.step, edge.target) for edge in game.edges if edge.step is not None})
    for (step_a, label_a), (step_b, label_b) in combinations(arrivals, 2):
        place_a, place_b = mapped.at.get(step_a), mapped.at.get(step_b)
        together = place_a is not None and place_a == place_b
        result.together += together
        result.same += label_a == label_b
        result.both += together and label_a == label_b
    mine = _correspondence(game, mapped)
    truth: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    walked: dict[str, set[str]] = defaultdict(set)
    for edge in game.edges:
        truth[edge.source][edge.action].add(edge.target)
        if edge.step is not None:
            walked[edge.source].add(edge.target)
    planner = Planner(mapped.places)
    lengths = {source: _breadth_first(walked, source) for source in {source for source, _ in game.pairs}}
    for source, target in game.pairs:
        shortest = lengths[source].get(target)
        if shortest is None:
            continue
        result.asked += 1
        if source not in mine or target not in mine:
            result.unknown += 1
            result.failures.append((source, target, "unknown place"))
            continue
        plan = planner.plan(mine[source], mine[target], objective="steps")
        if plan.found and target in _execute(truth, source, plan.actions):
            result.solved += 1
            result.walked += len(plan.steps)
            result.shortest += shortest
        else:
            result.failures.append((source, target, " > ".join(plan.actions) if plan.found else plan.reason))
    return result


def _observed(steps: Sequence[tuple[int, str, str]], weights: Mapping[str, float] = WEIGHTS) -> Atlas:
    atlas = Atlas(keep_steps=True, weights=weights)
    for order, (_, action, answer) in enumerate(steps):
        atlas.observe(answer, action=action if order and action else None)
    return atlas


def _mapped(steps: Sequence[tuple[int, str, str]], atlas: Atlas) -> Mapped:
    at = {number: atlas.map.find(step.place) for (number, _, _), step in zip(steps, atlas.steps, strict=True)}
    return Mapped(at, atlas.map)


def _titled(steps: Sequence[tuple[int, str, str]], *, describe: bool) -> Mapped:
    places = PlaceMap()
    at: dict[int, str] = {}
    here: str | None = None
    for order, (number, action, answer) in enumerate(steps):
        sighting = read(answer, action=action if order else None, opening=not order)
        before = here
        if sighting.name is not None:
            first = sighting.first if describe else ""
            if describe and not first and here is not None and here.startswith(f"{sighting.name}\n"):
                first = here.split("\n", 1)[1]
            here = f"{sighting.name}\n{first}"
        here = here or "start"
        if here not in places:
            places.add(Place(id=here, name=here))
        if before is not None and before != here and action:
            places.record(before, action.lower(), here, at=0.0, spoken=action)
        at[number] = here
    return Mapped(at, places)


def _correspondence(game: Game, mapped: Mapped) -> dict[str, str]:
    """True place -> the place that most of its labelled steps were mapped to."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for edge in game.edges:
        if edge.step is None:
            continue
        for label, step in ((edge.target, edge.step), (edge.source, edge.step - 1)):
            place = mapped.at.get(step)
            if place is not None:
                votes[label][place] += 1
    return {label: counts.most_common(1)[0][0] for label, counts in votes.items()}


def _breadth_first(graph: Mapping[str, set[str]], source: str) -> dict[str, int]:
    found = {source: 0}
    queue = deque([source])
    while queue:
        place = queue.popleft()
        for target in graph.get(place, ()):
            if target not in found:
                found[target] = found[place] + 1
                queue.append(target)
    return found


def _execute(truth: Mapping[str, Mapping[str, set[str]]], source: str, actions: Sequence[str]) -> set[str]:
    reached = {source}
    for action in actions:
        reached = {target for place in reached for target in truth.get(place, {}).get(action, ())}
    return reached


def _metrics(rows: Sequence[GameScore]) -> dict[str, float]:
    def total(name: str) -> int:
        return sum(getattr(row, name) for row in rows)

    def share(part: int, whole: int) -> float:
        return part / whole if whole else 0.0

    precision, recall = share(total("both"), total("together")), share(total("both"), total("same"))
    asked = [row for row in rows if row.asked]
    return {
        "merge_precision": precision,
        "merge_recall": recall,
        "merge_f1": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        "route_success": share(total("solved"), total("asked")),
        "route_success_macro": sum(row.success for row in asked) / len(asked) if asked else 0.0,
        "unknown_place": share(total("unknown"), total("asked")),
        "steps_over_optimum": share(total("walked"), total("shortest")),
        "questions": float(total("asked")),
    }
