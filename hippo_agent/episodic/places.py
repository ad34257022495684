"""Words for places: generic ones ("the library"), and those in place names ("Harbour Street", "Lake Ilmen")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hippo_agent.episodic.words import STOP, Token, base, word_set

__all__ = ["LEADING", "PLACE_NOUNS", "generic_places"]

#: Nouns that name a kind of place, alone ("at the library") or at the end of a name ("Corvin Library").
PLACE_NOUNS = word_set(
    """
    abbey academy airport alley apartment aquarium arena attic avenue backyard bakery balcony ballroom bank
    bar barn basement bay beach bedroom bookshop bookstore boulevard bridge building bureau cabin cafe café
    cafeteria campground campsite campus canal canyon canteen castle cathedral cave cellar cemetery center
    centre chapel church cinema city classroom clinic cliff club coast college community conservatory corridor
    cottage court courtyard creek department desert diner dock dorm downtown embassy factory falls farm ferry
    field fjord forest fort fountain gallery garage garden gardens gate gorge greenhouse gym hall hallway
    hangar harbor harbour headquarters heights highway hill hills hospital hostel hotel house hut inn
    institute island isle kindergarten kitchen lab laboratory lake lane lawn library lighthouse lobby lodge
    lounge mall mansion market marina meadow monastery mosque motel mountain mountains museum neighborhood
    neighbourhood nursery observatory office orchard palace park pantry park parlor pass patio peak pharmacy
    pier plaza pond pool port porch prison pub quarry quay railway ranch reef resort restaurant ridge river
    riverbank road rooftop room salon sanctuary school seaside shed shelter shop shore square stable stadium
    station store street studio suburb summit supermarket synagogue tavern temple terminal terrace theater
    theatre tower town tunnel university valley venue veranda villa village vineyard warehouse waterfall wharf
    winery woods workshop yard zoo
    """
)
#: First words of place names.
LEADING = word_set(
    """
    lake mount mt port fort san santa saint st new north south east west cape isle río rio upper lower camp point hotel
    café cafe villa castle university college museum institute academy bay
    """
)

_PREPOSITIONS = word_set(
    """
    in at to from near by inside outside on into through across behind towards toward around beside opposite
    past via off
    """
)
_DETERMINERS = word_set("the a an my our your his her their this that its")
_BARE = word_set("home work school church college university hospital prison camp town downtown")


def generic_places(words: Sequence[Token], taken: Sequence[bool]) -> Iterator[tuple[str, int, int]]:
    """Places without a name, with first and last word: "public library" for "at the public library"."""
    for i, word in enumerate(words):
        noun = base(word.low)
        if taken[i] or (noun not in PLACE_NOUNS and noun not in _BARE):
            continue
        if i and words[i - 1].low in _PREPOSITIONS and noun in _BARE:
            yield noun, i, i
            continue
        if noun not in PLACE_NOUNS or (
            i + 1 < len(words)
            and not taken[i + 1]
            and base(words[i + 1].low) in PLACE_NOUNS
            and words[i + 1].gap == " "
        ):
            continue  # "market square": the last noun carries the name
        first = i
        while (
            first
            and i - first < 3
            and words[first].gap in (" ", "-")
            and words[first - 1].low not in STOP
            and not taken[first - 1]
        ):
            first -= 1
        before = first - 1
        if before >= 0 and words[before].low in _DETERMINERS and before and words[before - 1].low in _PREPOSITIONS:
            yield " ".join([*(token.low for token in words[first:i]), noun]), first, i
