"""What `Memory.write` and `Memory.recall` call: an event or a cue to slots and slot codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hippo_agent.episodic.codes import Codes
from hippo_agent.episodic.slots import Rarity
from hippo_agent.types import Cue, Event, Slots


@dataclass(frozen=True, slots=True, kw_only=True)
class CueCode:
    """A cue's slots (given ones first, then those found in its text), their code int8[256] and mask bool[4]."""

    slots: Slots
    code: Codes
    mask: NDArray[np.bool_]


class EpisodeEncoder:
    """Stateless but for the optional word statistics. Needs no vector: runs before or beside the embedding."""

    def __init__(self, *, rarity: Rarity | None = None) -> None:
        self.rarity = rarity

    def encode(self, event: Event) -> tuple[Slots, bytes]:
        """Slots and 256 code bytes of an event; slots given by the caller win, slot by slot."""
        raise NotImplementedError

    def encode_cue(self, cue: Cue) -> CueCode:
        """Slots, code and mask of a cue."""
        raise NotImplementedError
