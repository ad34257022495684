"""Tokens of a text and what is known about English words: common ones by rank, function words, numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

__all__ = ["NUMBERS", "STOP", "Token", "base", "common_rank", "is_common", "rank", "tokens", "word_set"]

_TOKEN = re.compile(r"[^\W_]+(?:['\u2019\-\u2010\u2011][^\W_]+)*")
_INLINE = " \t,;'\u2019&/()-\u2013*_#@"  # what may stand between two words of one sentence


def word_set(text: str) -> frozenset[str]:
    """The words of a block of text."""
    return frozenset(text.split())


_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
#: Number words to digits.
NUMBERS: Mapping[str, str] = {word: str(n) for n, word in enumerate(_UNITS.split())} | {
    word: str(10 * n) for n, word in enumerate(_TENS.split(), 2)
}

#: Words that carry no information of their own: function words, auxiliaries, question words, talk.
STOP = word_set(
    """
    a about above actually after again ago ah all almost along already also although always am an and another
    any anybody anyone anything anyway are aren't around as at aw away aww back be because been before being
    below besides best between both but by bye came can can't cannot cant come comes coming could couldn't
    definitely did didn't do does doesn't doing don't done down during each either else enough especially etc
    even ever every everybody everyone everything exactly far few first for from gave get gets getting give
    given giving go goes going gone gonna good got gotta great had hadn't happen happened happens has hasn't
    have haven't having he he'd he'll he's hello her here here's hers herself hey hi him himself his hmm hope
    how how's however i i'd i'll i'm i've if in indeed instead into is isn't it it'd it'll it's its itself
    just keep kind kinda know known last less let let's like likely little long look looked looking looks lot
    lots made make makes making many may maybe me mean means might mine more most mostly much must my myself
    need needs never next nice no nobody none nope nor not nothing now of off often oh ok okay on once one
    ones only onto or other others our ours ourselves out over own past perhaps please pretty probably put
    quite rather really right said same saw say saying says see seem seemed seems seen several shall she she'd
    she'll she's should shouldn't since so some somebody someone something sometimes somewhere soon sort still
    stuff such sure take taken takes taking tell tells than thank thanks that that'd that'll that's the their
    theirs them themselves then there there's these they they'd they'll they're they've thing things think
    this those though thought through till to today together told tomorrow tonight too took totally toward
    towards try trying under until unto up upon us use used very via want wanted wants was wasn't way we we'd
    we'll we're we've well went were weren't what what's whatever when when's where where's whether which
    while who who's whoever whom whose why why's will with within without won't wont would wouldn't wow yeah
    yep yes yesterday yet you you'd you'll you're you've your yours yourself yourselves
    """
)


class Token(NamedTuple):
    """One word of a text."""

    text: str  # as written
    low: str  # lower-case, with a plain apostrophe
    start: int
    end: int
    gap: str  # what stands between the word before and this one
    opens: bool  # a sentence may start here


def tokens(text: str) -> list[Token]:
    """The words of a text, in order."""
    out: list[Token] = []
    before = 0
    for match in _TOKEN.finditer(text):
        word, (start, end) = match.group(), match.span()
        gap = text[before:start]
        low = word.lower()
        if "\u2019" in low:
            low = low.replace("\u2019", "'")
        out.append(Token(word, low, start, end, gap, not out or (gap != " " and gap.strip(_INLINE) != "")))
        before = end
    return out


def base(low: str) -> str:
    """A lower-case word without its possessive."""
    return low[:-2] if low.endswith("'s") else low


@lru_cache(maxsize=1)
def common_rank() -> Mapping[str, int]:
    """Rank of the common lower-case words, 0 for the most frequent."""
    lines = files(__package__).joinpath("common_words.txt").read_text(encoding="utf-8").splitlines()
    return {word: i for i, word in enumerate(lines[1:])}


def is_common(low: str) -> bool:
    """Whether a lower-case word, or an inflected form of it, is a common one."""
    ranks = common_rank()
    if "-" in low:
        return all(is_common(part) or part in NUMBERS for part in low.split("-") if part)
    return (
        low in ranks
        or low in STOP
        or low + "d" in ranks
        or low + "s" in ranks
        or low + "ed" in ranks
        or low.removesuffix("s") in ranks
        or low.removesuffix("ing") in ranks
        or low.removesuffix("ly") in ranks
        or low in NUMBERS
    )


def rank(low: str) -> float:
    """How rare a word is without statistics: its rank among the common ones; inflected forms as their stem."""
    ranks = common_rank()
    for form in (low, low.removesuffix("s"), low.removesuffix("ed"), low.removesuffix("d"), low.removesuffix("ing")):
        if form in ranks:
            return float(ranks[form])
    return float(len(ranks))
