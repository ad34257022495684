"""One gated cross-attention from the states of a text to the states of traces, beside one self-attention block.

    out = self_attention(x) + tanh(gate) * attention(q(x), [null; k(m)], [0; v(m)], bias)

``x`` [b, t, d] is what the self-attention block of that layer sees, ``m`` [1, n, d] what the same block saw when each
trace was read alone, at the positions -length..-1: the text, from 0 on, follows every trace at once. q, k, v and the
output projection are a block of the base's own class that starts as a copy of the base's, so that whatever an
architecture does inside (fused projections, norms of q and k, grouped heads, partial rotation) is done here as well.
The gate starts at zero: an untrained reader changes nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hippo_agent.errors import ReaderError
from hippo_agent.model.architecture import cache_argument, own_weights
from hippo_agent.model.reader.config import SOURCES, ReaderConfig

__all__ = ["Remembered", "TraceAttention", "level"]

Rotary = tuple[Tensor, Tensor]  # cos, sin: [1, n, rotated]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a layer attends to: keys, values [1, kv heads, 1 + n, head], the null slot first; bias [b or 1, 1 + n].

    ``loudness`` [b or 1] in (0, 1] is a factor of what is read: below 1 where even the best score is under the floor.
    """

    keys: Tensor
    values: Tensor
    bias: Tensor
    loudness: Tensor


class _Taken(Exception):
    """Keys and values have been taken; the rest of the block need not run."""


class _Take:
    """Stands where a block expects its cache; takes the keys and values of its input."""

    keys: Tensor
    values: Tensor

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        self.keys, self.values = keys, values
        raise _Taken


class _Give:
    """Stands where a block expects its cache; gives the keys and values of the traces instead of the text's own."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self._keys, self._values = keys, values

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        rows = keys.shape[0]
        return self._keys.expand(rows, -1, -1, -1), self._values.expand(rows, -1, -1, -1)


class TraceAttention(nn.Module):
    """Reads beside ``attention``, the self-attention block of one layer of the base.

    ``blank``: its own weights will be loaded, so the base's need not be copied.
    """

    def __init__(self, attention: nn.Module, config: ReaderConfig, *, blank: bool = False) -> None:
        super().__init__()
        base: Any = attention.config
        self.settings = config
        self.floor = config.floor
        self.block = _twin(attention, config.init == "copy" and not blank)
        self._cache = cache_argument(self.block)
        width, heads = base.hidden_size, base.num_key_value_heads
        head = getattr(base, "head_dim", None) or width // base.num_attention_heads
        self.gate = nn.Parameter(torch.zeros(width))
        self.scale = nn.Parameter(torch.tensor(config.bias_scale))
        self.source = nn.Parameter(torch.zeros(len(SOURCES), width))
        self.source_bias = nn.Parameter(torch.zeros(len(SOURCES)))
        self.null_key = nn.Parameter(torch.zeros(heads, head))
        self.null_bias = nn.Parameter(torch.zeros(2))  # offset, and slope on the best retrieval score
        self.to(device=next(attention.parameters()).device)

    def remember(
        self, states: Tensor, rotary: Rotary, owner: Tensor, sources: Tensor, scores: Tensor, visible: Tensor
    ) -> Remembered:
        """Keys, values and biases of n states that belong to j traces.

        Args:
            states: [n, d]. rotary: of their positions. owner: [n], the trace that each state belongs to.
            sources: [j], rows of `SOURCES`. scores: [b or 1, j]. visible: [b or 1, j], False: not for this text.
        """
        states = states.to(self.gate.dtype)
        if self.settings.source_embedding:
            states = states + self.source[sources][owner]
        taken = _Take()
        with suppress(_Taken):
            self.block(
                hidden_states=states[None],
                position_embeddings=tuple(part.to(states.dtype) for part in rotary),
                attention_mask=None,
                **{self._cache: taken},
            )
        keys, values = taken.keys, taken.values
        best = level(scores, visible, 0.0)  # [b, 1]
        loudness = torch.ones_like(best[:, 0])
        bias = torch.zeros_like(scores)
        if self.settings.score_bias:
            bias = self.scale * (scores - best)
            under = level(scores, visible, self.floor) - best
            loudness = torch.exp(-self.settings.bias_scale * under)[:, 0]
        if self.settings.source_embedding:
            bias = bias + self.source_bias[sources]
        bias = bias.masked_fill(~visible, torch.finfo(bias.dtype).min)[:, owner]
        if self.settings.null_slot:
            null = self.null_key[None, :, None].to(keys.dtype)
            keys = torch.cat([null, keys], dim=2)
            values = torch.cat([torch.zeros_like(null), values], dim=2)
            bias = torch.cat([self.null_bias[0] + self.null_bias[1] * best, bias], dim=1)
        return Remembered(keys, values, bias, loudness)

    def forward(self, hidden: Tensor, memory: Remembered, arguments: Mapping[str, Any]) -> Tensor:
        """[b, t, d] -> [b, t, d], what is added to the block's output; ``arguments`` are those of the base's block."""
        rows, length, _ = hidden.shape
        bias = memory.bias
        if bias.shape[0] != 1 and bias.shape[0] != rows:  # beams, or several answers to each question
            if rows % bias.shape[0]:
                raise ReaderError(f"a batch of {rows} texts does not fit memories for {bias.shape[0]}; give one a text")
            bias = bias.repeat_interleave(rows // bias.shape[0], dim=0)
        kept = self.gate.dtype
        cos, sin = arguments["position_embeddings"]
        out = self.block(
            hidden_states=hidden.to(kept),
            position_embeddings=(cos.to(kept), sin.to(kept)),
            attention_mask=bias[:, None, None].expand(rows, 1, length, -1).to(memory.keys.dtype),
            **{self._cache: _Give(memory.keys, memory.values)},
        )[0]
        loudness = memory.loudness.repeat_interleave(rows // memory.loudness.shape[0])
        read: Tensor = torch.tanh(self.gate) * loudness[:, None, None].to(kept) * out
        return read.to(hidden.dtype)


def level(scores: Tensor, visible: Tensor, floor: float) -> Tensor:
    """[b, 1], what scores are counted from: the best that is visible, or the floor where that is higher.

    Scores that are all 0 were never given; they are counted from 0."""
    best = scores.masked_fill(~visible, -torch.inf).amax(dim=1, keepdim=True)
    given = (scores != 0).any(dim=1, keepdim=True)
    best = torch.where(given, best.clamp(min=floor), best) if floor else best
    return torch.where(torch.isfinite(best), best, torch.zeros_like(best))


def _twin(attention: nn.Module, copied: bool) -> nn.Module:
    """A block of the same class without the base's adapters and hooks; its attention takes a bias for every key."""
    base: Any = attention.config
    own = copy.copy(base)
    if own._attn_implementation not in ("eager", "sdpa"):
        own._attn_implementation = "sdpa"
    weights = own_weights(attention)
    made: Any = type(attention)
    try:
        twin: nn.Module = made(own, attention.layer_idx)
        for parameter in twin.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=base.initializer_range)
        if copied and not all(tensor.is_floating_point() for tensor in weights.values()):
            raise ReaderError("a reader cannot start from quantised weights; train it on the base in full precision")
        if copied:
            twin.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    except (TypeError, RuntimeError, AttributeError) as exc:
        if isinstance(exc, ReaderError):
            raise
        raise ReaderError(
            f"{made.__name__} cannot be copied for a trained reader ({exc}); use reader='prefix'"
        ) from exc
    return twin.float()
