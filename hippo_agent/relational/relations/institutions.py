"""About countries, towns and companies: where they are, who leads, owns and founded them."""

from __future__ import annotations

from hippo_agent.relational.relations.base import Relation, known

__all__ = ["INSTITUTIONS"]

INSTITUTIONS: tuple[Relation, ...] = (
    known(
        "capital",
        nouns="capital|capital city",
        inverse="is the capital of|is the capital city of",
        asks="capital",
        kind="place",
    ),
    known(
        "country",
        nouns="country",
        verbs=(
            "is located in the country of|was created in the country of|is in the country of|"
            "originates from|originated in|comes from the country of"
        ),
        asks="country|nation",
        kind="place",
    ),
    known(
        "continent",
        nouns="continent",
        verbs=(
            "is located in the continent of|is located on the continent of|is on the continent of|"
            "belongs to the continent of"
        ),
        asks="continent",
        kind="place",
    ),
    known(
        "head of state",
        nouns="head of state|current head of state|president|king|queen|monarch|current head of state",
        verbs="is ruled by",
        inverse="is the president of|rules",
        asks="president|head of state|king|queen|monarch|ruler|rule",
        kind="person",
    ),
    known(
        "head of government",
        nouns=("head of government|prime minister|chancellor|premier|mayor|governor|current head of the government"),
        verbs="is governed by",
        inverse="governs|is the mayor of|is the prime minister of",
        asks="prime minister|head of government|mayor|governor|govern",
        kind="person",
    ),
    known(
        "chief executive",
        nouns="CEO|chief executive officer|chief executive|head|director general",
        verbs="is led by|is headed by|is run by",
        inverse="leads|heads|runs|took over",
        asks="ceo|chief|executive|lead|head|run|led",
        kind="person",
    ),
    known(
        "chairperson",
        nouns="chairperson|chairman|chairwoman|chair",
        verbs="is chaired by",
        inverse="chairs",
        asks="chair|chairperson|chairman",
        kind="person",
    ),
    known(
        "owner",
        nouns="owner|proprietor|parent company",
        verbs="is owned by|belongs to|was bought by|was acquired by|was sold to",
        inverse="owns|bought|acquired|purchased",
        asks="own|owner|owned|belong|bought|acquired",
    ),
    known(
        "founder",
        nouns="founder",
        verbs="was founded by|was established by",
        inverse="founded|established|set up|started the company",
        asks="found|founder|founded|establish",
        kind="person",
    ),
    known(
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
)
