"""The tagging head: which words are predicates, and for one predicate, which words are its subject and its object.

Shapes: b sentences (or predicates), n words, f features of a word, d = 192 inside. A Transformer of two layers reads
the
sentence once for each predicate, told where it stands. About 0.92 M parameters; frozen word states come in, no gradient
leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hippo_agent.errors import ModelUnavailable

__all__ = ["OBJECT", "OUTSIDE", "PREDICATE", "SUBJECT", "TaggingHead", "load_heads"]

OUTSIDE, PREDICATE, SUBJECT, OBJECT = range(4)
_REACH = 32  # words to either side of the predicate that are told apart by distance


class TaggingHead(nn.Module):
    """``inside`` makes word states small, once a sentence; ``predicates`` and ``forward`` (the tags) start from it."""

    def __init__(self, features: int = 1152, d: int = 192, layers: int = 2) -> None:
        super().__init__()
        self.inp = nn.Linear(features, d)
        self.ln = nn.LayerNorm(d)
        self.drop = nn.Dropout(0.3)
        self.pred = nn.Sequential(nn.Linear(d * 3, d // 2), nn.GELU(), nn.Dropout(0.2), nn.Linear(d // 2, 1))
        self.pos = nn.Embedding(2 * _REACH + 1, d)
        self.hp = nn.Linear(d, d)
        layer = nn.TransformerEncoderLayer(
            d, 4, 2 * d, dropout=0.2, batch_first=True, activation="gelu", norm_first=True
        )
        self.enc = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.out = nn.Linear(d, 4)

    def inside(self, states: Tensor) -> Tensor:
        """[b, n, f] -> [b, n, d]."""
        small: Tensor = self.ln(self.inp(states))
        return small

    def predicates(self, inside: Tensor) -> Tensor:
        """[b, n, d] -> [b, n] logits: how likely each word is the head of a predicate, seen with its neighbours."""
        dropped = self.drop(inside)
        before = nn.functional.pad(dropped, (0, 0, 1, 0))[:, :-1]
        after = nn.functional.pad(dropped, (0, 0, 0, 1))[:, 1:]
        logits: Tensor = self.pred(torch.cat([dropped, before, after], dim=-1))
        return logits[..., 0]

    def forward(self, inside: Tensor, heads: Tensor, mask: Tensor) -> Tensor:
        """Logits of the tags, given one predicate a row.

        inside [b, n, d], heads [b] positions, mask [b, n] True for words -> [b, n, 4].
        """
        dropped = self.drop(inside)
        places = torch.arange(inside.shape[1], device=inside.device)
        distance = (places[None] - heads[:, None]).clamp(-_REACH, _REACH) + _REACH
        told = dropped + self.pos(distance) + self.hp(dropped[torch.arange(len(heads)), heads])[:, None]
        tags: Tensor = self.out(self.enc(told, src_key_padding_mask=~mask))
        return tags


def load_heads(path: Path) -> list[TaggingHead]:
    """The heads of a safetensors file, named ``0.inp.weight``, ``1.inp.weight``, ...; ready to read, not to train."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: Mapping[str, Any] = load_file(str(path))
    except (OSError, SafetensorError) as exc:
        raise ModelUnavailable(f"{path.name!r} is no safetensors file ({exc}); reinstall hippo-agent") from exc
    heads = []
    for number in sorted({name.partition(".")[0] for name in tensors}, key=int):
        head = TaggingHead()
        own = {name.partition(".")[2]: t.float() for name, t in tensors.items() if name.startswith(f"{number}.")}
        try:
            head.load_state_dict(own)
        except RuntimeError as exc:
            raise ModelUnavailable(f"{path.name!r} holds weights of another head: {exc}") from exc
        heads.append(head.eval())
    return heads
