"""Facts from any English sentence: a small trained head over the word states that the embedder computes anyway.

`TaggerExtractor` reads verbs by the head, verbless facts by rule (`nominal`) and the relations that are known
beforehand by
pattern (`patterns`), whose reading of a sentence wins. Trained weights and their model card lie in ``weights/``; they
were made by ``python -m hippo_agent.relational.extraction.train``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hippo_agent.embedding.token_states import MiniLMWordStates, WordStates
from hippo_agent.relational.extraction.base import Source
from hippo_agent.relational.extraction.decoding import Reading, decode, opens_infinitive
from hippo_agent.relational.extraction.grammar import NEGATIONS, SUBJECT_PRONOUNS
from hippo_agent.relational.extraction.nominal import CONFIDENCE, nominal
from hippo_agent.relational.extraction.patterns import PatternExtractor
from hippo_agent.relational.extraction.verbs import with_plain_verbs
from hippo_agent.relational.facts import Triple
from hippo_agent.relational.words import sentences

if TYPE_CHECKING:
    from hippo_agent.relational.extraction.head import TaggingHead

__all__ = ["WEIGHTS", "TaggerConfig", "TaggerExtractor"]

WEIGHTS = Path(__file__).parent / "weights" / "tagger.safetensors"
_WORD = re.compile(r"n['’]t\b|\w+?(?=n['’]t\b)|\w+(?:[-.]\w+)*|['’]\w+|[^\w\s]")
_MOST_WORDS = 200
_BATCH = 16  # sentences that are read together
_ROWS = 64  # predicates that are read together


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggerConfig:
    """How readily it speaks. Chosen while looking at every other one of CaRB's development sentences."""

    predicate: float = 0.05  # probability from which a word is tried as a predicate
    state: float = 0.6  # probability given to a be or have that is no auxiliary
    outside: float = 0.7  # factor on the probability that a word belongs to no argument
    steady: float = 0.3  # cost in nats of changing the tag from one word to the next
    participle: float = 0.6  # factor on the confidence of a bare "-ing" predicate, which is often half a clause
    opener: float = 0.4  # factor on the confidence of "agreed" in "agreed to pay", whose triple says both
    confidence: float = 0.45  # from here on a triple is handed out by `extract`


class TaggerExtractor:
    """``states``: where word states come from; None: the default embedder."""

    def __init__(
        self,
        states: WordStates | None = None,
        *,
        weights: Path = WEIGHTS,
        config: TaggerConfig | None = None,
        patterns: PatternExtractor | None = None,
    ) -> None:
        self._states = states or MiniLMWordStates()
        self._weights = weights
        self._config = config or TaggerConfig()
        self._patterns = patterns or PatternExtractor()

    def extract(self, sources: Sequence[Source]) -> list[list[Triple]]:
        """Triples of each source: known relations by pattern, the rest of the sentences by the head."""
        out = self._patterns.extract(sources)
        waiting: list[tuple[int, int, int, list[str]]] = []
        for at, source in enumerate(sources):
            known = {(triple.start, triple.end) for triple in out[at]}
            for start, end in sentences(source.text):
                words = split_words(source.text[start:end])
                if (start, end) not in known and 2 < len(words) <= _MOST_WORDS and words[-1] != "?":
                    waiting.append((at, start, end, words))
        read = self.read([words for *_, words in waiting])
        for (at, start, end, words), readings in zip(waiting, read, strict=True):
            for reading in readings:
                triple = _triple(reading, words, sources[at], start, end)
                if triple is not None and reading.confidence >= self._config.confidence:
                    out[at].append(triple)
        return [sorted(found, key=lambda triple: (triple.start, -triple.confidence)) for found in out]

    def read(self, sentences: Sequence[Sequence[str]]) -> list[list[Reading]]:
        """Readings of sentences given as words, of any confidence, in order of the predicates."""
        return self.read_states(sentences, self._states.states(sentences))

    def read_states(
        self, sentences: Sequence[Sequence[str]], states: Sequence[NDArray[np.float32]]
    ) -> list[list[Reading]]:
        """The same for sentences whose word states are there already: [words, dim] each."""
        out: list[list[Reading]] = [[] for _ in sentences]
        order = sorted((at for at, words in enumerate(sentences) if words), key=lambda at: len(sentences[at]))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            found = self._verbal([sentences[at] for at in chosen], [states[at] for at in chosen])
            for at, readings in zip(chosen, found, strict=True):
                out[at] = readings + [_by_rule(*item) for item in nominal(sentences[at])]
        return out

    @property
    def parameters(self) -> int:
        """Of all heads together, the embedder's own not counted."""
        return sum(p.numel() for head in self._heads for p in head.parameters())

    @cached_property
    def _heads(self) -> list[TaggingHead]:
        from hippo_agent.relational.extraction.head import load_heads

        return load_heads(self._weights)

    def _verbal(self, sentences: Sequence[Sequence[str]], states: Sequence[NDArray[np.float32]]) -> list[list[Reading]]:
        """Readings by the heads, for sentences of like length."""
        import torch

        config = self._config
        lengths = [len(words) for words in sentences]
        padded = torch.zeros(len(states), max(lengths), states[0].shape[1])
        for row, own in enumerate(states):
            padded[row, : len(own)] = torch.from_numpy(own)
        words = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]  # [b, n]
        with torch.inference_mode():
            inside = [head.inside(padded) * words[..., None] for head in self._heads]
            told = [torch.sigmoid(head.predicates(x)).numpy() for head, x in zip(self._heads, inside, strict=True)]
            chances = [
                with_plain_verbs(own, mean[: len(own)], config.state)
                for own, mean in zip(sentences, np.mean(told, axis=0), strict=True)
            ]
            rows = [(row, int(k)) for row, own in enumerate(chances) for k in np.flatnonzero(own > config.predicate)]
            out: list[list[Reading]] = [[] for _ in sentences]
            for start in range(0, len(rows), _ROWS):
                chosen = rows[start : start + _ROWS]
                of = torch.tensor([row for row, _ in chosen])
                places = torch.tensor([place for _, place in chosen])
                tags = np.mean(
                    [
                        torch.softmax(head(x[of], places, words[of]), dim=-1).numpy()
                        for head, x in zip(self._heads, inside, strict=True)
                    ],
                    axis=0,
                )
                tags[..., 0] *= config.outside
                tags /= tags.sum(axis=-1, keepdims=True)
                for (row, place), own in zip(chosen, tags, strict=True):
                    reading = self._reading(sentences[row], place, chances[row], own[: lengths[row]])
                    out[row] += [reading] if reading is not None else []
        return out

    def _reading(
        self, words: Sequence[str], place: int, chances: NDArray[np.float32], tags: NDArray[np.float32]
    ) -> Reading | None:
        """The triple of one predicate, less sure of it where such predicates are often half a clause."""
        reading = decode(words, place, chances, tags, self._config.steady)
        if reading is None:
            return None
        factor = self._config.opener if opens_infinitive([word.lower() for word in words], place, chances) else 1.0
        if words[reading.predicate[0]].lower().endswith("ing"):
            factor *= self._config.participle
        return replace(reading, confidence=round(reading.confidence * factor, 3))


def split_words(sentence: str) -> list[str]:
    """Words and marks, as the head was trained on: "Ada's" is two words."""
    return _WORD.findall(sentence)


def _by_rule(rule: str, subject: range, said: str, value: range) -> Reading:
    return Reading((), tuple(subject), tuple(value), CONFIDENCE[rule], said)


def _triple(reading: Reading, words: Sequence[str], source: Source, start: int, end: int) -> Triple | None:
    subject, value = (" ".join(words[k] for k in places) for places in (reading.subject, reading.object))
    predicate = reading.said or " ".join(words[k] for k in reading.predicate)
    low = subject.lower()
    if low == "i":
        subject = source.speaker or ""
    elif low in SUBJECT_PRONOUNS:
        subject = source.topic or ""
    denied = bool(NEGATIONS & set(predicate.lower().split()))
    if not subject or not value:
        return None
    return Triple(
        subject=subject,
        predicate=predicate,
        object=value,
        confidence=reading.confidence,
        start=start,
        end=end,
        denied=denied,
    )
