"""The gate: what a new version can do and what it lost, measured without memory; promote, weaken or reject.

A version that knows its lessons but lost too much of the base is tried at smaller scales, by bisection, and promoted at
the largest that loses little enough and still knows its lessons (after STABLE, arXiv 2510.16089).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hippo_agent.consolidation.config import GateLimits
from hippo_agent.consolidation.encode import Encoded
from hippo_agent.consolidation.guard import Abilities
from hippo_agent.consolidation.lora import scaled
from hippo_agent.consolidation.probe import continuations, exact, loss

__all__ = ["Examination", "Marks", "Verdict", "examine", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Everything that is asked at the gate. ``neighbours`` and ``canaries`` end with the base's own answers."""

    taught: Sequence[Encoded]
    paraphrase: Sequence[Encoded]
    form: Sequence[Encoded]
    earlier: Sequence[Encoded]  # questions of earlier nights
    with_memory: Sequence[Encoded]
    neighbours: Sequence[Encoded]  # the same questions about others
    canaries: Sequence[Encoded]  # questions whose answers were kept out of the replay
    abilities: Abilities
    pad: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Shares in [0, 1], and the loss in nats per token. None: nothing was asked."""

    taught: float | None
    paraphrase: float | None
    form: float | None
    earlier: float | None
    with_memory: float | None
    locality: float | None
    canaries: float | None
    loss: float
    in_context: float | None
    abstention: float | None

    def as_dict(self) -> dict[str, float | None]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate decided. ``scale`` is that of the LoRA that is promoted; ``reasons`` say what failed or passed."""

    promoted: bool
    scale: float
    before: Marks
    after: Marks
    reasons: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "promoted": self.promoted,
            "scale": self.scale,
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
            "reasons": list(self.reasons),
        }


def examine(model: Any, asked: Examination) -> Marks:
    """Ask everything once."""

    def share(texts: Sequence[Encoded]) -> float | None:
        return sum(exact(model, texts, asked.pad)) / len(texts) if texts else None

    return Marks(
        taught=share(asked.taught),
        paraphrase=share(asked.paraphrase),
        form=share(asked.form),
        earlier=share(asked.earlier),
        with_memory=share(asked.with_memory),
        locality=share(asked.neighbours),
        canaries=share(asked.canaries),
        loss=loss(model, asked.abilities.language, asked.pad),
        in_context=share(asked.abilities.in_context),
        abstention=share(asked.abilities.strangers),
    )


def judge(model: Any, asked: Examination, before: Marks, limits: GateLimits) -> Verdict:
    """Examine the model's LoRA, at smaller scales too when only the base's abilities suffer."""
    after = examine(model, asked)
    lessons, losses = _untaught(after, limits), _lost(before, after, limits, asked)
    if not limits.enabled:
        return Verdict(promoted=True, scale=1.0, before=before, after=after, reasons=("the gate is off",))
    if lessons:
        return Verdict(promoted=False, scale=1.0, before=before, after=after, reasons=(*lessons, *losses))
    if not losses:
        return Verdict(promoted=True, scale=1.0, before=before, after=after, reasons=("passed",))
    low, high = limits.least_scale, 1.0
    best: tuple[float, Marks] | None = None
    for _ in range(limits.halvings):
        middle = (low + high) / 2
        with scaled(model, middle):
            marks = examine(model, asked)
        if _lost(before, marks, limits, asked):
            high = middle
        else:
            low, best = middle, (middle, marks)
    if best is not None and not (missing := _untaught(best[1], limits)):
        reasons = (f"passed at {best[0]:.2f} of its strength", *losses)
        return Verdict(promoted=True, scale=best[0], before=before, after=best[1], reasons=reasons)
    if best is not None:
        losses = (*losses, *(f"at {best[0]:.2f} of its strength: {reason}" for reason in missing))
    return Verdict(promoted=False, scale=1.0, before=before, after=after, reasons=losses)


def _untaught(marks: Marks, limits: GateLimits) -> tuple[str, ...]:
    wanted = (
        ("taught", marks.taught, limits.taught),
        ("held-out form", marks.form, limits.taught),
        ("held-out paraphrase", marks.paraphrase, limits.paraphrase),
        ("earlier nights", marks.earlier, limits.taught),
    )
    return tuple(
        f"{what}: {value:.3f} is below {limit:.3f}"
        for what, value, limit in wanted
        if value is not None and value < limit
    )


def _lost(before: Marks, after: Marks, limits: GateLimits, asked: Examination) -> tuple[str, ...]:
    out: list[str] = []
    if after.loss > before.loss * limits.loss_ratio:
        out.append(f"language: loss {after.loss:.3f} is over {limits.loss_ratio:.3f} times {before.loss:.3f}")
    for what, value, count in (
        ("locality", after.locality, len(asked.neighbours)),
        ("canaries", after.canaries, len(asked.canaries)),
    ):
        if value is not None and _beyond(1.0 - value, 1.0 - limits.locality, count):
            out.append(f"{what}: {value:.3f} is below {limits.locality:.3f}")
    for what, was, now, drop, count in (
        (
            "reading in context",
            before.in_context,
            after.in_context,
            limits.in_context_drop,
            len(asked.abilities.in_context),
        ),
        ("answers with memory", before.with_memory, after.with_memory, limits.in_context_drop, len(asked.with_memory)),
        ("abstention", before.abstention, after.abstention, limits.abstention_drop, len(asked.abilities.strangers)),
    ):
        if was is not None and now is not None and _beyond(was - now, drop, count):
            out.append(f"{what}: {was:.3f} fell to {now:.3f}")
    return tuple(out)


def _beyond(lost: float, limit: float, count: int) -> bool:
    """Whether a share of ``count`` questions was lost that is more than the limit by over one standard error.

    The error is that of the paired difference when nothing was gained, sqrt(lost / count): with 200 questions a limit
    of 1.5 points is three of them, and one more would otherwise decide a night.
    """
    return lost > limit + math.sqrt(max(lost, 0.0) / max(1, count)) + 1e-9


def own_answers(model: Any, prompts: Sequence[Encoded], pad: int, end: int | None) -> list[Encoded]:
    """Questions with the model's own answers, for `Examination.neighbours` and ``canaries``."""
    return continuations(model, prompts, pad, end=end)
