"""`HippoChatModel`: the local model as a LangChain chat model, which may read a memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field, PrivateAttr

from hippo_agent import Memory
from hippo_agent.model.local import LocalModel
from hippo_agent.sharing import shared
from langchain_hippo.convert import text_of

__all__ = ["HippoChatModel"]


class HippoChatModel(BaseChatModel):
    """A local Hugging Face decoder. With ``memory`` it answers the last message from what that brings back.

        HippoChatModel("hippo-tiny")
        HippoChatModel("Qwen/Qwen3-0.6B", memory="agent-memory", reader="prefix")

    It calls no tools. A memory-reading answer names the traces that it rests on in ``response_metadata``.
    """

    model_name: str = Field(default="hippo-tiny", alias="model")
    max_tokens: int = Field(default=256, ge=1)
    temperature: float = Field(default=0.0, ge=0.0)
    stop_sequences: list[str] | None = Field(default=None, alias="stop")
    reader: str = "auto"  # how traces are read: prefix, adapter, prompt or auto
    k: int = Field(default=8, ge=1)
    namespace: tuple[str, ...] | None = None

    model_config = ConfigDict(populate_by_name=True)

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
        where = (namespace,) if isinstance(namespace, str) else namespace
        own = model if isinstance(model, LocalModel) else LocalModel(model)
        fields: dict[str, Any] = {"model": own.name, "namespace": None if where is None else tuple(where), **settings}
        super().__init__(**fields)
        self._model = own
        self._memory = None if memory is None else shared(memory)

    @property
    def _llm_type(self) -> str:
        return "hippo"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = "hippo"
        params["ls_model_name"] = str(kwargs.get("model", self.model_name))
        return params

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        prompt = _prompt(messages)
        told: dict[str, Any] = {"model_name": self.model_name}
        if self._memory is None:
            text = self._model.generate(prompt, **self._settings(kwargs), **self._stopping(stop or self.stop_sequences))
        else:
            answer = self._memory.ask(
                _question(messages), reader=self.reader, model=self._model, k=self.k, namespace=self.namespace
            )
            text = answer.text
            told |= {"cited": list(answer.cited), "abstained": answer.abstained, "reader": answer.reader}
        text = _until(text, stop or self.stop_sequences)
        message = AIMessage(text, response_metadata=told, usage_metadata=self._usage(prompt, text))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        stops = stop or self.stop_sequences
        if self._memory is not None or stops:  # what may have to be taken back is not streamed
            [whole] = self._generate(messages, stop, run_manager, **kwargs).generations
            said = whole.message
            assert isinstance(said, AIMessage)
            yield ChatGenerationChunk(
                message=AIMessageChunk(
                    content=said.content, response_metadata=said.response_metadata, usage_metadata=said.usage_metadata
                )
            )
            return
        prompt = _prompt(messages)
        text = ""
        for piece in self._model.stream(prompt, **self._settings(kwargs)):
            text += piece
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if run_manager is not None:
                run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk
        last = AIMessageChunk(
            content="",
            response_metadata={"model_name": self.model_name},
            usage_metadata=self._usage(prompt, text),
            chunk_position="last",
        )
        yield ChatGenerationChunk(message=last)

    def _settings(self, given: dict[str, Any]) -> dict[str, Any]:
        options = {key: value for key, value in given.items() if key in ("seed", "top_p", "top_k", "num_beams")}
        limit = given.get("max_tokens", given.get("max_new_tokens", self.max_tokens))
        return {"max_new_tokens": limit, "temperature": given.get("temperature", self.temperature), **options}

    def _stopping(self, stops: Sequence[str] | None) -> dict[str, Any]:
        return {"stop_strings": list(stops), "tokenizer": self._model.tokenizer} if stops else {}

    def _usage(self, prompt: list[dict[str, str]], text: str) -> UsageMetadata:
        asked, said = self._model.count(self._model.written(prompt)), self._model.count(text)
        return UsageMetadata(input_tokens=asked, output_tokens=said, total_tokens=asked + said)


def _prompt(messages: Sequence[BaseMessage]) -> list[dict[str, str]]:
    """Messages with role and content; what a tool said is told by the user."""
    roles = {SystemMessage: "system", HumanMessage: "user", AIMessage: "assistant"}
    out = []
    for message in messages:
        role = next((role for kind, role in roles.items() if isinstance(message, kind)), "user")
        out.append({"role": role, "content": text_of(message)})
    return out


def _question(messages: Sequence[BaseMessage]) -> str:
    return next((text for m in reversed(messages) if isinstance(m, HumanMessage) and (text := text_of(m))), "")


def _until(text: str, stops: Sequence[str] | None) -> str:
    return text[: min((at for stop in stops or () if (at := text.find(stop)) >= 0), default=len(text))]
