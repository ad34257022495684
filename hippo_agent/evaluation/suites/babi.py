"""The ``babi`` suite: task 19, path finding. Five stated relations, one question: how do you go from A to B?

No training: relations are read from the sentences, put on a map of their own for each story, and planned on. Data: the
bAbI tasks of Weston et al. 2015 (arXiv 1502.05698), a file in the original format. Controls: without the map the answer
is empty; with the names shuffled over the places the routes are as long but wrong.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hippo_agent.errors import DataError
from hippo_agent.evaluation.run import Outcome, Row, Run
from hippo_agent.spatial import told
from hippo_agent.spatial.actions import OPPOSITE
from hippo_agent.spatial.map import PlaceMap
from hippo_agent.spatial.place import Place
from hippo_agent.spatial.plan import Planner
from hippo_agent.spatial.sighting import normalise

__all__ = ["BabiOutcome", "Story", "answer", "run", "stories", "suite"]

_QUESTION = re.compile(r"How do you go from the (?P<start>.+?) to the (?P<goal>.+?)\?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Sentences, a question, and the answer: first letters of the directions, e.g. ("s", "e")."""

    sentences: tuple[str, ...]
    start: str
    goal: str
    gold: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BabiOutcome:
    """Share of right answers: ours, and the controls."""

    questions: int
    accuracy: float
    memory_off: float
    shuffled_names: float
    rows: tuple[tuple[Story, tuple[str, ...]], ...]


def stories(path: Path) -> Iterator[Story]:
    """The stories of a task-19 file. Raises DataError for another format."""
    sentences: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        index, _, rest = line.partition(" ")
        if not index.isdigit():
            raise DataError(f"{path.name!r} line {number} does not start with a number; expected a bAbI file")
        if index == "1":
            sentences = []
        text, *fields = rest.split("\t")
        if not fields:
            sentences.append(text)
            continue
        question = _QUESTION.match(text)
        if question is None:
            raise DataError(f"{path.name!r} line {number} asks {text!r}; expected a file of task 19, path finding")
        yield Story(
            sentences=tuple(sentences),
            start=question["start"],
            goal=question["goal"],
            gold=tuple(fields[0].strip().split(",")),
        )


def answer(story: Story, *, rename: dict[str, str] | None = None) -> tuple[str, ...]:
    """The first letters of the planned directions; () when there is no route. ``rename``: names swapped on purpose."""
    places = PlaceMap()
    names = rename or {}
    for sentence in story.sentences:
        for relation in told.relations(sentence):
            ends = [normalise(relation.origin), normalise(relation.place)]
            origin, place = (names.get(name, name) for name in ends)
            for name in (origin, place):
                if name not in places:
                    places.add(Place(id=name, name=name))
            places.record(origin, relation.way, place, at=0.0)
            places.record(place, OPPOSITE[relation.way], origin, at=0.0)
    plan = Planner(places).plan(normalise(story.start), normalise(story.goal), objective="steps")
    return tuple(action[0] for action in plan.actions)


def suite(data: Path, run_: Run) -> Outcome:
    """The suite as the command runs it: a row per question."""
    run_.expect(1, each=1)
    outcome = run(data, seed=run_.seed, limit=run_.limit)
    run_.step()
    rows = [
        Row(
            about={"id": str(number), "start": story.start, "goal": story.goal, "gold": ",".join(story.gold)},
            metrics={"hippo": {"accuracy": float(found == story.gold)}},
            found={"hippo": {"answer": ",".join(found)}},
        )
        for number, (story, found) in enumerate(outcome.rows)
    ]
    systems = {
        "hippo": {"accuracy": outcome.accuracy},
        "shuffled": {"accuracy": outcome.shuffled_names},
        "memory-off": {"accuracy": outcome.memory_off},
    }
    return Outcome(n=outcome.questions, systems=systems, rows=rows)


def run(path: Path, *, seed: int = 0, limit: int | None = None) -> BabiOutcome:
    """Answer all questions of a file, with the controls."""
    chosen = list(stories(path))[:limit]
    if not chosen:
        raise DataError(f"{path.name!r} holds no question; expected a bAbI file of task 19")
    rng = random.Random(seed)
    rows = []
    shuffled = 0
    for story in chosen:
        rows.append((story, answer(story)))
        names = sorted({normalise(name) for line in story.sentences for each in told.relations(line)
                        for name in (each.origin, each.place)})  # fmt: skip
        others = names[:]
        rng.shuffle(others)
        shuffled += answer(story, rename=dict(zip(names, others, strict=True))) == story.gold
    right = sum(found == story.gold for story, found in rows)
    return BabiOutcome(
        questions=len(rows),
        accuracy=right / len(rows),
        memory_off=sum(story.gold == () for story, _ in rows) / len(rows),
        shuffled_names=shuffled / len(rows),
        rows=tuple(rows),
    )
