"""How a fact is said and asked for: the phrase book of known relations, and plain English for all others.

The relations are those of the worlds that `hippo-tiny` learnt to read; the relational store's names are mapped to them.
A relation that is in neither keeps its own words: "Ada adopted a goat" is asked for by "Ada adopted what?".
"""

from __future__ import annotations

from dataclasses import dataclass

from hippo_agent.consolidation.items import Item
from hippo_agent.model.tiny.names import Kind
from hippo_agent.model.tiny.relations import RELATIONS, Relation
from hippo_agent.model.tiny.wordings import more_asks

__all__ = ["Phrases", "kind_of_subject", "phrases", "relation_of", "two_hop"]

_BOOK = {relation.name: relation for relation in RELATIONS}
#: Names of the relational store -> names of the phrase book.
_KNOWN = {
    "lives in": "home",
    "works for": "employer",
    "occupation": "profession",
    "born in": "birthplace",
    "studies at": "studies",
    "chief executive": "chief",
    "head of government": "mayor",
}
#: Questions for the subject, and the subject as a noun phrase for questions over two facts.
_INVERSE = {
    "home": "Who lives in {y}?",
    "employer": "Who works for {y}?",
    "boss": "Whose boss is {y}?",
    "spouse": "Who is {y} married to?",
    "friend": "Whose best friend is {y}?",
    "birthplace": "Who was born in {y}?",
    "chief": "Which company is run by {y}?",
    "headquarters": "Which company is headquartered in {y}?",
    "mayor": "Of which place is {y} the mayor?",
    "river": "Which place lies on the river {y}?",
    "owner": "What does {y} own?",
    "code": "Whose locker code is {y}?",
}
_OF = {
    "home": "the home town of {x}",
    "employer": "the employer of {x}",
    "boss": "the boss of {x}",
    "spouse": "the spouse of {x}",
    "friend": "the best friend of {x}",
    "birthplace": "the birthplace of {x}",
    "chief": "the CEO of {x}",
    "headquarters": "the town where {x} has its headquarters",
    "mayor": "the mayor of {x}",
    "owner": "the owner of the {x}",
}


@dataclass(frozen=True, slots=True)
class Phrases:
    """An item in words. Statements hold the value; questions are answered by it, ``inverse`` by the subject."""

    statements: tuple[str, ...]
    questions: tuple[str, ...]
    varied: tuple[str, ...]  # further questions, only trained: the more wordings, the sooner a new one is understood
    fresh: tuple[str, ...]  # questions that no training ever shows: for evaluation only
    inverse: tuple[str, ...]
    of: str | None  # the value as a noun phrase: "the boss of Ada"


def phrases(item: Item) -> Phrases:
    """The item in all the words there are for it; the sentence as it was written is the first statement."""
    relation = relation_of(item)
    written = (item.text,) if item.value in item.text else ()
    if relation is None:
        said = f"{item.subject} {item.relation} {item.value}"
        return Phrases(
            statements=tuple(dict.fromkeys((*written, f"{said}."))),
            questions=(f"{item.subject} {item.relation} what?", f"What or whom: {item.subject} {item.relation}?"),
            varied=(),
            fresh=(),
            inverse=(f"Who or what {item.relation} {item.value}?",),
            of=None,
        )

    def fill(templates: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(one.format(x=item.subject, d=item.detail, y=item.value) for one in templates)

    inverse, of = _INVERSE.get(relation.name), _OF.get(relation.name)
    return Phrases(
        statements=tuple(dict.fromkeys((*written, *fill(relation.states)))),
        questions=fill(relation.asks),
        varied=fill(more_asks(relation)),
        fresh=fill(relation.fresh),
        inverse=fill((inverse,)) if inverse else (),
        of=fill((of,))[0] if of else None,
    )


def two_hop(first: Item, second: Item) -> tuple[str, ...]:
    """Questions about the second item that name its subject by the first: "Where does the boss of Ada live?"."""
    named = phrases(first).of
    relation = relation_of(second)
    if named is None or relation is None or first.value.casefold() != second.subject.casefold():
        return ()
    return tuple(ask.format(x=named, d=second.detail) for ask in relation.asks)


def relation_of(item: Item) -> Relation | None:
    """The item's relation in the phrase book."""
    return _BOOK.get(_KNOWN.get(item.relation, item.relation))


def kind_of_subject(item: Item) -> Kind:
    """What the item is about: "person" when its relation does not say."""
    relation = relation_of(item)
    return "person" if relation is None else relation.subject
