"""Recall by association: the passage that a question needs but never names.

A question names a first thing; the passage about it names a second; the answer stands with the second. So the best
passages of a first ranking hand part of their score on, over these kinds of links:

- *out*: a sentence of the first passage names what another passage is about;
- *shared*: both name the same rare thing (counts by its rarity);
- *in*: a sentence of another passage names what the first passage is about. Off: it gained nothing on any data.

A link is worth what its sentence has to do with the question (cosine), plus the words of the question that the second
passage holds and the first lacks. A passage takes the best link offered to it, not the sum: many loose ties must not
outvote one good one. When the question names something that a passage is about, links count one and a half times.

HippoRAG 2 (arXiv 2502.14802) spreads the same idea by PageRank over a graph of extracted triples with fixed weights;
weights by question measured better here (docs/stores/relational.md has the ablations).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hippo_agent.relational.passages import Mention, PassageIndex, Phrase
from hippo_agent.relational.words import Word, words

__all__ = ["Association", "AssociationConfig", "Link", "LinkKind", "associate", "named_topics", "rank"]

Floats = NDArray[np.float32]
LinkKind = Literal["out", "in", "shared", "fact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationConfig:
    """Round weights; one setting for all data."""

    seeds: int = 5  # passages that hand score on
    named: float = 1.0  # bonus of a passage whose heading the question names
    cosine: float = 1.0  # weight of the passage's similarity beside word coverage, both in [0, 1]
    incoming: float = 0.0  # weight of a link from a passage that names a seed's topic; .5 was tried
    shared: float = 1.2  # weight of a name that both mention, times its rarity
    trust: float = 1.5  # weight of all links when the question names a topic, 1 otherwise
    holders: int = 50  # a name held by more passages links nothing
    relevance: bool = True  # False: every link sentence counts the same (an ablation)
    gain: bool = True  # False: new words of the question do not count (an ablation)


DEFAULT = AssociationConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Why a passage came up: from which row, over which name, and the sentence (row, number) that says so."""

    source: int
    kind: LinkKind
    name: Phrase
    sentence: tuple[int, int]
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class Association:
    """[rows] points added to each passage, and the link that gave them."""

    bonus: Floats
    links: dict[int, Link]


def rank(
    index: PassageIndex,
    question: str,
    *,
    vector: Floats,
    similarity: Floats,
    config: AssociationConfig = DEFAULT,
) -> tuple[Floats, Association]:
    """[rows] score of every passage for a question: coverage + similarity + named topics + association.

    ``vector``: [d] of the question; ``similarity``: [rows] cosine of each passage. Removed rows score -inf.
    """
    asked = words(question)
    weights, held = index.coverage(asked)
    named = named_topics(index, asked, question)
    base = weights @ held + config.cosine * similarity + config.named * named
    live = index.seqs() >= 0
    base = np.where(live, base, -np.inf).astype(np.float32)
    found = associate(index, question, base=base, vector=vector, similarity=similarity, named=named, config=config)
    return base + found.bonus, found


def named_topics(index: PassageIndex, asked: Sequence[Word], question: str) -> Floats:
    """[rows] 1 for a passage whose heading stands in the question, shared when several passages have that heading.

    A bracket behind the heading that stands in the question as well (2017, film) settles which of them is meant.
    """
    out = np.zeros(index.rows, dtype=np.float32)
    present = {word.lower for word in asked}
    for topic in index.topics_in(question, asked, any_case=True):
        rows = index.about(topic)
        fit = []
        for row in rows:
            qualifier = index.passage(row).qualifier
            fit.append(sum(word in present for word in qualifier) / len(qualifier) if qualifier else 0.0)
        best = [row for row, value in zip(rows, fit, strict=True) if value == max(fit)]
        for row in rows:
            out[row] = max(out[row], 1.0 / len(best) if row in best else 0.3 / len(rows))
    return out


def associate(
    index: PassageIndex,
    question: str,
    *,
    base: Floats,
    vector: Floats,
    similarity: Floats,
    named: Floats | None = None,
    config: AssociationConfig = DEFAULT,
) -> Association:
    """What the best passages of a first ranking hand on to others.

    ``base``: [rows] first scores, higher is better, -inf for rows that may not be seen (they neither give nor take);
    ``vector``: [d] of the question; ``similarity``: [rows] cosine of each passage, for sentences without one.
    """
    asked = words(question)
    weights, held = index.coverage(asked)
    if named is None:
        named = named_topics(index, asked, question)
    bonus = np.zeros(index.rows, dtype=np.float32)
    links: dict[int, Link] = {}
    order = np.argsort(-base, kind="stable")[: config.seeds]
    seeds = [int(row) for row in order if np.isfinite(base[row]) and base[row] > 0]
    if not seeds:
        return Association(bonus, links)
    top = float(base[seeds[0]])
    trust = config.trust if float(named[np.isfinite(base)].max(initial=0.0)) >= 1.0 else 1.0
    offers = _Offers(index, vector, similarity, config)
    for seed in seeds:
        gain = (weights * (1.0 - held[:, seed])) @ held if config.gain else np.zeros(index.rows, dtype=np.float32)
        share = trust * float(base[seed]) / top
        for row, link in offers.of(seed, gain).items():
            points = share * link.weight
            if np.isfinite(base[row]) and points > bonus[row]:
                bonus[row] = points
                links[row] = link
    return Association(bonus, links)


class _Offers:
    """The links that leave one passage, the best for each other passage."""

    def __init__(self, index: PassageIndex, vector: Floats, similarity: Floats, config: AssociationConfig) -> None:
        self.index = index
        self.vector = vector
        self.similarity = similarity
        self.config = config

    def of(self, seed: int, gain: Floats) -> dict[int, Link]:
        best: dict[int, Link] = {}

        def offer(row: int, kind: LinkKind, name: Phrase, sentence: tuple[int, int], weight: float) -> None:
            if row != seed and (row not in best or weight > best[row].weight):
                best[row] = Link(source=seed, kind=kind, name=name, sentence=sentence, weight=weight)

        passage = self.index.passage(seed)
        for number, sentence in enumerate(passage.sentences):
            here = (seed, number)
            text = _text(passage.text, passage.spans[number])
            for topic in self.index.topics_in(text, sentence):
                for row in self.index.about(topic):
                    offer(row, "out", topic, here, self.relevance(here) + float(gain[row]))
            for name in self.index.names_in(text, sentence):
                mentions = self.index.find(name, limit=self.config.holders) or []
                rarity = self.rarity(mentions)
                for mention in mentions:
                    weight = self.config.shared * rarity * float(gain[mention.row])
                    offer(mention.row, "shared", name, (mention.row, mention.sentence), weight)
        for number, ends in enumerate(self.index.facts(seed)):
            relevance = self.fact_relevance(seed, number)
            for name in filter(None, ends):
                for row in self.index.about(name):
                    offer(row, "fact", name, (seed, -1), relevance + float(gain[row]))
                rows = self.index.ends(name)
                if len(rows) <= self.config.holders:
                    rarity = math.log(len(self.index) / len(rows)) / math.log(max(len(self.index), 2))
                    for row in rows:
                        offer(row, "fact", name, (seed, -1), self.config.shared * rarity * float(gain[row]))
        if passage.topic and self.config.incoming:
            for mention in self.incoming(passage.topic):
                there = (mention.row, mention.sentence)
                weight = self.config.incoming * (self.relevance(there) + float(gain[mention.row]))
                offer(mention.row, "in", passage.topic, there, weight)
        return best

    def incoming(self, topic: Phrase) -> list[Mention]:
        """Sentences elsewhere that name this topic, as a whole and not inside a longer heading."""
        found = []
        for mention in self.index.find(topic, limit=self.config.holders * 10) or ():
            passage = self.index.passage(mention.row)
            text = _text(passage.text, passage.spans[mention.sentence])
            if topic in self.index.topics_in(text, passage.sentences[mention.sentence]):
                found.append(mention)
        return found

    def relevance(self, sentence: tuple[int, int]) -> float:
        """Cosine of the sentence and the question."""
        if not self.config.relevance:
            return 0.3
        row, number = sentence
        vectors = self.index.vectors(row)
        return float(self.similarity[row] if vectors is None else vectors[number] @ self.vector)

    def fact_relevance(self, row: int, number: int) -> float:
        """Cosine of a triple and the question."""
        vectors = self.index.fact_vectors(row)
        return 0.3 if vectors is None or not self.config.relevance else float(vectors[number] @ self.vector)

    def rarity(self, mentions: Sequence[Mention]) -> float:
        """1 for a name that one passage holds, 0 for one that all do."""
        holders = len({mention.row for mention in mentions})
        return math.log(len(self.index) / holders) / math.log(len(self.index)) if holders and len(self.index) > 1 else 0


def _text(text: str, span: tuple[int, int]) -> str:
    return text[span[0] : span[1]]
