"""From items to lessons: renderings encoded, with what the base says when it reads the trace as their teacher."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hippo_agent.consolidation.asking import Asker
from hippo_agent.consolidation.config import ConsolidationConfig
from hippo_agent.consolidation.encode import Encoded, collate, encode
from hippo_agent.consolidation.forms import ASKING, Form, Rendering, render
from hippo_agent.consolidation.items import Item
from hippo_agent.consolidation.probe import batches, exact, logits_of, pad_of
from hippo_agent.consolidation.trainer import Lesson, Teacher

__all__ = ["Prepared", "Teaching", "remembered"]

#: How often a form is drawn: what will be asked is practised most.
_SHARES: Mapping[Form, float] = {
    "chat": 3.0,
    "plain": 3.0,
    "cloze": 1.0,
    "statement": 0.7,
    "inverse": 1.0,
    "two_hop": 1.0,
}
_TOP = 16  # logits of the teacher that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What became of some items: lessons to train, questions to ask at the gate, and how many the teacher refused."""

    lessons: tuple[Lesson, ...]
    taught: tuple[Encoded, ...]  # questions in forms and words that were trained
    paraphrase: tuple[Encoded, ...]  # in words held out
    form: tuple[Encoded, ...]  # in a form held out
    with_memory: tuple[Encoded, ...]  # the trace in the prompt
    refused: tuple[str, ...]  # keys of items that the base cannot answer with the trace before its eyes


class Teaching:
    """Prepares items for one base and its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, config: ConsolidationConfig) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._asker = Asker(tokenizer)
        self._config = config
        self.pad = pad_of(tokenizer)
        self.writer: Mapping[Form, Callable[[str], str]] = {form: self._writer(form) for form in ASKING}

    def encoded(self, rendering: Rendering, context: str = "", *, question: str = "") -> Encoded:
        """One rendering; ``question`` asks it anew in the rendering's form behind a context."""
        prompt = self._asker(rendering.form, question, context) if question else rendering.prompt
        return encode(
            self._tokenizer,
            prompt,
            rendering.answer,
            closed=rendering.closed,
            context_weight=self._config.training.context_weight,
            whole=rendering.form == "statement",
        )

    def prepare(
        self,
        items: Sequence[Item],
        *,
        linked: Mapping[str, Sequence[Item]] | None = None,
        doses: Mapping[str, float] | None = None,
        trusted: Callable[[Item], bool] = lambda _: True,
        tick: Callable[[int, int], None] | None = None,
    ) -> Prepared:
        """Lessons of the items; ``linked`` holds by key the items about an item's value, ``doses`` how much each gets.

        An item of which the base answers no question with the trace in its prompt is refused: the trace does not say
        what was read out of it, or the base cannot read it.
        """
        lessons: list[Lesson] = []
        asked: dict[str, list[Encoded]] = {"": [], "paraphrase": [], "form": []}
        with_memory: list[Encoded] = []
        refused: list[str] = []
        for done, item in enumerate(items, 1):
            renderings = render(item, self.writer, linked=(linked or {}).get(item.key, ()))
            texts = [self.encoded(one) for one in renderings]
            reading = [self._behind(item, one) for one in renderings]
            able = self._able(reading)
            if not any(able):
                refused.append(item.key)
                continue
            teachers = self._teachers(reading, able)
            kept = [
                at
                for at, one in enumerate(renderings)
                if not one.held
                and (one.form == "statement" or not self._config.training.statements_only)
                and len(texts[at].ids) <= self._config.training.max_tokens
                and (able[at] or reading[at] is None)  # only a question about the item alone has a teacher
            ]
            lessons.append(
                Lesson(
                    key=item.key,
                    texts=tuple(texts[at] for at in kept),
                    teachers=tuple(teachers[at] for at in kept),
                    shares=tuple(_SHARES[renderings[at].form] for at in kept),
                    dose=(doses or {}).get(item.key, 1.0),
                    trusted=trusted(item),
                )
            )
            for at, one in enumerate(renderings):
                if one.form in ASKING:
                    asked[one.held].append(texts[at])
                    with_memory.append(reading[at] or texts[at])
            if tick is not None:
                tick(done, len(items))
        return Prepared(
            lessons=tuple(lessons),
            taught=tuple(asked[""]),
            paraphrase=tuple(asked["paraphrase"]),
            form=tuple(asked["form"]),
            with_memory=tuple(with_memory),
            refused=tuple(refused),
        )

    def _writer(self, form: Form) -> Callable[[str], str]:
        return lambda question: self._asker(form, question)

    def _behind(self, item: Item, rendering: Rendering) -> Encoded | None:
        """The same question behind the trace; None for what is not a question about the item alone."""
        if rendering.form not in ASKING:
            return None
        empty = self._asker(rendering.form, "\x00")
        before, _, after = empty.partition("\x00")
        question = rendering.prompt.removeprefix(before).removesuffix(after)
        return self.encoded(rendering, item.text, question=question)

    def _able(self, reading: Sequence[Encoded | None]) -> list[bool]:
        at = [i for i, text in enumerate(reading) if text is not None]
        right = exact(self._model, [text for text in reading if text is not None], self.pad)
        able = [False] * len(reading)
        for i, ok in zip(at, right, strict=True):
            able[i] = ok
        return able

    def _teachers(self, reading: Sequence[Encoded | None], able: Sequence[bool]) -> list[Teacher | None]:
        teachers: list[Teacher | None] = [None] * len(reading)
        if not self._config.training.distil:
            return teachers
        at = [i for i, text in enumerate(reading) if text is not None and able[i]]
        texts = [text for i, text in enumerate(reading) if text is not None and able[i]]
        for i, teacher in zip(at, _teachers(self._model, texts, self.pad), strict=True):
            teachers[i] = teacher
        return teachers


def remembered(model: Any, lesson: Lesson, pad: int) -> Lesson:
    """The lesson with what a model says of its texts now as their teacher."""
    return replace(lesson, teachers=tuple(_teachers(model, lesson.texts, pad)))


def _teachers(model: Any, texts: Sequence[Encoded], pad: int) -> list[Teacher]:
    """What a model says at the answer tokens of each text."""
    import torch

    found: dict[int, Teacher] = {}
    with torch.no_grad():  # an inference tensor could not enter the loss later
        for rows in batches(texts, model):
            batch = collate([texts[row] for row in rows], pad)
            log_probs = torch.log_softmax(logits_of(model, batch.ids, batch.mask).float(), -1)
            for place, row in enumerate(rows):
                text = texts[row]
                top = log_probs[place, text.start - 1 : len(text.ids) - 1].topk(min(_TOP, log_probs.shape[-1]), -1)
                found[row] = Teacher(top.indices.clone().cpu(), top.values.clone().cpu())
    return [found[row] for row in range(len(texts))]
