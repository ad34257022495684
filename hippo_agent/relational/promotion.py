"""Which claims enter the graph at once, which strengthen one that is there, and which wait. Nothing is dropped.

- *aggregate*: the claim is there already; this statement corroborates it.
- *route*: it fits the schema of its predicate and comes from a trusted source, or enough independent sources say it.
- *defer*: it stays with its episode, and is tested again when another statement arrives or at night.

One untrusted principal never promotes alone, however often it says something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hippo_agent.relational.schema import SchemaFit

__all__ = ["PromotionConfig", "PromotionDecision", "Support", "promote"]

PromotionDecision = Literal["route", "aggregate", "defer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionConfig:
    """When a claim is let in."""

    fit: float = 0.3  # schema fit that lets a claim from a trusted source in at once
    trust: float = 0.3  # from here on a source is trusted
    sources: int = 2  # independent sources that let in what does not fit, or what nobody trusted says
    confidence: float = 0.5  # of the extraction


@dataclass(frozen=True, slots=True)
class Support:
    """One statement of the claim: who vouches for it, how trusted, how surely extracted."""

    principal: str
    trust: float
    confidence: float


def promote(
    fit: SchemaFit, support: Sequence[Support], *, there: bool, config: PromotionConfig
) -> tuple[PromotionDecision, tuple[str, ...]]:
    """The decision about a claim with all that supports it, and the reasons."""
    if there:
        return "aggregate", (f"{len(support)} statement(s) say it now",)
    sure = [item for item in support if item.confidence >= config.confidence]
    trusted = {item.principal for item in sure if item.trust >= config.trust}
    independent = {item.principal for item in sure}
    if trusted and fit.score >= config.fit:
        return "route", (f"fits its schema by {fit.score:.2f}", *fit.reasons)
    if len(independent) >= config.sources:
        return "route", (f"{len(independent)} independent sources say it",)
    if not sure:
        return "defer", (f"extracted with less than {config.confidence:.2f} confidence",)
    if not trusted:
        return "defer", ("one source that is not trusted never promotes alone",)
    return "defer", (f"fits its schema by {fit.score:.2f}, {config.fit:.2f} is asked", *fit.reasons)
