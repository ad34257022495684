"""Texts that a night must leave as they are: sheets of facts with questions, and questions about strangers.

Guard texts are trained on (as what must not change), gate texts are only measured on; the two never share a name.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hippo_agent.consolidation.asking import Asker
from hippo_agent.consolidation.encode import Encoded, encode
from hippo_agent.consolidation.forms import ASKING
from hippo_agent.consolidation.guarding import GuardTexts
from hippo_agent.consolidation.items import Item
from hippo_agent.consolidation.phrases import kind_of_subject, phrases, relation_of
from hippo_agent.model.tiny.documents import ANSWER, Piece, context, document
from hippo_agent.model.tiny.names import Split, invent, look_alike
from hippo_agent.model.tiny.relations import RELATIONS
from hippo_agent.model.tiny.wordings import more_asks
from hippo_agent.model.tiny.worlds import UNKNOWN, Wording, ask, draw

__all__ = ["Abilities", "abilities", "guard_texts", "told_of", "unsaid"]

_UNSAID = 0.3  # share of questions about strangers that ask of a taught subject what was never said of it
_KIN = 0.7  # share of the others that ask what tonight's items are asked; a third have look-alike names
_VARIED = 0.6  # share of them in the further wordings that items are replayed in: no wording may come to mean unknown
_LONGEST = 192  # tokens of a guard text
_CHARACTERS = 8  # of a token, at most: what is longer need not be cut into tokens to be left out
_TOLD = 0.3  # loss weight of what is not an answer in a document
_AROUND = 0.1  # loss weight of the words around an answer that must stay "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What the base can do and must still be able to do: all about names that no night teaches."""

    language: tuple[Encoded, ...]  # texts whose loss is measured
    in_context: tuple[Encoded, ...]  # questions with the facts in the prompt
    strangers: tuple[Encoded, ...]  # questions about nothing that was said; the answer is "unknown"


def guard_texts(
    tokenizer: Any,
    items: Sequence[Item],
    *,
    documents: int,
    strangers: int,
    seed: int,
    max_tokens: int,
    extra: Sequence[str] = (),
) -> GuardTexts:
    """Texts for the guard of a night that teaches ``items``; ``extra``, the user's own, are among the documents."""
    rng = random.Random(f"guard/{seed}")
    asker = Asker(tokenizer)
    taught = told_of(items)
    told = [encode(tokenizer, "", text, closed=False) for text in extra] if documents else []
    told = [text for text in told if len(text.ids) <= max_tokens]
    wanted = len(told) + documents
    while len(told) < wanted:
        pieces = document(rng, 1.0)
        if any(piece.block for piece in pieces):
            continue  # traces apart from each other are for readers
        if sum(len(piece.text) for piece in pieces) > _CHARACTERS * _LONGEST:
            continue
        text = _weighted(tokenizer, pieces)
        if len(text.ids) <= min(max_tokens, _LONGEST):
            told.append(text)
    asked = [
        encode(
            tokenizer,
            asker(rng.choice(ASKING), _about_a_stranger(rng, items, taught)),
            f" {UNKNOWN}",
            context_weight=_AROUND,
        )
        for _ in range(strangers)
    ]
    return GuardTexts(told, asked)


def _weighted(tokenizer: Any, pieces: Sequence[Piece]) -> Encoded:
    """A document whose answers count in full and whose other words count less: reading is what is easily lost."""
    text = encode(tokenizer, "", "".join(piece.text for piece in pieces), closed=False)
    offsets = tokenizer("".join(piece.text for piece in pieces), return_offsets_mapping=True)["offset_mapping"]
    weights: list[float] = []
    for _, end in offsets[: len(text.ids)]:
        at, length = 0, 0
        while length + len(pieces[at].text) < end:  # a token belongs to the piece of its last character
            length += len(pieces[at].text)
            at += 1
        weights.append(1.0 if pieces[at].weight == ANSWER else _TOLD)
    return replace(text, weights=tuple(weights))


def _about_a_stranger(rng: random.Random, items: Sequence[Item], taught: set[tuple[str, str]]) -> str:
    if items and rng.random() < _UNSAID and (question := unsaid(rng, rng.choice(items), taught)):
        return question
    if items and rng.random() < _KIN:
        item = rng.choice(items)
        kind = kind_of_subject(item)
        same = rng.random() < 0.35 and kind != "event"
        name = look_alike(rng, kind, item.subject, "train") if same else invent(rng, kind, "train")
        if (name.casefold(), _name_of(item)) not in taught:
            said = phrases(replace(item, subject=name))
            return rng.choice(said.varied if said.varied and rng.random() < _VARIED else said.questions)
    fact = draw(rng, 1, split="train", crowding=0.0, updates=0.0).facts[0]
    return ask(rng, fact, wording=Wording(varied=_VARIED)).text


def unsaid(rng: random.Random, item: Item, taught: set[tuple[str, str]], *, fresh: bool = False) -> str:
    """A question about the item's subject that no item answers; nothing for a subject of unknown kind.

    ``taught``: (subject in small letters, name of the relation) of all items, see `told_of`. ``fresh``: in words that
    no training shows.
    """
    if relation_of(item) is None:
        return ""
    others = [
        relation
        for relation in RELATIONS
        if relation.subject == kind_of_subject(item)
        and not relation.detail
        and (item.subject.casefold(), relation.name) not in taught
    ]
    if not others:
        return ""
    relation = rng.choice(others)
    templates = more_asks(relation) if rng.random() < _VARIED else relation.asks
    return rng.choice((fresh and relation.fresh) or templates or relation.asks).format(x=item.subject, d="", y="")


def told_of(items: Sequence[Item]) -> set[tuple[str, str]]:
    """(subject in small letters, name of the relation) of the items."""
    return {(item.subject.casefold(), _name_of(item)) for item in items}


def _name_of(item: Item) -> str:
    known = relation_of(item)
    return item.relation if known is None else known.name


def abilities(tokenizer: Any, *, seed: int, count: int = 200, split: Split = "validation") -> Abilities:
    """What is measured at the gate: ``count`` questions of each kind, and half as many texts."""
    rng = random.Random(f"gate/{seed}/{split}")
    asker = Asker(tokenizer)
    language: list[Encoded] = []
    while len(language) < count // 2:
        pieces = document(rng, 1.0, split=split)
        if not any(piece.block for piece in pieces):
            language.append(encode(tokenizer, "", "".join(piece.text for piece in pieces), closed=False))
    in_context: list[Encoded] = []
    strangers: list[Encoded] = []
    for _ in range(count):
        sheet = draw(rng, 4, split=split)
        query = ask(rng, rng.choice(sheet.current))
        in_context.append(
            encode(
                tokenizer, asker(rng.choice(ASKING), query.text, context(sheet.facts).rstrip("\n")), f" {query.answer}"
            )
        )
        alone = draw(rng, 1, split=split, crowding=0.0, updates=0.0).facts[0]
        strangers.append(encode(tokenizer, asker(rng.choice(ASKING), ask(rng, alone).text), f" {UNKNOWN}"))
    return Abilities(language=tuple(language), in_context=tuple(in_context), strangers=tuple(strangers))
