"""What the model is trained on: sheets of facts as documents with questions, lists said twice, and plain books.

A document is pieces of text. A piece has the weight of its loss and the block of attention it belongs to: block 0 reads
all that came before in the document, a block above 0 is a trace that reads itself alone and starts at position 0 anew.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from hippo_agent.model.tiny.names import Split, invent
from hippo_agent.model.tiny.relations import RELATIONS
from hippo_agent.model.tiny.tokens import END
from hippo_agent.model.tiny.wordings import reversed_states
from hippo_agent.model.tiny.worlds import UNKNOWN, Fact, Query, Sheet, Wording, absent, ask, draw, state

__all__ = ["ANSWER", "CONTEXT", "Piece", "context", "document", "prompt"]

ANSWER, CONTEXT = 1.0, 0.12  # weights of the loss
_UNANSWERABLE = 0.22
_CROWDING = (0.0, 0.3, 0.3, 0.6, 0.9, 0.9)
_UPDATES = (0.0, 0.1, 0.3)
_VARIED = (0.0, 0.0, 0.4, 0.8)  # shares of a sheet, as in `Wording`
_REVERSED = (0.0, 0.0, 0.3, 0.8)
_LOOSE = (0.0, 0.0, 0.2)
_HEADERS = ("Memory:", "Notes:", "Facts:", "What I know:", "Here is what is known.", "Recalled:")
_RESTATED = ("In other words: ", "Again: ", "That is: ", "To sum up: ")
_NOTED = ("Noted.", "I will remember that.", "Thank you, noted.")


@dataclass(frozen=True, slots=True)
class Piece:
    """Text with the weight of its loss. ``glue`` pieces continue the line before."""

    text: str
    weight: float = CONTEXT
    block: int = 0


def document(rng: random.Random, progress: float, *, split: Split = "train") -> list[Piece]:
    """A document for a model that has done this share (0-1) of its training: it starts with lists and few facts."""
    if rng.random() < (0.4 if progress < 0.06 else 0.15 if progress < 0.25 else 0.04):
        return _list(rng, split)
    if rng.random() < _drilled(progress):
        return _drill(rng, split, 8 if progress < 0.7 else 16)
    kind = rng.random()
    if kind < 0.06:
        return _no_context(rng, split)
    count = _count(rng, progress)
    wording = Wording(rng.choice(_VARIED), rng.choice(_REVERSED), rng.choice(_LOOSE))
    sheet = draw(rng, count, split=split, crowding=rng.choice(_CROWDING), updates=rng.choice(_UPDATES), wording=wording)
    if kind < 0.16:
        return _parallel(rng, sheet, wording)
    if kind < 0.24:
        return _told(rng, sheet, wording)
    pieces = _context(rng, sheet.facts)
    if rng.random() < 0.2:
        pieces += _restated(rng, sheet, wording)
    return pieces + _questions(rng, sheet, wording)


def prompt(question: str, *, plain: bool = False) -> str:
    """The question as the chat template writes it; ``plain``: as "Q:" and "A:"."""
    return f"Q: {question}\nA:" if plain else f"User: {question}\nAssistant:"


def context(facts: Sequence[Fact]) -> str:
    """The statements, one a line, before a question."""
    return "".join(f"{fact.text}\n" for fact in facts)


def _count(rng: random.Random, progress: float) -> int:
    if progress < 0.08:
        return rng.randint(1, 3)
    size = rng.random()
    if size < 0.2:
        return rng.randint(1, 3)
    if size < 0.5 or progress < 0.16:
        return rng.randint(4, 8)
    return rng.randint(8, 24)


def _context(rng: random.Random, facts: Sequence[Fact]) -> list[Piece]:
    form = rng.random()
    header = f"{rng.choice(_HEADERS)}\n" if rng.random() < 0.25 else ""
    if form < 0.6:
        text = context(facts)
    elif form < 0.75:
        text = " ".join(fact.text for fact in facts) + "\n"
    elif form < 0.85:
        text = "".join(f"- {fact.text}\n" for fact in facts)
    elif form < 0.92:
        text = "".join(f"{at}. {fact.text}\n" for at, fact in enumerate(facts, 1))
    else:
        text = "".join(f"{_own(rng, fact)}\n" for fact in facts)
    return [Piece(header + text)]


def _own(rng: random.Random, fact: Fact) -> str:
    """The fact in the words of its subject, as in a conversation."""
    if (
        not fact.relation.own
        or fact.relation.subject != "person"
        or fact.outdated
        or not fact.text.startswith(fact.subject)
    ):
        return fact.text
    return f"{fact.subject}: {rng.choice(fact.relation.own).format(y=fact.value)}"


def _questions(rng: random.Random, sheet: Sheet, wording: Wording, *, plain: bool | None = None) -> list[Piece]:
    current = sheet.current
    if len(current) <= 3:
        asked = rng.choices(current, k=rng.randint(2, 5))
    else:  # each once: an answer that was given before is no reading
        asked = rng.sample(current, rng.randint(len(current) // 2 + 1, len(current)))
    plain = rng.random() < 0.25 if plain is None else plain
    pieces: list[Piece] = []
    for fact in asked:
        missing = rng.random() < _UNANSWERABLE
        query = absent(rng, sheet, wording=wording) if missing else ask(rng, fact, wording=wording)
        pieces += _answered(query, plain)
    return pieces


def _answered(query: Query, plain: bool) -> list[Piece]:
    return [Piece(prompt(query.text, plain=plain)), Piece(f" {query.answer}{END}", ANSWER)]


def _drilled(progress: float) -> float:
    """Share of drills: without them the model tells facts by their relation and hardly looks at whom they are about."""
    return 0.0 if progress < 0.3 else 0.6 if progress < 0.85 else 0.3


def _drill(rng: random.Random, split: Split, most: int) -> list[Piece]:
    """Facts of one relation or two: nothing but reading their subjects tells them apart."""
    backwards = rng.random() < 0.4
    relations = [relation for relation in RELATIONS if reversed_states(relation)] if backwards else RELATIONS
    among = rng.sample(relations, 1 if rng.random() < 0.75 else 2)
    wording = Wording(rng.choice(_VARIED), 1.0 if backwards else 0.0)
    sheet = draw(
        rng,
        rng.randint(2, most),
        split=split,
        crowding=rng.choice((0.0, 0.3)),
        updates=rng.choice((0.0, 0.0, 0.2)),
        wording=wording,
        among=among,
    )
    return [Piece(context(sheet.facts)), *_questions(rng, sheet, wording)]


def _no_context(rng: random.Random, split: Split) -> list[Piece]:
    """Questions about nothing that was said."""
    sheet = draw(rng, 1, split=split, crowding=0.0)
    query = ask(rng, sheet.facts[0], wording=Wording(rng.choice(_VARIED), loose=rng.choice(_LOOSE)))
    return _answered(Query(query.text, UNKNOWN), rng.random() < 0.25)


def _told(rng: random.Random, sheet: Sheet, wording: Wording) -> list[Piece]:
    """A conversation in which the user tells the facts one by one."""
    pieces: list[Piece] = []
    for fact in sheet.facts[:12]:
        pieces += [Piece(f"User: {fact.text}\nAssistant:"), Piece(f" {rng.choice(_NOTED)}{END}")]
    return pieces + _questions(rng, Sheet(sheet.facts[:12], sheet.split), wording, plain=False)


def _parallel(rng: random.Random, sheet: Sheet, wording: Wording) -> list[Piece]:
    """Every statement a trace of its own; an update shows only by its words."""
    ends = "\n" if rng.random() < 0.5 else ""
    facts = sheet.facts[:16]
    kept = Sheet(tuple(facts), sheet.split)
    pieces = [Piece(fact.text + ends, CONTEXT, at) for at, fact in enumerate(facts, 1)]
    return pieces + _questions(rng, kept, wording, plain=False)


def _restated(rng: random.Random, sheet: Sheet, wording: Wording) -> list[Piece]:
    """Facts in other words: their values follow from the context, so that they count like answers."""
    pieces: list[Piece] = []
    for fact in rng.sample(sheet.current, min(len(sheet.current), 4)):
        text = rng.choice(_RESTATED) + state(rng, fact.relation, fact.subject, fact.detail, fact.value, wording)
        before, value, after = text.rpartition(fact.value)
        if fact.subject in before and (fact.detail in before):
            pieces += [Piece(before.removesuffix(" ")), Piece(f" {value}", ANSWER), Piece(after + "\n")]
        else:
            pieces.append(Piece(text + "\n"))
    return pieces


def _list(rng: random.Random, split: Split) -> list[Piece]:
    """A list of names and the same again: the simplest reason to copy."""
    kind = rng.choice(("person", "place", "company", "thing", "number"))
    names = ", ".join(invent(rng, kind, split) for _ in range(rng.randint(3, 12)))
    return [Piece(f"List: {names}.\nAgain:"), Piece(f" {names}.", ANSWER), Piece("\n")]
