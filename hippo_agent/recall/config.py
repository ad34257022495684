"""Weights and switches of recall. One named preset serves dialogues, documents and partial cues.

Chosen on conversations written for this project, confirmed on LoCoMo (docs/stores/episodic.md holds the ablation).
The scores are shares of what the cue asks for, not statistics of the pool, so a weight means the same in every bank.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from hippo_agent.errors import ConfigError

__all__ = ["PRESET", "RecallConfig"]

#: Name of the default weights below; change it when they change.
PRESET = "coverage-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallConfig:
    """Settings of one recall. A weight of 0 switches its mechanism off.

    The score of a trace is the share in [0, 1] of the cue's information that its words (and those around it) cover,
    plus weighted points for the rest.
    """

    meaning: float = 0.75  # x cosine of cue and text; speakers' names are left out of the embedded question
    meaning_of_fragment: float = 0.25  # the same for a cue that is no question: its very words count more
    alike: float = 1.0  # a word may be covered by one that is alike (cosine of word vectors)
    spelling: float = 0.8  # an unknown word counts this much as the known words one slip away
    before: float = 0.7  # a word of the question may be covered by the turn before, at this share
    after: float = 0.6  # ... by the turn after
    before_last: float = 0.6  # ... by the turn before the last
    date: float = 1.5  # x information of a date in the cue, covered by traces of that time
    particulars: float = 0.2  # x share of the cue's numbers and dates that the trace itself tells of
    neighbours: float = 0.25  # weight of each neighbour's points in the mean that replaces a trace's own
    session: float = 0.3  # x best coverage in the same session
    speaker: float = 0.15  # points when the question names the trace's speaker
    asks: float = -0.15  # points for a trace that is itself a question
    common: float = 0.1  # weight of function words in a question (in a fragment they count like all words)
    surface: float = 0.2  # share of a word's points that only the very same form earns, in a fragment
    order: float = 0.2  # x share of a fragment's words that come in the same order
    hopfield: float = 0.0  # inverse temperature of a completion step before "meaning"; 50 and more make sense
    sparse: float = 0.0  # x overlap of sparse keys
    place: float = 0.15  # points for what happened where the agent is, falling by e with each step; only with a map
    slots: float = 1.0  # x slot similarity, when the cue has slots

    dense: int = 50  # candidates by vector
    lexical: int = 100  # candidates by BM25
    dated: int = 25  # candidates of each kind out of the cue's time
    slotted: int = 25  # candidates by slots
    duplicates: bool = True  # leave out hits that say word for word the same as a better one

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool):
                continue
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ConfigError(f"RecallConfig.{field.name} must be a finite number, not {value!r}")
            if value < 0 and field.name != "asks":
                raise ConfigError(f"RecallConfig.{field.name} must be at least 0, not {value!r}; 0 switches it off")
        if self.dense + self.lexical < 1:
            raise ConfigError("RecallConfig needs candidates: dense and lexical must not both be 0")
