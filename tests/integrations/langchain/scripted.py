"""Chat models that follow a script and keep what they were shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field


class Scripted(BaseChatModel):
    """Says its lines in order, the last one for ever; an exception among them is raised."""

    lines: list[Any]
    shown: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def system(self) -> str:
        """The system message of the last call."""
        return "\n".join(m.text for m in self.shown[-1] if isinstance(m, SystemMessage))

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.shown.append(messages)
        line = self.lines[min(len(self.shown), len(self.lines)) - 1]
        if isinstance(line, BaseException):
            raise line
        message = AIMessage(line) if isinstance(line, str) else line.model_copy()
        return ChatResult(generations=[ChatGeneration(message=message)])
