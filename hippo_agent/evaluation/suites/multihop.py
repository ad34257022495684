"""``multihop``: questions whose second passage is never named in them.

Each passage is a document of its own; ranked are passages. ``association`` is the relational store's ranking alone
(`relational.association`) from titles, names and sentence vectors, no LLM. Each row below it leaves one part out, or
adds one that is off. With triples (OpenIE results of somebody else's model) ``association-triples`` shows the graph
apart from the extractor. ``pagerank`` is the graph of triples in HippoRAG 2's way (`evaluation.graphs`), of the given
triples or of our tagger's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hippo_agent.evaluation.data import Query, Turn
from hippo_agent.evaluation.data.multihop import MultihopData, Triple, load_multihop
from hippo_agent.evaluation.graphs import ROWS, PageRankSystem, TripleSets
from hippo_agent.evaluation.metrics import all_at, recall_at
from hippo_agent.evaluation.pool import Pool, Ranker, Ranking, System, best_first
from hippo_agent.evaluation.run import Outcome, Row, Run, sample
from hippo_agent.relational.association import AssociationConfig, rank
from hippo_agent.relational.extraction.base import Source
from hippo_agent.relational.extraction.tagger import TaggerExtractor
from hippo_agent.relational.passages import PassageIndex

__all__ = ["ABLATIONS", "OWN", "run"]

DEPTH = 10

#: What is left out (-) or added (+), and the setting that does it.
ABLATIONS = {
    "association": AssociationConfig(),
    "- links": AssociationConfig(seeds=0),
    "- sentence relevance": AssociationConfig(relevance=False),
    "- new words": AssociationConfig(gain=False),
    "- shared names": AssociationConfig(shared=0.0),
    "- trust by question": AssociationConfig(trust=1.0),
    "- named topics": AssociationConfig(named=0.0),
    "+ incoming links": AssociationConfig(incoming=0.5),
}

#: Names of all systems that only this suite has.
OWN = (*ABLATIONS, "association-triples", *ROWS)


def run(data: Path, run: Run) -> Outcome:
    """recall@k and all_gold@k of every system and ablation."""
    found = load_multihop(data, corpus=run.files.get("corpus"), triples=run.files.get("triples"))
    turns = [
        Turn(id=str(at), text=f"{item.title}\n{item.text}", session=str(at)) for at, item in enumerate(found.passages)
    ]
    asked = sample(found.questions, run.limit, run.seed)
    added: list[System] = [_Associative(name, found, config, False) for name, config in ABLATIONS.items()]
    if found.triples is not None:
        added.append(_Associative("association-triples", found, AssociationConfig(), True))
    if any(map(run.wants, ROWS)):
        graph = TripleSets(found.triples if found.triples is not None else extracted(found), run.embedder)
        added += [PageRankSystem(name, graph, config) for name, config in ROWS.items()]
    wider = replace(run, systems=[*run.systems, *(system for system in added if run.wants(system.name))])
    wider.expect(len(asked))
    answers = wider.ask(wider.pool(turns), [Query(text=question.text) for question in asked], DEPTH)
    rows = []
    for at, question in enumerate(asked):
        gold = tuple(map(str, question.gold))
        rankings = {name: ranking[at].turn_ids for name, ranking in answers.items()}
        rows.append(
            Row(
                about={"id": question.id, "question": question.text, "gold": list(gold)},
                metrics={name: score(ranked, gold) for name, ranked in rankings.items()},
                found={name: {"passages": ranked} for name, ranked in rankings.items()},
            )
        )
    return Outcome.of(rows)


def extracted(data: MultihopData) -> list[list[Triple]]:
    """The tagger's triples of each passage."""
    sources = [Source(text=item.text, topic=item.title) for item in data.passages]
    return [[(t.subject, t.predicate, t.object) for t in read] for read in TaggerExtractor().extract(sources)]


def score(ranked: Sequence[str], gold: Sequence[str]) -> dict[str, float]:
    """Share of the gold passages, and whether all of them, are among the first k."""
    out = {f"recall@{k}": recall_at(ranked, gold, k) for k in (2, 5, 10)}
    return out | {f"all_gold@{k}": all_at(ranked, gold, k) for k in (5, 10)}


@dataclass(frozen=True)
class _Associative:
    """The relational store's ranking as a system."""

    name: str
    data: MultihopData
    config: AssociationConfig
    triples: bool

    @contextmanager
    def open(self, pool: Pool) -> Iterator[Ranker]:
        yield _Ranker(pool, index_of(self.data, pool.embedder.embed, triples=self.triples), self.config)


@dataclass(frozen=True)
class _Ranker:
    pool: Pool
    index: PassageIndex
    config: AssociationConfig

    def rank(self, query: Query, k: int) -> Ranking:
        vector = self.pool.embedder.embed([query.text])[0]
        similarity = self.pool.vectors @ vector
        scores, _ = rank(self.index, query.text, vector=vector, similarity=similarity, config=self.config)
        return best_first(self.pool, scores.astype(np.float64), k)


def index_of(
    data: MultihopData, embed: Callable[[Sequence[str]], np.ndarray], *, triples: bool = False
) -> PassageIndex:
    """The passages as an index with sentence vectors; a sentence is read under its title."""
    index = PassageIndex()
    lines: list[str] = []
    for at, item in enumerate(data.passages):
        row = index.add(at, f"{item.title}\n{item.text}", title=item.title)
        passage = index.passage(row)
        lines += [f"{item.title}: {passage.text[a:b]}" for a, b in passage.spans]
    vectors = embed(lines)
    start = 0
    for row in range(index.rows):
        count = len(index.passage(row).spans)
        index.set_vectors(row, vectors[start : start + count])
        start += count
    for row, facts in enumerate(data.triples or () if triples else ()):
        if facts:
            index.set_facts(row, [(s, o) for s, _, o in facts], embed([" ".join(fact) for fact in facts]))
    return index
