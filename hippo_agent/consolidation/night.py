"""One night's training and examination, apart from any store: items in, a LoRA and a verdict out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hippo_agent.consolidation import lora
from hippo_agent.consolidation.config import ConsolidationConfig
from hippo_agent.consolidation.encode import Encoded, encode
from hippo_agent.consolidation.forms import ASKING
from hippo_agent.consolidation.gate import Examination, Verdict, examine, judge
from hippo_agent.consolidation.guard import abilities, guard_texts
from hippo_agent.consolidation.guarding import guards_for
from hippo_agent.consolidation.items import Item
from hippo_agent.consolidation.lessons import Prepared, Teaching, remembered
from hippo_agent.consolidation.phrases import kind_of_subject, phrases
from hippo_agent.consolidation.probe import continuations, exact
from hippo_agent.consolidation.schedule import Plan
from hippo_agent.consolidation.trainer import Lessons, Trained, rank_for, steps_for, threads, train
from hippo_agent.errors import NothingToTeach
from hippo_agent.model.tiny.names import invent

__all__ = ["Base", "Night", "Result"]

_STORED = 0.5  # weight of what an earlier LoRA said, in the replay of a training that goes on from it


@dataclass(frozen=True, slots=True)
class Base:
    """A frozen causal LM, its tokenizer, and the name of its weights."""

    model: Any
    tokenizer: Any
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a night came to."""

    verdict: Verdict
    trained: Trained
    rank: int
    tonight: Prepared
    warm: Prepared
    guard: int


class Night:
    """Trains on one base. ``extra``: the user's own texts for the guard."""

    def __init__(self, base: Base, config: ConsolidationConfig, *, extra: Sequence[str] = ()) -> None:
        self.base = base
        self.config = config
        self._extra = extra
        self._teaching = Teaching(base.model, base.tokenizer, config)

    def known(self, items: Sequence[Item], model: Any | None = None) -> dict[str, bool]:
        """By key: does the model (the base) answer the item's first question without memory?"""
        asked = [self._ask(item, phrases(item).questions[0], f" {item.value}") for item in items]
        right = exact(model or self.base.model, asked, self._teaching.pad)
        return {item.key: ok for item, ok in zip(items, right, strict=True)}

    @contextmanager
    def train(
        self,
        plan: Plan,
        *,
        trusted: Callable[[Item], bool],
        canaries: Sequence[Item] = (),
        draft: Path | None = None,
        start: Mapping[str, Any] | None = None,
        tick: Callable[[str, int, int], None] | None = None,
    ) -> Iterator[tuple[Any, Result]]:
        """The trained `PeftModel`, at the scale of the verdict, and how it did; taken off the base when the block ends.

        ``start``: weights of an earlier LoRA of the same rank to go on from; None: train anew. Going on, what that
        LoRA says of earlier nights' items is the teacher of their replay (as stored logits are in DER, arXiv
        2004.07211), and the steps follow from tonight's items, not from all.
        Raises NothingToTeach when the base can read none of the items, UntrustedReplay when one is not trusted.
        """
        with threads(self.base.model, self.config.training):  # reading and the gate too: small models want one
            yield from self._train(plan, trusted, canaries, draft, start, tick)

    def _train(
        self,
        plan: Plan,
        trusted: Callable[[Item], bool],
        canaries: Sequence[Item],
        draft: Path | None,
        start: Mapping[str, Any] | None,
        tick: Callable[[str, int, int], None] | None,
    ) -> Iterator[tuple[Any, Result]]:
        config, tokenizer = self.config.training, self.base.tokenizer
        plan = _in_order(plan)

        def told(what: str) -> Callable[[int, int], None] | None:
            return None if tick is None else lambda done, total: tick(what, done, total)

        linked = _linked((*plan.tonight, *plan.warm))
        tonight = self._teaching.prepare(
            plan.tonight, linked=linked, doses=plan.doses, trusted=trusted, tick=told("reading")
        )
        warm = self._teaching.prepare(
            plan.warm, linked=linked, doses=plan.doses, trusted=trusted, tick=told("rereading")
        )
        if not tonight.lessons:
            raise NothingToTeach(f"the model can read none of the {len(plan.tonight)} items in their own sentences")
        earlier = warm.lessons if config.interleave else ()
        if start is not None:
            steps = steps_for(2 * len(tonight.lessons))
            config = replace(config, distil=config.distil or _STORED)
        else:  # all is learnt from nothing: earlier nights get at least what their number asks for
            steps = steps_for(len(tonight.lessons) + len(earlier))
            theirs = len(earlier) / (len(earlier) + len(tonight.lessons))
            config = replace(config, interleave=max(config.interleave, theirs))
        steps = config.steps or steps
        config = replace(config, steps=steps)
        documents, strangers = guards_for(steps, config)
        unread = {*tonight.refused, *warm.refused}  # what is not taught has to stay unknown
        guard = guard_texts(
            tokenizer,
            [item for item in (*plan.tonight, *plan.warm) if item.key not in unread],
            documents=documents,
            strangers=strangers,
            seed=config.seed,
            max_tokens=config.max_tokens,
            extra=self._extra,
        )
        asked = self._examination(plan, tonight, warm, canaries)
        before = examine(self.base.model, asked)
        rank = config.rank or rank_for(len(tonight.lessons) + len(warm.lessons))
        model = lora.attach(self.base.model, rank=rank, seed=config.seed, start=start)
        if start is not None:
            earlier = tuple(remembered(model, lesson, self._teaching.pad) for lesson in earlier)
        try:
            trained = train(
                model,
                Lessons(tonight.lessons, earlier, guard),
                config=config,
                pad=self._teaching.pad,
                draft=draft,
                tick=told("learning"),
            )
            verdict = judge(model, asked, before, self.config.gate)
            if verdict.scale != 1.0:
                lora.rescale(model, verdict.scale)
            yield (
                model,
                Result(verdict=verdict, trained=trained, rank=rank, tonight=tonight, warm=warm, guard=len(guard)),
            )
        finally:
            lora.detach(model)

    def _examination(self, plan: Plan, tonight: Prepared, warm: Prepared, canaries: Sequence[Item]) -> Examination:
        rng = random.Random(f"gate/{self.config.training.seed}")
        end = self.base.tokenizer.eos_token_id
        pad, most = self._teaching.pad, self.config.gate.questions

        def some(texts: Sequence[Encoded]) -> list[Encoded]:
            return rng.sample(list(texts), min(most, len(texts)))

        neighbours = [self._neighbour(rng, item) for item in rng.sample(plan.tonight, min(most, len(plan.tonight)))]
        withheld = [self._ask(item, phrases(item).questions[0], "") for item in canaries[:most]]
        return Examination(
            taught=some(tonight.taught),
            paraphrase=some(tonight.paraphrase),
            form=some(tonight.form),
            earlier=some((*warm.taught, *warm.form)),
            with_memory=some((*tonight.with_memory, *warm.with_memory)),
            neighbours=continuations(self.base.model, neighbours, pad, end=end),
            canaries=continuations(self.base.model, withheld, pad, end=end),
            abilities=abilities(self.base.tokenizer, seed=self.config.training.seed, count=most),
            pad=pad,
        )

    def _neighbour(self, rng: random.Random, item: Item) -> Encoded:
        """A question of the item's relation about somebody who was never spoken of."""
        other = replace(item, subject=invent(rng, kind_of_subject(item), "validation"))
        return self._ask(other, rng.choice(phrases(other).questions), "")

    def _ask(self, item: Item, question: str, answer: str) -> Encoded:
        form = ASKING[int(item.key, 16) % len(ASKING)]
        return encode(self.base.tokenizer, self._teaching.writer[form](question), answer, closed=bool(answer))


def _in_order(plan: Plan) -> Plan:
    """The same plan in an order that the items alone decide: what was forgotten must not show in what was learnt."""

    def ordered(items: Sequence[Item]) -> tuple[Item, ...]:
        return tuple(sorted(items, key=lambda item: item.key))

    return replace(plan, new=ordered(plan.tonight), again=(), warm=ordered(plan.warm))


def _linked(items: Sequence[Item]) -> Mapping[str, Sequence[Item]]:
    """By key of an item: the items about its value, for questions over two facts."""
    about: dict[str, list[Item]] = {}
    for item in items:
        about.setdefault(item.subject.casefold(), []).append(item)
    return {item.key: about[item.value.casefold()][:2] for item in items if item.value.casefold() in about}
