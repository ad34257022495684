"""`LocalModel`: a causal language model on this machine, by name, by folder, or the tiny one in the package.

model = LocalModel()                                     # hippo-tiny: offline, small, no chat model
model = LocalModel("Qwen/Qwen2.5-1.5B-Instruct")         # any Hugging Face decoder with safetensors
model.generate("Where does Ada live?")
Memory("agent-memory", token_surprise=model.surprise)    # its surprise sharpens the write gate
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_agent.errors import InvalidInput, TooLarge
from hippo_agent.intake import clean_text
from hippo_agent.model.architecture import decoder_of, fingerprint
from hippo_agent.model.dialogue import Message, messages_of, with_system, written
from hippo_agent.model.loading import HIPPO_TINY, Loaded, find, load, memory_guarded

__all__ = ["LocalModel"]

_BATCH = 16  # texts in one forward pass
_TURN = "\nUser:"  # where the plain form of a dialogue goes on


class LocalModel:
    """A Hugging Face decoder, loaded on first use; threads may share it, one of them computes at a time.

    Args:
        name: a model on the Hugging Face hub, a local folder, or "hippo-tiny", which is in the package.
        device: "cpu", "cuda", ...; None: a CUDA device when there is one.
        dtype: "float32", "bfloat16" or "float16"; None: bfloat16 on a GPU, else float32 when it fits.
        four_bit: weights in 4 bits (needs bitsandbytes and a CUDA device).
        adapter: folder of a LoRA adapter to put on it; never merged.
        attention: "sdpa", "eager", ...; None lets transformers choose.
        revision: of a model on the hub.
    """

    def __init__(
        self,
        name: str | Path = HIPPO_TINY,
        *,
        device: str | None = None,
        dtype: str | None = None,
        four_bit: bool = False,
        adapter: str | Path | None = None,
        attention: str | None = None,
        revision: str | None = None,
    ) -> None:
        self.name = str(name)
        self._device = device
        self._dtype = dtype
        self._four_bit = four_bit
        self.adapter = None if adapter is None else Path(adapter)
        self._attention = attention
        self._revision = revision
        self._loaded: Loaded | None = None
        self._fingerprint = ""
        self._told: ContextVar[str] = ContextVar("told", default="")
        self.lock = threading.RLock()  # held by whoever computes: an adapter that is off is off for all threads

    def under(self, adapter: Path) -> LocalModel:
        """The same base under a LoRA adapter, as a model of its own."""
        return LocalModel(
            self.name,
            device=self._device,
            dtype=self._dtype,
            four_bit=self._four_bit,
            adapter=adapter,
            attention=self._attention,
            revision=self._revision,
        )

    # What it is

    @property
    def id(self) -> str:
        """Name and fingerprint of the base weights, e.g. ``hippo-tiny@0f3a9c21d4e7``."""
        return f"{self.name if not Path(self.name).is_dir() else Path(self.name).name}@{self.fingerprint}"

    @property
    def fingerprint(self) -> str:
        """Names the base weights, whatever adapter is on them."""
        if not self._fingerprint:
            self._fingerprint = fingerprint(self.model)
        return self._fingerprint

    @property
    def is_tiny(self) -> bool:
        """Whether it is hippo-tiny, which knows one form of question and no instructions."""
        return bool(getattr(self.model.config, "hippo_tiny", False))

    @property
    def model(self) -> Any:
        """The Hugging Face model."""
        return self._load().model

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        return self._load().tokenizer

    @property
    def context(self) -> int:
        """Tokens that prompt and answer may have together."""
        config = decoder_of(self.model).config
        return int(getattr(config, "max_position_embeddings", 0) or min(self.tokenizer.model_max_length, 1 << 20))

    def describe(self) -> dict[str, Any]:
        """What is loaded, for a person: id, architecture, parameters, layers, width, context, device, dtype."""
        model = self.model
        config = decoder_of(model).config
        return {
            "id": self.id,
            "architecture": type(model).__name__,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "layers": config.num_hidden_layers,
            "width": config.hidden_size,
            "vocabulary": len(self.tokenizer),
            "context": self.context,
            "device": str(model.device),
            "dtype": str(model.dtype).removeprefix("torch."),
            "chat_template": self.tokenizer.chat_template is not None,
        }

    # Writing

    def generate(
        self,
        prompt: str | Sequence[Message],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int | None = None,
        raw: bool = False,
        **options: Any,
    ) -> str:
        """The model's answer to a message or a conversation.

        Args:
            prompt: the user's message, or messages with role and content.
            temperature: 0 takes the likeliest token each time; above it, tokens are drawn (by the seed).
            raw: the prompt is a text to go on with, not a message.
            options: handed on to transformers' ``generate``: num_beams, top_p, ...

        Raises:
            InvalidInput: nothing to answer. TooLarge: prompt and answer do not fit the context. OutOfMemory.
        """
        return self.generate_many(
            [prompt], max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, raw=raw, **options
        )[0]

    def generate_many(
        self,
        prompts: Sequence[str | Sequence[Message]],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int | None = None,
        raw: bool = False,
        **options: Any,
    ) -> list[str]:
        """`generate` for several prompts in one batch."""
        import torch

        if not prompts:
            return []
        inputs = self._inputs([self.written(prompt, raw=raw) for prompt in prompts], max_new_tokens, raw)
        settings = self._settings(max_new_tokens, temperature, options)
        with self.lock, memory_guarded("the prompt does not fit"), torch.random.fork_rng(enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            out = self.model.generate(**inputs, **settings)
        told = out[:, inputs["input_ids"].shape[1] :]
        return [self._ended(text) for text in self.tokenizer.batch_decode(told, skip_special_tokens=True)]

    def stream(
        self,
        prompt: str | Sequence[Message],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        raw: bool = False,
        **options: Any,
    ) -> Iterator[str]:
        """Pieces of the answer as they come; joined, they are what `generate` gives. Leaving early stops the model."""
        from transformers import StoppingCriteriaList, TextIteratorStreamer

        inputs = self._inputs([self.written(prompt, raw=raw)], max_new_tokens, raw)
        settings = self._settings(max_new_tokens, temperature, options)
        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        left, failed = threading.Event(), list[BaseException]()
        settings["stopping_criteria"] = StoppingCriteriaList([lambda ids, scores, **_: left.is_set()])

        def work() -> None:
            try:
                with self.lock, memory_guarded("the prompt does not fit"):
                    self.model.generate(**inputs, **settings, streamer=streamer)
            except BaseException as exc:
                failed.append(exc)
                streamer.end()

        thread = threading.Thread(target=copy_context().run, args=(work,), daemon=True)  # the context has the bank
        thread.start()
        try:
            yield from self._until_end(streamer)
        finally:
            left.set()
            thread.join()
        if failed:
            raise failed[0]

    def written(self, prompt: str | Sequence[Message], *, raw: bool = False) -> str:
        """The text that the model goes on with, with what it was `telling`."""
        if raw:
            text = clean_text(prompt, what="prompt") if isinstance(prompt, str) else ""
            if not text:
                raise InvalidInput("a raw prompt is a text with something in it")
            return text
        return written(self.tokenizer, with_system(messages_of(prompt), self._told.get()))

    @contextmanager
    def telling(self, text: str) -> Iterator[None]:
        """Inside, in this context, every conversation begins with this text as (the end of) its system message."""
        token = self._told.set(text)
        try:
            yield
        finally:
            self._told.reset(token)

    # Reading

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self.tokens(text))

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text without any special ones."""
        return list(self.tokenizer(clean_text(text), add_special_tokens=False)["input_ids"])

    def hidden_states(self, texts: Sequence[str], *, layer: int = -1) -> list[NDArray[np.float32]]:
        """[tokens, width] of each text after a layer: 0 is the embedding, -1 the last. Texts are cut to the context."""
        import torch

        rows = [self.tokens(text)[: self.context] for text in texts]
        out = [np.zeros((0, int(decoder_of(self.model).config.hidden_size)), dtype=np.float32) for _ in rows]
        for chosen, ids, mask in self._batches(rows):
            with self.lock, memory_guarded("the texts do not fit"), torch.inference_mode():
                states = decoder_of(self.model)(
                    input_ids=ids, attention_mask=mask, use_cache=False, output_hidden_states=True
                ).hidden_states[layer]
            for row, at in enumerate(chosen):
                out[at] = states[row, : len(rows[at])].float().cpu().numpy()
        return out

    def surprise(self, text: str) -> list[float]:
        """Negative log-likelihood of each token in nats. ``Memory(token_surprise=model.surprise)`` takes it."""
        return self.surprises([text])[0]

    def surprises(self, texts: Sequence[str]) -> list[list[float]]:
        """`surprise` of several texts in batches. A long text is read in windows that overlap by half."""
        import torch

        begin = self.tokenizer.bos_token_id
        begin = self.tokenizer.eos_token_id if begin is None else begin  # also stands before a new text
        size, step = self.context - 1, max(1, (self.context - 1) // 2)
        windows: list[tuple[int, int, list[int]]] = []  # text, tokens of the window already judged, begin + window
        found: list[list[float]] = [[] for _ in texts]
        for at, text in enumerate(texts):
            tokens, judged = self.tokens(text), 0
            while judged < len(tokens):
                start = 0 if judged == 0 else judged - (size - step)
                windows.append((at, judged - start, [begin, *tokens[start : start + size]]))
                judged = min(start + size, len(tokens))
        scores: list[list[float]] = [[] for _ in windows]
        for chosen, ids, mask in self._batches([window for _, _, window in windows]):
            with self.lock, memory_guarded("the texts do not fit"), torch.inference_mode():
                logits = self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
            nll = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none").cpu()
            for row, at in enumerate(chosen):
                scores[at] = nll[row, : len(windows[at][2]) - 1].tolist()
        for (at, known, _), score in zip(windows, scores, strict=True):
            found[at] += score[known:]
        return found

    def token_nll(self, text: str) -> list[tuple[int, float]]:
        """(start, NLL in nats) of each token, as `segment(text, token_nll=...)` takes it."""
        clean = clean_text(text)
        encoded = self.tokenizer(clean, add_special_tokens=False, return_offsets_mapping=True)
        starts = [int(start) for start, _ in encoded["offset_mapping"]]
        return list(zip(starts, self.surprise(clean), strict=True))

    # Inside

    def _load(self) -> Loaded:
        with self.lock:
            if self._loaded is None:
                self._loaded = load(
                    find(self.name, revision=self._revision),
                    device=self._device,
                    dtype=self._dtype,
                    four_bit=self._four_bit,
                    attention=self._attention,
                    adapter=self.adapter,
                )
            return self._loaded

    def _inputs(self, texts: Sequence[str], room: int, raw: bool) -> dict[str, Any]:
        special = raw or self.tokenizer.chat_template is None  # a template writes its own
        inputs = self.tokenizer(
            list(texts), add_special_tokens=special, padding=True, return_tensors="pt", verbose=False
        )
        length = inputs["input_ids"].shape[1]
        if length + room > self.context:
            raise TooLarge(
                f"the prompt has {length} tokens and the answer may have {room}, but {self.name!r} takes "
                f"{self.context} in all: recall less (budget_tokens), or ask for a shorter answer (max_new_tokens)"
            )
        return {name: inputs[name].to(self.model.device) for name in ("input_ids", "attention_mask")}

    def _settings(self, max_new_tokens: int, temperature: float, options: dict[str, Any]) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "max_new_tokens": max_new_tokens,
            "do_sample": temperature > 0,
            "pad_token_id": self.tokenizer.pad_token_id,
            **options,
        }
        if temperature > 0:
            settings["temperature"] = temperature
        else:  # else transformers warns of what the model's own settings say of sampling
            settings |= {"temperature": None, "top_p": None, "top_k": None}
        return settings

    def _until_end(self, pieces: Iterator[str]) -> Iterator[str]:
        """The pieces up to where `_ended` cuts, without white space at either end."""
        text, given = "", 0
        for piece in pieces:
            text += piece
            ended = self._ended(text)
            turned = len(ended) < len(text.strip())
            stable = ended if turned else ended[: max(0, len(ended) - len(_TURN))].rstrip()
            if len(stable) > given:
                yield stable[given:]
                given = len(stable)
        ended = self._ended(text)
        if len(ended) > given:
            yield ended[given:]

    def _ended(self, text: str) -> str:
        """The answer alone: without a template a model may go on to write the user's next turn."""
        if self.tokenizer.chat_template is None:
            text = text.split(_TURN, 1)[0]
        return text.strip()

    def _batches(self, rows: Sequence[Sequence[int]]) -> Iterator[tuple[list[int], Any, Any]]:
        """Rows of like length together: (their places, ids, mask), padded on the right, without empty ones."""
        import torch

        order = sorted((at for at, row in enumerate(rows) if row), key=lambda at: len(rows[at]))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            longest = max(len(rows[at]) for at in chosen)
            ids = torch.full((len(chosen), longest), self.tokenizer.pad_token_id)
            mask = torch.zeros_like(ids)
            for row, at in enumerate(chosen):
                ids[row, : len(rows[at])] = torch.tensor(rows[at])
                mask[row, : len(rows[at])] = 1
            yield chosen, ids.to(self.model.device), mask.to(self.model.device)
