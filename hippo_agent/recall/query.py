"""A cue taken apart: is it a question or a fragment, which words does it ask for, whom does it name, which time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hippo_agent.episodic.codes import Codes, slot_codes
from hippo_agent.episodic.times import TimeSpan, days, resolve
from hippo_agent.episodic.words import word_set
from hippo_agent.recall.config import RecallConfig
from hippo_agent.recall.lexicon import Lexicon
from hippo_agent.recall.vocabulary import information
from hippo_agent.recall.words import FUNCTION_WORDS, cut
from hippo_agent.storage.columns import Columns
from hippo_agent.types import Cue, Slots

__all__ = ["DateTerm", "Query", "Term", "is_question", "understand"]

MAX_TERMS = 64  # of one cue; the most informative are kept

_OPENS_QUESTION = word_set(
    """
    what which who whom whose when where why how is are was were am do does did has have had can could will would shall
    should may might must according
    """
)
_ASKS_FOR = word_set("tell show find list give name explain describe remind recall summarize summarise")
_MIDNIGHT = np.datetime64("1970-01-01", "D")
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Term:
    """One word that the cue asks for."""

    word: str
    weight: float  # nats of information x importance
    stem: int  # -1: unknown to the bank
    fixed: tuple[str, ...]  # the known words one slip away, when the word is unknown
    fixed_stems: tuple[int, ...]
    common: bool  # a function word
    speakers: tuple[int, ...]  # codes of the speakers who have this word in their name


@dataclass(frozen=True, slots=True)
class DateTerm:
    """A time that the cue names."""

    text: str
    weight: float
    words: tuple[str, ...]  # the same said in words covers it as well
    code: Codes  # int8[256] slot code of the date alone
    near: NDArray[np.float32]  # [n] in [0, 1]: how near the event time of each trace of the bank is


@dataclass(frozen=True, slots=True)
class Query:
    """What recall looks for."""

    text: str  # to be embedded: without the names of speakers if it is a question; may be ""
    question: bool
    terms: tuple[Term, ...]
    dates: tuple[DateTerm, ...]
    named: NDArray[np.int32]  # codes of the speakers that it names

    @property
    def information(self) -> float:
        """Nats: what full coverage is worth."""
        return sum(term.weight for term in self.terms) + sum(date.weight for date in self.dates)


def is_question(text: str) -> bool:
    """Whether a cue asks ("Where does Ada live?", "tell me about Ada") or is a piece of what it looks for."""
    words = cut(text)
    if not words:
        return False
    if words[0] in _ASKS_FOR:
        return True
    if text.rstrip().endswith("?"):
        return len(words) > 2 and any(word in _OPENS_QUESTION for word in words)
    return words[0] in _OPENS_QUESTION and len(words) > 3


def understand(
    cue: Cue,
    columns: Columns,
    visible: NDArray[np.bool_],
    lexicon: Lexicon,
    config: RecallConfig,
    *,
    question: bool | None = None,
) -> Query:
    """The query of a cue against this bank's words, speakers and times; ``question`` None: judged by its form."""
    question = is_question(cue.text) if question is None else question
    spans = resolve(cue.text, cue.asked_at) if config.date else []
    speakers = _speaker_words(columns.speakers)
    words = cut(_without(cue.text, [(span.start, span.end) for span in spans]))
    for values in (cue.slots.who, cue.slots.what, cue.slots.where):
        words += [word for value in values for word in cut(value) if word not in words]
    terms = [_term(word, question, speakers, columns, lexicon, config) for word in dict.fromkeys(words)]
    named = sorted({code for term in terms for code in term.speakers}) if question else []
    text = cue.text
    if named:
        text = _without(text, _places_of_names(text, speakers)) or text
    return Query(
        text=text,
        question=question,
        terms=tuple(sorted(terms, key=lambda term: -term.weight)[:MAX_TERMS]),
        dates=tuple(_date(iso, said, columns, visible, config) for iso, said in _times(spans, cue, config).items()),
        named=np.array(named, dtype=np.int32),
    )


def _term(
    word: str,
    question: bool,
    speakers: Mapping[str, tuple[int, ...]],
    columns: Columns,
    lexicon: Lexicon,
    config: RecallConfig,
) -> Term:
    vocabulary = lexicon.vocabulary
    stem = vocabulary.stem_id(word)
    common = word in FUNCTION_WORDS
    slips: list[int] = []
    if config.spelling and not common and len(word) > 2 and not vocabulary.frequency([stem]) and word not in speakers:
        slips = vocabulary.slips(word)
    fixed = tuple(sorted({int(one) for one in vocabulary.stems(np.array(slips, dtype=np.int32))})) if slips else ()
    having = vocabulary.frequency(fixed or [stem])
    if word in speakers:  # who speaks has the name as well
        having += int((np.isin(columns.speaker, speakers[word]) & columns.live).sum())
    weight = information(lexicon.traces, max(having, 1))
    if common and question:
        weight *= config.common
    return Term(word, weight, stem, vocabulary.words(slips), fixed, common, speakers.get(word, ()))


def _times(spans: Sequence[TimeSpan], cue: Cue, config: RecallConfig) -> dict[str, str]:
    """The times that the cue names, in its words or as a slot, each with the words that say it."""
    times = {span.iso: span.text for span in spans}
    for iso in cue.slots.when if config.date else ():
        with suppress(ValueError):  # a time that is no date has only its words
            days(iso)
            times.setdefault(iso, "")
    return times


def _date(iso: str, said: str, columns: Columns, visible: NDArray[np.bool_], config: RecallConfig) -> DateTerm:
    first, last = days(iso)
    start, end = (np.datetime64(day, "D") - _MIDNIGHT for day in (first, last))
    day = columns.event_time // _DAY_US
    away = np.maximum(np.maximum(int(start.astype(np.int64)) - day, day - int(end.astype(np.int64))), 0)
    precise = (last - first).days < 7
    steps = [away == 0, precise & (away <= 1), away <= 7, precise & (away <= 31)]
    near = np.select(steps, [1.0, 0.9, 0.6, 0.3], 0.0)
    share = max(float(near[visible].mean()) if visible.any() else 1.0, 0.5 / max(1, int(visible.sum())))
    weight = config.date * float(np.log1p((1.0 - share) / share))
    code = np.frombuffer(slot_codes(Slots(when=(iso,))), dtype=np.int8)
    return DateTerm(said or iso, weight, tuple(cut(said)), code, near.astype(np.float32))


def _speaker_words(speakers: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Each word of a speaker's name to the codes of the speakers who have it."""
    found: dict[str, tuple[int, ...]] = {}
    for code, name in enumerate(speakers):
        for word in cut(name):
            if word not in FUNCTION_WORDS:
                found[word] = (*found.get(word, ()), code)
    return found


def _places_of_names(text: str, speakers: Iterable[str]) -> list[tuple[int, int]]:
    """(start, end) of speakers' names in a text, with the possessive."""
    names = set(speakers)
    return [
        (match.start(), match.end())
        for match in re.finditer(r"[^\W_]+(?:['\u2019]s\b)?", text)
        if (found := cut(match.group())) and found[0] in names
    ]


def _without(text: str, places: Sequence[tuple[int, int]]) -> str:
    for start, end in sorted(places, reverse=True):
        text = f"{text[:start]} {text[end:]}"
    return " ".join(text.split()).replace(" ?", "?")
