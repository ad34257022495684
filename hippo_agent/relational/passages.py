"""Passages as an in-memory index: which word and which phrase stands where, what a passage is about, whom it names.

Derived from the record, never saved, and followed row by row: `add` and `remove` leave it as a fresh build would be.

Sentence vectors may be handed in at once or later; a passage of one sentence needs none (its own vector serves).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hippo_agent.relational.names import names
from hippo_agent.relational.words import (
    STOP_WORDS,
    Word,
    heading,
    plain_title,
    sentences,
    stem,
    tokens,
    topic_stems,
    words,
)

__all__ = ["Mention", "Passage", "PassageIndex", "Phrase"]

Phrase = tuple[str, ...]  # lower-case words
Floats = NDArray[np.float32]

_USUALLY_SMALL = 0.3  # a word written small more often than this opens no name at the start of a sentence
_COMMON_SHARE = 0.01  # a one-word heading met in more passages than this is no name at the start of a sentence


@dataclass(frozen=True, slots=True)
class Mention:
    """A phrase that stands in a passage: the row of the passage and the number of the sentence."""

    row: int
    sentence: int


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """One trace, cut up. ``sentences[i]`` are the words of the i-th sentence, ``spans[i]`` its place in the text."""

    seq: int
    topic: Phrase  # words of the heading, () when it has none
    qualifier: Phrase  # words of a bracket behind the heading: (2017, film)
    text: str
    spans: tuple[tuple[int, int], ...]
    sentences: tuple[tuple[Word, ...], ...]
    stems: frozenset[str]


class PassageIndex:
    """Passages by row. Rows are handed out in the order of `add` and never reused."""

    def __init__(self) -> None:
        self._passages: list[Passage | None] = []
        self._rows: dict[int, int] = {}  # seq -> row
        self._vectors: dict[int, Floats] = {}  # row -> [sentences, d]
        self._postings: dict[str, list[int]] = defaultdict(list)  # stem -> rows, ascending
        self._topics: dict[Phrase, list[int]] = defaultdict(list)
        self._topic_lengths: Counter[int] = Counter()
        self._facts: dict[int, list[tuple[Phrase, Phrase]]] = {}  # row -> subject and object of each triple
        self._fact_vectors: dict[int, Floats] = {}  # row -> [triples, d]
        self._ends: dict[Phrase, list[int]] = defaultdict(list)  # subject or object -> rows
        self._small: Counter[str] = Counter()
        self._all: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> int:
        """How many rows were handed out, removed ones included: the length of every array over rows."""
        return len(self._passages)

    def row(self, seq: int) -> int | None:
        """The row of a trace, None when it is not here."""
        return self._rows.get(seq)

    def passage(self, row: int) -> Passage:
        """The passage of a live row."""
        found = self._passages[row]
        if found is None:
            raise KeyError(row)
        return found

    def seqs(self) -> NDArray[np.int64]:
        """[rows] seq of each row, -1 where the passage was removed."""
        return np.array([-1 if p is None else p.seq for p in self._passages], dtype=np.int64)

    def add(self, seq: int, text: str, *, title: str | None = None, vectors: Floats | None = None) -> int:
        """Index a passage and return its row; a seq that is here already is replaced.

        ``title`` is what the passage is about; without it a heading line serves. ``vectors``: [sentences, d].
        """
        self.remove(seq)
        passage = cut(seq, text, title)
        row = len(self._passages)
        self._passages.append(passage)
        self._rows[seq] = row
        for word in passage.stems:
            self._postings[word].append(row)
        if passage.topic:
            self._topics[passage.topic].append(row)
            self._topic_lengths[len(passage.topic)] += 1
        self._count(passage, 1)
        if vectors is not None:
            self.set_vectors(row, vectors)
        return row

    def remove(self, seq: int) -> None:
        """Forget a passage; unknown seqs are ignored."""
        row = self._rows.pop(seq, None)
        if row is None:
            return
        passage = self.passage(row)
        self._passages[row] = None
        self._vectors.pop(row, None)
        self._drop_facts(row)
        for word in passage.stems:
            self._postings[word].remove(row)
            if not self._postings[word]:
                del self._postings[word]
        if passage.topic:
            self._topics[passage.topic].remove(row)
            self._topic_lengths[len(passage.topic)] -= 1
            if not self._topics[passage.topic]:
                del self._topics[passage.topic]
        self._count(passage, -1)

    def set_vectors(self, row: int, vectors: Floats) -> None:
        """Give a passage the vectors of its sentences, [sentences, d]."""
        expected = len(self.passage(row).spans)
        if vectors.ndim != 2 or len(vectors) != expected:
            raise ValueError(f"expected {expected} sentence vectors, got shape {vectors.shape}")
        self._vectors[row] = vectors

    def vectors(self, row: int) -> Floats | None:
        """[sentences, d], None when they are not known yet."""
        return self._vectors.get(row)

    def set_facts(self, row: int, facts: Sequence[tuple[str, str]], vectors: Floats) -> None:
        """Give a passage the subjects and objects of its triples, and the triples' vectors as text [triples, d]."""
        if len(facts) != len(vectors):
            raise ValueError(f"{len(facts)} triples, but vectors of shape {vectors.shape}")
        self._drop_facts(row)
        self._facts[row] = [(tokens(subject), tokens(value)) for subject, value in facts]
        self._fact_vectors[row] = vectors
        for phrase in {end for ends in self._facts[row] for end in ends if end}:
            self._ends[phrase].append(row)

    def facts(self, row: int) -> Sequence[tuple[Phrase, Phrase]]:
        """Subject and object of each triple of a passage."""
        return self._facts.get(row, ())

    def fact_vectors(self, row: int) -> Floats | None:
        """[triples, d], None for a passage without triples."""
        return self._fact_vectors.get(row)

    def ends(self, phrase: Phrase) -> Sequence[int]:
        """Rows with a triple that has this subject or object."""
        return self._ends.get(phrase, ())

    def idf(self, word: str) -> float:
        """How rare a stem is: log(1 + (n - df + .5) / (df + .5)), natural logarithm."""
        df = len(self._postings.get(word, ()))
        return math.log(1 + (len(self) - df + 0.5) / (df + 0.5))

    def holders(self, word: str) -> Sequence[int]:
        """Rows that hold a stem, ascending."""
        return self._postings.get(word, ())

    def about(self, topic: Phrase) -> Sequence[int]:
        """Rows whose heading is this phrase."""
        return self._topics.get(topic, ())

    def find(self, phrase: Phrase, *, limit: int) -> list[Mention] | None:
        """Where a phrase stands word for word, one entry a sentence; None when more than ``limit`` rows may hold it."""
        rows = self._candidates(phrase)
        if len(rows) > limit:
            return None
        found = []
        for row in rows:
            for number, sentence in enumerate(self.passage(row).sentences):
                if _holds(sentence, phrase):
                    found.append(Mention(row, number))
        return found

    def topics_in(self, text: str, found: Sequence[Word], *, any_case: bool = False) -> list[Phrase]:
        """Headings of this index that stand in a sentence; the longest wins and none overlap.

        ``any_case`` also takes words written small: questions are often typed so.
        """
        longest = max((length for length, count in self._topic_lengths.items() if count), default=0)
        out, i = [], 0
        while i < len(found):
            for length in range(min(longest, len(found) - i), 0, -1):
                phrase = tuple(word.lower for word in found[i : i + length])
                if phrase in self._topics and self._is_name(found, i, length, any_case):
                    out.append(phrase)
                    i += length
                    break
            else:
                i += 1
        return out

    def names_in(self, text: str, found: Sequence[Word]) -> list[Phrase]:
        """Names in one sentence as phrases."""
        ranges = names(text, found, self._usually_small)
        return list(dict.fromkeys(tuple(word.lower for word in found[a:b]) for a, b in ranges))

    def coverage(self, question: Iterable[Word]) -> tuple[Floats, Floats]:
        """Weights [w] (rarity, they sum to 1) of a question's words, and [w, rows] 1 where a passage holds the word."""
        stems = topic_stems(list(question))
        weights = np.array([self.idf(word) for word in stems], dtype=np.float32)
        held = np.zeros((len(stems), self.rows), dtype=np.float32)
        for number, word in enumerate(stems):
            held[number, list(self._postings.get(word, ()))] = 1.0
        return weights / max(float(weights.sum()), 1e-9), held

    def _drop_facts(self, row: int) -> None:
        self._fact_vectors.pop(row, None)
        for phrase in {end for ends in self._facts.pop(row, []) for end in ends if end}:
            self._ends[phrase].remove(row)
            if not self._ends[phrase]:
                del self._ends[phrase]

    def _candidates(self, phrase: Phrase) -> list[int]:
        lists = sorted((self._postings.get(stem(word), []) for word in phrase), key=len)
        if not lists or not lists[0]:
            return []
        rows: set[int] = set(lists[0])
        for other in lists[1:]:
            if len(rows) * 20 < len(other):
                rows = {row for row in rows if phrase_stems(phrase) <= self.passage(row).stems}
                break
            rows.intersection_update(other)
        return sorted(rows)

    def _is_name(self, found: Sequence[Word], start: int, length: int, any_case: bool) -> bool:
        first = found[start]
        if length == 1 and (first.lower in STOP_WORDS or (first.raw.isdigit() and len(first.raw) < 3)):
            return False
        if any_case:
            return True
        if not first.capital:
            return False
        common = len(self._postings.get(stem(first.lower), ())) > _COMMON_SHARE * len(self)
        return not (length == 1 and start == 0 and common)

    def _usually_small(self, word: str) -> bool:
        total = self._all.get(word, 0)
        return bool(total) and self._small[word] > _USUALLY_SMALL * total

    def _count(self, passage: Passage, sign: int) -> None:
        for sentence in passage.sentences:
            for word in sentence:
                self._all[word.lower] += sign
                if not word.raw[0].isupper():
                    self._small[word.lower] += sign


def cut(seq: int, text: str, title: str | None = None) -> Passage:
    """A passage cut into sentences and words; the heading line is no sentence."""
    start = 0
    if title is None:
        title = heading(text)
        if title is not None:
            start = text.index("\n") + 1
    elif text.startswith(title + "\n"):
        start = len(title) + 1
    topic, qualifier = plain_title(title) if title else ((), ())
    spans = tuple((start + a, start + b) for a, b in sentences(text[start:]))
    cut_up = tuple(tuple(words(text[a:b])) for a, b in spans)
    stems = {stem(word.lower) for sentence in cut_up for word in sentence}
    stems.update(stem(word) for word in (*topic, *qualifier))
    return Passage(seq, topic, qualifier, text, spans, cut_up, frozenset(stems))


def phrase_stems(phrase: Phrase) -> frozenset[str]:
    """The stems of a phrase's words."""
    return frozenset(stem(word) for word in phrase)


def _holds(sentence: Sequence[Word], phrase: Phrase) -> bool:
    first, length = phrase[0], len(phrase)
    return any(
        word.lower == first and tuple(w.lower for w in sentence[i : i + length]) == phrase
        for i, word in enumerate(sentence)
    )
