"""How a text is read by the write gate: sentences, words, stems, and what English says with them.

The classes of words in ``english_classes.txt`` (pronouns, month names, greetings) are from general knowledge. In
another language none of them applies: every word then counts by its rarity alone, and nothing is taken for a greeting.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from math import log

import snowballstemmer

from hippo_agent.episodic.words import common_rank

_HARMONIC = 10.1  # Zipf: p = 1 / (rank x harmonic number of about 13,500 distinct stems)
_UNSEEN_RANK = 10_000  # of a stem that is not listed

_LONGEST_WORD = 60  # characters

_SNOWBALL = snowballstemmer.stemmer("english")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})
_WORD = re.compile(r"\w+(?:'[a-z]+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+|\s*\n+\s*|(?<=[。！？])")
_NOTES = re.compile(
    r"\[(?:shares?|shared|sends?|sent|attache[ds]|attachment|image|photo|picture|video|file|audio)\b[^\[\]]*\]",
    re.IGNORECASE,
)
_GREETED = re.compile(
    r"\b(?=\w)(?:(?i:hi|hello|hey|hiya|howdy|yo|bye|goodbye|thanks|thank you|cheers|welcome"
    r"|good (?:morning|afternoon|evening|night)|morning|night|sorry|wow|congrats|congratulations|yes|yeah|yep|ok|okay"
    r"|sure|no))\b[ ,]+(?:there\b[ ,]*)?([A-Z]\w+)(?=\s*[,.!?]|\s*$)"
)
_ADDRESSED = re.compile(r",\s*[A-Z]\w+\s*(?=[.!?]|$)")


@cache
def _classes() -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {}
    name = ""
    text = files("hippo_agent.episodic").joinpath("english_classes.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("#") or not line:
            continue
        if line.startswith("[") and line.endswith("]"):
            name = line[1:-1]
            lines[name] = []
        else:
            lines[name].append(line)
    return lines


def word_class(name: str) -> frozenset[str]:
    """The words under a [name] of ``english_classes.txt``."""
    return frozenset(" ".join(_classes()[name]).split())


def phrases(name: str, flags: int = 0) -> re.Pattern[str]:
    """The regular expressions under a [name], as one, longest-written first, at word boundaries, in lower case."""
    alternatives = sorted(_classes()[name], key=len, reverse=True)
    return re.compile(rf"\b(?=\w)(?:{'|'.join(alternatives)})\b", flags)


FIRST_PERSON = word_class("first_person")
SECOND_PERSON = word_class("second_person")
THIRD_PERSON = word_class("third_person")
PRONOUNS = FIRST_PERSON | SECOND_PERSON | THIRD_PERSON
CALENDAR = word_class("calendar")
TIMES = (CALENDAR - {"may", "march"}) | word_class("times")
NUMBERS = word_class("numbers")
PAST = word_class("past")
REACTIONS = word_class("reactions")  # greeting, thanks, assent, emphasis, appraisal: no news, wherever they stand
ASKING = word_class("asking")  # how real questions open; "You moved to Lisbon?" only says back what was heard
SMALL_TALK = REACTIONS | ASKING | word_class("small_talk")  # no news in a turn that holds nothing else
NEGATIONS = word_class("negations")
ANSWERS = word_class("answers")  # a whole answer to a question, though small talk elsewhere
_FORMULAS = phrases("formulas")
_VALUES = {
    word: str(value)
    for value, word in enumerate(
        (
            *(
                "zero",
                "one",
                "two",
                "three",
                "four",
                "five",
                "six",
                "seven",
                "eight",
                "nine",
                "ten",
                "eleven",
                "twelve",
            ),
            *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
        )
    )
}


def normalise(text: str) -> str:
    """The text with straight apostrophes."""
    return text.translate(_QUOTES)


def sentences(text: str) -> list[str]:
    """Sentences in order, without the white space between them."""
    return [part for part in _SENTENCE_END.split(text) if part and not part.isspace()]


def words(text: str) -> list[str]:
    """Lower-case words and numbers in order; "I'm" is one word."""
    return _WORD.findall(text.lower())


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The Snowball stem of a lower-case word; what is too long to be a word stays as it is."""
    return str(_SNOWBALL.stemWord(word)) if len(word) <= _LONGEST_WORD else word


@cache
def _ranks() -> dict[str, int]:
    stems = dict.fromkeys(stem(word) for word in common_rank())
    return {listed: rank for rank, listed in enumerate(stems, start=1)}


def is_common(stemmed: str) -> bool:
    """Whether it is the stem of a common English word."""
    return stemmed in _ranks()


@lru_cache(maxsize=50_000)
def background_rarity(stemmed: str) -> float:
    """-ln p of a stem in general English, in nats, by Zipf's law from its rank; unlisted stems are alike.

    Contractions ("you've") are as common as their parts.
    """
    if "'" in stemmed:
        return 0.0
    return log(_ranks().get(stemmed, _UNSEEN_RANK) * _HARMONIC)


def is_number(word: str) -> bool:
    """Digits or an English number word."""
    return word[0].isdigit() or word in NUMBERS


def number_value(word: str) -> str:
    """One spelling per number: "three" -> "3"; anything else as it is."""
    return _VALUES.get(word, word)


def is_past(word: str) -> bool:
    """Whether an English word looks like a past form or participle."""
    return word in PAST or (len(word) > 3 and word.endswith("ed") and word.isalpha())


def names(sentence: str) -> list[str]:
    """Capitalised words that do not open the sentence, lower-cased, in order; days, months and "I" are none."""
    return [
        word.lower().removesuffix("'s")
        for word in _WORD.findall(sentence)[1:]
        if word[0].isupper() and word.lower() not in FIRST_PERSON and word.lower() not in CALENDAR
    ]


def without_notes(text: str) -> tuple[str, bool]:
    """The text without bracketed notes of what was shared ("[shares a photo of ...]"), and whether there were any."""
    left, found = _NOTES.subn(" ", text)
    return left, found > 0


def without_addresses(text: str) -> str:
    """The text without the names that greetings and thanks address ("Thanks, Ada!")."""
    return _GREETED.sub(lambda found: found[0][: found.start(1) - found.start(0)], text)


def without_formulas(text: str) -> str:
    """The text in lower case, without greeting formulas ("long time no see") and without names that are addressed."""
    return _FORMULAS.sub(" ", _ADDRESSED.sub(" ", without_addresses(text)).lower())
