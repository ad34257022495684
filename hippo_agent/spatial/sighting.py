"""What a piece of text says about where one is: title, description, darkness, refusal, furniture one sits on.

Text worlds print a title line ("Kitchen", "<< Kitchen >>", "-= Kitchen =-", "(Kitchen)") and then a description; many
print the description only on the first visit. `read` finds these without knowing the world. It never decides which
place it is: that is `recognition`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Literal

from hippo_agent.spatial import actions

__all__ = ["MAX_READ", "Sighting", "Style", "normalise", "read", "style_of", "words"]

MAX_READ = 8_000  # characters that are looked at; the digest covers all

Style = Literal["title", "sentence", "capitals", "any"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One observation, read."""

    title: str | None = None  # as printed
    name: str | None = None  # the title, normalised; what places are looked up by
    outside: str | None = None  # of "Cabin, on the bed": "cabin"
    thing: frozenset[str] = frozenset()  # ... and {"bed"}
    body: str = ""  # what follows the title
    sentences: tuple[str, ...] = ()  # of the body, normalised
    lead: str = ""  # what stands before the title; the whole text when there is none
    text: str = ""
    digest: str = ""
    dark: bool = False  # says that nothing can be seen
    refused: bool = False  # says that one cannot go there
    moved: bool = False  # says that one walked, climbed, sat down...
    settled: bool = False  # says where one is now: "You are standing on ..."
    returned: bool = False  # says that one is back where one was

    @property
    def first(self) -> str:
        """The first sentence of the body, "" for none: what descriptions are told apart by."""
        return self.sentences[0] if self.sentences else ""

    @property
    def length(self) -> int:
        return sum(map(len, self.sentences))

    def untitled(self) -> Sighting:
        """The same text with its title taken for ordinary text."""
        return replace(
            self, title=None, name=None, outside=None, thing=frozenset(), body="", sentences=(), lead=self.text
        )


_SENTENCE_END = re.compile(r"[.!?:;,\"')\]…]$")
_FRAME = re.compile(r"(<<|\*+|-=|=+|#+|~+|--+)\s*(.+?)\s*(>>|\*+|=-|=+|#+|~+|--+)")
_QUOTED_NAME = re.compile(r"\w [\"']\w+[\"']$")
_PRINT = re.compile(r"(?:copyright|release|serial|standard|an? interactive|score|chapter|version|trademark)\b", re.I)
_ASIDE = re.compile(r"\s*\(([^\W\d_][^()\n]{2,40})\)\s*(?:\n|$)")
_ASIDE_LATER = re.compile(r"(?m)^\(([A-Z][\w']*(?: [A-Z][\w']*)*)\)$")
_NOT_A_NAME = re.compile(r"\b(?:first|with|to|from|on)\b|^\w+ing (?:the|an?|your)\b")
_POSTURE = re.compile(
    r"(.*?)(?:,\s*|\s*\()((?:on|in|at|under|inside|behind|lying|sitting|standing) .*?)\)?", re.IGNORECASE
)
_DARK = re.compile(r"pitch (?:dark|black)|dark to see", re.IGNORECASE)
_DARK_NAMES = frozenset({"darkness", "in the dark", "dark"})
_REFUSED = re.compile(
    r"\b(?:can(?:'|no)t|cannot|could ?n[o']t|won't|unable|no way|blocked|you'd have to|not possible|there is nothing"
    r"|you're not|refuse|don't know|doesn't (?:lead|go)|not going|isn't (?:anything|any way)|closed|locked)\b",
    re.IGNORECASE,
)
_MOVED = re.compile(
    r"\W*(?:\w+,? )?(?:you|i|we)(?: have|'ve|'re| are)? (?:\w+ly )?(?:now )?(?:step|walk|climb|advance|enter|crawl"
    r"|clamber|squeeze|slip|go|come|emerge|descend|ascend|move|swim|jump|hop|get|sit|lie|stand|in|on|at|follow|wander"
    r"|stroll|run|drop|slide|pass|head|make your way|arrive|board|settle|find yourself|heave|push through)",
    re.IGNORECASE,
)
_SETTLED = re.compile(
    r"\W*(?:you are|you're|i am|i'm|we are) (?:now )?(?:\w+ing|in|on|at|inside|under)\b", re.IGNORECASE
)
_RETURNED = re.compile(r"\bback (?:where|in|at|to|on|inside)\b|(?:wound|wind|end|ended) up back", re.IGNORECASE)
_SMALL = frozenset("a an the of in on at to by for and or with from into under near s your my".split())  # noqa: SIM905


def normalise(text: str) -> str:
    """Lower case letters and digits of any script, one space between words."""
    return " ".join(re.sub(r"[\W_]+", " ", text.casefold()).split())


def words(text: str) -> frozenset[str]:
    """The words of a phrase without articles and prepositions."""
    return frozenset(normalise(text).split()) - _SMALL


def read(text: str, *, action: str | None = None, opening: bool = False) -> Sighting:
    """Read an observation.

    Args:
        text: what the world printed. action: the key of the action before it, None for none.
        opening: the first text of an episode, where a story may come before the first place.
    """
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()
    text = text[:MAX_READ].replace("\r", "")
    moving = action is not None and actions.moves(action)
    title, body, lead = _split(text, moving=moving, opening=opening)
    plain = Sighting(lead=text, text=text, digest=digest, dark=_DARK.search(text) is not None)
    sighting = _gestures(plain, text, text[:160])
    if title is None:
        return sighting
    name = normalise(title)
    if not name:
        return sighting
    posture = _POSTURE.fullmatch(title)
    outside = normalise(posture[1]) if posture else ""
    titled = replace(
        sighting,
        title=title,
        name=name,
        outside=outside or None,
        thing=words(posture[2]) if posture and outside else frozenset(),
        body=body,
        sentences=tuple(_sentences(body)),
        lead=lead,
        dark=sighting.dark or name in _DARK_NAMES,
    )
    return _gestures(titled, lead, lead)


def style_of(title: str) -> Style:
    """How a title is written; "any" when it cannot be told (one word)."""
    posture = _POSTURE.fullmatch(title)
    found = re.findall(r"[^\W\d_][\w']*", posture[1] if posture else title)
    if len("".join(found)) > 3 and all(word.isupper() for word in found):
        return "capitals"
    telling = [word for word in found[1:] if word.lower() not in _SMALL]
    if not telling:
        return "any"
    upper = sum(word[0].isupper() or word[0].isdigit() for word in telling)
    return "title" if upper >= 0.6 * len(telling) else "sentence"


def _gestures(sighting: Sighting, said: str, refusal: str) -> Sighting:
    return replace(
        sighting,
        refused=_REFUSED.search(refusal) is not None,
        moved=_MOVED.match(said) is not None,
        settled=_SETTLED.match(said) is not None,
        returned=_RETURNED.search(said[:400]) is not None,
    )


def _split(text: str, *, moving: bool, opening: bool) -> tuple[str | None, str, str]:
    """Title, what follows it, what stands before it."""
    if moving:
        aside = _ASIDE.match(text)
        if aside and not _NOT_A_NAME.search(aside[1]):
            return _squeeze(aside[1]), text[aside.end() :].strip("\n"), ""
        later = None if opening else _ASIDE_LATER.search(text)
        if later:
            return _squeeze(later[1]), text[later.end() :].strip("\n"), text[: later.start()]
    lines = text.split("\n")
    at = _title(lines)
    if opening:  # a story may come first; a title line that comes first is one
        after_story = _opening_title(lines)
        begins = next((number for number, line in enumerate(lines) if line.strip()), None)
        at = after_story if after_story is not None or at != begins else at
    if at is None:
        return None, "", text
    return _unframed(lines[at]), "\n".join(lines[at + 1 :]).strip("\n"), "\n".join(lines[:at]).strip()


def _title(lines: list[str]) -> int | None:
    """The first line that stands like a title: at the start of a block, followed by a description or by nothing."""
    filled = [number for number, line in enumerate(lines) if line.strip()]
    for order, at in enumerate(filled):
        if not _like_title(lines[at]):
            continue
        before = lines[at - 1].strip() if at else ""
        if before and not _SENTENCE_END.search(before):
            continue
        after = lines[filled[order + 1]] if order + 1 < len(filled) else ""
        adjoining = at + 1 < len(lines) and lines[at + 1].strip()
        if after and adjoining:
            listed = _like_title(after) or not (len(after.strip()) > 30 or _SENTENCE_END.search(after.strip()))
            if listed:  # two short lines in a row: a list or a menu
                continue
        return at
    return None


def _opening_title(lines: list[str]) -> int | None:
    """The last title with a paragraph after it that is not the printer's matter."""
    found = None
    for at, line in enumerate(lines):
        if not _like_title(line):
            continue
        after = next((each for each in lines[at + 1 : at + 3] if each.strip()), "")
        prose = len(after.strip()) > 45 and re.search(r"[.!?]", after) is not None
        if prose and not _PRINT.search(line + after):
            found = at
    return found


def _like_title(line: str) -> bool:
    text = line.strip()
    if not text:
        return False
    if _FRAME.fullmatch(text):
        return True
    if len(line.rstrip()) - len(text) > 2 or len(text) > 70 or len(text.split()) > 10:
        return False
    first = text[0]
    if not first.isalnum() or (first.isalpha() and first.islower()) or ":" in text:
        return False
    if _SENTENCE_END.search(text) and not text.endswith(")") and not _QUOTED_NAME.search(text):
        return False
    return _PRINT.match(text) is None


def _unframed(line: str) -> str:
    text = line.strip()
    frame = _FRAME.fullmatch(text)
    return _squeeze(frame[2] if frame else text)


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def _sentences(body: str) -> list[str]:
    found = []
    for paragraph in re.split(r"\n\s*\n|\n(?=\s\s)", body):
        for sentence in re.split(r"(?<=[.!?])\s+(?=[\"A-Z('])", _squeeze(paragraph)):
            if len(sentence) > 3:
                found.append(normalise(sentence))
    return [sentence for sentence in found if sentence]
