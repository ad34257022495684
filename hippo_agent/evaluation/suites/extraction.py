"""``extraction``: tuples of CaRB's sentences by the tagger, and by its parts alone.

The data file is CaRB's gold (sentence, predicate, subject, arguments). ``fixed_f1`` counts what the extractor hands
out, its threshold fixed beforehand; F1 and area are of the whole file. ``ms_on_top`` is the time for a sentence
beyond its word states, which the embedder computes anyway; ``cpu_ms_on_top`` the processor's time for the same.

With a corpus of Re-DocRED's documents also which related pairs of entities the triples link (`evaluation.pairs`),
beside ``same sentence``, which links all that a sentence names.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from hippo_agent.embedding.token_states import MiniLMWordStates
from hippo_agent.errors import DataError
from hippo_agent.evaluation.carb import CarbScore, Prediction, Words, carb
from hippo_agent.evaluation.data.files import read_text
from hippo_agent.evaluation.pairs import (
    Document,
    PairScore,
    load_documents,
    pairs_in_sentences,
    pairs_of,
    score_pairs,
)
from hippo_agent.evaluation.run import Outcome, Run, sample
from hippo_agent.relational.extraction.base import Extractor, Source
from hippo_agent.relational.extraction.decoding import Reading
from hippo_agent.relational.extraction.patterns import PatternExtractor
from hippo_agent.relational.extraction.tagger import TaggerConfig, TaggerExtractor

__all__ = ["load_carb", "run"]

_EXTRACTORS = ("tagger", "patterns")


def run(data: Path, run: Run) -> Outcome:
    """F1, area, speed and size of each extractor; with documents, the recall of entity pairs."""
    gold = load_carb(data)
    corpus = run.files.get("corpus")
    documents = [] if corpus is None else sample(load_documents(corpus), run.limit, run.seed)
    chosen = {sentence: gold[sentence] for sentence in sample(list(gold), run.limit, run.seed)}
    run.expect(len(chosen) + len(documents), each=len(_EXTRACTORS))
    tagger = TaggerExtractor()
    systems = _tuples(chosen, tagger, run)
    for name, score in _pairs(documents, {"tagger": tagger, "patterns": PatternExtractor()}, run).items():
        systems.setdefault(name, {}).update(
            pair_recall=score.recall, close_pair_recall=score.close_recall, pair_precision=score.precision
        )
    return Outcome(n=len(chosen), systems=systems, rows=())


def load_carb(path: Path) -> dict[str, list[Words]]:
    """Gold tuples by sentence. Raises DataError for another format."""
    gold: dict[str, list[Words]] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        parts = line.split("\t")
        if not line.strip():
            continue
        if len(parts) < 3:
            raise DataError(
                f"line {number} of {path.name!r} has {len(parts)} columns, not sentence, predicate, subject"
            )
        gold.setdefault(" ".join(parts[0].split()), []).append(tuple(parts[1:]))
    return gold


def _tuples(gold: dict[str, list[Words]], tagger: TaggerExtractor, run: Run) -> dict[str, dict[str, float]]:
    """The tagger, its head alone and its rules alone from one reading; the patterns beside them."""
    sentences = [sentence.split() for sentence in gold]
    states = MiniLMWordStates().states(sentences)
    tagger.read_states(sentences[:1], states[:1])  # loads the weights
    start, cpu = time.perf_counter(), time.process_time()
    read = tagger.read_states(sentences, states)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    run.step(len(sentences))
    start = time.perf_counter()
    known = PatternExtractor().extract([Source(text=sentence) for sentence in gold])
    run.seconds |= {"tagger": seconds, "patterns": time.perf_counter() - start}
    run.step(len(sentences))
    found = {
        "tagger": [[_prediction(r, words) for r in rs] for rs, words in zip(read, sentences, strict=True)],
        "head alone": [
            [_prediction(r, words) for r in rs if r.predicate] for rs, words in zip(read, sentences, strict=True)
        ],
        "rules alone": [
            [_prediction(r, words) for r in rs if not r.predicate] for rs, words in zip(read, sentences, strict=True)
        ],
        "patterns": [[Prediction(t.confidence, (t.predicate, t.subject, t.object)) for t in ts] for ts in known],
    }
    threshold = TaggerConfig().confidence
    systems = {
        name: _metrics(carb(gold, dict(zip(gold, items, strict=True)), threshold=threshold))
        for name, items in found.items()
    }
    each = 1e3 / max(len(sentences), 1)
    systems["tagger"] |= {
        "ms_on_top": seconds * each,
        "cpu_ms_on_top": cpu * each,
        "million_parameters": tagger.parameters / 1e6,
    }
    systems["patterns"]["ms_on_top"] = run.seconds["patterns"] * each
    return systems


def _pairs(documents: Sequence[Document], extractors: dict[str, Extractor], run: Run) -> dict[str, PairScore]:
    """Each sentence is read under its document's title."""
    if not documents:
        return {}
    sources = [Source(text=text, topic=doc.title) for doc in documents for text in doc.sentences]
    scores = {"same sentence": score_pairs(documents, [pairs_in_sentences(doc) for doc in documents])}
    for name, extractor in extractors.items():
        triples = iter(extractor.extract(sources))
        found = [pairs_of(doc, [t for _ in doc.sentences for t in next(triples)]) for doc in documents]
        scores[name] = score_pairs(documents, found)
        run.step(len(documents))
    return scores


def _prediction(reading: Reading, words: Sequence[str]) -> Prediction:
    def text(places: Sequence[int]) -> str:
        return " ".join(words[k] for k in places)

    return Prediction(
        reading.confidence, (reading.said or text(reading.predicate), text(reading.subject), text(reading.object))
    )


def _metrics(score: CarbScore) -> dict[str, float]:
    return {
        "f1": score.f1,
        "fixed_f1": score.fixed_f1,
        "auc": score.auc,
        "precision": score.precision,
        "recall": score.recall,
    }
