"""`HippoMemory`: a LangChain agent that remembers. Recall goes in before each model call, what happened is kept after.

What is recalled goes into the system message of the one call, so nothing of it lands in the state or in a checkpoint.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from langchain.agents.middleware.types import (
    AgentMiddleware,
    ExtendedModelResponse,
    ModelRequest,
    ModelResponse,
    ToolCallRequest,
    TracePolicy,
    omit_payload,
)
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command

from hippo_agent import Cue, Event, Memory
from hippo_agent.context import check_stores, context_of
from hippo_agent.intake import clean_namespace, unit_interval
from hippo_agent.sharing import shared
from hippo_agent.types import Namespace
from langchain_hippo.convert import failure, text_of, to_events
from langchain_hippo.scope import NamespaceOf, Scope, resolver
from langchain_hippo.tools import hippo_tools

__all__ = ["HippoMemory"]

_log = logging.getLogger(__name__)
_KNOWN = 4096  # keys and runs remembered in this process; the record knows the rest
_lock = threading.Lock()
_VISIBLE = 200  # messages in view that are left out of recall


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """One model call: whose memory, what came in since the last answer, what is in view anyway."""

    scope: Scope
    fresh: tuple[Event, ...]
    visible: frozenset[str]  # keys of messages that the model sees in full
    cue: str


class HippoMemory(AgentMiddleware[Any, Any, Any]):
    """Middleware for `create_agent`: recall before the model, write after.

        agent = create_agent(model, tools, middleware=[HippoMemory("agent-memory")])
        agent.invoke({"messages": [...]}, context=User(user_id="ada"))

    Args:
        memory: a folder, or an open `Memory`.
        namespace: a fixed one, or a function of the runtime. The default appends ``user_id`` of the runtime's context
            to the memory's own namespace; a run without one sees only what belongs to no user.
        k, budget_tokens: at most so many traces, and so many tokens of the rendered block, before each model call.
        min_trust: traces below it are not shown to the model.
        stores: which of "episodic", "facts" and "places" speak before each model call; they share the budget. The map
            needs a fixed namespace, the memory's own. All of them are written to in any case.
        tools: True gives the model the tools of these stores as well (see `hippo_tools`), or a list of their names.
        name: tells two of them in one agent apart.

    A tool or a model that raises is recorded, and the error goes on. Messages are written once, by their ids. A memory
    that is read only is recalled from and not written to; that is logged once.
    """

    trace_policy = TracePolicy(process_inputs=omit_payload)  # memories are private: they stay out of traces

    def __init__(
        self,
        memory: Memory | str | Path = "agent-memory",
        *,
        namespace: NamespaceOf | Sequence[str] | str | None = None,
        k: int = 8,
        budget_tokens: int = 800,
        min_trust: float = 0.0,
        stores: Sequence[str] = ("episodic",),
        tools: bool | Sequence[str] = False,
        name: str = "HippoMemory",
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        super().__init__()
        self.memory = shared(memory)
        self.k = k
        self.budget_tokens = budget_tokens
        self.min_trust = min_trust
        fixed = None if namespace is None or callable(namespace) else clean_namespace(namespace)
        self.stores = check_stores(stores, self.memory, fixed)
        own: list[BaseTool] = []
        if tools:
            names = None if tools is True else tools
            own = hippo_tools(self.memory, namespace=namespace, stores=self.stores, names=names)
        self.tools = own
        self._name = name
        self._clock = clock
        self._scope_of = resolver(self.memory, namespace)
        if self.memory.read_only:
            _log.warning("%r is read only: the agent recalls from it, and nothing is written", str(self.memory.folder))
        self._own_tools = frozenset(tool.name for tool in own)
        self._written: OrderedDict[str, None] = OrderedDict()
        self._recalled: OrderedDict[tuple[Namespace, str | None], tuple[str, ...]] = OrderedDict()

    @property
    def name(self) -> str:
        """The middleware's name in the agent's graph."""
        return self._name

    # Hooks

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Recall, call, remember."""
        turn = self._turn(request)
        request = self._informed(request, turn)
        try:
            response = handler(request)
        except GraphBubbleUp:  # an interrupt is no failure
            raise
        except Exception as error:
            self._write([*turn.fresh, failure(error, turn.scope)])
            raise
        self._write([*turn.fresh, *self._answers(response, turn.scope)])
        return response

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """The same, off the event loop's thread."""
        turn = self._turn(request)
        request = await asyncio.to_thread(self._informed, request, turn)
        try:
            response = await handler(request)
        except GraphBubbleUp:
            raise
        except Exception as error:
            await asyncio.to_thread(self._write, [*turn.fresh, failure(error, turn.scope)])
            raise
        await asyncio.to_thread(self._write, [*turn.fresh, *self._answers(response, turn.scope)])
        return response

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """Call, remember; a tool that raises is remembered too."""
        scope = self._scope_of(request.runtime)
        try:
            result = handler(request)
        except GraphBubbleUp:
            raise
        except Exception as error:
            self._write([failure(error, scope, call=request.tool_call)])
            raise
        self._write(self._tool_events(result, request, scope))
        return result

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
    ) -> ToolMessage | Command[Any]:
        """The same, off the event loop's thread."""
        scope = self._scope_of(request.runtime)
        try:
            result = await handler(request)
        except GraphBubbleUp:
            raise
        except Exception as error:
            await asyncio.to_thread(self._write, [failure(error, scope, call=request.tool_call)])
            raise
        await asyncio.to_thread(self._write, self._tool_events(result, request, scope))
        return result

    # What the caller may do

    def record_outcome(
        self,
        reward: float,
        note: str = "",
        *,
        session: str | None = None,
        namespace: Sequence[str] | str | None = None,
    ) -> None:
        """Say how a run went, in [-1, 1]: kept as an event; after a good run what it recalled fades slower,
        and with "places" the walk ends there, as a success or not: habits are made of those that went well.

        Args:
            session: the run's ``thread_id``. namespace: where it worked; the memory's own one by default.
        """
        reward = unit_interval(reward, what="reward", low=-1.0)
        where = self.memory.namespace if namespace is None else clean_namespace(namespace)
        good = "well" if reward > 0 else "badly" if reward < 0 else "neither well nor badly"
        self.memory.write(
            f"This ended {good} (reward {reward:+g})" + (f": {note}" if note else "."),
            source="operator",
            session=session,
            kind="outcome",
            reward=reward,
            namespace=where,
        )
        used = self._recalled.get((where, session), ())
        if reward > 0 and used:
            self.memory.reinforce(used)
        if "places" in self.stores and reward and self.memory.places.current is not None:
            self.memory.places.finish(reward > 0)

    # Parts

    def _turn(self, request: ModelRequest[Any]) -> _Turn:
        scope = self._scope_of(request.runtime)
        messages = request.messages
        calls = {call["id"]: call for m in messages if isinstance(m, AIMessage) for call in m.tool_calls}
        last_answer = max((at for at, m in enumerate(messages) if isinstance(m, AIMessage)), default=-1)
        fresh: list[Event] = []
        visible: set[str] = set()
        for at, message in list(enumerate(messages))[-_VISIBLE:]:
            if self._is_own(message):
                continue
            call = calls.get(message.tool_call_id) if isinstance(message, ToolMessage) else None
            events = to_events(message, scope, call=call)
            visible.update(event.key for event in events if event.key is not None)
            if at > last_answer:
                fresh += events
        cue = next((text for m in reversed(messages) if isinstance(m, HumanMessage) and (text := text_of(m))), "")
        return _Turn(scope=scope, fresh=tuple(fresh), visible=frozenset(visible), cue=cue)

    def _informed(self, request: ModelRequest[Any], turn: _Turn) -> ModelRequest[Any]:
        """The request with what memory has to say in its system message."""
        scope = turn.scope
        cue = Cue(
            text=turn.cue,
            namespace=scope.namespace,
            exact_namespace=scope.exact,
            k=self.k,
            budget_tokens=self.budget_tokens,
            min_trust=self.min_trust,
            asked_at=self._clock(),
        )
        context = context_of(self.memory, cue, stores=self.stores, visible=turn.visible)
        _keep(self._recalled, (scope.namespace, scope.session), context.traces)
        if not context.text:
            return request
        return request.override(system_message=_appended(request.system_message, context.text))

    def _answers(self, response: Any, scope: Scope) -> list[Event]:
        """What the model said; a message without an id gets one, so that it is known again."""
        if isinstance(response, ExtendedModelResponse):
            response = response.model_response
        messages: Sequence[BaseMessage] = [response] if isinstance(response, AIMessage) else response.result
        for message in messages:
            if isinstance(message, AIMessage) and message.id is None:
                message.id = str(uuid.uuid4())
        return [event for m in messages if isinstance(m, AIMessage) for event in to_events(m, scope)]

    def _tool_events(self, result: Any, request: ToolCallRequest, scope: Scope) -> list[Event]:
        """What a tool answered; a Command may bring messages in its update."""
        messages: Sequence[Any] = [result]
        if isinstance(result, Command):
            update = result.update
            messages = update.get("messages", []) if isinstance(update, Mapping) else []
        return [
            event
            for message in messages
            if isinstance(message, ToolMessage) and not self._is_own(message)
            for event in to_events(message, scope, call=request.tool_call)
        ]

    def _is_own(self, message: AnyMessage) -> bool:
        return isinstance(message, ToolMessage) and message.name in self._own_tools

    def _write(self, events: Sequence[Event]) -> None:
        """Write what is new, in one go."""
        new = [event for event in events if event.key is None or _place(event) not in self._written]
        if not new or self.memory.read_only:
            return
        self.memory.write_many(new, progress=False)
        for event in new:
            if event.key is not None:
                _keep(self._written, _place(event), None)


def _place(event: Event) -> str:
    return "\x1f".join([*event.namespace, event.key or ""])


def _keep(known: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    with _lock:
        known[key] = value
        known.move_to_end(key)
        while len(known) > _KNOWN:
            known.popitem(last=False)


def _appended(message: SystemMessage | None, text: str) -> SystemMessage:
    """A copy of the system message with one more part."""
    if message is None or not message.content:
        return SystemMessage(content=text)
    if isinstance(message.content, str):
        return message.model_copy(update={"content": f"{message.content}\n\n{text}"})
    return message.model_copy(update={"content": [*message.content, {"type": "text", "text": text}]})
