"""Questions about what a night taught and about what it must leave alone, put to a model without its memory.

Rates are shares of greedy answers that are exactly right.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hippo_agent.consolidation.asking import Asker
from hippo_agent.consolidation.encode import Encoded, encode
from hippo_agent.consolidation.forms import ASKING, render
from hippo_agent.consolidation.guard import Abilities, abilities, told_of, unsaid
from hippo_agent.consolidation.items import Item
from hippo_agent.consolidation.night import Base
from hippo_agent.consolidation.phrases import kind_of_subject, phrases
from hippo_agent.consolidation.probe import continuations, exact, loss, pad_of
from hippo_agent.model.tiny.names import invent

__all__ = ["Paper"]

_QUESTIONS = 500  # of each kind that is not about the taught items


class Paper:
    """The questions of an evaluation, and the base's own answers to those about others."""

    def __init__(self, base: Base, items: Sequence[Item], seed: int) -> None:
        self._tokenizer = base.tokenizer
        self._asker = Asker(base.tokenizer)
        self._pad = pad_of(base.tokenizer)
        rng = random.Random(f"paper/{seed}")
        neighbours = [self._neighbour(rng, rng.choice(items)) for _ in range(_QUESTIONS)]
        self._neighbours = continuations(base.model, neighbours, self._pad, end=base.tokenizer.eos_token_id)
        taught = told_of(items)
        silent = [unsaid(rng, rng.choice(items), taught, fresh=True) for _ in range(_QUESTIONS)]
        self._unsaid = continuations(
            base.model, [self._open(rng, text) for text in silent if text], self._pad, end=base.tokenizer.eos_token_id
        )
        self._abilities: Abilities = abilities(base.tokenizer, seed=seed, count=_QUESTIONS, split="test")
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
            out["night1_retained"] = self.answered(model, first)
        out["locality"] = self._share(model, self._neighbours)
        if self._unsaid:
            out["locality_unsaid"] = self._share(model, self._unsaid)
        out["lm_loss_ratio"] = loss(model, self._abilities.language, self._pad) / self._loss
        out["in_context_em"] = self._share(model, self._abilities.in_context)
        out["abstention"] = self._share(model, self._abilities.strangers)
        out["memory_on_em"] = self.reading(model, items)["em_taught"]
        return out

    def answered(self, model: Any, items: Sequence[Item]) -> float:
        """Share of the items' own questions that are answered, in every form."""
        return self._share(model, [text for item in items for text in self._asked(item)])

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
        return self._open(rng, rng.choice(phrases(other).questions))

    def _open(self, rng: random.Random, question: str) -> Encoded:
        return encode(self._tokenizer, self._asker(rng.choice(ASKING), question), "", closed=False)

    def _share(self, model: Any, texts: Sequence[Encoded]) -> float:
        return sum(exact(model, texts, self._pad)) / len(texts) if texts else 0.0
