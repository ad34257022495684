"""About people: where they live and work, family, birth and death."""

from __future__ import annotations

from hippo_agent.relational.relations.base import Relation, known

__all__ = ["PEOPLE"]

PEOPLE: tuple[Relation, ...] = (
    known(
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
    known(
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
    known(
        "occupation",
        nouns="occupation|job|profession|job title|position|role",
        verbs="works as|work as|is working as|became|is employed as|earns a living as",
        asks="occupation|profession|job|do for a living",
    ),
    known(
        "spouse",
        nouns="spouse|husband|wife|partner",
        verbs=("is married to|married|got married to|wed|is the husband of|is the wife of|is the spouse of"),
        ends="divorced|separated from|got divorced from|is no longer married to",
        asks="spouse|husband|wife|married|marry|partner",
        kind="person",
    ),
    known(
        "child",
        nouns="child|son|daughter",
        verbs="is the father of|is the mother of|is the parent of",
        asks="child|children|son|daughter",
        one=False,
        kind="person",
    ),
    known(
        "father",
        nouns="father|dad",
        verbs="is the son of|is the daughter of",
        asks="father|dad|paternal",
        kind="person",
    ),
    known(
        "mother",
        nouns="mother|mom|mum",
        asks="mother|mom|mum|maternal",
        kind="person",
    ),
    known(
        "sibling",
        nouns="sibling|brother|sister",
        verbs="is the brother of|is the sister of|is a sibling of",
        asks="sibling|brother|sister",
        one=False,
        kind="person",
    ),
    known(
        "boss",
        nouns="boss|manager|supervisor|team lead",
        verbs="reports to|is managed by|answers to",
        inverse="manages|supervises",
        asks="boss|manager|supervisor|report|manage|managed|supervise",
        kind="person",
    ),
    known(
        "mentor",
        nouns="mentor|teacher|tutor|coach|trainer",
        verbs="is taught by|is coached by|is mentored by|trains under",
        inverse="teaches|coaches|mentors|trains",
        asks="mentor|teacher|coach|tutor|train|teach",
        kind="person",
    ),
    known(
        "friend",
        nouns="friend|best friend",
        verbs="is friends with|is a friend of|befriended",
        asks="friend",
        one=False,
        kind="person",
    ),
    known(
        "born in",
        nouns="birthplace|place of birth|city of birth|birth place",
        verbs=(
            "was born in|were born in|is born in|was born in the city of|comes from|is from|"
            "is originally from|hails from"
        ),
        asks="born|birthplace|birth",
        kind="place",
    ),
    known(
        "born on",
        nouns="birthday|date of birth|birth date",
        verbs="was born on",
        asks="birthday|birth date|when born",
        kind="date",
    ),
    known(
        "died in",
        nouns="place of death",
        verbs="died in|died at|passed away in|died in the city of",
        asks="die|died|death",
        kind="place",
    ),
    known(
        "citizen of",
        nouns="nationality|citizenship|country of citizenship",
        verbs="is a citizen of|holds citizenship of|is a national of",
        asks="citizen|citizenship|nationality|national",
        kind="place",
    ),
)
