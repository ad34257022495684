"""The trained reader: trace attention in a few layers of a frozen base, put in by forward hooks.

    reader = TraceReader(model, ReaderConfig())          # an untrained one changes nothing
    reader.attach()
    bank = reader.bank([tokenizer(text).input_ids for text in texts], scores=[0.71, 0.64])
    with reader.reading(bank):
        model.generate(...)

The bank travels by context variable: outside ``reading`` the hooks do nothing, and two threads never see each other's.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hippo_agent.errors import ModelUnavailable, ReaderError, ReaderMismatch
from hippo_agent.model.architecture import attention_of, decoder_of, fingerprint, is_alone, layers_of, read_alone
from hippo_agent.model.reader.config import SOURCES, ReaderConfig
from hippo_agent.model.reader.layer import Remembered, Rotary, TraceAttention

__all__ = ["CARD_FILE", "WEIGHTS_FILE", "StateBank", "TraceReader"]

WEIGHTS_FILE = "hippo_reader.safetensors"
CARD_FILE = "hippo_reader.json"
_VERSION = 1
_BATCH = 64  # traces encoded at once


@dataclass(frozen=True, slots=True)
class StateBank:
    """States of j traces, n in all, in the order of the traces.

    Attributes:
        states: [layers, n, d], what the self-attention of each layer with a reader saw. lengths: [j] states of a trace.
        sources: [j], rows of `SOURCES`. scores: [b or 1, j] retrieval scores, higher is better.
        visible: [b or 1, j]; False hides a trace from that text of the batch, as if it had not been recalled.
    """

    states: Tensor
    lengths: tuple[int, ...]
    sources: Tensor
    scores: Tensor
    visible: Tensor

    def seen_by(self, scores: Tensor, visible: Tensor) -> StateBank:
        """The same traces with scores and visibility of their own for each text of a batch, both [b, j]."""
        return StateBank(self.states, self.lengths, self.sources, scores, visible)


class TraceReader(nn.Module):
    """``attentions``: a `TraceAttention` for each layer of ``placed``. The base is no part of its parameters."""

    def __init__(self, model: Any, config: ReaderConfig | None = None, *, blank: bool = False) -> None:
        super().__init__()
        self.config = config or ReaderConfig()
        self.placed = self.config.placed(len(layers_of(model)))
        self.attentions = [TraceAttention(attention_of(model, at), self.config, blank=blank) for at in self.placed]
        self.layers = nn.ModuleList(self.attentions)
        self._base = [model]  # in a list, so that it is not registered as a part
        self._hooks: list[Any] = []
        self._rotaries: dict[int, list[Rotary]] = {}
        self._current: ContextVar[list[Remembered] | None] = ContextVar("bank", default=None)
        self.eval()

    # Reading

    def attach(self) -> TraceReader:
        """Put the hooks in; once, however often it is called."""
        if not self._hooks:
            for number, at in enumerate(self.placed):
                block = attention_of(self._base[0], at)
                self._hooks.append(block.register_forward_hook(self._hook(number), with_kwargs=True))
        return self

    def detach(self) -> None:
        """Take the hooks out."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    @contextmanager
    def reading(self, bank: StateBank | None) -> Iterator[None]:
        """Inside, the base reads the traces of the bank; None or an empty bank leaves it exactly as it is."""
        if bank is not None and not self._hooks:
            raise ReaderError("this reader is not attached to its base; call attach() first")
        remembered = None if bank is None or not bank.lengths else self.remember(bank)
        token = self._current.set(remembered)
        try:
            yield
        finally:
            self._current.reset(token)

    def remember(self, bank: StateBank) -> list[Remembered]:
        """Keys, values and biases of a bank, one for each layer with a reader."""
        if self.config.pooling == "mean":
            bank = _pooled(bank)
        device = self.attentions[0].gate.device
        lengths = torch.tensor(bank.lengths, device=device)
        owner = torch.repeat_interleave(torch.arange(len(lengths), device=device), lengths)
        ends = lengths.cumsum(0)[owner]
        back = ends - torch.arange(len(owner), device=device)  # 1 for the last state of a trace
        out = []
        rotaries = self._rotary(max(bank.lengths))
        for attention, states, (cos, sin) in zip(self.attentions, bank.states, rotaries, strict=True):
            at = cos.shape[1] - back
            out.append(
                attention.remember(
                    states.to(device),
                    (cos[:, at], sin[:, at]),
                    owner,
                    bank.sources.to(device),
                    bank.scores.to(device),
                    bank.visible.to(device),
                )
            )
        return out

    def _hook(self, number: int) -> Any:
        def hook(block: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
            remembered = self._current.get()
            if remembered is None or is_alone():
                return None
            hidden = args[0] if args else kwargs["hidden_states"]
            read = self.attentions[number](hidden, remembered[number], kwargs)
            if isinstance(output, tuple):
                return (output[0] + read, *output[1:])
            return output + read

        return hook

    # States of traces

    def bank(
        self,
        tokens: Sequence[Sequence[int]],
        *,
        sources: Sequence[str] | None = None,
        scores: Sequence[float] | Tensor | None = None,
        visible: Tensor | None = None,
    ) -> StateBank:
        """The bank of traces given by their token ids; what is past ``config.max_tokens`` is cut.

        Args:
            sources: of `SOURCES`, one a trace; default: all episodic. scores: [j], or [b, j] for a batch; default: 0.
            visible: bool [b, j]; default: all.
        """
        return self.banked(self.encode(tokens), sources=sources, scores=scores, visible=visible)

    def banked(
        self,
        states: Sequence[Tensor],
        *,
        sources: Sequence[str] | None = None,
        scores: Sequence[float] | Tensor | None = None,
        visible: Tensor | None = None,
    ) -> StateBank:
        """The bank of traces whose states, [layers, length, d] each, are known already."""
        count = len(states)
        rows = torch.as_tensor([0.0] * count if scores is None else scores, dtype=torch.float32)
        rows = rows[None] if rows.ndim == 1 else rows
        seen = torch.ones_like(rows, dtype=torch.bool) if visible is None else visible
        if rows.shape[1] != count or seen.shape[1] != count or len(sources or states) != count:
            raise ReaderError(f"{count} traces need {count} scores, sources and marks of visibility")
        if not torch.isfinite(rows).all():
            raise ReaderError("a retrieval score is not a finite number; check where the scores come from")
        return StateBank(
            torch.cat(list(states), dim=1) if count else torch.zeros(len(self.placed), 0, 0),
            tuple(one.shape[1] for one in states),
            torch.tensor([SOURCES.index(source) for source in sources or ["episodic"] * count], dtype=torch.long),
            rows,
            seen,
        )

    def encode(self, tokens: Sequence[Sequence[int]]) -> list[Tensor]:
        """States [layers, length, d] of each trace, read alone by the base with every adapter off.

        Raises ReaderError when a trace has no token, or when a state is not finite.
        """
        cut = [list(one)[: self.config.max_tokens] for one in tokens]
        if not all(cut):
            raise ReaderError("a trace without any token cannot be read; leave it out")
        out: list[Tensor] = []
        for start in range(0, len(cut), _BATCH):
            batch = cut[start : start + _BATCH]
            longest = max(map(len, batch))
            ids = torch.tensor([[0] * (longest - len(one)) + one for one in batch])
            mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in batch])
            seen = self._seen(ids, mask)
            states = torch.stack([arguments["hidden_states"] for arguments in seen])  # [layers, b, t, d]
            if not torch.isfinite(states[:, mask.bool().to(states.device)]).all():
                raise ReaderError("the base gave states that are not finite; check its weights and its precision")
            out += [states[:, row, longest - len(one) :].clone() for row, one in enumerate(batch)]
        return out

    def _rotary(self, longest: int) -> list[Rotary]:
        """For each layer with a reader: the rotations of the positions -longest..-1, as the base makes them."""
        size = 1 << max(longest - 1, 0).bit_length()
        if size not in self._rotaries:
            ids = torch.zeros(1, size, dtype=torch.long)
            seen = self._seen(ids, torch.ones_like(ids))
            self._rotaries[size] = [arguments["position_embeddings"] for arguments in seen]
        return self._rotaries[size]

    def _seen(self, ids: Tensor, mask: Tensor) -> list[dict[str, Any]]:
        """The arguments that each self-attention block with a reader gets; the last real token is at position -1."""
        base, seen = self._base[0], [dict[str, Any]() for _ in self.placed]

        def keep(number: int) -> Any:
            def hook(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
                seen[number].update(kwargs if not args else {**kwargs, "hidden_states": args[0]})

            return hook

        blocks = [attention_of(base, at) for at in self.placed]
        hooks = [block.register_forward_pre_hook(keep(n), with_kwargs=True) for n, block in enumerate(blocks)]
        device = next(base.parameters()).device
        positions = torch.arange(-ids.shape[1], 0)[None].expand(ids.shape)
        try:
            with read_alone(base):
                decoder_of(base)(
                    input_ids=ids.to(device),
                    attention_mask=mask.to(device),
                    position_ids=positions.to(device),
                    use_cache=False,
                )
        finally:
            for hook in hooks:
                hook.remove()
        if not all("position_embeddings" in arguments for arguments in seen):
            raise ReaderError(f"{type(blocks[0]).__name__} does not rotate by position; use reader='prompt'")
        return seen

    # On disk

    def save(self, folder: str | Path, *, about: Mapping[str, Any] | None = None) -> None:
        """Write `WEIGHTS_FILE`, then `CARD_FILE` with its digest; each appears whole or not at all.

        ``about``: JSON values that the card keeps: seed, data, figures.
        """
        from safetensors.torch import save

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        weights = save({name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()})
        card = {
            "version": _VERSION,
            "base": fingerprint(self._base[0]),
            "sha256": hashlib.sha256(weights).hexdigest(),
            "config": self.config.model_copy(update={"layers": self.placed}).model_dump(mode="json"),
            "about": dict(about or {}),
        }
        _replace(folder / WEIGHTS_FILE, weights)
        _replace(folder / CARD_FILE, (json.dumps(card, indent=2) + "\n").encode())

    @classmethod
    def load(cls, folder: str | Path, model: Any) -> TraceReader:
        """The reader of a folder, on the base that it was trained for; not attached yet.

        Raises:
            ModelUnavailable: a file is missing, damaged or half written.
            ReaderMismatch: it was trained for another base.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        folder = Path(folder)
        try:
            card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
            weights = (folder / WEIGHTS_FILE).read_bytes()
            config = ReaderConfig.model_validate(card["config"])
            version, base, digest = card["version"], card["base"], card["sha256"]
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise ModelUnavailable(f"{str(folder)!r} holds no whole reader ({exc}); train or copy it again") from exc
        if version != _VERSION:
            raise ModelUnavailable(f"{str(folder)!r} holds a reader of format {version!r}; upgrade hippo-agent")
        if hashlib.sha256(weights).hexdigest() != digest:
            raise ModelUnavailable(f"{WEIGHTS_FILE} in {str(folder)!r} is not the file of its card; copy both again")
        here = fingerprint(model)
        if base != here:
            raise ReaderMismatch(
                f"the reader in {str(folder)!r} was trained for the base {base!r}, but this one is {here!r}: load that "
                "base, train a reader for this one (hippo model train-reader), or use reader='prefix'"
            )
        reader = cls(model, config, blank=True)
        try:
            reader.load_state_dict(load(weights))
        except (SafetensorError, RuntimeError) as exc:
            raise ModelUnavailable(f"{WEIGHTS_FILE} in {str(folder)!r} holds weights of another form: {exc}") from exc
        if not all(torch.isfinite(tensor).all() for tensor in reader.state_dict().values()):
            raise ModelUnavailable(f"{WEIGHTS_FILE} in {str(folder)!r} holds numbers that are not finite; train again")
        return reader


def _pooled(bank: StateBank) -> StateBank:
    """The mean of each trace's states in place of the states."""
    parts = torch.split(bank.states, list(bank.lengths), dim=1)
    means = [part.mean(dim=1, keepdim=True) for part in parts]
    return StateBank(torch.cat(means, dim=1), (1,) * len(means), bank.sources, bank.scores, bank.visible)


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
