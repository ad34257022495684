"""Readers: three ways to let a `LocalModel` read what was recalled, with one interface.

    reader = PrefixReader(model)
    with reader.reading(memory.recall("where does Ada live?")):
        print(model.generate("Where does Ada live?"))

The recall travels by context variable: two threads never read each other's. Outside ``reading`` the model is as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hippo_agent.errors import ConfigError, ModelUnavailable, ReaderError
from hippo_agent.model.local import LocalModel
from hippo_agent.model.packing import MOST, Packed, PackedTrace, Recalled, pack
from hippo_agent.model.reader.config import FLOOR
from hippo_agent.model.states import StateCache

if TYPE_CHECKING:
    from hippo_agent.model.reader.model import TraceReader
    from hippo_agent.model.reader.prefix import TracePrefix

__all__ = ["READERS", "AdapterReader", "PrefixReader", "PromptReader", "Reader", "reader_named"]

READERS = ("prefix", "adapter", "prompt")
TINY_READER = Path(__file__).parent / "tiny" / "reader"
_SCALE = 30.0  # attention logits per unit of retrieval score

ToRead = Recalled | Packed | Iterable[PackedTrace] | None


class Reader(Protocol):
    """Lets a model read. ``name`` is the reader's in `READERS`."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> LocalModel: ...

    def reading(self, recalled: ToRead) -> Any:
        """A context manager that gives the `Packed` traces; inside, the model reads them. Nothing recalled: no change.

        Raises ReaderError where the reader could not be exact.
        """
        ...

    def close(self) -> None:
        """Take what the reader put on the model off it."""
        ...


class PromptReader:
    """The texts stand before the conversation, as (the end of) its system message. Works with every model.

    ``limit``: at most so many traces.
    """

    name = "prompt"

    def __init__(self, model: LocalModel, *, limit: int = MOST) -> None:
        self.model = model
        self._limit = limit

    @contextmanager
    def reading(self, recalled: ToRead) -> Iterator[Packed]:
        packed = pack(recalled, limit=self._limit, dated=not self.model.is_tiny)
        with self.model.telling("\n".join(trace.text for trace in packed.traces)):
            yield packed

    def close(self) -> None:
        """It puts nothing on the model."""


class PrefixReader:
    """Each trace is keys and values before the text, all at the same positions, weighted by score. Nothing is trained.

    Args:
        states: where the keys and values are kept; None: nowhere.
        scale: attention logits per unit of retrieval score; 0 turns the scores off.
        floor: a best score below it weakens all traces; 0 turns that off. The default is for cosines of the default
            embedder; `floor_of` says it for others.
        max_tokens: of a trace; the rest is cut. limit: at most so many traces.
    """

    name = "prefix"

    def __init__(
        self,
        model: LocalModel,
        *,
        states: StateCache | None = None,
        scale: float = _SCALE,
        floor: float = FLOOR,
        max_tokens: int = 256,
        limit: int = MOST,
    ) -> None:
        self.model = model
        self._states = states
        self._scale = scale
        self._floor = floor
        self._max_tokens = max_tokens
        self._limit = limit

    @cached_property
    def prefix(self) -> TracePrefix:
        """The machinery on the model itself, attached. Raises ReaderError where it cannot be exact."""
        from hippo_agent.model.reader.prefix import TracePrefix

        return TracePrefix(self.model.model, scale=self._scale, floor=self._floor, max_tokens=self._max_tokens).attach()

    @contextmanager
    def reading(self, recalled: ToRead) -> Iterator[Packed]:
        packed = pack(recalled, limit=self._limit, dated=not self.model.is_tiny)
        bank = self.prefix.banked(self.read(packed), scores=[trace.score for trace in packed.traces])
        with self.prefix.reading(bank):
            yield packed

    def read(self, packed: Packed) -> list[Any]:
        """Keys and values of each trace, from where they are kept or from the model."""

        def compute(places: Sequence[int]) -> list[dict[str, Any]]:
            with self.model.lock:
                found = self.prefix.encode([self.model.tokens(packed.traces[at].text) for at in places])
            return [
                {
                    f"{kind}{number}": part
                    for number, layer in enumerate(trace)
                    for kind, part in zip("kv", layer, strict=True)
                }
                for trace in found
            ]

        kept = _kept(self._states, self.model, f"prefix:{self._max_tokens}", packed, compute)
        layers = range(len(kept[0]) // 2) if kept else ()
        return [[(tensors[f"k{number}"], tensors[f"v{number}"]) for number in layers] for tensors in kept]

    def close(self) -> None:
        """Take the hook off the model."""
        if "prefix" in self.__dict__:
            self.prefix.detach()


class AdapterReader:
    """Trained cross-attention in the middle layers; see `hippo_agent.model.reader.model`.

    Args:
        folder: of the saved reader; None: the one that ships for hippo-tiny.
        trained: the reader itself instead of a folder. states, limit: as for `PrefixReader`.
        floor: as for `PrefixReader`; None: that of its own settings.

    Raises ReaderMismatch, ModelUnavailable: when it is first used.
    """

    name = "adapter"

    def __init__(
        self,
        model: LocalModel,
        folder: str | Path | None = None,
        *,
        trained: TraceReader | None = None,
        states: StateCache | None = None,
        floor: float | None = None,
        limit: int = MOST,
    ) -> None:
        self.model = model
        self._floor = floor
        self._folder = None if folder is None else Path(folder)
        self._trained = trained
        self._states = states
        self._limit = limit

    @cached_property
    def trained(self) -> TraceReader:
        """The trained reader, attached."""
        found = self._trained or self._loaded()
        for attention in found.attentions:
            attention.floor = attention.settings.floor if self._floor is None else self._floor
        return found.attach()

    def _loaded(self) -> TraceReader:
        from hippo_agent.model.reader.model import TraceReader

        folder = self._folder
        if folder is None:
            if not self.model.is_tiny:
                raise ModelUnavailable(
                    f"there is no trained reader for {self.model.name!r}: train one (hippo model train-reader), name "
                    "its folder, or use reader='prefix'"
                )
            folder = TINY_READER
        return TraceReader.load(folder, self.model.model)

    @contextmanager
    def reading(self, recalled: ToRead) -> Iterator[Packed]:
        packed = pack(recalled, limit=self._limit, dated=not self.model.is_tiny)
        bank = self.trained.banked(
            self.read(packed),
            sources=[trace.source for trace in packed.traces],
            scores=[trace.score for trace in packed.traces],
        )
        with self.trained.reading(bank):
            yield packed

    def read(self, packed: Packed) -> list[Any]:
        """States of each trace, from where they are kept or from the model."""

        def compute(places: Sequence[int]) -> list[dict[str, Any]]:
            with self.model.lock:
                found = self.trained.encode([self.model.tokens(packed.traces[at].text) for at in places])
            return [{"states": states} for states in found]

        config = self.trained.config
        key = f"adapter:{self.trained.placed}:{config.max_tokens}"
        return [tensors["states"] for tensors in _kept(self._states, self.model, key, packed, compute)]

    def close(self) -> None:
        """Take the hooks off the model."""
        if "trained" in self.__dict__:
            self.trained.detach()


def reader_named(name: str, model: LocalModel, *, states: StateCache | None = None, floor: float = FLOOR) -> Reader:
    """The reader of a name; "auto" is the prefix reader, or the prompt where the model does not allow it."""
    if name == "auto":
        prefix = PrefixReader(model, states=states, floor=floor)
        try:
            _ = prefix.prefix
        except ReaderError:
            return PromptReader(model)
        return prefix
    if name == "prefix":
        return PrefixReader(model, states=states, floor=floor)
    if name == "adapter":
        return AdapterReader(model, states=states, floor=floor)
    if name == "prompt":
        return PromptReader(model)
    raise ConfigError(f"there is no reader {name!r}; choose auto, {', '.join(READERS)}")


def _kept(states: StateCache | None, model: LocalModel, key: str, packed: Packed, compute: Any) -> list[dict[str, Any]]:
    """Tensors of each trace: from the cache, or computed."""
    if states is None:
        return list(compute(range(len(packed)))) if len(packed) else []
    device = model.model.device
    base = f"{model.fingerprint}:{model.model.dtype}:{key}"
    kept = states.many(packed.ids, [f"{base}:{trace.text}" for trace in packed.traces], compute)
    return [{name: tensor.to(device) for name, tensor in tensors.items()} for tensors in kept]
