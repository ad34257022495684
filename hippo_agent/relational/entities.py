"""When two names mean one thing: by evidence that can be read, and that a merge can be undone by.

`key` folds what never tells two things apart (case, accents, "the", a title before a name, a legal form behind it).
Beyond
that a merge needs evidence: initials, an acronym, a part of the name, one slip of the pen, each with its strength,
and for
the weak ones an embedding that agrees.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from hippo_agent.relational.words import STOP_WORDS, tokens

__all__ = ["Evidence", "key", "same_thing", "shape"]

_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "professor", "sir", "lady", "lord", "the", "a", "an"})
_FORMS = frozenset(
    {"ltd", "inc", "corp", "gmbh", "llc", "plc", "co", "ag", "sa", "limited", "incorporated", "corporation"}
)
_NUMBER = re.compile(r"^[^\w]*[-+]?[\d][\d.,\s]*(?:%|\w{0,4})$")
_DATE = re.compile(r"^\d{4}-\d{2}(-\d{2})?$|\b(?:january|february|march|april|may|june|july|august|september|october|"
                   r"november|december)\b.*\d|^(?:1[0-9]|20)\d{2}$", re.I)  # fmt: skip
_SIMILAR = 0.8  # cosine that weak evidence needs
_CLAUSE_WORDS = 6


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why two names may be one thing: the rule and its strength in [0, 1]; a merge wants at least 0.8."""

    rule: str
    strength: float


def key(name: str) -> str:
    """The folded name; equal keys are the same thing."""
    flat = unicodedata.normalize("NFKD", name)
    words = list(tokens("".join(c for c in flat if not unicodedata.combining(c))))
    while len(words) > 1 and words[0] in _TITLES:
        words.pop(0)
    while len(words) > 1 and words[-1] in _FORMS:
        words.pop()
    return " ".join(words) or name.strip().lower()


def same_thing(first: str, second: str, similarity: float = 0.0) -> Evidence | None:
    """The strongest evidence that two names mean one thing, None when there is none. Symmetric."""
    a, b = sorted((key(first), key(second)), key=lambda text: (len(text), text))
    if a == b:
        return Evidence("the same name once folded", 1.0)
    short, long = a.split(), b.split()
    if shape(first) in {"number", "date"} or shape(second) in {"number", "date"} or not short or not long:
        return None
    if len(short) == len(long) > 1 and short[-1] == long[-1] and _initials(short[:-1], long[:-1]):
        return Evidence("initials of the same name", 0.85)
    capitals = "".join(word[0] for word in long if word not in STOP_WORDS)
    if len(short) == 1 and len(long) > 1 and len(a) > 1 and a == capitals and (first.isupper() or second.isupper()):
        return Evidence("an acronym", 0.8)
    if len(short) < len(long) and set(short) <= set(long) and similarity >= _SIMILAR:
        return Evidence("a part of the name, and the embedding agrees", 0.8)
    if len(short) == len(long) and min(len(a), len(b)) >= 8 and _one_slip(a, b) and similarity >= _SIMILAR:
        return Evidence("one letter apart, and the embedding agrees", 0.8)
    return None


def shape(name: str) -> str:
    """What a name looks like: "number", "date", "name", "phrase" (small letters) or "clause" (too long for a thing)."""
    text = name.strip()
    if _DATE.search(text):
        return "date"
    if _NUMBER.match(text):
        return "number"
    words = text.split()
    if len(words) > _CLAUSE_WORDS:
        return "clause"
    content = [word for word in words if word.lower() not in STOP_WORDS and word[0].isalpha()]
    return "name" if content and all(word[0].isupper() for word in content) else "phrase"


def _initials(a: list[str], b: list[str]) -> bool:
    pairs = list(zip(a, b, strict=True))
    short = any(len(x) == 1 or len(y) == 1 for x, y in pairs)
    return short and all(x == y or (min(len(x), len(y)) == 1 and x[0] == y[0]) for x, y in pairs)


def _one_slip(a: str, b: str) -> bool:
    """One letter changed, added, left out, or two neighbours swapped."""
    if len(a) > len(b):
        a, b = b, a
    if len(b) - len(a) > 1:
        return False
    i = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    if len(a) == len(b):
        swapped = a[i + 1 : i + 2] + a[i : i + 1] == b[i : i + 2] and a[i + 2 :] == b[i + 2 :]
        return a[i + 1 :] == b[i + 1 :] or swapped
    return a[i:] == b[i + 1 :]
