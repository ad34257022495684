"""Items as texts to train on: statement, cloze, question, conversation, inverse, over two facts.

Further wordings of the phrase book are only trained: a fact that was asked for in many words is known in others. Every
item holds out one paraphrase of its question, and of another one form, where it can not of the plainest: the gate asks
for these. Which ones go round the items, so that each paraphrase and each form is trained, for other items; a form
never comes to mean "unknown".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hippo_agent.consolidation.items import Item
from hippo_agent.consolidation.phrases import phrases, two_hop

__all__ = ["ASKING", "Form", "Rendering", "Writer", "render"]

Form = Literal["statement", "cloze", "plain", "chat", "inverse", "two_hop"]
ASKING: tuple[Form, ...] = ("chat", "plain")  # the forms in which a question can be put

#: A question in the form's words, up to where the answer starts.
Writer = Mapping[Form, Callable[[str], str]]


@dataclass(frozen=True, slots=True)
class Rendering:
    """``prompt`` + ``answer`` is the text. ``held``: not to be trained on, but asked at the gate.

    ``closed``: the text ends with the answer, so the end-of-text token follows it.
    """

    item: str
    form: Form
    prompt: str
    answer: str
    held: Literal["", "paraphrase", "form"] = ""
    closed: bool = True


def render(item: Item, writer: Writer, *, linked: Sequence[Item] = ()) -> list[Rendering]:
    """All renderings of an item, the held-out ones marked. ``linked``: items about this one's value."""
    said = phrases(item)
    turn = int(item.key, 16)
    out: list[Rendering] = []
    for text in said.statements:
        out.append(Rendering(item.key, "statement", "", text, closed=False))
        before, value, after = text.rpartition(item.value)
        if value and before.strip() and len(after) <= 1:
            out.append(Rendering(item.key, "cloze", before.rstrip(), f" {value}{after}", closed=False))
    count = len(said.questions)
    left_out = 1 + turn % max(1, count - 1)  # never the first, which is what people ask
    in_one_form = next((at % count for at in range(left_out + 1, left_out + count) if at % count), 0)
    for at, question in enumerate(said.questions):
        for number, form in enumerate(ASKING):
            held: Literal["", "paraphrase", "form"] = ""
            if at == left_out:
                held = "paraphrase"
            elif at == in_one_form and number == (turn >> 8) % len(ASKING):
                held = "form"
            out.append(Rendering(item.key, form, writer[form](question), f" {item.value}", held))
    for at, question in enumerate(said.varied):
        form = ASKING[(turn + at) % len(ASKING)]
        out.append(Rendering(item.key, form, writer[form](question), f" {item.value}"))
    for at, question in enumerate(said.inverse):
        form = ASKING[(turn + at) % len(ASKING)]
        out.append(Rendering(item.key, "inverse", writer[form](question), f" {item.subject}"))
    for other in linked:
        for at, question in enumerate(two_hop(item, other)[:2]):
            form = ASKING[(turn + at) % len(ASKING)]
            out.append(Rendering(item.key, "two_hop", writer[form](question), f" {other.value}"))
    return out
