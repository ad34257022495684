"""What `Memory.write` and `Memory.recall` call: an event or a cue to slots and slot codes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from hippo_agent.episodic.codes import Codes, Mask, slot_codes, slot_mask
from hippo_agent.episodic.slots import Rarity, extract
from hippo_agent.types import SLOT_NAMES, Cue, Event, Slots

__all__ = ["CueCode", "EpisodeEncoder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CueCode:
    """A cue's slots (given ones first, then those found in its text), their code int8[256] and mask bool[4]."""

    slots: Slots
    code: Codes
    mask: Mask


class EpisodeEncoder:
    """Needs no vector, so it runs before or beside the embedding; keeps no state but the statistics it was given."""

    def __init__(self, *, rarity: Rarity | None = None, known: Collection[str] = ()) -> None:
        self.rarity = rarity
        self.known = known  # lower-case names; may be a live set that grows with the speakers seen

    def encode(self, event: Event) -> tuple[Slots, bytes]:
        """Slots and the 256 code bytes of an event; slots given by the caller win, slot by slot."""
        found = extract(
            event.text, speaker=event.speaker, event_time=event.event_time, rarity=self.rarity, known=self.known
        )
        slots = _first_given(event.slots, found)
        return slots, slot_codes(slots, event_time=event.event_time)

    def encode_cue(self, cue: Cue) -> CueCode:
        """Slots, code and mask of a cue; relative times in its text are read only if ``asked_at`` is set."""
        found = extract(cue.text, event_time=cue.asked_at, rarity=self.rarity, known=self.known)
        slots = _first_given(cue.slots, found)
        code = np.frombuffer(slot_codes(slots), dtype=np.int8)
        return CueCode(slots=slots, code=code, mask=slot_mask(code))


def _first_given(given: Slots | None, found: Slots) -> Slots:
    """Per slot the given values, or else the found ones."""
    if given is None:
        return found
    return Slots(**{name: getattr(given, name) or getattr(found, name) for name in SLOT_NAMES})
