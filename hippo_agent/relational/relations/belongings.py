"""What people and things have: languages, teams, schools, pets, numbers, a place where they are kept."""

from __future__ import annotations

from hippo_agent.relational.relations.base import Relation, known

__all__ = ["BELONGINGS"]

BELONGINGS: tuple[Relation, ...] = (
    known(
        "language",
        nouns="language|official language|mother tongue|native language",
        verbs="speaks the language of|speaks|was written in the language of|is written in",
        asks="language|speak|spoken|tongue",
        one=False,
    ),
    known(
        "religion",
        nouns="religion|faith",
        verbs="is affiliated with the religion of|follows|converted to|practises",
        asks="religion|faith|religious",
    ),
    known(
        "sport",
        nouns="sport",
        verbs="is associated with the sport of|plays the sport of",
        asks="sport",
    ),
    known(
        "plays position",
        nouns="position played",
        verbs="plays the position of|plays as",
        asks="position",
    ),
    known(
        "team",
        nouns="team|club",
        verbs="plays for|signed for|is a member of the team|transferred to|signed with",
        ends="left the team",
        asks="team|club|play for",
        kind="organisation",
    ),
    known(
        "genre",
        nouns="genre|type of music|style",
        verbs="plays the music of",
        asks="genre|type of music|style",
    ),
    known(
        "broadcaster",
        nouns="broadcaster|original broadcaster|original network",
        verbs="was broadcast by|airs on",
        asks="broadcaster|network|air",
    ),
    known(
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
    known(
        "located in",
        nouns="location|place",
        verbs=(
            "is located in|lies in|is situated in|is in|stands in|can be found in|was moved to|"
            "is kept in|is stored in|is kept at"
        ),
        asks="located|location|where|situated|lie|stand|found|kept|stored",
        kind="place",
    ),
    known(
        "favourite",
        nouns="favourite|favorite",
        asks="favourite|favorite",
    ),
    known(
        "pet",
        nouns="pet|dog|cat",
        verbs="has a pet called|adopted",
        asks="pet|dog|cat",
        one=False,
    ),
    known(
        "drives",
        nouns="car|vehicle",
        verbs="drives|drives a",
        asks="drive|car|vehicle",
    ),
    known(
        "phone",
        nouns="phone number|telephone|phone|number",
        asks="phone|telephone|number",
    ),
    known(
        "email",
        nouns="email|e-mail|email address",
        asks="email|mail",
    ),
    known(
        "age",
        nouns="age",
        asks="age|old",
    ),
    known(
        "price",
        nouns="price|cost",
        verbs="costs",
        asks="price|cost",
    ),
    known(
        "population",
        nouns="population",
        verbs="has a population of",
        asks="population|inhabitants|people",
    ),
)
