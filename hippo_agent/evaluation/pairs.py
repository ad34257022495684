"""Which related things of a document an extractor links: entity pairs of Re-DocRED (Tan and others 2022).

A triple links two entities when its subject holds a name of the one and its object a name of the other, whatever its
predicate and whichever way round. Recall is over the pairs that the gold relates by any relation; precision is over
all pairs of the document's entities that a triple links.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from hippo_agent.errors import DataError
from hippo_agent.evaluation.data.files import field, read_json
from hippo_agent.relational.extraction.tagger import split_words
from hippo_agent.relational.facts import Triple

__all__ = ["Document", "PairScore", "load_documents", "pairs_in_sentences", "pairs_of", "score_pairs"]

Pair = tuple[int, int]  # numbers of two entities, the smaller first
_REMEDY = "give a file of Re-DocRED: a list of documents with title, sents, vertexSet and labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Sentences as text; entities by their names and by the sentences that name them; related pairs."""

    title: str
    sentences: tuple[str, ...]
    names: tuple[frozenset[str], ...]
    named_in: tuple[frozenset[int], ...]
    related: frozenset[Pair]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScore:
    """Shares in [0, 1]; ``close_recall``: of the related pairs that one sentence names both of."""

    recall: float
    close_recall: float
    precision: float


def load_documents(path: Path) -> list[Document]:
    """Documents of Re-DocRED's JSON. Raises DataError for another format."""
    items = read_json(path)
    if not isinstance(items, list) or not items:
        raise DataError(f"{str(path)!r} is not a list of documents; {_REMEDY}")
    return [_document(item, f"document {number} of {path.name!r}") for number, item in enumerate(items, start=1)]


def pairs_of(document: Document, triples: Sequence[Triple]) -> set[Pair]:
    """The pairs of entities that triples link."""
    names = [[_padded(name) for name in held] for held in document.names]
    found: set[Pair] = set()
    for triple in triples:
        subject, value = _padded(triple.subject), _padded(triple.object)
        first, second = (
            [at for at, held in enumerate(names) if any(name in text for name in held)] for text in (subject, value)
        )
        found |= {_pair(a, b) for a, b in product(first, second) if a != b}
    return found


def pairs_in_sentences(document: Document) -> set[Pair]:
    """All pairs that some sentence names both of: what linking everything would find."""
    entities = range(len(document.names))
    return {(a, b) for a in entities for b in entities if a < b and document.named_in[a] & document.named_in[b]}


def score_pairs(documents: Sequence[Document], found: Sequence[Collection[Pair]]) -> PairScore:
    """Pooled over all documents."""
    related = close = hit = close_hit = linked = 0
    for document, pairs in zip(documents, found, strict=True):
        near = document.related & pairs_in_sentences(document)
        related, close, linked = related + len(document.related), close + len(near), linked + len(pairs)
        hit, close_hit = hit + len(document.related & set(pairs)), close_hit + len(near & set(pairs))
    return PairScore(
        recall=hit / max(related, 1), close_recall=close_hit / max(close, 1), precision=hit / max(linked, 1)
    )


def _document(item: Any, where: str) -> Document:
    title = field(item, "title", str, where, _REMEDY)
    sentences = tuple(" ".join(map(str, words)) for words in _lists(item, "sents", where))
    entities = _lists(item, "vertexSet", where)
    labels = field(item, "labels", list, where, _REMEDY)
    mentions = [[_mention(mention, where) for mention in entity] for entity in entities]
    related = {(field(x, "h", int, where, _REMEDY), field(x, "t", int, where, _REMEDY)) for x in labels}
    if any(not 0 <= end < len(entities) for pair in related for end in pair):
        raise DataError(f"a label of {where} names an entity that is not there; {_REMEDY}")
    return Document(
        title=title,
        sentences=sentences,
        names=tuple(frozenset(name for name, _ in held) for held in mentions),
        named_in=tuple(frozenset(sentence for _, sentence in held) for held in mentions),
        related=frozenset(_pair(a, b) for a, b in related if a != b),
    )


def _lists(item: Any, name: str, where: str) -> list[list[Any]]:
    found: list[Any] = field(item, name, list, where, _REMEDY)
    if not all(isinstance(one, list) for one in found):
        raise DataError(f"{name!r} of {where} is not a list of lists; {_REMEDY}")
    return found


def _mention(mention: Mapping[str, Any], where: str) -> tuple[str, int]:
    return field(mention, "name", str, where, _REMEDY), field(mention, "sent_id", int, where, _REMEDY)


def _pair(a: int, b: int) -> Pair:
    return (a, b) if a < b else (b, a)


def _padded(text: str) -> str:
    """Words between single blanks, so that a name is found as whole words only."""
    return f" {' '.join(split_words(text.casefold()))} "
