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
from hippo_agent.relational.extraction.grammar import AUXILIARIES, BE, HAVE, PREPOSITIONS, SUBJECT_PRONOUNS
from hippo_agent.relational.extraction.nominal import CONFIDENCE, nominal
from hippo_agent.relational.extraction.patterns import PatternExtractor
from hippo_agent.relational.facts import Triple
from hippo_agent.relational.words import sentences

if TYPE_CHECKING:
    from hippo_agent.relational.extraction.head import TaggingHead

__all__ = ["WEIGHTS", "Reading", "TaggerConfig", "TaggerExtractor"]

WEIGHTS = Path(__file__).parent / "weights" / "tagger.safetensors"
_WORD = re.compile(r"n['’]t\b|\w+?(?=n['’]t\b)|\w+(?:[-.]\w+)*|['’]\w+|[^\w\s]")
_EDGE = frozenset({",", ".", ";", ":", "--", "''", '"', "``", "and", "but", "or", "(", ")"})
_MOST_WORDS = 200
_VERBS_OF_STATE = frozenset({"is", "are", "was", "were", "has", "have", "had"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggerConfig:
    """How readily it speaks. Chosen while looking at CaRB's development sentences, so its score there is in-sample."""

    predicate: float = 0.05  # probability from which a word is tried as a predicate
    state: float = 0.6  # probability given to a be or have that is no auxiliary
    outside: float = 0.7  # factor on the probability that a word belongs to no argument
    steady: float = 0.5  # cost in nats of changing the tag from one word to the next
    participle: float = 0.7  # factor on the confidence of a bare "-ing" predicate, which is often half a clause
    confidence: float = 0.4  # from here on a triple is handed out by `extract`


@dataclass(frozen=True, slots=True)
class Reading:
    """A triple as positions of words, with its confidence in [0, 1]."""

    predicate: tuple[int, ...]
    subject: tuple[int, ...]
    object: tuple[int, ...]
    confidence: float
    said: str = ""  # the predicate, when no words of the sentence say it


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
        states = self._states.states(sentences)
        out = []
        for words, own in zip(sentences, states, strict=True):
            found = self._verbal(words, own) if len(words) else []
            out.append(found + [_by_rule(*item) for item in nominal(words)])
        return out

    @cached_property
    def _heads(self) -> list[TaggingHead]:
        from hippo_agent.relational.extraction.head import load_heads

        return load_heads(self._weights)

    def _verbal(self, words: Sequence[str], states: NDArray[np.float32]) -> list[Reading]:
        import torch

        with torch.inference_mode():
            x = torch.from_numpy(states)[None]
            chances = np.mean([torch.sigmoid(head.predicates(x))[0].numpy() for head in self._heads], axis=0)
            chances = self._with_states(words, chances)
            places = [int(k) for k in np.flatnonzero(chances > self._config.predicate)]
            if not places:
                return []
            many = x.expand(len(places), -1, -1)
            mask = torch.ones(many.shape[:2], dtype=torch.bool)
            where = torch.tensor(places)
            tags = np.mean([torch.softmax(h(many, where, mask), dim=-1).numpy() for h in self._heads], axis=0)
        tags[..., 0] *= self._config.outside
        tags /= tags.sum(axis=-1, keepdims=True)
        found = (
            decode(words, place, float(chances[place]), tags[row], self._config.steady)
            for row, place in enumerate(places)
        )
        return [self._weighed(reading, words) for reading in found if reading is not None]

    def _weighed(self, reading: Reading, words: Sequence[str]) -> Reading:
        if not words[reading.predicate[0]].lower().endswith("ing"):
            return reading
        return replace(reading, confidence=round(reading.confidence * self._config.participle, 3))

    def _with_states(self, words: Sequence[str], chances: NDArray[np.float32]) -> NDArray[np.float32]:
        """A be or have that stands alone is a predicate; the training data knows none."""
        out, low = chances.copy(), [word.lower() for word in words]
        for k in range(1, len(words) - 1):
            if low[k] not in _VERBS_OF_STATE:
                continue
            between = {"not", "n't", "also", "still", "now", "never", "only", "been", "be"}
            following = next(
                (
                    q
                    for q in range(k + 1, min(len(words), k + 4))
                    if low[q] not in between and not low[q].endswith("ly")
                ),
                None,
            )
            if (
                following is None
                or chances[following] > 0.3
                or low[following].endswith(("ed", "ing"))
                or low[following] == "to"
            ):
                continue
            out[k] = max(out[k], self._config.state)
        return out


def split_words(sentence: str) -> list[str]:
    """Words and marks, as the head was trained on: "Ada's" is two words."""
    return _WORD.findall(sentence)


def decode(words: Sequence[str], head: int, chance: float, tags: NDArray[np.float32], steady: float) -> Reading | None:
    """The triple of one predicate from tag probabilities [n, 4]; None without a subject or an object."""
    low = [word.lower() for word in words]
    best = _path(tags, head, steady)
    predicate = {head}
    k = head - 1
    while k >= 0 and (best[k] == 1 or low[k] in AUXILIARIES):
        predicate.add(k)
        k -= 1
    while min(predicate) != head and low[min(predicate)] in AUXILIARIES - BE - HAVE and low[min(predicate)] in _ADVERBS:
        predicate.discard(min(predicate))
    k = head + 1
    while k < len(words) and best[k] == 1:
        predicate.add(k)
        k += 1
    if k + 1 < len(words) and low[k] in PREPOSITIONS and best[k] in (1, 3):
        predicate.add(k)
    subject = _trimmed([k for k in range(len(words)) if best[k] == 2 and k not in predicate], low)
    value = _trimmed([k for k in range(len(words)) if best[k] == 3 and k not in predicate], low)
    if not subject or not value:
        return None
    sure = [float(tags[k, best[k]]) for k in (*subject, *value, *sorted(predicate)) if best[k] > 0]
    return Reading(tuple(sorted(predicate)), tuple(subject), tuple(value), round(chance * float(np.mean(sure)), 3))


_ADVERBS = frozenset({"to", "not", "never", "also", "only", "often", "usually", "n't"})


def _path(tags: NDArray[np.float32], head: int, steady: float) -> NDArray[np.int64]:
    """The best sequence of tags (Viterbi) when every change costs ``steady``; the head is the predicate."""
    scores = np.log(tags + 1e-6)
    scores[head] = -9.0
    scores[head, 1] = 0.0
    change = np.full((4, 4), -steady)
    np.fill_diagonal(change, 0.0)
    back = np.zeros(tags.shape, dtype=np.int64)
    now = scores[0]
    for k in range(1, len(tags)):
        options = now[:, None] + change
        back[k] = options.argmax(axis=0)
        now = options.max(axis=0) + scores[k]
    path = [int(now.argmax())]
    for k in range(len(tags) - 1, 0, -1):
        path.append(int(back[k, path[-1]]))
    out = np.array(path[::-1], dtype=np.int64)
    out[head] = 1
    return out


def _trimmed(places: list[int], low: Sequence[str]) -> list[int]:
    while places and low[places[0]] in _EDGE:
        places.pop(0)
    while places and low[places[-1]] in _EDGE:
        places.pop()
    return places


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
    denied = bool({"not", "n't", "never"} & set(predicate.lower().split()))
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
