"""Consolidation: invented facts are taught over several nights, and everything is asked without memory.

Nothing that is asked was known before (the names are invented, and of a split that no training has seen), so the
untrained base shows what guessing gives. Each control goes without one part: the guard, the interleaving, both, the
questions. Rates are shares of greedy answers that are exactly right.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, Literal

from hippo_agent.consolidation.config import ConsolidationConfig, GateLimits
from hippo_agent.consolidation.items import Item, key_of
from hippo_agent.consolidation.lora import weights
from hippo_agent.consolidation.night import Base, Night
from hippo_agent.consolidation.schedule import Plan, plan
from hippo_agent.consolidation.trainer import Lesson, rank_for
from hippo_agent.errors import ConfigError
from hippo_agent.evaluation.closed_book import Paper
from hippo_agent.evaluation.data.known_facts import counterfactuals
from hippo_agent.evaluation.report import Report, versions
from hippo_agent.evaluation.run import Row
from hippo_agent.evaluation.throughput import against_bare_loop
from hippo_agent.model.tiny.worlds import Fact, draw

__all__ = ["ABLATIONS", "SYSTEMS", "System", "Taught", "evaluate", "invented", "run_consolidation"]

_NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
_OPEN = GateLimits(enabled=False)  # the training is measured, not what the gate makes of it
_FULL = ConsolidationConfig(gate=_OPEN)
_NO_GUARD = {"guard": 0, "strangers": 0}
_FORCED = 0.2  # share of a bad night's items that is forced in


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A way of teaching. ``sequential``: each night goes on from the last one's weights with tonight's items alone."""

    config: ConsolidationConfig
    sequential: bool = False
    forced: Literal["", "contradictions", "poison"] = ""
    without_first: bool = False  # as if the first item had been forgotten before the night
    timed: bool = False  # against a bare peft loop, on the last night's lessons


def _with(**changes: Any) -> ConsolidationConfig:
    return replace(_FULL, training=replace(_FULL.training, **changes))


#: What runs by default, and what `ablate` adds.
SYSTEMS = ("hippo", "no_guard", "no_interleave", "naive", "statements_only")
ABLATIONS = ("no_gate", "distil", "fifo", "rank_4", "rank_32", "forgot_one", "contradicted", "poisoned")
_SETTINGS: Mapping[str, System] = {
    "hippo": System(config=ConsolidationConfig(), timed=True),
    "no_gate": System(config=_FULL),
    "no_guard": System(config=_with(**_NO_GUARD)),
    "no_interleave": System(config=_with(interleave=0.0), sequential=True),
    "naive": System(config=_with(**_NO_GUARD, interleave=0.0), sequential=True),
    "distil": System(config=_with(distil=0.5)),
    "statements_only": System(config=_with(statements_only=True)),
    "fifo": System(config=replace(_FULL, selection=replace(_FULL.selection, fifo=True))),
    "rank_4": System(config=_with(rank=4)),
    "rank_32": System(config=_with(rank=32)),
    "forgot_one": System(config=ConsolidationConfig(), without_first=True),
    "contradicted": System(config=ConsolidationConfig(), forced="contradictions"),
    "poisoned": System(config=ConsolidationConfig(), forced="poison"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What a system knows after its last night; ``nights[k]``: after night k + 1; ``reasons[k]``: the gate's of it."""

    metrics: Mapping[str, float]
    nights: Sequence[Mapping[str, float]]
    reasons: Sequence[Sequence[str]] = ()


def invented(count: int, *, seed: int, taken: Sequence[Item] = (), each: int = 1) -> list[Item]:
    """Facts about names that nothing has seen: no two of a subject with the same relation.

    ``each``: facts about one subject, as far as there are relations for its kind.
    """
    rng = random.Random(f"consolidation/{seed}")
    seen = {(item.relation, item.subject, item.detail) for item in taken}
    items: list[Item] = []
    about: Fact | None = None
    left = tries = 0
    while len(items) < count:
        fact = draw(rng, 1, split="test", crowding=0.0, updates=0.0).facts[0]
        if about is not None and left and tries < 200:
            tries += 1
            if fact.relation.subject != about.relation.subject or fact.value == about.subject:
                continue
            text = fact.text.replace(fact.subject, about.subject)
            fact = replace(fact, subject=about.subject, text=text)
        else:
            about, left, tries = fact, each, 0
        if fact.key in seen:
            continue
        left, tries = left - 1, 0
        seen.add(fact.key)
        key = key_of(fact.subject, fact.relation.name, fact.detail, fact.value)
        items.append(
            Item(
                key=key,
                subject=fact.subject,
                relation=fact.relation.name,
                value=fact.value,
                detail=fact.detail,
                text=fact.text,
                traces=(key,),
                trust=1.0,
                said_at=_NOW,
            )
        )
    return items


def run_consolidation(
    base: Base,
    *,
    model: str,
    facts: int = 50,
    nights: int = 1,
    each: int = 1,
    file: Path | None = None,
    systems: Sequence[str] | None = None,
    ablate: bool = False,
    seed: int = 0,
    tick: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Teach ``facts`` invented items a night (or those of a known-facts ``file``, turned false); report every night.

    ``each``: so many facts about one subject. ``model`` names the base in the report. Raises ConfigError, DataError.
    """
    if min(facts, nights, each) < 1:
        raise ConfigError(f"facts, nights and each must be at least 1, not {facts!r}, {nights!r} and {each!r}")
    count = facts * nights
    every = counterfactuals(file, count, seed=seed) if file else invented(count, seed=seed, each=each)
    taught = [every[at : at + facts] for at in range(0, len(every), facts)]
    chosen = tuple(systems) if systems else (*SYSTEMS, *(ABLATIONS if ablate else ()))
    found = evaluate(base, taught, systems=chosen, seed=seed, tick=tick)
    rows = [
        Row(
            about={"night": night, "items": night * facts},
            metrics={name: marks},
            found={name: {"gate": list(one.reasons[night - 1])}} if one.reasons else {},
        )
        for name, one in found.items()
        for night, marks in enumerate(one.nights, 1)
    ]
    return Report(
        suite="consolidation",
        dataset=file.name if file else "invented",
        n=len(every),
        left_out=0,
        seed=seed,
        versions={**versions(""), "model": model},
        systems={name: one.metrics for name, one in found.items()},
        skipped={},
        seconds={},
        rows=rows,
    )


def evaluate(
    base: Base,
    nights: Sequence[Sequence[Item]],
    *,
    systems: Sequence[str] = SYSTEMS,
    seed: int = 0,
    tick: Callable[[str, int, int], None] | None = None,
) -> dict[str, Taught]:
    """Teach the nights' items to each system, and to nobody ("untrained", and "prompt" with the sentence to read)."""
    for name in systems:
        if name not in _SETTINGS:
            raise ConfigError(f"there is no system {name!r}; choose from {', '.join(_SETTINGS)}")
    everything = [item for night in nights for item in night]
    paper = Paper(base, everything, seed)
    untrained = paper.marks(base.model, everything, ())
    found = {
        "untrained": Taught(metrics=untrained, nights=(untrained,)),
        "prompt": Taught(metrics=paper.reading(base.model, everything), nights=()),
    }
    for name in systems:
        told = None if tick is None else partial(_told, tick, name)
        found[name] = _teach(base, nights, _SETTINGS[name], paper=paper, seed=seed, tick=told)
    return found


def _told(tick: Callable[[str, int, int], None], name: str, what: str, done: int, total: int) -> None:
    tick(f"{name}: {what}", done, total)


def _teach(
    base: Base,
    nights: Sequence[Sequence[Item]],
    system: System,
    *,
    paper: Paper,
    seed: int,
    tick: Callable[[str, int, int], None] | None,
) -> Taught:
    config = replace(system.config, training=replace(system.config.training, seed=seed))
    marks: list[Mapping[str, float]] = []
    reasons: list[Sequence[str]] = []
    earlier: list[Item] = []
    start: dict[str, Any] | None = None
    lessons: tuple[Lesson, ...] = ()
    minutes = 0.0
    for tonight in nights:
        taught = [item for item in tonight if not (system.without_first and item is nights[0][0])]
        forced = _forced(taught, system.forced, seed)
        if system.sequential and config.training.rank is None:  # the rank cannot change on the way
            config = replace(config, training=replace(config.training, rank=rank_for(len(taught))))
        night = Night(base, config)
        doses = plan([*earlier, *taught, *forced], {}, {}, now=_NOW, config=config.selection).doses
        warm = () if system.sequential else tuple(earlier)
        planned = Plan(new=(*taught, *forced), again=(), warm=warm, doses=doses)
        canaries = forced if system.forced == "poison" else ()
        with night.train(planned, trusted=lambda _: True, canaries=canaries, start=start, tick=tick) as (model, result):
            earlier.extend(taught)
            minutes += result.trained.cpu_seconds / 60
            found = paper.marks(model, earlier, [item for item in nights[0] if item in earlier])
            found |= {"cpu_minutes": minutes, "promoted": float(result.verdict.promoted), "scale": result.verdict.scale}
            found["tokens_per_second"] = result.trained.tokens / max(result.trained.seconds, 1e-9)
            if system.without_first:
                found["em_forgotten"] = paper.answered(model, nights[0][:1])
            marks.append(found)
            reasons.append(result.verdict.reasons)
            lessons = result.tonight.lessons
            if system.sequential:
                start = {key: tensor.detach().clone() for key, tensor in weights(model).items()}
    if system.timed:
        marks[-1] = {**marks[-1], "throughput_ratio": against_bare_loop(base, lessons, config.training)}
    return Taught(metrics=marks[-1], nights=tuple(marks), reasons=tuple(reasons))


def _forced(items: Sequence[Item], what: str, seed: int) -> list[Item]:
    """Items that a night should never have got: other values of what is taught, or lies from who knows where."""
    count = round(_FORCED * len(items))
    if what == "poison":
        return invented(count, seed=seed + 1_000_003, taken=items)
    if what == "contradictions":
        others = [other for other in invented(40 * count, seed=seed + 1_000_003, taken=items)]
        twins = [
            (item, next((other for other in others if other.relation == item.relation), None)) for item in items[:count]
        ]
        return [
            replace(
                item,
                key=key_of(item.subject, item.relation, item.detail, other.value),
                value=other.value,
                text=item.text.replace(item.value, other.value),
            )
            for item, other in twins
            if other is not None and other.value != item.value
        ]
    return []
