"""How far a model in training has moved from its base, on the guard's texts: the divergence that a night holds down.

What the base says of each text is computed once, its likeliest tokens at every place. Documents and questions about
strangers are drawn and averaged apart: a document has fifty tokens for one of a question's, which would not be heard.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hippo_agent.consolidation.config import TrainingConfig
from hippo_agent.consolidation.encode import Encoded, collate
from hippo_agent.consolidation.probe import batches, logits_of

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["GuardTexts", "Guarding", "guards_for"]

_LIKELIEST = 32  # tokens at each place whose probabilities are held
_LEAST = 1e-6  # probability of all others
_USES = 4  # times that a text is drawn, about
_FEWEST, _MOST = 128, 4096  # texts of each kind


@dataclass(frozen=True, slots=True)
class GuardTexts:
    """Texts that must stay as the base has them; their weights say how much each token counts."""

    documents: Sequence[Encoded] = ()
    strangers: Sequence[Encoded] = ()  # questions about what was never told

    def __len__(self) -> int:
        return len(self.documents) + len(self.strangers)


def guards_for(steps: int, config: TrainingConfig) -> tuple[int, int]:
    """How many documents and questions a training of so many steps draws from: a longer one wants more."""
    documents, strangers = (
        min(_MOST, max(_FEWEST, steps * each // _USES)) if each else 0 for each in (config.guard, config.strangers)
    )
    return documents, strangers


class Guarding:
    """Draws the guard's texts of a step and measures the divergence on them."""

    def __init__(self, model: Any, texts: GuardTexts, config: TrainingConfig, pad: int, *, half: bool = False) -> None:
        self._pad = pad
        self._seed = config.seed
        self._pools = [
            _Pool(model, pool, each, weight, pad, half)
            for pool, each, weight in (
                (texts.documents, config.guard, config.guard_weight),
                (texts.strangers, config.strangers, config.stranger_weight),
            )
            if pool and each
        ]

    def __bool__(self) -> bool:
        return bool(self._pools)

    def divergence(self, model: Any, step: int) -> Tensor:
        """Weighted sum of the mean KL(base || model) per token of the texts that the step draws from each pool."""
        import torch

        rng = random.Random(f"{self._seed}/guard/{step}")
        return torch.stack([pool.divergence(model, rng) for pool in self._pools]).sum()


class _Pool:
    """Texts of one kind, in groups of about the same length: little of a batch is padding."""

    def __init__(self, model: Any, texts: Sequence[Encoded], each: int, weight: float, pad: int, half: bool) -> None:
        self._half = half
        ordered = sorted(range(len(texts)), key=lambda at: len(texts[at].ids))
        self._groups = [ordered[at : at + each] for at in range(0, len(ordered), each)]
        self._texts = texts
        self._weight = weight
        self._pad = pad
        self._said = self._ask(model)

    def divergence(self, model: Any, rng: random.Random) -> Tensor:
        """Over the base's likeliest tokens and all others as one, which is never more than over the vocabulary."""
        import torch
        from torch.nn import functional

        drawn = rng.choice(self._groups)
        packed = collate([self._texts[at] for at in drawn], self._pad)
        device = next(model.parameters()).device
        logits = model(input_ids=packed.ids.to(device), attention_mask=packed.mask.to(device), use_cache=False).logits
        places = [(row, place) for row, at in enumerate(drawn) for place in range(len(self._texts[at].ids) - 1)]
        rows, columns = (torch.tensor(one, device=device) for one in zip(*places, strict=True))
        found = functional.log_softmax(logits[rows, columns].float(), -1)  # [a, v]
        ids = torch.cat([self._said[at][0] for at in drawn]).to(device).long()
        base = torch.cat([self._said[at][1] for at in drawn]).to(device)  # [a, k]
        mine = found.gather(-1, ids)
        divergence = (base.exp() * (base - mine)).sum(-1)
        base_rest, my_rest = (1.0 - one.exp().sum(-1) for one in (base, mine))
        base_rest, my_rest = base_rest.clamp(min=_LEAST), my_rest.clamp(min=_LEAST)
        divergence = divergence + base_rest * (base_rest.log() - my_rest.log())
        share = packed.weights[:, 1:].to(device)[rows, columns]  # what predicts token i stands at place i - 1
        guarded: Tensor = self._weight * (divergence * share).sum() / share.sum()
        return guarded

    def _ask(self, model: Any) -> dict[int, tuple[Tensor, Tensor]]:
        import torch

        core = model.module if hasattr(model, "module") else model
        said: dict[int, tuple[Tensor, Tensor]] = {}
        device = next(core.parameters()).device.type
        with torch.no_grad(), core.disable_adapter(), torch.autocast(device, torch.bfloat16, enabled=self._half):
            for rows in batches(self._texts, core):
                packed = collate([self._texts[row] for row in rows], self._pad)
                log_probs = torch.log_softmax(logits_of(core, packed.ids, packed.mask).float(), -1)
                for place, row in enumerate(rows):
                    here = log_probs[place, : len(self._texts[row].ids) - 1]
                    top = here.topk(min(_LIKELIEST, here.shape[-1]), -1)
                    said[row] = (top.indices.int().cpu(), top.values.cpu())
        return said
