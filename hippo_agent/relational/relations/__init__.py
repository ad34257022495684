"""Relations known beforehand: how they are said, how they are asked for, and whether they hold one value at a time.

A small seed, no ontology: a relation that is not here is kept under the words it was said with, and whether it holds
one value is learnt from the facts (`schema`). Several paraphrases follow ParaRel (Elazar et al. 2021, MIT licence).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from hippo_agent.relational.relations.base import Relation
from hippo_agent.relational.relations.belongings import BELONGINGS
from hippo_agent.relational.relations.institutions import INSTITUTIONS
from hippo_agent.relational.relations.people import PEOPLE
from hippo_agent.relational.relations.works import WORKS
from hippo_agent.relational.words import STOP_WORDS, stem, tokens

__all__ = ["RELATIONS", "Relation", "canonical", "content_stems", "relation"]

#: The first relation that says a phrase owns it.
RELATIONS: tuple[Relation, ...] = (*PEOPLE, *INSTITUTIONS, *WORKS, *BELONGINGS)


def content_stems(text: str) -> frozenset[str]:
    """Stems of the words of a predicate or question that are no stop words."""
    return frozenset(stem(word) for word in tokens(text) if word not in STOP_WORDS)


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Relation]:
    return {item.name: item for item in RELATIONS}


@lru_cache(maxsize=1)
def _spoken() -> dict[str, Relation]:
    out: dict[str, Relation] = {}
    for item in RELATIONS:
        for phrase in (item.name, *item.nouns, *item.verbs):
            out.setdefault(" ".join(tokens(phrase)), item)
    return out


def relation(name: str) -> Relation | None:
    """The known relation of this name."""
    return _by_name().get(name)


def canonical(predicate: str) -> str:
    """The known relation's name for a predicate as it was said, else its words in lower case."""
    said = " ".join(tokens(predicate))
    found = _spoken().get(said) or _spoken().get(" ".join(_without(said.split(), {"the", "a", "an", "current", "new"})))
    return found.name if found else said


def _without(parts: Iterable[str], drop: set[str]) -> list[str]:
    return [part for part in parts if part not in drop]
