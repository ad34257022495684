"""Proper names by their capitals, and whether the words around say person, place or thing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple

from hippo_agent.episodic.places import LEADING, PLACE_NOUNS
from hippo_agent.episodic.words import STOP, Token, base, common_rank, is_common, word_set

__all__ = ["Name", "find_names", "relatives"]

Role = Literal["who", "what", "where"]


class Name(NamedTuple):
    """A name and the words that it spans, ``words[first : last + 1]``."""

    text: str
    first: int
    last: int
    role: Role


_TITLES = word_set(
    """
    mr mrs ms miss mx dr doctor prof professor sir lady lord madam captain father sister brother uncle aunt
    auntie
    """
)
_ABBREVIATED = word_set("mr mrs ms mx dr prof st mt capt")
_PARTICLES = word_set("de la le van der den von zu da di do dos das del della du ter ten bin ibn al el af av y")
_KIN = word_set(
    """
    mom mum mother dad father sister brother wife husband son daughter grandma grandmother grandpa grandfather
    aunt uncle cousin niece nephew girlfriend boyfriend fiance fiancee partner roommate boss stepmother
    stepfather
    """
)
_POSSESSORS = word_set("my his her our their your")
_DETERMINERS = word_set("the a an my our your his her their some any every")
#: Given names that are common words too: at the start of a sentence they need a family name or a possessive.
_AMBIGUOUS = word_set(
    """
    pearl sky miles grace mark rose bill ray art frank amber dawn joy faith rich pat hunter drew chase robin hazel
    iris violet holly ivy jade
    """
)
_ACTS = word_set(
    """
    said says told asked called went came got gave moved lives wants invited met bought and was has had took
    loves
    """
)
_WHERE = word_set("in at near around across throughout inside outside within toward towards into via")
_MOTION = word_set(
    """
    move moved moving travel traveled travelled traveling travelling fly flew flown flying drive drove drives
    driving go goes going went gone come came comes coming trip trips journey flight flights train trains bus
    road way return returned returning back been welcome visit visits commute relocated relocating relocate
    emigrated sailed cycled walked hiked headed heading drove ran home bound from to is am are was were i'm
    he's she's they're we're
    """
)
_TOWARDS_PERSON = word_set(
    """
    talk talks talked talking speak speaks spoke speaking say says said tell tells told write writes wrote
    writing written send sent sending give gave given giving show showed shown lent lend sold introduce
    introduced married engaged listen listened reply replied apologized apologised belong belongs belonged
    thanks thank according next letter letters message messages email emails gift present call text card
    postcard postcards note borrowed bought got received hear heard learned learnt news hug advice help kind
    dear
    """
)
_CALENDAR = word_set(
    """
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december christmas easter halloween thanksgiving ramadan hanukkah diwali
    """
)
_PEOPLES = word_set(
    """
    english french german spanish italian portuguese dutch swedish danish norwegian finnish polish russian
    ukrainian greek turkish arabic hebrew hindi chinese japanese korean vietnamese thai indian american
    british irish scottish welsh canadian mexican brazilian african asian european australian latin jewish
    christian muslim buddhist catholic
    """
)


def find_names(words: Sequence[Token], taken: Sequence[bool], known: Collection[str] = ()) -> list[Name]:
    """Names in order. ``taken``: words that are something else already; ``known``: lower-case names in any casing."""
    silent = _casing_is_silent(words)
    found: list[Name] = []
    for first, last in _headline_runs(words, taken) if silent else _runs(words, taken):
        found.append(_name(words, first, _with_place_noun(words, taken, first, last), known, found, silent))
    if known:
        covered = {i for name in found for i in range(name.first, name.last + 1)}
        found += [
            Name(_strip(word.text), i, i, "who")
            for i, word in enumerate(words)
            if i not in covered and not taken[i] and base(word.low) in known
        ]
        found.sort(key=lambda name: name.first)
    return found


def relatives(words: Sequence[Token], taken: Sequence[bool]) -> Iterator[tuple[str, int]]:
    """("sister", index) for "my sister": people without a name."""
    for i in range(1, len(words)):
        kin = base(words[i].low)
        if kin in _KIN and not taken[i] and words[i - 1].low in _POSSESSORS:
            yield kin, i


def _casing_is_silent(words: Sequence[Token]) -> bool:
    """ALL CAPS or Title Case: common words inside a sentence have capitals too, so capitals say nothing."""
    if sum(word.text[0].isupper() for word in words) < 0.5 * len(words):
        return False
    inside = [word.text[0].isupper() for word in words if not word.opens and word.low != "i" and is_common(word.low)]
    return sum(inside) >= 2 and sum(inside) > 0.5 * len(inside)


def _headline_runs(words: Sequence[Token], taken: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Runs of words that are not common ones."""
    ranks = common_rank()
    rare = [
        not taken[i]
        and not word.text[0].isdigit()
        and base(word.low) not in ranks
        and base(word.low) not in STOP
        and base(word.low) not in _CALENDAR
        for i, word in enumerate(words)
    ]
    i = 0
    while i < len(words):
        last = i
        while rare[i] and last + 1 < len(words) and rare[last + 1] and words[last + 1].gap == " ":
            last += 1
        if rare[i]:
            yield i, last
        i = last + 1


def _runs(words: Sequence[Token], taken: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Runs of capitalised words, with particles inside and without a sentence's common first word."""
    i = 0
    while i < len(words):
        if not _starts_name(words, taken, i):
            i += 1
            continue
        last = i
        while (step := _continues(words, taken, last)) is not None:
            last = step
        yield i, last
        i = last + 1


def _capital(words: Sequence[Token], taken: Sequence[bool], i: int) -> bool:
    word = words[i]
    return word.text[0].isupper() and not taken[i] and word.low != "i" and not word.low.startswith("i'")


def _starts_name(words: Sequence[Token], taken: Sequence[bool], i: int) -> bool:
    if not _capital(words, taken, i):
        return False
    low = base(words[i].low)
    if words[i].low in STOP or low in _CALENDAR or low.removesuffix("s") in _CALENDAR:
        return False
    if not words[i].opens or not is_common(low):
        return len(low) > 1 or _continues(words, taken, i) is not None
    step = _continues(words, taken, i)
    if low in _TITLES:
        return step is not None
    if low in LEADING:
        return step is not None and base(words[step].low) not in common_rank()
    if low not in _AMBIGUOUS:
        return False
    named = step is not None and base(words[step].low) not in common_rank()
    acts = i + 1 < len(words) and words[i + 1].gap == " " and words[i + 1].low in _ACTS
    return named or acts or words[i].low != low


def _continues(words: Sequence[Token], taken: Sequence[bool], i: int) -> int | None:
    """The index at which the name that reaches word i goes on, or None."""
    if i + 1 >= len(words) or words[i].low.endswith("'s"):
        return None
    after, low = words[i + 1], words[i].low
    dotted = after.gap in (". ", ".") and (len(low) == 1 or low in _ABBREVIATED)
    if after.gap != " " and not dotted:
        return None
    if _capital(words, taken, i + 1):
        return None if base(after.low) in _CALENDAR else i + 1
    for reach in (2, 3):  # "van Houten", "de la Cruz", "Isle of Wight"
        if i + reach >= len(words) or words[i + reach].gap != " ":
            return None
        middle = words[i + reach - 1].low
        if middle not in _PARTICLES and not (
            reach == 2 and middle == "of" and low in PLACE_NOUNS | {"bank", "isle", "bay"}
        ):
            return None
        if _capital(words, taken, i + reach):
            return i + reach
    return None


def _with_place_noun(words: Sequence[Token], taken: Sequence[bool], first: int, last: int) -> int:
    """A place noun in lower case right after a name belongs to it: "the Corvin market", "at Corvin market"."""
    after = last + 1
    if not first or after >= len(words) or taken[after] or words[after].low not in PLACE_NOUNS:
        return last
    led = words[first - 1].low in _WHERE or words[first - 1].low in ("the", "to", "from", "a", "an", "this", "that")
    return after if led and words[after].gap == " " and not words[last].low.endswith("'s") else last


def _name(
    words: Sequence[Token], first: int, last: int, known: Collection[str], before: Sequence[Name], silent: bool
) -> Name:
    if first < last and base(words[first].low) in _TITLES:
        first += 1
    parts = [words[first].text]
    for i in range(first + 1, last + 1):
        gap = words[i].gap
        parts.append((gap if gap in (". ", ".") else " ") + words[i].text)
    text = _strip("".join(parts))
    return Name(text, first, last, _role(words, first, last, text, known, before, silent))


def _strip(text: str) -> str:
    return text[:-2] if text.endswith(("'s", "\u2019s", "'S", "\u2019S")) else text


def _role(
    words: Sequence[Token],
    first: int,
    last: int,
    text: str,
    known: Collection[str],
    before: Sequence[Name],
    silent: bool,
) -> Role:
    low = text.lower()
    if low in known or words[first].low in known:
        return "who"
    head, tail = base(words[first].low), base(words[last].low)
    if any(name.text.lower() == low and name.role != "what" for name in before):
        return next(name.role for name in before if name.text.lower() == low and name.role != "what")
    if first < last and (tail in PLACE_NOUNS or head in LEADING):
        return "where"
    if low in _PEOPLES:
        return "what"
    ahead = words[first - 1].low if first and words[first].gap == " " else ""
    owned = ahead.endswith("'s") and ahead not in STOP
    determined = ahead in _DETERMINERS
    preposition = words[first - 2].low if determined and first > 1 else ahead
    possessive = words[last].low.endswith("'s")
    if preposition in _WHERE and not possessive and not (determined and ahead != "the"):
        return "where"
    if preposition in ("to", "from") and not determined and not possessive:
        return _towards(words, first)
    if (
        before
        and before[-1].role == "where"
        and before[-1].last == first - 1 - (ahead in ("and", "or"))
        and (ahead in ("and", "or") or words[first].gap == ", ")
    ):
        return "where"  # "Lisbon and Porto", "Austin, Texas"
    acronym = first == last and not silent and words[first].text.isupper() and 1 < len(text) <= 5
    return "what" if determined or owned or acronym else "who"


def _towards(words: Sequence[Token], first: int) -> Role:
    """After "to" or "from": the nearest word of motion or of giving decides; a place if there is none."""
    for i in range(first - 2, max(-1, first - 9), -1):
        if words[i + 1].opens and i + 1 < first - 1:
            break
        if words[i].low in _TOWARDS_PERSON:
            return "who"
        if words[i].low in _MOTION:
            return "where"
    return "where"
