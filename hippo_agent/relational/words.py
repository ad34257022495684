"""Words, stems, sentences and headings of a passage: the small text tools that the relational store shares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import snowballstemmer

__all__ = ["STOP_WORDS", "Word", "heading", "plain_title", "sentences", "stem", "tokens", "words"]

_STOP = """
a an the and or but if of to in on at for from by with as is are was were be been being am do does did done
doing have has had having i you he she it we they me him her us them my your his its our their this that these
those what which who whom whose when where why how not no so than then too very can could will would shall
should may might must just about into over after before up down out off again s t d ll m re ve
"""

#: Words that say nothing about the topic of a question.
STOP_WORDS = frozenset(_STOP.split())

_WORD = re.compile(r"[^\W_]+")
_BREAK = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9])|\n+")
_ABBREVIATION = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|St|Jr|Sr|vs|No|Gen|Col|Lt|Capt|Rev|Prof|Inc|Co|Ltd|U\.S|U\.K|b|d|c|ca|approx|[A-Z])\.$"
)
_HEADING_CHARACTERS = 120
_QUALIFIER = re.compile(r"\s*\(([^)]*)\)\s*$")


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its place: ``text[start:end]``; ``lower`` is its folded form."""

    raw: str
    lower: str
    start: int
    end: int

    @property
    def capital(self) -> bool:
        """Whether it starts with a capital letter or a digit."""
        return self.raw[0].isupper() or self.raw[0].isdigit()


def words(text: str) -> list[Word]:
    """Runs of letters and digits, in order."""
    return [Word(m.group(), m.group().lower(), m.start(), m.end()) for m in _WORD.finditer(text)]


def tokens(text: str) -> tuple[str, ...]:
    """The lower-case words alone."""
    return tuple(m.group().lower() for m in _WORD.finditer(text))


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """English stem of a lower-case word (Porter, as SQLite's full text uses)."""
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer("porter")


def sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence or line; abbreviations and initials do not end one."""
    cuts, start = [], 0
    for match in _BREAK.finditer(text):
        piece = text[start : match.start()].rstrip()
        if "\n" not in match.group() and _ABBREVIATION.search(piece):
            continue
        cuts.append((start, match.start()))
        start = match.end()
    cuts.append((start, len(text)))
    return [(a, a + len(text[a:b].rstrip())) for a, b in cuts if text[a:b].strip()]


def heading(text: str) -> str | None:
    """The first line, when it is short, is no sentence, and text follows it: what the passage is about."""
    first, newline, rest = text.partition("\n")
    first = first.strip()
    if not newline or not rest.strip() or not first or len(first) > _HEADING_CHARACTERS:
        return None
    if first[-1] in ".!?:;,":
        return None
    return first if words(first) else None


def plain_title(title: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A title's words and those of a bracket at its end: "Dark River (2017 film)" -> (dark, river), (2017, film)."""
    match = _QUALIFIER.search(title)
    if match and tokens(title[: match.start()]):
        return tokens(title[: match.start()]), tokens(match.group(1))
    return tokens(title), ()


def topic_stems(texts: Sequence[Word]) -> list[str]:
    """Distinct stems of the words that are no stop words, in order."""
    return list(dict.fromkeys(stem(word.lower) for word in texts if word.lower not in STOP_WORDS))
