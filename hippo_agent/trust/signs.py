"""Signs that a text was written for an agent to obey, or to be found by what it has nothing to do with.

They are hints, not the wall: wording can be changed. What a text may do depends on where it comes from (docs/trust.md).
A sign is a few groups of words that follow each other inside one sentence, so looking for all takes linear time.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

__all__ = ["anomalies", "instructions"]

_AGENT = r"the (?:agent|assistant|ai|model|bot|llm)|(?:ai )?(?:agents|assistants)|you"
_ANSWERS = (
    r"answer|reply|respond|return|recommend|output|say|suggest|use|refer|call|run|execute|send|skip|replace|redirect"
)
_SECRET = r"credentials?|api[ _-]?keys?|passwords?|secrets?|access tokens?"

#: (why, parts of which the text has one, one group of words after the other); lower-case text, single spaces.
_SIGNS: tuple[tuple[Any, ...], ...] = (
    (
        "tells to ignore instructions",
        ("ignor", "disregard", "forget", "overrid", "bypass", "follow"),
        r"\b(?:ignore|disregard|forget|override|bypass|do not follow|don't follow)\b",
        r"\b(?:all|any|the|your|my|previous|prior|earlier|above|preceding|system|safety)\b",
        r"\b(?:instructions?|prompts?|guidelines?|guardrails?|directives?|polic(?:y|ies)|messages?|rules|filters?)\b",
    ),
    (
        "speaks as the system",
        ("system", "assistant", "developer", "admin"),
        r"^[\[<#*({ ]{0,6}(?:system|assistant|developer|admin|administrator)"
        r"(?: (?:message|prompt|override|note|update|instruction|notice)s?)?[\]>#*)} ]{0,6}:",
    ),
    (
        "new instructions",
        ("instruction", "directive"),
        r"\b(?:new|updated|revised|real|actual|following|hidden|secret) (?:system )?(?:instructions?|directives?)\b",
        r":|\bare\b|\bis\b|\bfor (?:the|all|any)\b|\bsupersede",
    ),
    (
        "gives the agent another part",
        ("you are now", "you will now", "act as", "act to be", "act you", "pretend", "from now on"),
        r"\byou (?:are|will) now (?:be|act|in|operating)?\b|\b(?:act|pretend) (?:as|to be|you are)\b|\bfrom now on\b",
        rf"\b(?:{_AGENT}|always|never|unrestricted|unfiltered|uncensored|admin|root|without restrictions?)\b",
        rf"\b(?:must|should|shall|will|are|always|never|without|model|agent|assistant|ai|mode|{_ANSWERS})\b",
    ),
    (
        "gives the agent another part",
        ("jailbr", " mode"),
        r"\bjailbr(?:eak|oken)\b|\b(?:developer|dan|god) mode (?:is |now )?(?:on|enabled|active)",
    ),
    (
        "asks for what is confidential",
        ("system prompt", "instructions", "credential", "key", "password", "secret", "token"),
        r"\b(?:reveal|print|leak|repeat|send|output|exfiltrate|disclose|email|post|forward)\b",
        rf"\b(?:system prompt|your (?:initial |hidden )?instructions|(?:the|your|all|any|users?'?s?|stored|saved) (?:\w+ )?(?:{_SECRET}))\b",
    ),
    (
        "holds marks of a chat template",
        ("<|", "inst]", "sys>>", "###", "<mem", "</", "<unv", "<fac", "<pla", "<tool", "<func"),
        r"<\|\w+\|>|\[/?inst\]|<</?sys>>|</?(?:memories|unverified|facts|place|tool_?calls?|function_?calls?)\b"
        r"|### ?(?:system|instruction|human|assistant|response)\b",
    ),
    (
        "wants something kept from the user",
        ("the user", "the human", "the operator", "the owner", "users"),
        r"\b(?:do not|don't|never|without)\b",
        r"\b(?:tell|mention|inform|notify|alert|reveal|warn)(?:ing)?\b|\bask(?:ing)? (?=the|for)",
        r"\b(?:the (?:user|human|operator|owner)|users)\b",
    ),
    (
        "is a standing order to the agent",
        ("always", "must", "should", "never", "instead"),
        r"\b(?:when(?:ever)?|if|any ?time|every time|each time|for (?:any|all|every))\b",
        r"\b(?:asked|asks?|questions?|quer(?:y|ies)|requests?|requested|tasks?|prompts?)\b",
        r"\b(?:always|must|should|never|instead)\b",
        rf"\b(?:{_ANSWERS})\b",
    ),
    (
        "is a standing order to the agent",
        ("agent", "assistant", "the ai", "ai ", "model", "bot", "llm"),
        r"\b(?:the (?:agent|assistant|ai|model|bot|llm)|(?:ai )?(?:agents|assistants))\b",
        r"\b(?:must|should|shall|are to|is to|has to|have to)\b",
        rf"\b(?:{_ANSWERS}|ignore|trust|follow|treat|obey|forward|approve)\b",
    ),
    (
        "redirects one thing to another",
        (
            "saved",
            "stored",
            "moved",
            "merged",
            "kept",
            "be ref",
            "now be",
            "refer",
            "must use",
            "should use",
            "now use",
        ),
        r"\b(?:data|records?|entry|entries|ids?|identifiers?|information|results?|queries|requests?)\b",
        r"\b(?:(?:is|are|was|were|been) (?:now )?(?:saved|stored|moved|merged|kept)|(?:should|must) (?:now )?(?:be|refer|use))\b",
        r"\b(?:under|into|to|instead|with)\b",
        r"\b(?:id|record|instead|number|account|entry|refer)\b",
    ),
    (
        "orders what to remember",
        ("memory", " fact", " rule", "instruction", " source"),
        r"\b(?:save|store|add|write|record|commit|memori[sz]e|remember)\b",
        r"\b(?:your|long[- ]term|permanent|agent'?s?|trusted) memory\b"
        r"|\bas an? (?:trusted|verified|permanent|core|system) (?:fact|rule|memory|instruction|source)\b",
    ),
    (
        "runs or sends something",
        ("http", "sh"),
        r"\b(?:curl|wget|iwr|invoke-webrequest|send|post|upload|forward|exfiltrate|transmit)\b",
        r"\b(?:keys?|tokens?|cookies?|files?|data|contents?|conversations?|history|credentials|-\w+|bash|sh)\b|\|",
        r"https?://|\| ?(?:ba)?sh\b",
    ),
    (
        "runs or sends something",
        ("base64", "rm -rf", "curl", "wget"),
        r"base64 (?:-d|--decode)|\brm -rf [/~]|(?:curl|wget)[^|]{0,200}\| ?(?:ba)?sh\b",
    ),
    (
        "claims to be beyond checking",
        ("ed by",),
        r"\b(?:pre-?)?(?:already )?(?:approved|validated|verified|authori[sz]ed) by (?:the )?"
        r"(?:system|security|admin\w*|operators?|developers?|it team)\b",
    ),
)
_COMPILED = tuple((why, parts, tuple(map(re.compile, groups))) for why, parts, *groups in _SIGNS)

_END = re.compile(r"(?<=[.!?])\s+|\n+")
_LONGEST = 600  # characters of a sentence; a longer one is cut
_SPACES = re.compile(r"[ \t\f\v]+")
_HIDDEN = re.compile(
    "[\u00ad\u200b\u2060-\u2064\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e0019\U000e0080-\U000e0fff]"
)
_TAGS = re.compile("(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0020-\U000e007f]+")  # not those of flags
_WORD = re.compile(r"[^\W\d_]{3,}")
_LATIN, _OTHER = re.compile(r"[A-Za-z]"), re.compile("[\u0370-\u03ff\u0400-\u04ff]")
_BLOB = re.compile(r"[A-Za-z0-9+/]{120,}")
_STUFFED_WORDS, _STUFFED_SHARE = 30, 0.3  # of the words with four letters and more, by one of them


def instructions(text: str) -> list[str]:
    """Why the wording is that of an instruction to an agent; empty when it is not."""
    plain = text
    if not text.isascii():
        plain = _TAGS.sub("", _HIDDEN.sub("", unicodedata.normalize("NFKC", text)))
    plain = plain.lower()
    has = plain.__contains__
    likely = [(why, groups) for why, parts, groups in _COMPILED if any(map(has, parts))]
    if not likely:
        return []
    sentences = _sentences(_SPACES.sub(" ", plain))
    found = [why for why, groups in likely if any(_follow(groups, sentence) for sentence in sentences)]
    return list(dict.fromkeys(found))


def anomalies(text: str) -> list[str]:
    """Why the text is not what a person or a tool would write; empty when it may well be."""
    found = []
    if not text.isascii():
        if len(_HIDDEN.findall(text)) > 1 or _TAGS.search(text):
            found.append("has hidden characters")
        if any(_LATIN.search(word) and _OTHER.search(word) for word in _WORD.findall(text)):
            found.append("mixes alphabets inside a word")
    if len(text) >= 120 and any(map(_is_encoded, _BLOB.findall(text))):
        found.append("holds an encoded blob")
    if len(text) >= 200:
        words = [word for word in text.lower().split() if len(word) > 3]
        if len(words) >= _STUFFED_WORDS and _most(words) > _STUFFED_SHARE * len(words):
            found.append("repeats a word far too often")
    return found


def _sentences(text: str) -> list[str]:
    found = []
    for sentence in _END.split(text):
        part = sentence.strip()
        found += [part[start : start + _LONGEST] for start in range(0, len(part), _LONGEST)]
    return found


def _follow(groups: tuple[re.Pattern[str], ...], sentence: str) -> bool:
    at = 0
    for group in groups:
        match = group.search(sentence, at)
        if match is None:
            return False
        at = match.end()
    return True


def _is_encoded(run: str) -> bool:
    """Small and capital letters and digits in one long run; a hash or a long word has not all of them."""
    return any(map(str.isdigit, run)) and any(map(str.islower, run)) and any(map(str.isupper, run))


def _most(words: list[str]) -> int:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return max(counts.values())
