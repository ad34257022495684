"""Traces as keys and values that lie before a text, side by side at the same positions, weighted by retrieval score.

Each trace is read alone, once, at the positions -length..-1, so that the text, from 0 on, follows every trace at once.
Its keys and values then stand before those of the text in every layer, and its retrieval score, times a factor, is
added to the attention that it gets. Nothing is trained. What cannot be done exactly is refused with a `ReaderError`.

    prefix = TracePrefix(model).attach()
    bank = prefix.bank([tokenizer(text).input_ids for text in texts], scores=[0.71, 0.64])
    with prefix.reading(bank):
        model.generate(...)

Parallel encoding and score as bias: Ratner et al. 2023 (parallel context windows); Wang et al. 2025 (KBLaM).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.masking_utils import create_masks_for_generate

from hippo_agent.errors import ReaderError
from hippo_agent.model.architecture import cache_argument, decoder_of, is_alone, read_alone
from hippo_agent.model.reader.config import FLOOR
from hippo_agent.model.reader.layer import level

__all__ = ["KeyValues", "PrefixBank", "TracePrefix"]

#: Keys and values of one trace, for each layer: [kv heads, length, head].
KeyValues = list[tuple[Tensor, Tensor]]

_BATCH = 64  # traces encoded at once
_WINDOWED = "sliding_attention"
_CACHES = ("cache", "past_key_values")  # what callers name a cache, now and before transformers 5.24
_KNOWN_LAYERS = {"full_attention", _WINDOWED}
_DONE_EXACTLY = ("eager", "sdpa")


@dataclass(frozen=True, slots=True, eq=False)
class PrefixBank:
    """Keys and values of j traces, n tokens in all, in the order of the traces.

    Attributes:
        layers: for each layer the keys and values, [1, kv heads, n, head].
        back: [n], how far before the text a token stands: 1 for the last of a trace. longest: the largest of them.
        bias: [b or 1, n], added to the attention logits of that token; minus infinity hides it.
    """

    layers: KeyValues
    back: Tensor
    bias: Tensor
    longest: int

    def __len__(self) -> int:
        return int(self.back.shape[0])


class _Cache(DynamicCache):  # type: ignore[misc]  # transformers has no types
    """The cache of a text that begins with a bank: lengths, beams and windows concern the text alone."""

    def __init__(self, bank: PrefixBank, config: Any, *, owner: TracePrefix, kept: bool) -> None:
        super().__init__(config=config)
        self.bank = bank
        self.owner = owner
        self.kept = kept  # False: for one forward pass of a model that keeps no cache

    def update(self, keys: Tensor, values: Tensor, layer: int, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        keys, values = super().update(keys, values, layer, *args, **kwargs)
        before, behind = self.bank.layers[layer]
        rows = keys.shape[0]
        return (
            torch.cat([before.expand(rows, -1, -1, -1), keys], dim=2),
            torch.cat([behind.expand(rows, -1, -1, -1), values], dim=2),
        )


class TracePrefix:
    """Puts banks before the texts of one model, by a hook on its decoder.

    Args:
        model: a Hugging Face causal LM, also under a `PeftModel`; traces are read with its LoRA off.
        scale: attention logits per unit of retrieval score; 0 turns the bias off.
        floor: a best score below it weakens all traces, so that a bank that has nothing to do with the text hardly
            moves it; 0 turns that off.
        max_tokens: of a trace; the rest is cut.

    Raises ReaderError: the architecture, or its way to compute attention, does not allow exact reading.
    """

    def __init__(self, model: Any, *, scale: float = 30.0, floor: float = FLOOR, max_tokens: int = 256) -> None:
        self._model = model
        self._decoder = decoder_of(model)
        self._config = self._decoder.config.get_text_config(decoder=True)
        self.scale = scale
        self.floor = floor
        self.max_tokens = max_tokens
        self._hook: Any = None
        self._current: ContextVar[PrefixBank | None] = ContextVar("bank", default=None)
        self._check_architecture()

    # Reading

    def attach(self) -> TracePrefix:
        """Put the hook in; once, however often it is called."""
        if self._hook is None:
            self._hook = self._decoder.register_forward_pre_hook(self._before, with_kwargs=True)
        return self

    def detach(self) -> None:
        """Take the hook out."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    @contextmanager
    def reading(self, bank: PrefixBank | None) -> Iterator[None]:
        """Inside, the model reads the bank; None or an empty bank leaves it exactly as it is."""
        if bank is not None and self._hook is None:
            raise ReaderError("this reader is not attached to its model; call attach() first")
        token = self._current.set(bank if bank is not None and len(bank) else None)
        try:
            yield
        finally:
            self._current.reset(token)

    # Banks

    def bank(
        self,
        tokens: Sequence[Sequence[int]],
        *,
        scores: Sequence[float] | Tensor | None = None,
        visible: Tensor | None = None,
    ) -> PrefixBank:
        """The bank of traces given by their token ids.

        Args:
            scores: [j], or [b, j] for a batch of texts; higher is better; default, and all 0: none were given.
            visible: bool [b, j]; False hides a trace from that text; default: all are seen.
        """
        return self.banked(self.encode(tokens), scores=scores, visible=visible)

    def banked(
        self,
        traces: Sequence[KeyValues],
        *,
        scores: Sequence[float] | Tensor | None = None,
        visible: Tensor | None = None,
    ) -> PrefixBank:
        """The bank of traces whose keys and values are known already."""
        count, device = len(traces), self._device
        rows = torch.as_tensor([0.0] * count if scores is None else scores, dtype=torch.float32, device=device)
        rows = rows[None] if rows.ndim == 1 else rows
        seen = torch.ones_like(rows, dtype=torch.bool) if visible is None else visible.to(device)
        if rows.shape[1] != count or seen.shape[1] != count:
            raise ReaderError(f"{count} traces need {count} scores and marks of visibility")
        if not torch.isfinite(rows).all():
            raise ReaderError("a retrieval score is not a finite number; check where the scores come from")
        if not count:
            return PrefixBank([], torch.zeros(0, dtype=torch.long), torch.zeros(1, 0), 0)
        lengths = torch.tensor([trace[0][0].shape[1] for trace in traces], device=device)
        owner = torch.repeat_interleave(torch.arange(count, device=device), lengths)
        back = lengths.cumsum(0)[owner] - torch.arange(len(owner), device=device)
        bias = (self.scale * (rows - level(rows, seen, self.floor))).masked_fill(~seen, -torch.inf)
        layers = [
            (
                torch.cat([trace[at][0] for trace in traces], dim=1)[None].to(device),
                torch.cat([trace[at][1] for trace in traces], dim=1)[None].to(device),
            )
            for at in range(len(traces[0]))
        ]
        return PrefixBank(layers, back, bias[:, owner], int(lengths.max()))

    def encode(self, tokens: Sequence[Sequence[int]]) -> list[KeyValues]:
        """Keys and values of each trace, read alone with every adapter off.

        Raises ReaderError when a trace has no token, or when a state is not finite.
        """
        cut = [list(one)[: self.max_tokens] for one in tokens]
        if not all(cut):
            raise ReaderError("a trace without any token cannot be read; leave it out")
        out: list[KeyValues] = []
        for start in range(0, len(cut), _BATCH):
            batch = cut[start : start + _BATCH]
            longest = max(map(len, batch))
            self._check_positions(longest, 0)
            ids = torch.tensor([[0] * (longest - len(one)) + one for one in batch], device=self._device)
            mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in batch], device=self._device)
            layers = self._read(ids, mask)
            for row, one in enumerate(batch):
                own = slice(longest - len(one), longest)
                out.append([(keys[row, :, own].clone(), values[row, :, own].clone()) for keys, values in layers])
        if not all(torch.isfinite(part).all() for trace in out for layer in trace for part in layer):
            raise ReaderError("the model gave keys or values that are not finite; check its weights and its precision")
        return out

    def _read(self, ids: Tensor, mask: Tensor) -> KeyValues:
        cache = DynamicCache()  # without the config: one made with it forgets what is out of a window
        positions = torch.arange(-ids.shape[1], 0, device=ids.device)[None].expand(ids.shape)
        with read_alone(self._model):
            given = {cache_argument(self._decoder): cache}
            self._decoder(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, **given)
        return [(layer.keys, layer.values) for layer in cache.layers]

    # The hook

    def _before(self, decoder: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if is_alone():
            return None
        bank, cache = (
            self._current.get(),
            next((kwargs[name] for name in _CACHES if kwargs.get(name) is not None), None),
        )
        if bank is None:
            mine = cache if isinstance(cache, _Cache) and cache.owner is self else None
            if mine is not None and mine.kept and mine.get_seq_length():
                raise ReaderError("this cache was filled while reading a bank; go on inside the same reading(...)")
            return None
        if args:
            raise ReaderError("give the decoder its arguments by name while reading")
        if decoder.training and getattr(decoder, "gradient_checkpointing", False):
            raise ReaderError("gradient checkpointing drops the cache that the bank lies in; turn it off")
        if self._config._attn_implementation not in _DONE_EXACTLY:
            self._check_architecture()  # it was changed after the start
        inputs = kwargs["input_ids"] if kwargs.get("inputs_embeds") is None else kwargs["inputs_embeds"]
        rows, length = inputs.shape[:2]
        use_cache = kwargs.get("use_cache")
        use_cache = self._config.use_cache if use_cache is None else use_cache
        cache = self._cache(cache, bank, bool(use_cache))
        past = int(cache.get_seq_length())
        mask = kwargs.get("attention_mask")
        if mask is None:
            mask = torch.ones(rows, past + length, dtype=torch.long, device=inputs.device)
        if isinstance(mask, dict) or mask.ndim != 2 or mask.shape[1] != past + length:
            raise ReaderError(
                "while reading, the attention mask has to be [batch, tokens] over the text alone, without the bank"
            )
        positions = kwargs.get("position_ids")
        if positions is None:
            positions = (mask.long().cumsum(-1) - 1).clamp(min=0)[:, -length:]
        if positions.ndim != 2:
            raise ReaderError("this model numbers positions in several dimensions; use reader='prompt'")
        positions = positions.expand(rows, -1)
        self._check_positions(bank.longest, int(positions.max()) + 1)
        for name in _CACHES:
            kwargs.pop(name, None)
        kwargs |= {
            cache_argument(decoder): cache,
            "position_ids": positions,
            "attention_mask": self._masks(bank, cache, mask, positions),
        }
        return args, kwargs

    def _cache(self, given: Any, bank: PrefixBank, kept: bool) -> _Cache:
        """The cache that the text goes into: the given one if it is of this reading, a new one for an empty one."""
        if isinstance(given, _Cache):
            if given.bank is not bank:
                raise ReaderError("this cache was filled while reading another bank; start with a new one")
            if kept and given.kept:
                return given
            if kept or given.kept:
                raise ReaderError("use_cache was changed in the middle of a text; start with a new cache")
        elif given is not None and (type(given) is not DynamicCache or given.get_seq_length()):
            raise ReaderError(
                f"a {type(given).__name__} cannot hold a bank, or was filled before; leave the cache and "
                "cache_implementation out"
            )
        return _Cache(bank, self._config, owner=self, kept=kept)

    def _masks(self, bank: PrefixBank, cache: _Cache, mask: Tensor, positions: Tensor) -> Any:
        """The masks that the model would make, with columns for the bank before them: one, or one a kind of layer."""
        rows, length = positions.shape
        dtype = self._model.dtype
        eager = copy.copy(self._config)
        eager._attn_implementation = "eager"  # numbers, not a shorthand: the bank's columns go before them
        like = torch.empty(rows, length, 1, dtype=dtype, device=mask.device)
        given = {cache_argument(create_masks_for_generate): cache}
        own = create_masks_for_generate(
            config=eager, inputs_embeds=like, attention_mask=mask, position_ids=positions, **given
        )
        lowest = torch.finfo(dtype).min
        bias = bank.bias
        if bias.shape[0] not in (1, rows):
            if rows % bias.shape[0]:
                raise ReaderError(f"a batch of {rows} texts does not fit banks for {bias.shape[0]}; give one a text")
            bias = bias.repeat_interleave(rows // bias.shape[0], dim=0)  # beams, or several answers to a question
        columns = bias[:, None, None].expand(rows, 1, length, -1).to(dtype).clamp(min=lowest)
        if not isinstance(own, dict):
            windowed = getattr(self._config, "sliding_window", None) is not None
            return torch.cat([self._windowed(columns, bank, positions) if windowed else columns, own], dim=-1)
        return {
            kind: torch.cat(
                [self._windowed(columns, bank, positions) if kind == _WINDOWED else columns, of_kind], dim=-1
            )
            for kind, of_kind in own.items()
        }

    def _windowed(self, columns: Tensor, bank: PrefixBank, positions: Tensor) -> Tensor:
        """The columns without what lies outside the window of a layer."""
        outside = positions[:, None, :, None] + bank.back >= self._config.sliding_window
        return columns.masked_fill(outside, torch.finfo(columns.dtype).min)

    # What is refused

    def _check_architecture(self) -> None:
        config, kind = self._config, type(self._decoder).__name__
        how = config._attn_implementation
        if how not in _DONE_EXACTLY:
            raise ReaderError(
                f"{kind} computes attention by {how!r}, which cannot weight single traces; load it with "
                "attn_implementation='sdpa' or 'eager'"
            )
        unknown = {str(layer) for layer in getattr(config, "layer_types", None) or ()} - _KNOWN_LAYERS
        if unknown or getattr(config, "attention_chunk_size", None):
            names = ", ".join(sorted(unknown)) or "chunked attention"
            raise ReaderError(f"{kind} has layers ({names}) that cannot read a bank; use reader='prompt'")
        if getattr(config, "rope_parameters", None) is None or getattr(config, "alibi", False):
            raise ReaderError(
                f"{kind} does not rotate by position, so traces have no place before a text; use 'prompt'"
            )

    def _check_positions(self, longest: int, end: int) -> None:
        """Long-rope turns from short to long factors by the length of the text, and would not see the bank."""
        rope = self._config.rope_parameters
        for one in rope.values() if all(isinstance(part, dict) for part in rope.values()) else [rope]:
            if one.get("rope_type") == "longrope":
                limit = one.get("original_max_position_embeddings") or self._config.original_max_position_embeddings
                if longest + end > limit:
                    raise ReaderError(
                        f"traces and text together pass {limit} positions; shorten them: fewer max_tokens"
                    )

    @property
    def _device(self) -> Any:
        return next(self._decoder.parameters()).device
