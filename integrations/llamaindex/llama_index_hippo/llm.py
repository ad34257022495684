"""`HippoLLM`: the local model as a LlamaIndex LLM, which may read a memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_index.core.base.llms.types import CompletionResponse, CompletionResponseGen, LLMMetadata
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.callbacks import llm_completion_callback

from hippo_agent import Memory
from hippo_agent.model.local import LocalModel
from hippo_agent.sharing import shared

__all__ = ["HippoLLM"]


class HippoLLM(CustomLLM):
    """A local Hugging Face decoder. With ``memory`` it answers from what the prompt brings back.

    HippoLLM(model="hippo-tiny")
    HippoLLM(model="Qwen/Qwen3-0.6B", memory="agent-memory", reader="prefix")

    It calls no functions: take another LLM for `FunctionAgent`.
    """

    max_new_tokens: int = Field(default=256, ge=1)
    temperature: float = Field(default=0.0, ge=0.0)
    reader: str = Field(default="auto", description="How traces are read: prefix, adapter, prompt or auto.")
    k: int = Field(default=8, ge=1, description="Traces read at most.")
    namespace: list[str] | None = Field(default=None, description="Whose memory; the memory's own by default.")

    _model: LocalModel = PrivateAttr()
    _memory: Memory | None = PrivateAttr(default=None)

    def __init__(
        self,
        model: LocalModel | str | Path = "hippo-tiny",
        *,
        memory: Memory | str | Path | None = None,
        namespace: Sequence[str] | str | None = None,
        **settings: Any,
    ) -> None:
        where = [namespace] if isinstance(namespace, str) else namespace
        super().__init__(namespace=None if where is None else list(where), **settings)
        self._model = model if isinstance(model, LocalModel) else LocalModel(model)
        self._memory = None if memory is None else shared(memory)

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised form."""
        return "HippoLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """The model's name and its context."""
        return LLMMetadata(
            context_window=self._model.context, num_output=self.max_new_tokens, model_name=self._model.name
        )

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """The answer to a prompt; with a memory, ``additional_kwargs`` name the traces that it rests on."""
        if self._memory is not None:
            answer = self._memory.ask(prompt, reader=self.reader, model=self._model, k=self.k, namespace=self.namespace)
            return CompletionResponse(
                text=answer.text, additional_kwargs={"cited": list(answer.cited), "abstained": answer.abstained}
            )
        return CompletionResponse(text=self._model.generate(prompt, **self._settings(kwargs)))

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """The answer piece by piece; with a memory, all at once."""

        def pieces() -> CompletionResponseGen:
            if self._memory is not None:
                whole = self.complete(prompt, formatted=formatted, **kwargs)
                yield whole.model_copy(update={"delta": whole.text})
                return
            text = ""
            for piece in self._model.stream(prompt, **self._settings(kwargs)):
                text += piece
                yield CompletionResponse(text=text, delta=piece)

        return pieces()

    def _settings(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"max_new_tokens": self.max_new_tokens, "temperature": self.temperature, **given}
