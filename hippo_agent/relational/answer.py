"""A question answered from the facts by code: find whom it names, then walk the relations that its words ask for.

    "Where does the boss of Teo live?"    Teo -boss-> Ines -lives in-> Porto

Each step resolves to the value that holds at the time asked about, so a chain through a replaced fact leads to
today's end
and one through a retracted fact to none. A step must explain a word of the question that no other step explains; words
nearer to the name are walked first. No template and no LLM; what cannot be walked is not answered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial

from hippo_agent.relational.entities import key
from hippo_agent.relational.extraction.dates import find_date, moment
from hippo_agent.relational.facts import Resolution
from hippo_agent.relational.reading import FactReader
from hippo_agent.relational.relations import content_stems, relation
from hippo_agent.relational.words import STOP_WORDS, Word, stem, words
from hippo_agent.types import Namespace

__all__ = ["Answer", "answer", "asks_for", "names_in"]

_HOPS = 3
_NAME_WORDS = 9
_ASK_SHARE = 0.5  # what a word that merely hints at a relation explains, beside its own noun


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The value at the end of the walk (None: retracted or not known), and the steps that led there."""

    value: str | None
    steps: tuple[Resolution, ...] = ()

    @property
    def traces(self) -> tuple[str, ...]:
        """Ids of the traces that the steps rest on."""
        return tuple(dict.fromkeys(trace for step in self.steps for trace in step.traces))


@dataclass(frozen=True, slots=True)
class _Walk:
    """A path so far: what it explains (stem -> weight) and at which words."""

    at: str | None
    explained: dict[str, float]
    places: tuple[float, ...]
    steps: tuple[Resolution, ...]

    def rank(self) -> tuple[float, bool, int]:
        ordered = all(a <= b for a, b in zip(self.places, self.places[1:], strict=False))
        return (sum(self.explained.values()), ordered, -len(self.steps))


def answer(
    store: FactReader, question: str, *, at: datetime | None = None, namespace: Namespace = (), min_trust: float = 0.0
) -> Answer:
    """Walk from the names of a question; without ``at`` a date in the question, else now."""
    if at is None and (date := find_date(question)) is not None:
        at = moment(date[0])
    resolve = partial(store.current, at=at, namespace=namespace, min_trust=min_trust)
    asked = words(question)
    best: _Walk | None = None
    for start, end in names_in(store, asked, namespace):
        rest = {
            stem(word.lower): float(min(abs(i - start), abs(i - end + 1)))
            for i, word in enumerate(asked)
            if not start <= i < end and word.lower not in STOP_WORDS
        }
        name = " ".join(word.raw for word in asked[start:end])
        walk = _explore(store, resolve, _Walk(name, {}, (), ()), rest, namespace)
        if walk.steps and (best is None or walk.rank() > best.rank()):
            best = walk
    if best is None:
        return Answer(value=None)
    return Answer(value=best.steps[-1].value, steps=best.steps)


def _explore(
    store: FactReader,
    resolve: Callable[[str, str], Resolution],
    walk: _Walk,
    rest: dict[str, float],
    namespace: Namespace,
) -> _Walk:
    best = walk
    if walk.at is None or len(walk.steps) >= _HOPS:
        return best
    for predicate in store.predicates(walk.at, namespace=namespace):
        hints = _hints(predicate)
        gained = {word: hints[word] for word in rest if hints.get(word, 0.0) > walk.explained.get(word, 0.0)}
        if not gained:
            continue
        top = max(gained.values())
        place = min(rest[word] for word, weight in gained.items() if weight == top)
        step = resolve(walk.at, predicate)
        further = _Walk(step.value, {**walk.explained, **gained}, (*walk.places, place), (*walk.steps, step))
        found = _explore(store, resolve, further, rest, namespace)
        if found.rank() > best.rank():
            best = found
    return best


def names_in(store: FactReader, asked: Sequence[Word], namespace: Namespace = ()) -> list[tuple[int, int]]:
    """Ranges of words that are known names, the longest first, none inside another."""
    spans = {
        (i, j): key(" ".join(word.raw for word in asked[i:j]))
        for i in range(len(asked))
        for j in range(i + 1, min(len(asked), i + _NAME_WORDS) + 1)
        if j - i > 1 or asked[i].lower not in STOP_WORDS
    }
    known = store.known_names(set(spans.values()), namespace=namespace)
    found = sorted((span for span, name in spans.items() if name in known), key=lambda s: (s[0] - s[1], s[0]))
    out: list[tuple[int, int]] = []
    for i, j in found:
        if all(j <= a or b <= i for a, b in out):
            out.append((i, j))
    return out


@lru_cache(maxsize=4096)
def _hints(predicate: str) -> dict[str, float]:
    """How strongly each stem asks for a predicate: 1 for its own words, less for words that hint at it."""
    known = relation(predicate)
    out = dict.fromkeys(content_stems(predicate), 1.0)
    if known is not None:
        for phrase in known.asks:
            for word in content_stems(phrase):
                out.setdefault(word, _ASK_SHARE)
        for phrase in known.nouns:
            for word in content_stems(phrase):
                out[word] = 1.0
    return out


def asks_for(question: str, predicate: str) -> bool:
    """Whether a word of the question asks for this predicate."""
    return bool(content_stems(question) & _hints(predicate).keys())
