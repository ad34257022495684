"""OIE2016's train split as tagged examples: which words are the predicate, its subject and its object.

OIE2016 (Stanovsky and Dagan 2016, MIT licence) gives tuples as text; they are laid back onto the words of their
sentence. Three
repairs, each measured (docs/stores/relational.md):

- it drops every tuple whose subject is a pronoun: sentences are doubled with their commonest subject replaced by a
pronoun,
  and a pronoun that no tuple names is left out of the loss;
- it knows no "is" and no "has" as predicates: plain ones are labelled by rule;
- a verb without a tuple is not a negative: known verb forms are left out of the loss of predicates.

Its dev and test sentences are CaRB's, and are never read.
"""

from __future__ import annotations

import random
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hippo_agent.errors import DataError
from hippo_agent.relational.extraction.grammar import PREPOSITIONS, SUBJECT_PRONOUNS

__all__ = ["IGNORED", "Example", "TrainingSet", "align", "training_set"]

IGNORED = -100
_MEMBER = "oie_corpus/train.oie"
_LONGEST = 90  # words
_STOPS = frozenset(
    {",", ";", ":", ".", "--", "(", ")", "``", "''", "and", "but", "which", "who", "that", "while", "because",
     "although", "when"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Example:
    """One predicate of one sentence; ``tags[k]`` is the tag of word k or IGNORED."""

    sentence: int
    head: int
    tags: tuple[int, ...]


@dataclass(frozen=True)
class TrainingSet:
    """Sentences as words, examples, and for each sentence the words that are no negative for predicates."""

    sentences: tuple[tuple[str, ...], ...]
    examples: tuple[Example, ...]
    unsure: tuple[frozenset[int], ...]

    def heads(self) -> Mapping[int, set[int]]:
        """Sentence -> positions of its predicates."""
        out: dict[int, set[int]] = defaultdict(set)
        for example in self.examples:
            out[example.sentence].add(example.head)
        return out


_Roles = tuple[set[int], set[int], set[int]]  # predicate, subject, object


def training_set(archive: Path, *, seed: int = 0) -> TrainingSet:
    """Read ``oie2016.tar.gz``. Raises DataError when it is another file."""
    sentences, told = _tuples(_lines(archive))
    verbs = _verb_forms(sentences, told)
    plain = {**_states(sentences, told), **told}
    more, changed = _with_pronouns(sentences, plain, random.Random(seed))
    examples = [_example(sentences, at, roles, masked=True) for at, roles in plain.items()]
    whole = [*sentences, *more]
    base = len(sentences)
    examples += [_example(whole, (base + at, head), roles, masked=False) for (at, head), roles in changed.items()]
    heads = {(example.sentence, example.head) for example in examples}
    unsure = tuple(
        frozenset(k for k, word in enumerate(words) if word.lower() in verbs and (at, k) not in heads)
        for at, words in enumerate(whole)
    )
    kept = tuple(example for example in examples if len(whole[example.sentence]) < _LONGEST)
    return TrainingSet(tuple(map(tuple, whole)), kept, unsure)


def align(words: Sequence[str], phrase: Sequence[str], near: int) -> set[int]:
    """Positions of a phrase's words in a sentence: the longest runs first found, the nearest to ``near`` on a tie.

    A single small word far away is not taken.
    """
    low, wanted = [word.lower() for word in words], [word.lower() for word in phrase]
    out: set[int] = set()
    i = 0
    while i < len(wanted):
        best: tuple[int, int, int] | None = None  # length, -distance, -start
        for start in range(len(low)):
            length = 0
            while i + length < len(wanted) and start + length < len(low) and low[start + length] == wanted[i + length]:
                length += 1
            if length and (best is None or (length, -abs(start - near)) > best[:2]):
                best = (length, -abs(start - near), -start)
        if best is None:
            i += 1
            continue
        length, distance, start = best[0], -best[1], -best[2]
        small = wanted[i] in PREPOSITIONS or wanted[i] in {"the", "a", "an"}
        if length == 1 and len(wanted) > 1 and small and distance > 6:
            i += 1
            continue
        out.update(range(start, start + length))
        i += length
    return out


def _lines(archive: Path) -> list[str]:
    try:
        with tarfile.open(archive) as opened:
            member = next((m for m in opened.getmembers() if m.name.endswith(_MEMBER)), None)
            stream = None if member is None else opened.extractfile(member)
            if stream is None:
                raise DataError(f"{str(archive)!r} holds no {_MEMBER}; get the OIE2016 corpus (MIT licence)")
            return stream.read().decode("utf-8").splitlines()
    except (OSError, tarfile.TarError) as exc:
        raise DataError(f"{str(archive)!r} is not the OIE2016 archive ({exc}); get the OIE2016 corpus") from exc


def _tuples(lines: Iterable[str]) -> tuple[list[list[str]], dict[tuple[int, int], _Roles]]:
    """Sentences, and (sentence, head) -> roles; several tuples of one predicate are joined."""
    numbers: dict[str, int] = {}
    sentences: list[list[str]] = []
    told: dict[tuple[int, int], _Roles] = {}
    for line in lines:
        parts = line.split("\t")
        if not parts[0].split():
            continue
        words = parts[0].split()
        at = numbers.setdefault(" ".join(words), len(sentences))
        if at == len(sentences):
            sentences.append(words)
        if len(parts) < 5:
            continue
        best: tuple[int, int, set[int], set[int]] | None = None
        for head in (k for k, word in enumerate(words) if word.lower() == parts[1].strip().lower()):
            subject = align(words, parts[3].split(), head)
            value = {k for part in parts[4:] for k in align(words, part.split(), head)}
            if subject:
                distance = min(abs(head - k) for k in subject)
                if best is None or distance < best[0]:
                    best = (distance, head, subject, value)
        if best is None:
            continue
        _, head, subject, value = best
        predicate = {head} | {k for k in align(words, parts[2].split(), head) if abs(k - head) <= 4}
        roles = told.setdefault((at, head), (set(), set(), set()))
        roles[0].update(predicate)
        roles[1].update(subject - predicate)
        roles[2].update(value - predicate - subject)
    return sentences, told


def _states(
    sentences: Sequence[Sequence[str]], told: Mapping[tuple[int, int], _Roles]
) -> dict[tuple[int, int], _Roles]:
    """Plain "is" and "has": what stands before up to a break is the subject, what follows up to a break the object."""
    heads: dict[int, set[int]] = defaultdict(set)
    for at, head in told:
        heads[at].add(head)
    out: dict[tuple[int, int], _Roles] = {}
    for at, words in enumerate(sentences):
        low = [word.lower() for word in words]
        for k in range(1, len(words) - 2):
            if low[k] not in {"is", "are", "was", "were", "has", "have", "had"}:
                continue
            following = k + 1
            adverbs = {"not", "n't", "also", "still", "now", "never", "only"}
            while following < len(words) and (low[following] in adverbs or low[following].endswith("ly")):
                following += 1
            if following >= len(words) or any(head in heads[at] for head in range(k + 1, following + 2)):
                continue
            if low[following].endswith(("ed", "ing", "en")) or low[following] in {"to", "been"}:
                continue
            start, end = k - 1, following
            while start >= 0 and low[start] not in _STOPS:
                start -= 1
            while end < len(words) and low[end] not in _STOPS - {"and"}:
                end += 1
            if 1 <= k - 1 - start <= 8 and end > following:
                out[at, k] = ({k}, set(range(start + 1, k)), set(range(following, end)))
    return out


def _with_pronouns(
    sentences: Sequence[Sequence[str]], told: Mapping[tuple[int, int], _Roles], rng: random.Random
) -> tuple[list[list[str]], dict[tuple[int, int], _Roles]]:
    """Each sentence once more, its commonest subject replaced by a pronoun."""
    own: dict[int, list[tuple[int, _Roles]]] = defaultdict(list)
    for (at, head), roles in told.items():
        own[at].append((head, roles))
    out: list[list[str]] = []
    changed: dict[tuple[int, int], _Roles] = {}
    for at in sorted(own):
        words = list(sentences[at])
        span = _commonest_subject(words, own[at])
        if span is None:
            continue
        first, last = span
        several = (words[last].endswith("s") and not words[last].endswith("ss")) or "and" in words[first : last + 1]
        pronoun = rng.choice(["they", "they", "we"] if several else ["he", "she", "it", "it", "he", "i"])
        if pronoun == "i" or first == 0:
            pronoun = pronoun.capitalize()
        number = len(out)
        out.append([*words[:first], pronoun, *words[last + 1 :]])

        def moved(k: int, first: int = first, last: int = last) -> int:
            return k if k < first else first if k <= last else k - (last - first)

        for head, (predicate, subject, value) in own[at]:
            if not first <= head <= last:
                changed[number, moved(head)] = (
                    {moved(k) for k in predicate if not first <= k <= last},
                    {moved(k) for k in subject},
                    {moved(k) for k in value},
                )
    return out, changed


def _commonest_subject(words: Sequence[str], own: Sequence[tuple[int, _Roles]]) -> tuple[int, int] | None:
    openers = {"that", "and", "but", "when", "where", "while", "as", "because"}
    found: Counter[tuple[int, int]] = Counter()
    for head, (_, subject, _) in own:
        if not subject:
            continue
        first, last = min(subject), max(subject)
        opens = first == 0 or not words[first - 1][0].isalnum() or words[first - 1].lower() in openers
        if last - first == len(subject) - 1 < 8 and last < head and opens:
            found[first, last] += 1
    return found.most_common(1)[0][0] if found else None


def _verb_forms(sentences: Sequence[Sequence[str]], told: Iterable[tuple[int, int]]) -> frozenset[str]:
    """Words that are a predicate in a fifth of their uses."""
    uses = Counter(word.lower() for words in sentences for word in words)
    heads = Counter(sentences[at][head].lower() for at, head in told)
    return frozenset(word for word, count in heads.items() if count >= 0.2 * uses[word])


def _example(sentences: Sequence[Sequence[str]], where: tuple[int, int], roles: _Roles, *, masked: bool) -> Example:
    at, head = where
    predicate, subject, value = roles
    tags = []
    for k, word in enumerate(sentences[at]):
        tag = 1 if k in predicate else 3 if k in value else 2 if k in subject else 0
        tags.append(IGNORED if masked and tag == 0 and word.lower() in SUBJECT_PRONOUNS else tag)
    return Example(at, head, tuple(tags))
