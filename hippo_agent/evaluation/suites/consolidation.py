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
from pathlib import Path
from typing import Any

from hippo_agent.consolidation.asking import Asker
from hippo_agent.consolidation.config import ConsolidationConfig, GateLimits
from hippo_agent.consolidation.encode import Encoded, encode
from hippo_agent.consolidation.forms import ASKING, render
from hippo_agent.consolidation.guard import Abilities, abilities
from hippo_agent.consolidation.items import Item, key_of
from hippo_agent.consolidation.lora import weights
from hippo_agent.consolidation.night import Base, Night
from hippo_agent.consolidation.phrases import kind_of_subject, phrases
from hippo_agent.consolidation.probe import continuations, exact, loss, pad_of
from hippo_agent.consolidation.schedule import Plan, plan
from hippo_agent.consolidation.trainer import rank_for
from hippo_agent.errors import ConfigError
from hippo_agent.evaluation.data.known_facts import counterfactuals
from hippo_agent.evaluation.report import Report, versions
from hippo_agent.evaluation.run import Row
from hippo_agent.model.tiny.names import invent
from hippo_agent.model.tiny.worlds import draw

__all__ = ["ABLATIONS", "SYSTEMS", "Taught", "evaluate", "invented", "run_consolidation"]

_NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
_OPEN = GateLimits(enabled=False)  # the training is measured, not what the gate makes of it
_FULL = ConsolidationConfig(gate=_OPEN)


def _with(**changes: Any) -> ConsolidationConfig:
    return replace(_FULL, training=replace(_FULL.training, **changes))


#: What runs by default, and what `ablate` adds.
SYSTEMS = ("hippo", "no_guard", "no_interleave", "naive", "statements_only")
ABLATIONS = ("no_gate", "distil", "fifo", "rank_4", "rank_32")
#: System -> its settings, and whether each night goes on from the last one's weights with tonight's items alone.
_SETTINGS: Mapping[str, tuple[ConsolidationConfig, bool]] = {
    "hippo": (ConsolidationConfig(), False),
    "no_gate": (_FULL, False),
    "no_guard": (_with(guard=0, strangers=0), False),
    "no_interleave": (_with(interleave=0.0), True),
    "naive": (_with(guard=0, strangers=0, interleave=0.0), True),
    "distil": (_with(distil=0.5), False),
    "statements_only": (_with(statements_only=True), False),
    "fifo": (replace(_FULL, selection=replace(_FULL.selection, fifo=True)), False),
    "rank_4": (_with(rank=4), False),
    "rank_32": (_with(rank=32), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What a system knows after its last night; ``nights[k]``: after night k + 1; ``reasons[k]``: the gate's of it."""

    metrics: Mapping[str, float]
    nights: Sequence[Mapping[str, float]]
    reasons: Sequence[Sequence[str]] = ()


def invented(count: int, *, seed: int, taken: Sequence[Item] = ()) -> list[Item]:
    """Facts about names that nothing has seen: no two of a subject with the same relation."""
    rng = random.Random(f"consolidation/{seed}")
    seen = {(item.relation, item.subject, item.detail) for item in taken}
    items: list[Item] = []
    while len(items) < count:
        fact = draw(rng, 1, split="test", crowding=0.0, updates=0.0).facts[0]
        if fact.key in seen:
            continue
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
    file: Path | None = None,
    systems: Sequence[str] | None = None,
    ablate: bool = False,
    seed: int = 0,
    tick: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Teach ``facts`` invented items a night (or those of a known-facts ``file``, turned false); report every night.

    ``model`` names the base in the report. Raises ConfigError, DataError.
    """
    if min(facts, nights) < 1:
        raise ConfigError(f"facts and nights must be at least 1, not {facts!r} and {nights!r}")
    every = counterfactuals(file, facts * nights, seed=seed) if file else invented(facts * nights, seed=seed)
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
    paper = _Paper(base, everything, seed)
    untrained = paper.marks(base.model, everything, ())
    found = {
        "untrained": Taught(metrics=untrained, nights=(untrained,)),
        "prompt": Taught(metrics=paper.reading(base.model, everything), nights=()),
    }
    for name in systems:
        found[name] = _teach(base, nights, *_SETTINGS[name], paper=paper, seed=seed, name=name, tick=tick)
    return found


def _teach(
    base: Base,
    nights: Sequence[Sequence[Item]],
    config: ConsolidationConfig,
    sequential: bool,
    *,
    paper: _Paper,
    seed: int,
    name: str,
    tick: Callable[[str, int, int], None] | None,
) -> Taught:
    config = replace(config, training=replace(config.training, seed=seed))
    marks: list[Mapping[str, float]] = []
    reasons: list[Sequence[str]] = []
    earlier: list[Item] = []
    start: dict[str, Any] | None = None
    minutes = 0.0
    for tonight in nights:
        night = Night(base, config)
        planned = plan([*earlier, *tonight], {}, {}, now=_NOW, config=config.selection)
        warm = () if sequential else tuple(earlier)
        planned = Plan(new=tuple(tonight), again=(), warm=warm, doses=planned.doses)
        if sequential and config.training.rank is None:  # the rank cannot change on the way
            config = replace(config, training=replace(config.training, rank=rank_for(len(tonight))))
            night = Night(base, config)
        told = None if tick is None else (lambda what, done, total: tick(f"{name}: {what}", done, total))
        with night.train(planned, trusted=lambda _: True, start=start, tick=told) as (model, result):
            earlier.extend(tonight)
            minutes += result.trained.cpu_seconds / 60
            found = paper.marks(model, earlier, nights[0])
            found |= {"cpu_minutes": minutes, "promoted": float(result.verdict.promoted), "scale": result.verdict.scale}
            found["tokens_per_second"] = result.trained.tokens / max(result.trained.seconds, 1e-9)
            marks.append(found)
            reasons.append(result.verdict.reasons)
            if sequential:
                start = {key: tensor.detach().clone() for key, tensor in weights(model).items()}
    return Taught(metrics=marks[-1], nights=tuple(marks), reasons=tuple(reasons))


class _Paper:
    """The questions of an evaluation, and the base's own answers to those about others."""

    def __init__(self, base: Base, items: Sequence[Item], seed: int) -> None:
        self._tokenizer = base.tokenizer
        self._asker = Asker(base.tokenizer)
        self._pad = pad_of(base.tokenizer)
        rng = random.Random(f"paper/{seed}")
        neighbours = [self._neighbour(rng, item) for item in rng.sample(list(items), min(300, len(items)))]
        self._neighbours = continuations(base.model, neighbours, self._pad, end=base.tokenizer.eos_token_id)
        self._abilities: Abilities = abilities(base.tokenizer, seed=seed, count=300, split="test")
        self._loss = loss(base.model, self._abilities.language, self._pad)

    def marks(self, model: Any, items: Sequence[Item], first: Sequence[Item]) -> dict[str, float]:
        """All metrics of a model that was taught ``items``, ``first`` in the first night."""
        asked: dict[str, list[Encoded]] = {"taught": [], "paraphrase": [], "other_form": [], "inverse": []}
        writer = {form: (lambda question, form=form: self._asker(form, question)) for form in ASKING}
        names = {"": "taught", "paraphrase": "paraphrase", "form": "other_form"}
        for item in items:
            for one in render(item, writer):
                text = encode(self._tokenizer, one.prompt, one.answer, closed=one.closed)
                if one.form == "inverse":
                    asked["inverse"].append(text)
                elif one.form in ASKING:
                    asked[names[one.held]].append(text)
        asked["new_template"] = [text for item in items for text in self._fresh(item)]
        out = {f"em_{name}": self._share(model, texts) for name, texts in asked.items() if texts}
        if first:
            out["night1_retained"] = self._share(model, [text for item in first for text in self._asked(item)])
        out["locality"] = self._share(model, self._neighbours)
        out["lm_loss_ratio"] = loss(model, self._abilities.language, self._pad) / self._loss
        out["in_context_em"] = self._share(model, self._abilities.in_context)
        out["abstention"] = self._share(model, self._abilities.strangers)
        out["memory_on_em"] = self.reading(model, items)["em_taught"]
        return out

    def reading(self, model: Any, items: Sequence[Item]) -> dict[str, float]:
        """The same questions with the item's own sentence in the prompt: what weights must approach."""
        texts = [text for item in items for text in self._asked(item, item.text)]
        return {"em_taught": self._share(model, texts)}

    def _asked(self, item: Item, context: str = "") -> list[Encoded]:
        return [
            encode(self._tokenizer, self._asker(form, question, context), f" {item.value}")
            for question in phrases(item).questions
            for form in ASKING
        ]

    def _fresh(self, item: Item) -> list[Encoded]:
        return [
            encode(self._tokenizer, self._asker(form, question), f" {item.value}")
            for question in phrases(item).fresh
            for form in ASKING
        ]

    def _neighbour(self, rng: random.Random, item: Item) -> Encoded:
        other = replace(item, subject=invent(rng, kind_of_subject(item), "test"))
        question = rng.choice(phrases(other).questions)
        return encode(self._tokenizer, self._asker(rng.choice(ASKING), question), "", closed=False)

    def _share(self, model: Any, texts: Sequence[Encoded]) -> float:
        return sum(exact(model, texts, self._pad)) / len(texts) if texts else 0.0
