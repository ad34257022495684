"""Names that nobody bears, made of syllables, so that a model can know them only from what it reads.

Every word belongs to one of three splits by its own checksum: a name of the test split has no word in common with any
name that was trained on.
"""

from __future__ import annotations

import random
import zlib
from typing import Literal

__all__ = ["CLOSED", "DIRECTIONS", "Kind", "Split", "invent", "look_alike", "split_of"]

Split = Literal["train", "validation", "test"]
Kind = str

_ONSETS = ("b", "br", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "st", "t", "th", "tr", "v", "z")
_VOWELS = ("a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ai", "ea")
_CODAS = ("", "", "", "", "", "", "l", "n", "r", "s", "m", "d")
_COMPANY = ("Works", "Labs", "Group", "Foods", "Motors", "Press", "Bank", "Air", "Studio", "Mills")
_PLACE = ("Bay", "Hill", "Port", "Falls", "Ford", "Square", "Bridge", "Park")

DIRECTIONS = ("north", "south", "east", "west", "up", "down", "in", "out")
#: Values that are common words, of which there are few.
CLOSED: dict[Kind, tuple[str, ...]] = {
    "profession": ("baker", "nurse", "pilot", "teacher", "lawyer", "painter", "farmer", "plumber", "judge", "tailor",
                   "dentist", "surgeon", "librarian", "carpenter", "journalist", "gardener", "chemist", "waiter"),
    "animal": ("cat", "dog", "parrot", "rabbit", "horse", "goat", "turtle", "snake", "hamster", "falcon", "donkey",
               "lizard", "duck", "pig", "fox", "mouse"),
    "colour": ("red", "blue", "green", "yellow", "purple", "white", "black", "brown", "pink", "grey", "silver",
               "golden", "turquoise", "crimson"),
    "dish": ("soup", "pizza", "rice", "pancakes", "curry", "noodles", "salad", "dumplings", "stew", "fish", "cheese",
             "bread", "lasagne", "sushi", "beans", "chocolate"),
    "instrument": ("piano", "violin", "flute", "drums", "guitar", "harp", "trumpet", "cello", "banjo", "clarinet"),
    "month": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
              "November", "December"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "product": ("lanterns", "shoes", "clocks", "boats", "carpets", "bottles", "engines", "toys", "tables", "knives",
                "mirrors", "bicycles", "umbrellas", "candles"),
    "spot": ("kitchen", "attic", "cellar", "garage", "library", "garden", "bedroom", "hall", "drawer", "cupboard",
             "office", "shed", "bathroom", "balcony", "safe"),
    "subject": ("law", "physics", "history", "music", "medicine", "biology", "chemistry", "geography", "painting",
                "philosophy", "botany", "economics"),
}  # fmt: skip
_THINGS = ("key", "lantern", "book", "map", "ring", "vase", "coat", "knife", "camera", "bicycle", "ladder",
           "clock", "piano", "boat", "mirror", "radio", "helmet", "suitcase", "flute", "painting", "laptop",
           "drill")  # fmt: skip
_ADJECTIVES = ("brass", "old", "red", "blue", "green", "wooden", "silver", "small", "large", "broken", "heavy",
               "round", "white", "black", "cracked", "painted", "rusty", "leather", "glass", "narrow")  # fmt: skip
_EVENTS = ("meeting", "concert", "class", "dinner", "market", "lecture", "parade", "exam", "picnic", "workshop")


def split_of(word: str) -> Split:
    """Where a word of a name belongs: 6 of 8 to training."""
    part = zlib.crc32(word.lower().encode()) % 8
    return "test" if part == 0 else "validation" if part == 1 else "train"


def invent(rng: random.Random, kind: Kind, split: Split) -> str:
    """A name or value of this kind; closed kinds and things are common words, alike in all splits."""
    if kind in CLOSED:
        return rng.choice(CLOSED[kind])
    if kind == "thing":
        return f"{rng.choice(_ADJECTIVES)} {rng.choice(_THINGS)}"
    if kind == "event":
        return f"{_word(rng, split)} {rng.choice(_EVENTS)}"
    if kind == "number":
        return str(rng.randint(10, 9999))
    if kind == "path":
        return ", ".join(rng.choices(DIRECTIONS[:4], k=rng.randint(2, 5)))
    word = _word(rng, split)
    if kind == "person":
        return word if rng.random() < 0.5 else f"{word} {_word(rng, split)}"
    if kind == "company":
        return f"{word} {rng.choice(_COMPANY)}" if rng.random() < 0.7 else word
    if kind == "place":
        return f"{word} {rng.choice(_PLACE)}" if rng.random() < 0.2 else word
    raise ValueError(f"no such kind of name: {kind!r}")


def look_alike(rng: random.Random, kind: Kind, name: str, split: Split) -> str:
    """Another name of the kind that shares a word or all but a syllable with this one."""
    words = name.split(" ")
    for _ in range(20):
        if kind == "thing":
            other = (
                f"{rng.choice(_ADJECTIVES)} {words[-1]}" if rng.random() < 0.5 else f"{words[0]} {rng.choice(_THINGS)}"
            )
        elif len(words) > 1 and rng.random() < 0.7:
            at = rng.randrange(2) if kind == "person" else 0
            other = " ".join(_word(rng, split) if index == at else word for index, word in enumerate(words))
        elif kind == "person" and rng.random() < 0.5:
            other = f"{words[0]} {_word(rng, split)}"
        else:
            other = " ".join([_changed(rng, words[0], split), *words[1:]])
        if other != name:
            return other
    return invent(rng, kind, split)


def _word(rng: random.Random, split: Split) -> str:
    while True:
        syllables = rng.choices((1, 2, 3), (2, 7, 1))[0]
        word = "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(syllables))
        if 3 <= len(word) <= 9 and split_of(word) == split:
            return word.capitalize()


def _changed(rng: random.Random, word: str, split: Split) -> str:
    """The word with another end, of the same split."""
    for _ in range(100):
        cut = rng.randint(2, max(2, len(word) - 1))
        other = word[:cut] + rng.choice(_VOWELS) + rng.choice(_CODAS)
        if other != word and len(other) >= 3 and split_of(other) == split:
            return other
    return _word(rng, split)
