"""Closed classes of English words that the tagger and the rules beside it go by."""

from __future__ import annotations

__all__ = ["ARTICLES", "AUXILIARIES", "BE", "HAVE", "PREPOSITIONS", "SUBJECT_PRONOUNS", "is_word"]


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


BE = _set("is are was were be been being am 's 're")
HAVE = _set("has have had having")
AUXILIARIES = (
    BE
    | HAVE
    | _set(
        "do does did will would can could may might must shall should 'll 'd to not n't never also only often usually"
    )
)
PREPOSITIONS = _set(
    "in on at by for from to with of into onto over under about as after before between among against during through "
    "within without toward towards upon near off than like since until across along around behind below beside beyond "
    "despite via"
)
ARTICLES = _set("a an the")
SUBJECT_PRONOUNS = _set("he she it they we i you")


def is_word(text: str) -> bool:
    """Whether there is a letter or digit in it."""
    return any(c.isalnum() for c in text)
