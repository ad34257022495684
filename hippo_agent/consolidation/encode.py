"""Renderings as token ids, with the weight that each token has in the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hippo_agent.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Batch", "Encoded", "collate", "encode"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """t tokens. ``weights[i]`` is that of predicting token i; ``start``: the first token of the answer."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    start: int

    @property
    def answer(self) -> tuple[int, ...]:
        return self.ids[self.start :]


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded: ids and mask int64[b, t], weights float32[b, t]."""

    ids: Tensor
    mask: Tensor
    weights: Tensor


def encode(
    tokenizer: Any, prompt: str, answer: str, *, closed: bool = True, context_weight: float = 0.0, whole: bool = False
) -> Encoded:
    """``prompt + answer`` in one go, so that both are cut as they are when the model is asked.

    ``closed`` adds the end-of-text token to the answer; ``whole``: every word counts as context.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"{type(tokenizer).__name__} gives no offsets of its tokens; use a model with a fast tokenizer"
        )
    text = prompt + (answer.lstrip() if prompt[-1:].isspace() else answer)
    opened = bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)  # chat templates write it themselves
    found = tokenizer(text, return_offsets_mapping=True, add_special_tokens=not opened)
    ids, offsets = list(found["input_ids"]), found["offset_mapping"]
    while ids and ids[-1] == tokenizer.eos_token_id:  # some tokenizers close every text
        ids.pop()
    start = next((at for at, (_, end) in enumerate(offsets[: len(ids)]) if end > len(prompt)), len(ids))
    if closed and tokenizer.eos_token_id is not None:
        ids.append(tokenizer.eos_token_id)
    weights = [context_weight if whole or at < start else 1.0 for at in range(len(ids))]
    return Encoded(tuple(ids), tuple(weights), max(start, 1))


def collate(texts: Sequence[Encoded], pad: int) -> Batch:
    """Texts of different lengths as one batch."""
    import torch

    longest = max(len(text.ids) for text in texts)
    ids = torch.full((len(texts), longest), pad, dtype=torch.int64)
    mask = torch.zeros((len(texts), longest), dtype=torch.int64)
    weights = torch.zeros((len(texts), longest), dtype=torch.float32)
    for row, text in enumerate(texts):
        length = len(text.ids)
        ids[row, :length] = torch.tensor(text.ids)
        mask[row, :length] = 1
        weights[row, :length] = torch.tensor(text.weights)
    return Batch(ids, mask, weights)
