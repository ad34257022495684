"""Closed classes of English words that the tagger and the rules beside it go by."""

from __future__ import annotations

__all__ = [
    "ADVERBS",
    "ARTICLES",
    "AUXILIARIES",
    "BE",
    "HAVE",
    "MODALS",
    "NEGATIONS",
    "PREPOSITIONS",
    "SUBJECT_PRONOUNS",
    "is_word",
    "word_set",
]


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


BE = word_set("is are was were be been being am 's 're")
HAVE = word_set("has have had having")
MODALS = word_set("will would can could may might must shall should 'll 'd")
NEGATIONS = word_set("not n't n’t never")
AUXILIARIES = BE | HAVE | MODALS | NEGATIONS | word_set("do does did to also only often usually")
ADVERBS = word_set("also only often usually still now then already just once currently therefore thus later recently")
PREPOSITIONS = word_set(
    "in on at by for from to with of into onto over under about as after before between among against during through "
    "within without toward towards upon near off than like since until across along around behind below beside beyond "
    "despite via"
)
ARTICLES = word_set("a an the")
SUBJECT_PRONOUNS = word_set("he she it they we i you")


def is_word(text: str) -> bool:
    """Whether there is a letter or digit in it."""
    return any(c.isalnum() for c in text)
