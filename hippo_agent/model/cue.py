"""What a question and the texts recalled for it make of each other before a model reads: whole names, and no echoes.

A model that compares names takes "Zorvin" for somebody else than "Zorvin Tal", and its attention goes to the text most
like the question, which may be the same question asked before. Both are settled here by plain rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Cue", "echoes", "whole_names"]

_NAME = re.compile(r"[^\W\d_a-z][\w’'-]*")  # a word with a capital
_RUN = re.compile(rf"{_NAME.pattern}(?: {_NAME.pattern})*")
_WORD = re.compile(r"\w+")
_POSSESSIVE = re.compile(r"['’]s?$")
#: Words that bear a capital only because a sentence or a question starts with them.
_STARTERS = frozenset(
    _WORD.findall(
        "a an the my your his her its our their this that these those i you he she it we they who whom whose what "
        "which when where why how is are was were do does did has have had can could will would should may might must "
        "in on at to from of for by with about as if so and but or not no yes please tell name say somebody someone "
        "today yesterday tomorrow now then later once since until after before while during there here one two all "
        "every each some any update correction also only even just"
    )
)


@dataclass(frozen=True, slots=True)
class Cue:
    """A question as it is put to the model, and the names that were made whole in it: (as asked, in full)."""

    text: str
    completed: tuple[tuple[str, str], ...] = ()


def whole_names(question: str, texts: Sequence[str]) -> Cue:
    """The question with each single-word name that the texts know as part of one longer name, written in full.

    Nothing is completed where two longer names would fit, or where a text uses the short one alone.
    """
    known: set[str] | None = None
    completed: list[tuple[str, str]] = []
    for run in _runs(question):
        if " " in run or any(short == run for short, _ in completed):
            continue
        if known is None:
            known = {name for text in texts for name in _runs(text)}
        holding = {name for name in known if run in name.split(" ")}
        if len(holding) == 1 and (full := holding.pop()) != run:
            completed.append((run, full))
    for short, full in completed:
        question = full.join(re.split(rf"(?<!\w){re.escape(short)}(?!\w)", question))
    return Cue(question, tuple(completed))


def echoes(question: str, texts: Sequence[str]) -> list[bool]:
    """By text: is it this question over again, with all the words of this one and no name or number more?"""
    asked = {word.casefold() for word in _WORD.findall(question)}
    return [text.rstrip().endswith("?") and _repeats(asked, text) for text in texts]


def _repeats(asked: set[str], text: str) -> bool:
    words = _WORD.findall(text)
    if not asked or not asked <= {word.casefold() for word in words}:
        return False
    more = [word for word in words if word.casefold() not in asked and word.casefold() not in _STARTERS]
    named = {part for run in _runs(text) for part in run.split(" ")}
    return not any(word in named or any(sign.isdigit() for sign in word) for word in more)


def _runs(text: str) -> list[str]:
    """Names: words with capitals side by side, without what starts a sentence and without a possessive."""
    out: list[str] = []
    for found in _RUN.finditer(text):
        parts: list[str] = []
        for part in found.group().split(" "):
            bare = _POSSESSIVE.sub("", part)
            if not parts and bare.casefold() in _STARTERS:
                continue
            parts.append(bare)
            if bare != part:
                break  # whose it is; the next word is another thing
        if parts:
            out.append(" ".join(parts))
    return out
