"""Partial cues: an episode's text with words missing or misspelt, or some of its slots only. Pure and seeded.

The task: find the one episode that a cue was made from (P@1).
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from hippo_agent.types import SLOT_NAMES, Slots

__all__ = ["SlotCue", "keep_words", "misspell", "slot_cues"]

_WORD = re.compile(r"[^\W\d_]{4,}")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def keep_words(text: str, share: float, *, seed: int | str) -> str:
    """A random ``share`` of the words, at least one, in their order."""
    words = text.split()
    kept = max(1, round(share * len(words)))
    if kept >= len(words):
        return " ".join(words)
    return " ".join(words[i] for i in sorted(random.Random(f"keep:{seed}").sample(range(len(words)), kept)))


def misspell(text: str, *, seed: int | str) -> str:
    """One letter swapped, dropped, doubled or replaced in every word of four letters or more; never the first."""
    rng = random.Random(f"misspell:{seed}")
    return _WORD.sub(lambda match: _misspelt(match.group(), rng), text)


def _misspelt(word: str, rng: random.Random) -> str:
    i = rng.randrange(1, len(word) - 1)
    letter = word[i]
    other = rng.choice([c for c in _ALPHABET if c != letter.lower()])
    swapped = word[:i] + word[i + 1] + letter + word[i + 2 :]
    dropped = word[:i] + word[i + 1 :]
    doubled = word[:i] + letter + word[i:]
    replaced = word[:i] + other + word[i + 1 :]
    choices = [dropped, doubled, replaced] if swapped == word else [swapped, dropped, doubled, replaced]
    return rng.choice(choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotCue:
    """A cue that has some slots only, one value each (two of "what"), and the episode that alone holds them all."""

    slots: Slots
    answer: int  # index of the episode

    @property
    def text(self) -> str:
        """The slots' words in a row: what the pooled control embeds as one vector."""
        return " ".join(value for name in SLOT_NAMES for value in getattr(self.slots, name))

    @property
    def filled(self) -> str:
        """Names of the slots that it has, "who+when"."""
        return "+".join(name for name in SLOT_NAMES if getattr(self.slots, name))


def slot_cues(
    episodes: Sequence[Slots], *, seed: int = 0, per_episode: int = 1, sizes: Collection[int] = (2, 3)
) -> list[SlotCue]:
    """Cues of two or three slots that are unique to an episode as a combination.

    At most ``per_episode`` cues per episode, chosen at random; episodes without a unique combination give none.
    """
    holders = _holders(episodes)
    cues = []
    for answer, slots in enumerate(episodes):
        rng = random.Random(f"slots:{seed}:{answer}")
        unique = [cue for cue in _combinations(slots, sizes, rng) if _held_by(cue, holders) == {answer}]
        rng.shuffle(unique)
        cues += [SlotCue(slots=cue, answer=answer) for cue in unique[:per_episode]]
    return cues


def _combinations(slots: Slots, sizes: Collection[int], rng: random.Random) -> Iterator[Slots]:
    filled = [name for name in SLOT_NAMES if getattr(slots, name)]
    for size in sizes:
        for names in combinations(filled, size):
            chosen = {name: getattr(slots, name) for name in names}
            yield Slots(**{name: _some(values, 2 if name == "what" else 1, rng) for name, values in chosen.items()})


def _some(values: tuple[str, ...], count: int, rng: random.Random) -> tuple[str, ...]:
    return values if len(values) <= count else tuple(rng.sample(values, count))


def _holders(episodes: Sequence[Slots]) -> dict[tuple[str, str], set[int]]:
    """(slot name, value in lower case) -> the episodes that hold it."""
    holders: dict[tuple[str, str], set[int]] = {}
    for i, slots in enumerate(episodes):
        for name in SLOT_NAMES:
            for value in getattr(slots, name):
                holders.setdefault((name, value.casefold()), set()).add(i)
    return holders


def _held_by(cue: Slots, holders: dict[tuple[str, str], set[int]]) -> set[int]:
    """The episodes that hold every value of the cue."""
    return set.intersection(
        *(holders.get((name, value.casefold()), set()) for name in SLOT_NAMES for value in getattr(cue, name))
    )
