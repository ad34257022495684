"""``extraction``: tuples of CaRB's sentences by the tagger, and by its parts alone.

The data file is CaRB's gold (``dev.tsv``: sentence, predicate, subject, arguments). The confidence from which triples
count
in ``fixed_f1`` is the one the extractor hands them out at. Not averaged by question: F1 and area are of the whole file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hippo_agent.errors import DataError
from hippo_agent.evaluation.carb import CarbScore, Prediction, Words, carb
from hippo_agent.evaluation.data.files import read_text
from hippo_agent.evaluation.run import Outcome, Run, sample
from hippo_agent.relational.extraction.base import Source
from hippo_agent.relational.extraction.patterns import PatternExtractor
from hippo_agent.relational.extraction.tagger import Reading, TaggerConfig, TaggerExtractor

__all__ = ["load_carb", "run"]

Read = Callable[[list[list[str]]], list[list[Prediction]]]


def run(data: Path, run: Run) -> Outcome:
    """F1, AUC and milliseconds a sentence of each extractor."""
    gold = load_carb(data)
    chosen = {sentence: gold[sentence] for sentence in sample(list(gold), run.limit, run.seed)}
    run.expect(len(chosen))
    sentences = [sentence.split() for sentence in chosen]
    systems = {}
    for name, read in _systems().items():
        start = time.perf_counter()
        found = read(sentences)
        seconds = time.perf_counter() - start
        result = carb(chosen, dict(zip(chosen, found, strict=True)), threshold=TaggerConfig().confidence)
        systems[name] = {**_metrics(result), "ms_per_sentence": 1e3 * seconds / max(len(chosen), 1)}
        run.seconds[name] += seconds
    run.step(len(chosen) * len(run.systems))
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


def _systems() -> dict[str, Read]:
    tagger = TaggerExtractor()

    def reading(kept: Callable[[Reading], bool]) -> Read:
        return lambda sentences: [
            [_prediction(item, words) for item in found if kept(item)]
            for words, found in zip(sentences, tagger.read(sentences), strict=True)
        ]

    def patterns(sentences: list[list[str]]) -> list[list[Prediction]]:
        found = PatternExtractor().extract([Source(text=" ".join(words)) for words in sentences])
        return [[Prediction(t.confidence, (t.predicate, t.subject, t.object)) for t in triples] for triples in found]

    return {
        "tagger": reading(lambda item: True),
        "head alone": reading(lambda item: bool(item.predicate)),
        "rules alone": reading(lambda item: not item.predicate),
        "patterns": patterns,
    }


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
