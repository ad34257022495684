"""Facts by rule: what is said in one of the ways that a relation is known to be said, in documents and in dialogue.

    Mira: "I moved to Porto in May 2021."          ->  (Mira, lives in, Porto) since 2021-05
    "The capital of Vell is Orano."                ->  (Vell, capital, Orano)
    "Teo no longer works for Halden."              ->  not (Teo, works for, Halden)
    "Correction: Teo's boss is Ines, not Paul."    ->  (Teo, boss, Ines), not (Teo, boss, Paul)

High precision, no model, microseconds. Questions, conditions and wishes state nothing. First person is the speaker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from hippo_agent.relational.extraction.base import Source
from hippo_agent.relational.extraction.dates import find_date
from hippo_agent.relational.facts import Triple
from hippo_agent.relational.relations import RELATIONS, canonical
from hippo_agent.relational.words import sentences

__all__ = ["PatternExtractor"]

_CONTRACTIONS = (
    (re.compile(r"\b(I)['’]m\b"), r"\1 am"),
    (re.compile(r"\b(I|you|we|they)['’]ve\b", re.I), r"\1 have"),
    (re.compile(r"\b(you|we|they)['’]re\b", re.I), r"\1 are"),
    (re.compile(r"\b(he|she|it|that)['’]s (?=[a-z])", re.I), r"\1 is "),
    (re.compile(r"\b(is|are|was|were|do|does|did|has|have)n['’]t\b", re.I), r"\1 not"),
)
_OPENERS = re.compile(
    r"^(?:(?:and|but|so|well|oh|hey|yes|no|ok|okay|actually|correction|update|by the way|btw|fyi|also|"
    r"in fact|note that|"
    r"please note that|remember that|just so you know|for the record|news|as of now|currently|now|to be precise|sorry|"
    r"i think that|i heard that|did you know that|it turns out that|guess what|as you know|these days|apparently|"
    r"as i said|i must correct myself|let me correct that|i was wrong|my mistake|scratch that)\b[\s,:;.!-]*)+",
    re.I,
)
_NOT_SAID = re.compile(
    r"\?\s*$|^(?i:if|whether|suppose|imagine|maybe|perhaps|when|who|what|where|which|how|does|do|did|is|are|was)\b|"
    r"\b(?:would|might|could|may|wants? to|hopes? to|plans? to|wish(?:es)?|almost|nearly|in my dream|pretend)\b"
)
_FALSE = re.compile(
    r"^(?:it is (?:not true|false|wrong|no longer true|not the case) that|it was (?:wrong|a mistake|not true) that|"
    r"forget that|please forget that|retraction:?|i take back that|it is not correct that|we retract that)\s+",
    re.I,
)
_NO_LONGER = re.compile(r"\b(?:no longer|not any ?more|does not|do not|did not|is not|are not|was not|never)\s+", re.I)
_TAIL = re.compile(
    r"(?:,|;|\s+[-–—]+\s|\()|\s(?:since|until|because|although|though|while|where|which|who|whom|when|after|before|now|"
    r"these days|as of|any ?more|already|again|at the moment|for now|instead|"
    r"with (?:his|her|my|their)|on \d+ \w+|so|but|and (?:he|she|it|"
    r"they|i|we|is|has|was|lives|works|his|her|their|my)|from now on|last (?:week|month|year|\w+day)|"
    r"this (?:week|month|year)|next \w+|"
    r"yesterday|today|tomorrow|recently|right now|currently|two|in order)\b",
    re.I,
)
_PARTS = re.compile(r",? (?:and|but) (?=(?:he|she|it|they|I|his|her|its|their|my) )|; ")
_NOT_BUT = re.compile(r",?\s+(?:and )?not (?P<old>[^,.;!]+)$|^not (?P<first>[^,.;!]+?),? but (?P<new>.+)$", re.I)
_INSTEAD = re.compile(r"\b(?:instead of|rather than)\s+(?P<old>[^,.;!]+)", re.I)
_LEAD = re.compile(r"^(?:(?:now|currently|located|based|still|called|named|actually)\s+)*(?:(?:in|at|on)\s+(?=[A-Z]))?")
_PRONOUN = re.compile(r"^(?:he|she|it|they|his|her|its|their|him|them)$", re.I)
_NAME = r"(?:[^\W\d_]|[\"“'‘(]|\d)[^,;:!?()]*?"
_MAX_NAME_WORDS = 9
_ARTICLE = re.compile(r"^(?:the city of|the town of|the country of|the|a|an|our|new)\s+", re.I)


class PatternExtractor:
    """Rules over known relations (`relations.RELATIONS`) and the open forms "X's R is Y" and "the R of X is Y"."""

    def extract(self, sources: Sequence[Source]) -> list[list[Triple]]:
        """One list of triples for each source."""
        return [list(_read(source)) for source in sources]


def _read(source: Source) -> Iterator[Triple]:
    topic = source.topic
    for start, end in sentences(source.text):
        said = source.text[start:end]
        speaker, colon, rest = said.partition(": ")
        who = source.speaker
        if (
            colon
            and who is None
            and 0 < len(speaker.split()) <= 3
            and speaker[0].isupper()
            and not _OPENERS.match(said)
        ):
            who, said = speaker, rest  # "Mira: I moved."
        for part in _PARTS.split(said):
            found = list(_sentence(part, source, who, topic))
            for triple in found:
                yield replace(triple, start=start, end=end)
            if found:
                topic = found[-1].subject


def _sentence(said: str, source: Source, who: str | None, topic: str | None) -> Iterator[Triple]:
    text = said.strip().rstrip(".!").strip()
    for pattern, plain in _CONTRACTIONS:
        text = pattern.sub(plain, text)
    text = _OPENERS.sub("", text)
    false = _FALSE.match(text)
    if false:
        text = text[false.end() :]
    if not text or (_NOT_SAID.search(said.strip()) and not false):
        return
    when, dated = _dated(text, source)
    triples = list(_stated(dated, source, who, topic, when=when, false=bool(false)))
    if not triples and dated != text:
        triples = list(_stated(text, source, who, topic, when="", false=bool(false)))
    yield from triples


def _stated(
    text: str, source: Source, who: str | None, topic: str | None, *, when: str, false: bool
) -> Iterator[Triple]:
    """The triples of one clause: at most one fact and the denial of what it replaces."""
    old_way = re.search(r"\b(?:used to|formerly|previously|once)\s+", text, re.I)
    ended = bool(_NO_LONGER.search(text)) or bool(re.search(r"\bany ?more$", text, re.I))
    plain = _NO_LONGER.sub("", re.sub(r"\b(?:used to|formerly|previously|once)\s+", "", text, flags=re.I))
    for subject, predicate, value, ends in _clauses(plain):
        first, second = _resolve(subject, source, who, topic), _resolve(value, source, who, topic)
        if first is None or second is None or first.lower() == second.lower():
            continue
        denied = false or ended or ends or bool(old_way)
        second, replaced = _replaced(second)
        if not second:
            continue
        common = {"subject": first, "predicate": predicate, "confidence": 0.9}
        if replaced and not denied:
            yield Triple(object=replaced, denied=True, when=when, **common)  # type: ignore[arg-type]
        yield Triple(object=second, denied=denied, when=when, **common)  # type: ignore[arg-type]
        return


def _dated(text: str, source: Source) -> tuple[str, str]:
    """The date since which the sentence holds, and the sentence without it."""
    found = find_date(text, source.said_at)
    if found is None:
        return "", text
    value, start, end = found
    before = re.sub(
        r"(?:,?\s*\b(?:since|as of|from|on|in|starting|by|effective|until)\s*)$",
        "",
        text[:start].rstrip(" ,"),
        flags=re.I,
    )
    rest = re.sub(r"^\s*(?:onwards?|on)?[\s,:]*", " ", text[end:])
    stripped = f"{before}{rest}".strip(" ,")
    if not before.strip() or len(stripped.split()) >= 3:
        return value, stripped
    return "", text  # the date is what is said: "was born on 3 May 1980"


def _clauses(text: str) -> Iterator[tuple[str, str, str, bool]]:
    """Subject, predicate, value and whether the verb ends it; known relations first, the best form first."""
    for pattern in _nouns():
        match = pattern.match(text)
        if match:
            yield match["x"].strip(), canonical(match["r"]), _cut(match["y"]), False
    for pattern, predicate, swap, ends in _verbs():
        match = pattern.match(text)
        if match:
            first, second = match["x"].strip(), _cut(match["y"])
            yield (second, predicate, first, ends) if swap else (first, predicate, second, ends)
    for pattern in (_OF_IS, _POSSESSIVE_IS, _IS_POSSESSIVE):
        match = pattern.match(text)
        if match and len(match["r"].split()) <= 4:
            yield match["x"].strip(), canonical(match["r"]), _cut(match["y"]), False
    match = _IS_A.match(text)
    if match:
        yield match["x"].strip(), "is a", _cut(match["y"]), False


_BE = r"(?:is|are|was|were|has been|is now|is currently|will be|became|is still|am)"
_OWNER = rf"(?i:my|our|your|his|her|its|their)|{_NAME}['’]s?"
_NEW = r"(?:(?:new|current|latest|only|old) )*"
_OPEN = r"(?P<r>[a-z][\w\s-]*?)"
_OF_IS = re.compile(rf"^(?i:the) {_NEW}{_OPEN} (?:of|for) (?P<x>{_NAME}) {_BE} (?P<y>.+)$")
_POSSESSIVE_IS = re.compile(rf"^(?P<x>{_OWNER}) {_NEW}{_OPEN} {_BE} (?P<y>.+)$")
_IS_POSSESSIVE = re.compile(rf"^(?P<y>{_NAME}) {_BE} (?P<x>{_OWNER}) {_NEW}{_OPEN}$")
_IS_A = re.compile(rf"^(?P<x>{_NAME}) (?:is|was|am) (?P<y>an? .+)$")


@lru_cache(maxsize=1)
def _nouns() -> tuple[re.Pattern[str], ...]:
    """The forms with the noun of a known relation."""
    nouns = sorted({noun for item in RELATIONS for noun in (item.name, *item.nouns)}, key=lambda noun: -len(noun))
    known = rf"(?P<r>{'|'.join(map(re.escape, nouns))})"
    of = rf"(?:of|in|for|that produced|where)(?: the (?:city|country|company|team|state) of)? (?P<x>{_NAME})"
    return (
        re.compile(rf"^the {_NEW}(?:name of the )?{_NEW}{known} {of} {_BE} (?P<y>.+)$", re.I),
        re.compile(rf"^(?P<x>{_OWNER}) {_NEW}{known} {_BE} (?P<y>.+)$", re.I),
        re.compile(rf"^(?P<y>{_NAME}) {_BE} (?P<x>{_OWNER}) {_NEW}{known}$", re.I),
        re.compile(rf"^(?P<y>{_NAME}) {_BE} the {_NEW}{known} (?:of|in|for|at) (?P<x>.+)$", re.I),
        re.compile(rf"^(?P<x>{_NAME}) has {_NEW}{known}:? (?P<y>[A-Z0-9].*)$"),
    )


_ADVERBS = "has |have |had |will |also |now |just |recently |finally |currently |still |then "


@lru_cache(maxsize=1)
def _verbs() -> tuple[tuple[re.Pattern[str], str, bool, bool], ...]:
    """A pattern for each verb phrase, the longest first: (pattern, relation, object comes first, it ends)."""
    phrases = []
    for item in RELATIONS:
        phrases += [(verb, item.name, False, False) for verb in item.verbs]
        phrases += [(verb, item.name, True, False) for verb in item.inverse]
        phrases += [(verb, item.name, False, True) for verb in item.ends]
    phrases.sort(key=lambda entry: -len(entry[0]))
    return tuple(
        (
            re.compile(
                rf"^(?P<x>{_NAME}) (?:{_ADVERBS})*"
                rf"{_any_number(verb)} (?P<y>.+)$",
                re.I,
            ),
            name,
            swap,
            ends,
        )
        for verb, name, swap, ends in phrases
    )


def _any_number(verb: str) -> str:
    """The phrase with its first "is" in any number and tense."""
    escaped = re.escape(verb).replace(r"\ ", " ")
    return re.sub(r"^(?:is|was) ", f"{_BE} ", escaped)


def _cut(value: str) -> str:
    """A value without what follows it: times, reasons, further clauses. "Ines, not Paul" is kept whole."""
    match = _NOT_BUT.search(value)
    if match:
        return value.strip()
    instead = _INSTEAD.search(value)
    if instead:
        return f"{_cut(value[: instead.start()])}, not {_cut(instead['old'])}"
    tail = _TAIL.search(value)
    return _LEAD.sub("", value[: tail.start()] if tail else value).strip(" \"'“”‘’")


def _replaced(value: str) -> tuple[str, str]:
    """The new value and the one that it replaces: "Ines, not Paul"."""
    match = _NOT_BUT.search(value)
    if match is None:
        return value, ""
    old, new = (match["old"], value[: match.start()]) if match["old"] else (match["first"], match["new"])
    return _cut(new), _ARTICLE.sub("", _cut(old))


def _resolve(name: str, source: Source, who: str | None, topic: str | None) -> str | None:
    """Who is meant; None when it cannot be said or is no name."""
    name = (
        re.sub(r"['’]s?$", "", name.strip(' "“”‘’')).strip() if not name.lower().endswith("s'") else name[:-1].strip()
    )
    low = name.lower()
    if low in {"i", "me", "my", "myself", "mine"}:
        return who
    if low in {"you", "your"}:
        return source.listener
    if _PRONOUN.match(low):
        return topic if topic is not None else source.topic
    if low in {
        "we",
        "our",
        "us",
        "this",
        "that",
        "these",
        "those",
        "there",
        "one",
        "someone",
        "everybody",
        "everyone",
        "nobody",
    }:
        return None
    mine = re.match(r"^(?:my) (.+)$", name, re.I)
    if mine and who:
        return f"{who}'s {mine[1]}"
    name = _ARTICLE.sub("", name) if not re.match(r"^The [A-Z]", name) else name
    words = name.split()
    return name if 0 < len(words) <= _MAX_NAME_WORDS else None
