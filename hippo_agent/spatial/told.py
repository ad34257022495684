"""Relations between places that a text states: "The kitchen is north of the hall", "The lab is left of the lift".

A stated relation gives two edges, there and back, with provenance "told": nobody walked them yet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hippo_agent.spatial import actions
from hippo_agent.spatial.sighting import normalise

__all__ = ["Relation", "relations"]

_ARTICLE = r"(?:(?:the|a|an|your|our|my) )?"
_WAY = r"north|south|east|west|north-?east|north-?west|south-?east|south-?west"
_OF = re.compile(
    rf"\b{_ARTICLE}(?P<place>[\w' -]+?) (?:is|lies|sits|stands) (?:(?:directly|just|due) )?(?:to the )?"
    rf"(?P<way>{_WAY}|left|right) of {_ARTICLE}(?P<origin>[\w' -]+)",
    re.IGNORECASE,
)
_OVER = re.compile(
    rf"\b{_ARTICLE}(?P<place>[\w' -]+?) (?:is|lies|sits|stands) (?:(?:directly|just) )?(?P<way>above|below) "
    rf"{_ARTICLE}(?P<origin>[\w' -]+)",
    re.IGNORECASE,
)
_WORDS = {"left": "west", "right": "east", "above": "up", "below": "down"}


@dataclass(frozen=True, slots=True)
class Relation:
    """Going ``way`` from ``origin`` leads to ``place``; both are names as written."""

    origin: str
    way: str
    place: str


def relations(text: str) -> list[Relation]:
    """What the text states, in order; both places must be named."""
    found = []
    for sentence in re.split(r"[.!?\n;]", text):
        for pattern in (_OF, _OVER):
            match = pattern.search(sentence)
            if match is None:
                continue
            word = match["way"].lower().replace("-", "")
            way = actions.direction(_WORDS.get(word, word))
            origin, place = match["origin"].strip(), match["place"].strip()
            if way is not None and normalise(origin) and normalise(place):
                found.append(Relation(origin, way, place))
                break
    return found
