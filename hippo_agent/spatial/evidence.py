"""What speaks for and against "this is that place": log odds from independent sources, added up.

Every term is kept with the decision, so that a merge can be explained. The weights were set by hand on labelled worlds
and moved by +-30 % at random to see that nothing hangs on their exact values; see docs/stores/spatial.md. The idea of
two independent evidences before a place is taken for known follows RatSLAM, the three bands follow SPTM.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from types import MappingProxyType

import numpy as np

from hippo_agent.spatial import actions
from hippo_agent.spatial.manner import Manner
from hippo_agent.spatial.map import PlaceMap
from hippo_agent.spatial.place import Coordinate, Place
from hippo_agent.spatial.sighting import Sighting

__all__ = ["MAX_CANDIDATES", "WEIGHTS", "Terms", "candidates", "looks", "predicted", "way"]

Terms = dict[str, float]

MAX_CANDIDATES = 32  # places that one sighting is compared with
_MAX_SOURCES = 64  # edges into a place that are looked at
_SHORT_SENTENCE = 30  # a first sentence up to this length identifies nothing
_MAZE = 3  # places with one name and one description: the way back is not the opposite direction there

#: Log odds. Positive speaks for the candidate, negative against it.
WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "new": -1.0,  # a place never seen
        "alias": -1.5,  # ... whose name and description are those of the only place of that name
        "known": 5.0,  # this direction led there last time
        "known_not": -4.0,  # it led to another place of the same name
        "known_act": 2.5,  # the same for an action that is not a direction
        "known_act_not": -1.5,
        "back": 3.0,  # the opposite direction leads from the candidate to where we came from
        "back_not": -2.5,  # it leads elsewhere
        "back_other": -1.5,  # another place of this name has that way back
        "near": 1.5,  # the candidate is linked with where we came from by an action without opposite
        "same_act": -1.5,  # ... and it is the action just done, which led from the candidate to here
        "position": 1.5,  # dead reckoning ends exactly there
        "position_step": -0.5,  # for each step beside it
        "position_most": -1.5,
        "self": -3.0,  # a direction that leads back to the place itself
        "exit": 0.7,  # the description mentions the way back
        "exit_not": -0.5,
        "maze": 0.3,  # factor on ways back and positions among look-alikes
        "words": 3.5,  # the description again, in a world that always prints it
        "words_brief": -2.5,  # the description again, in a world that prints it once
        "words_part": 2.0,  # half of the text is known of the place
        "words_other": -3.0,  # the description of another place of this name
        "words_short": 2.5,  # a short description again
        "silent": 3.0,  # no description, in a world that prints it once
        "strange": -5.0,  # a long description never seen here, at most
        "looks": 4.0,  # exactly what was seen there before, for texts without titles
        "looks_not": -3.0,
        "vector": 3.0,  # embeddings agree (cosine 1) ... or are unrelated (cosine 0.4): the same, negative
    }
)


def candidates(places: PlaceMap, sighting: Sighting, *, origin: str | None, action: str | None) -> list[str]:
    """Places that the sighting could show, most promising first, at most 32."""
    found: dict[str, None] = {}
    if origin is not None and action is not None:
        last = places.last(origin, action)
        if last is not None:
            found[last] = None
        for source, _ in islice(places.sources(origin), _MAX_SOURCES):
            found[source] = None
    for same in (places.starting(sighting.first), places.seen_as(sighting.digest)):
        found.update(dict.fromkeys(islice(same, MAX_CANDIDATES)))
    if sighting.name is not None:
        found.update(dict.fromkeys(places.newest_named(sighting.name, MAX_CANDIDATES)))
    else:
        return [place for place in found if place in places][:MAX_CANDIDATES]
    return [place for place in found if place in places.places and places.places[place].name == sighting.name][
        :MAX_CANDIDATES
    ]


def predicted(places: PlaceMap, origin: str | None, action: str | None) -> Coordinate | None:
    """Where one unit step from there would end."""
    step = actions.shift(actions.direction(action)) if action is not None else None
    start = places.place(origin).coordinate if origin is not None else None
    if step is None or start is None or start.frame != "steps":
        return None
    return Coordinate(at=tuple(a + b for a, b in zip(start.at, step, strict=True)))


def way(
    places: PlaceMap,
    candidate: str | None,
    sighting: Sighting,
    *,
    origin: str,
    action: str,
    expected: Coordinate | None,
    weights: Mapping[str, float] = WEIGHTS,
) -> Terms:
    """Evidence from how one got here. ``candidate`` None: a new place."""
    terms: Terms = {}
    heading = actions.direction(action)
    back = actions.OPPOSITE.get(heading) if heading else None
    known = places.last(origin, action)
    if known is not None:
        hit, miss = ("known", "known_not") if heading else ("known_act", "known_act_not")
        if candidate == known:
            terms[hit] = weights[hit]
        elif sighting.name is None or places.place(known).name == sighting.name:
            terms[miss] = weights[miss]
    if back:
        if candidate is not None:
            leads = places.last(candidate, back)
            if leads == origin:
                terms["back"] = weights["back"]
            elif leads is not None:
                terms["back_not"] = weights["back_not"]
        if known is None and not terms.keys() & {"back", "back_not"}:
            others = islice(places.sources(origin), _MAX_SOURCES)
            if any(
                step == back and source != candidate and places.place(source).name == sighting.name
                and places.last(source, back) == origin
                for source, step in others
            ):  # fmt: skip
                terms["back_other"] = weights["back_other"]
    if candidate is None:
        terms["new"] = weights["new"]
        namesakes = list(islice(places.named(sighting.name), 2)) if sighting.name is not None else []
        if len(namesakes) == 1 and sighting.first and places.place(namesakes[0]).first == sighting.first:
            terms["alias"] = weights["alias"]
        return terms
    place = places.place(candidate)
    if known is None and candidate != origin and not terms.keys() & {"back", "back_not"}:
        links = [step for source, step in islice(places.sources(origin), _MAX_SOURCES) if source == candidate]
        link = next((step for step in links if actions.direction(step) is None), None)
        if link is not None:
            terms["near" if link != action else "same_act"] = weights["near" if link != action else "same_act"]
    if heading and candidate == origin:
        terms["self"] = weights["self"]
    distance = expected.distance(place.coordinate) if expected is not None else None
    if distance is not None:
        terms["position"] = (
            weights["position"] if distance == 0 else max(weights["position_most"], weights["position_step"] * distance)
        )
    if back and place.text and not terms.keys() & {"back", "back_not"}:
        mentioned = re.search(rf"\b{back}", place.text) is not None
        terms["exit"] = weights["exit" if mentioned else "exit_not"]
    if place.first and _alike(places, place) >= _MAZE:
        for name in terms.keys() & {"back", "back_not", "back_other", "position", "exit"}:
            terms[name] *= weights["maze"]
    return terms


def looks(
    places: PlaceMap,
    candidate: str,
    sighting: Sighting,
    manner: Manner,
    *,
    vector: np.ndarray | None = None,
    began: int = 0,
    weights: Mapping[str, float] = WEIGHTS,
) -> Terms:
    """Evidence from what is seen: log P(text | a later visit) - log P(text | a place never seen).

    ``began``: first step of the episode. A world that describes a place once does so once in each episode.
    """
    place = places.place(candidate)
    terms: Terms = {}
    if vector is not None and place.vector is not None and len(vector) == len(place.vector):
        similarity = float(vector @ place.vector)
        terms["vector"] = weights["vector"] * max(-1.0, min(1.0, (similarity - 0.7) / 0.3))
    if sighting.name is None:
        if place.digests:
            seen = "looks" if sighting.digest in place.digests else "looks_not"
            terms[seen] = weights[seen]
        return terms
    if place.dark or sighting.dark or not (place.sentences or place.name):
        return terms
    verbosity = manner.verbosity if place.last_step >= began else 1.0
    if not sighting.sentences:
        terms["silent"] = weights["silent"] * (1 - verbosity) + 0.3
        return terms
    first, known = sighting.first, place.sentences
    shared = sum(len(sentence) for sentence in set(sighting.sentences) if sentence in known)
    if first in known and len(first) > 25:
        if first == place.first and len(first) > _SHORT_SENTENCE:
            share = min(1.0, max(0.0, (verbosity - 0.2) / 0.3))
            terms["words"] = weights["words_brief"] + (weights["words"] - weights["words_brief"]) * share
        else:
            terms["words"] = weights["words_short"]
        return terms
    if shared >= 0.5 * sighting.length:
        terms["words"] = weights["words_part"]
        return terms
    if len(first) > 30 and any(
        first in places.place(other).sentences
        for other in islice(places.named(sighting.name), MAX_CANDIDATES)
        if other != candidate
    ):
        terms["words"] = weights["words_other"]
        return terms
    strange = sighting.length - shared
    rate = 0.4 + 0.6 * max(verbosity, 0.4) if strange > 120 else 0.4
    terms["words"] = max(weights["strange"], -strange / 40 * rate)
    return terms


def _alike(places: PlaceMap, place: Place) -> int:
    return sum(
        1 for other in islice(places.starting(place.first), MAX_CANDIDATES) if places.places[other].name == place.name
    )
