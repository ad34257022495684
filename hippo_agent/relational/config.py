"""Settings of the relational store."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from hippo_agent.errors import ConfigError
from hippo_agent.relational.association import AssociationConfig
from hippo_agent.relational.promotion import PromotionConfig

__all__ = ["ExtractorKind", "RelationalConfig"]

ExtractorKind = Literal["auto", "tagger", "patterns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationalConfig:
    """How facts are read, and what they add to recall. A weight of 0 switches its mechanism off."""

    extractor: ExtractorKind = "auto"  # "auto": the tagger when the embedder is all-MiniLM-L6-v2, else patterns
    promotion: PromotionConfig = field(default_factory=PromotionConfig)
    claims: float = 0.3  # recall: x cosine of the cue and the nearest fact that a trace states, where facts are known
    links: float = 1.0  # recall: x points of association among texts with a heading
    association: AssociationConfig = field(default_factory=AssociationConfig)
    linked: int = 20_000  # texts with a heading that association takes on; with more of them it rests

    def __post_init__(self) -> None:
        if self.extractor not in get_args(ExtractorKind):
            raise ConfigError(
                f"RelationalConfig.extractor {self.extractor!r} is none of {', '.join(get_args(ExtractorKind))}"
            )
        for name in ("claims", "links", "linked"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise ConfigError(f"RelationalConfig.{name} must be a finite number >= 0, not {value!r}")
