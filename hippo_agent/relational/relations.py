"""Relations known beforehand: how they are said, how they are asked for, and whether they hold one value at a time.

A small seed, no ontology: a relation that is not here is kept under the words it was said with, and whether it holds
one value is learnt from the facts (`schema`). Several paraphrases follow ParaRel (Elazar et al. 2021, MIT licence).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from hippo_agent.relational.words import STOP_WORDS, stem, tokens

__all__ = ["RELATIONS", "Relation", "canonical", "content_stems", "relation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """``one``: holds one value at a time. ``nouns``: "X's noun is Y". ``verbs``: "X verb Y". ``ends`` end it.

    ``inverse`` verbs say it the other way round: "Y verb X". ``asks``: further words by which questions mean it.
    """

    name: str
    one: bool = True
    nouns: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    inverse: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    kind: str = ""  # kind of the object, when the relation settles it


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|") if part.strip())


def _relation(
    name: str,
    nouns: str = "",
    verbs: str = "",
    *,
    ends: str = "",
    inverse: str = "",
    asks: str = "",
    one: bool = True,
    kind: str = "",
) -> Relation:
    return Relation(
        name=name,
        one=one,
        nouns=_split(nouns),
        verbs=_split(verbs),
        ends=_split(ends),
        inverse=_split(inverse),
        asks=_split(asks),
        kind=kind,
    )


RELATIONS: tuple[Relation, ...] = (
    _relation(
        "lives in",
        nouns="home|home town|hometown|residence|home city|city of residence|place of residence",
        verbs=(
            "lives in|live in|lives at|living in|resides in|reside in|moved to|move to|moved into|"
            "relocated to|settled in|is living in|has moved to|have moved to|is based in|"
            "moved back to|now lives in|currently lives in|is staying in"
        ),
        ends="moved out of|moved away from|left the city of|no longer lives in|does not live in",
        asks="live|reside|home|city|town|where|based|living|moved|move",
        kind="place",
    ),
    _relation(
        "works for",
        nouns="employer|workplace|company|job place",
        verbs=(
            "works for|works at|work for|work at|is employed by|is employed at|joined|started at|"
            "took a job at|works in|got a job at|is working for|is working at|started working for|"
            "started working at|now works for|now works at|has joined|began working for|"
            "began working at"
        ),
        ends=("quit|left|resigned from|was fired from|no longer works for|no longer works at|retired from"),
        inverse="hired|employs|has hired",
        asks="work|employer|employ|company|job|workplace|employed|works",
        kind="organisation",
    ),
    _relation(
        "occupation",
        nouns="occupation|job|profession|job title|position|role",
        verbs="works as|work as|is working as|became|is employed as|earns a living as",
        asks="occupation|profession|job|do for a living",
    ),
    _relation(
        "spouse",
        nouns="spouse|husband|wife|partner",
        verbs=("is married to|married|got married to|wed|is the husband of|is the wife of|is the spouse of"),
        ends="divorced|separated from|got divorced from|is no longer married to",
        asks="spouse|husband|wife|married|marry|partner",
        kind="person",
    ),
    _relation(
        "child",
        nouns="child|son|daughter",
        verbs="is the father of|is the mother of|is the parent of",
        asks="child|children|son|daughter",
        one=False,
        kind="person",
    ),
    _relation(
        "father",
        nouns="father|dad",
        verbs="is the son of|is the daughter of",
        asks="father|dad|paternal",
        kind="person",
    ),
    _relation(
        "mother",
        nouns="mother|mom|mum",
        asks="mother|mom|mum|maternal",
        kind="person",
    ),
    _relation(
        "sibling",
        nouns="sibling|brother|sister",
        verbs="is the brother of|is the sister of|is a sibling of",
        asks="sibling|brother|sister",
        one=False,
        kind="person",
    ),
    _relation(
        "boss",
        nouns="boss|manager|supervisor|team lead",
        verbs="reports to|is managed by|answers to",
        inverse="manages|supervises",
        asks="boss|manager|supervisor|report|manage|managed|supervise",
        kind="person",
    ),
    _relation(
        "mentor",
        nouns="mentor|teacher|tutor|coach|trainer",
        verbs="is taught by|is coached by|is mentored by|trains under",
        inverse="teaches|coaches|mentors|trains",
        asks="mentor|teacher|coach|tutor|train|teach",
        kind="person",
    ),
    _relation(
        "friend",
        nouns="friend|best friend",
        verbs="is friends with|is a friend of|befriended",
        asks="friend",
        one=False,
        kind="person",
    ),
    _relation(
        "born in",
        nouns="birthplace|place of birth|city of birth|birth place",
        verbs=(
            "was born in|were born in|is born in|was born in the city of|comes from|is from|"
            "is originally from|hails from"
        ),
        asks="born|birthplace|birth",
        kind="place",
    ),
    _relation(
        "born on",
        nouns="birthday|date of birth|birth date",
        verbs="was born on",
        asks="birthday|birth date|when born",
        kind="date",
    ),
    _relation(
        "died in",
        nouns="place of death",
        verbs="died in|died at|passed away in|died in the city of",
        asks="die|died|death",
        kind="place",
    ),
    _relation(
        "citizen of",
        nouns="nationality|citizenship|country of citizenship",
        verbs="is a citizen of|holds citizenship of|is a national of",
        asks="citizen|citizenship|nationality|national",
        kind="place",
    ),
    _relation(
        "capital",
        nouns="capital|capital city",
        inverse="is the capital of|is the capital city of",
        asks="capital",
        kind="place",
    ),
    _relation(
        "country",
        nouns="country",
        verbs=(
            "is located in the country of|was created in the country of|is in the country of|"
            "originates from|originated in|comes from the country of"
        ),
        asks="country|nation",
        kind="place",
    ),
    _relation(
        "continent",
        nouns="continent",
        verbs=(
            "is located in the continent of|is located on the continent of|is on the continent of|"
            "belongs to the continent of"
        ),
        asks="continent",
        kind="place",
    ),
    _relation(
        "head of state",
        nouns="head of state|current head of state|president|king|queen|monarch|current head of state",
        verbs="is ruled by",
        inverse="is the president of|rules",
        asks="president|head of state|king|queen|monarch|ruler|rule",
        kind="person",
    ),
    _relation(
        "head of government",
        nouns=("head of government|prime minister|chancellor|premier|mayor|governor|current head of the government"),
        verbs="is governed by",
        inverse="governs|is the mayor of|is the prime minister of",
        asks="prime minister|head of government|mayor|governor|govern",
        kind="person",
    ),
    _relation(
        "chief executive",
        nouns="CEO|chief executive officer|chief executive|head|director general",
        verbs="is led by|is headed by|is run by",
        inverse="leads|heads|runs|took over",
        asks="ceo|chief|executive|lead|head|run|led",
        kind="person",
    ),
    _relation(
        "chairperson",
        nouns="chairperson|chairman|chairwoman|chair",
        verbs="is chaired by",
        inverse="chairs",
        asks="chair|chairperson|chairman",
        kind="person",
    ),
    _relation(
        "owner",
        nouns="owner|proprietor|parent company",
        verbs="is owned by|belongs to|was bought by|was acquired by|was sold to",
        inverse="owns|bought|acquired|purchased",
        asks="own|owner|owned|belong|bought|acquired",
    ),
    _relation(
        "founder",
        nouns="founder",
        verbs="was founded by|was established by",
        inverse="founded|established|set up|started the company",
        asks="found|founder|founded|establish",
        kind="person",
    ),
    _relation(
        "headquarters",
        nouns="headquarters|head office|main office|seat",
        verbs=(
            "is headquartered in|has its headquarters in|is located in the city of|"
            "has its head office in|moved its headquarters to|has its seat in|"
            "relocated its headquarters to"
        ),
        asks="headquarters|headquartered|based|seat|located|office",
        kind="place",
    ),
    _relation(
        "author",
        nouns="author|writer",
        verbs="was written by|is written by|was authored by",
        inverse="wrote|authored|is the author of",
        asks="author|writer|wrote|written|write",
        kind="person",
    ),
    _relation(
        "director",
        nouns="director",
        verbs="was directed by|is directed by",
        inverse="directed",
        asks="direct|director|directed",
        kind="person",
    ),
    _relation(
        "performer",
        nouns="performer|singer",
        verbs="was performed by|was sung by|is performed by",
        inverse="performed|sang|recorded",
        asks="perform|performer|sing|sang|singer|sung",
        kind="person",
    ),
    _relation(
        "composer",
        nouns="composer",
        verbs="was composed by",
        inverse="composed",
        asks="compose|composer|composed",
        kind="person",
    ),
    _relation(
        "developer",
        nouns="developer|maker|manufacturer|producer",
        verbs=("was developed by|is made by|was made by|was produced by|is produced by|is manufactured by"),
        inverse="developed|makes|manufactures|produces|produced",
        asks="develop|developer|maker|made|make|produce|produced|manufacture",
    ),
    _relation(
        "language",
        nouns="language|official language|mother tongue|native language",
        verbs="speaks the language of|speaks|was written in the language of|is written in",
        asks="language|speak|spoken|tongue",
        one=False,
    ),
    _relation(
        "religion",
        nouns="religion|faith",
        verbs="is affiliated with the religion of|follows|converted to|practises",
        asks="religion|faith|religious",
    ),
    _relation(
        "sport",
        nouns="sport",
        verbs="is associated with the sport of|plays the sport of",
        asks="sport",
    ),
    _relation(
        "plays position",
        nouns="position played",
        verbs="plays the position of|plays as",
        asks="position",
    ),
    _relation(
        "team",
        nouns="team|club",
        verbs="plays for|signed for|is a member of the team|transferred to|signed with",
        ends="left the team",
        asks="team|club|play for",
        kind="organisation",
    ),
    _relation(
        "genre",
        nouns="genre|type of music|style",
        verbs="plays the music of",
        asks="genre|type of music|style",
    ),
    _relation(
        "broadcaster",
        nouns="broadcaster|original broadcaster|original network",
        verbs="was broadcast by|airs on",
        asks="broadcaster|network|air",
    ),
    _relation(
        "studies at",
        nouns="university|school|alma mater|college",
        verbs=(
            "studies at|study at|attends|attended|is enrolled at|was educated at|goes to school at|"
            "graduated from|enrolled at"
        ),
        ends="dropped out of",
        asks="study|studies|university|school|college|attend|educated|alma mater|graduate",
        kind="organisation",
    ),
    _relation(
        "located in",
        nouns="location|place",
        verbs=(
            "is located in|lies in|is situated in|is in|stands in|can be found in|was moved to|"
            "is kept in|is stored in|is kept at"
        ),
        asks="located|location|where|situated|lie|stand|found|kept|stored",
        kind="place",
    ),
    _relation(
        "favourite",
        nouns="favourite|favorite",
        asks="favourite|favorite",
    ),
    _relation(
        "pet",
        nouns="pet|dog|cat",
        verbs="has a pet called|adopted",
        asks="pet|dog|cat",
        one=False,
    ),
    _relation(
        "drives",
        nouns="car|vehicle",
        verbs="drives|drives a",
        asks="drive|car|vehicle",
    ),
    _relation(
        "phone",
        nouns="phone number|telephone|phone|number",
        asks="phone|telephone|number",
    ),
    _relation(
        "email",
        nouns="email|e-mail|email address",
        asks="email|mail",
    ),
    _relation(
        "age",
        nouns="age",
        asks="age|old",
    ),
    _relation(
        "price",
        nouns="price|cost",
        verbs="costs",
        asks="price|cost",
    ),
    _relation(
        "population",
        nouns="population",
        verbs="has a population of",
        asks="population|inhabitants|people",
    ),
)


def content_stems(text: str) -> frozenset[str]:
    """Stems of the words of a predicate or question that are no stop words."""
    return frozenset(stem(word) for word in tokens(text) if word not in STOP_WORDS)


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Relation]:
    return {item.name: item for item in RELATIONS}


@lru_cache(maxsize=1)
def _spoken() -> dict[str, Relation]:
    out: dict[str, Relation] = {}
    for item in RELATIONS:
        for phrase in (item.name, *item.nouns, *item.verbs):
            out.setdefault(" ".join(tokens(phrase)), item)
    return out


def relation(name: str) -> Relation | None:
    """The known relation of this name."""
    return _by_name().get(name)


def canonical(predicate: str) -> str:
    """The known relation's name for a predicate as it was said, else its words in lower case."""
    said = " ".join(tokens(predicate))
    found = _spoken().get(said) or _spoken().get(" ".join(_without(said.split(), {"the", "a", "an", "current", "new"})))
    return found.name if found else said


def _without(parts: Iterable[str], drop: set[str]) -> list[str]:
    return [part for part in parts if part not in drop]
