"""Words of texts and cues: how they are cut, stemmed, and which carry no information in a question."""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache
from typing import Any

from hippo_agent.episodic.words import NUMBERS, word_set

__all__ = ["FUNCTION_WORDS", "cut", "fold", "is_exact", "stem"]

_WORD = re.compile(r"[^\W_]+")

#: Function words of English: syntax in a question, evidence like any other word in a fragment.
FUNCTION_WORDS = word_set(
    """
    a an the and or but if of to in on at for from by with as is are was were be been being am do does did done doing
    have has had having i you he she it we they me him her us them my your his its our their this that these those what
    which who whom whose when where why how not no so than then too very can could will would shall should may might
    must just about into over after before up down out off again s t d ll m re ve don didn doesn isn aren wasn weren
    """
)


_CALENDAR = word_set(
    """
    january february march april may june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday
    """
)


def is_exact(word: str) -> bool:
    """Whether only the word itself will do: nine is not "like" seven, nor May like June."""
    return word in NUMBERS or word in _CALENDAR or any(letter.isdigit() for letter in word)


def fold(text: str) -> str:
    """Lower case without accents: "Dénia" and "denia" are one word."""
    text = text.lower()
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def cut(text: str) -> list[str]:
    """The words of a text in order, folded; "don't" is cut in two, as in the full-text index."""
    return _WORD.findall(fold(text))


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Porter's stem of a folded word; "seven" is "7"; function words stay whole, or "is" would be a form of "I"."""
    if word in FUNCTION_WORDS:
        return word
    if word in NUMBERS:
        return NUMBERS[word]
    with _lock:  # the stemmer keeps state while it works
        found: str = _stemmer().stemWord(word)
        return found


_lock = threading.Lock()


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer  # 20 ms

    return snowballstemmer.stemmer("porter")
