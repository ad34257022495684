"""`HippoMemory` in agents: what the model is shown, what is written, and what never lands anywhere."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain.tools import tool
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolCall, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from hippo_agent import HashingEmbedder, Memory
from hippo_agent.context import MAX_PIECES
from hippo_agent.errors import InvalidInput, MemoryClosed, ReadOnlyMemory
from hippo_agent.recall.rendering import OPEN
from langchain_hippo import HippoMemory
from tests.integrations.langchain.scripted import Scripted


@dataclass
class User:
    user_id: str | None = None


def texts(memory: Memory) -> list[str]:
    return [trace.text for batch in memory._record.scan() for trace, _ in batch]


def kinds(memory: Memory) -> list[tuple[str, str]]:
    return [(trace.provenance.source, trace.kind) for batch in memory._record.scan() for trace, _ in batch]


def say(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


def call(name: str, call_id: str = "call-1", **arguments: Any) -> AIMessage:
    return AIMessage("", tool_calls=[ToolCall(name=name, args=arguments, id=call_id)])


@tool
def weather(city: str) -> str:
    """The weather."""
    return f"Hail over {city}."


@tool
def broken(city: str) -> str:
    """Fails."""
    raise RuntimeError("the barometer burst")


def test_an_agent_remembers_across_agents_and_memories(tmp_path: Path) -> None:
    for line, said in (("Noted.", "My parrot is called Quibble."), ("Quibble.", "What is my parrot called?")):
        with Memory(tmp_path, embedder=HashingEmbedder(quiet=True)) as memory:
            model = Scripted(lines=[line])
            create_agent(model, middleware=[HippoMemory(memory)]).invoke(say(said))
    assert "My parrot is called Quibble." in model.system
    assert model.system.startswith(OPEN)


def test_without_memory_the_same_prompt_knows_nothing(memory: Memory) -> None:
    memory.write("My parrot is called Quibble.", source="user")
    model = Scripted(lines=["?"])
    create_agent(model).invoke(say("What is my parrot called?"))
    assert not any("Quibble" in message.text for message in model.shown[-1])


def test_user_assistant_and_tool_messages_are_written_with_their_sources(memory: Memory) -> None:
    model = Scripted(lines=[call("weather", city="Ostrava"), "Take a helmet with you."])
    agent = create_agent(model, [weather], middleware=[HippoMemory(memory)])
    agent.invoke(say("How is the weather in Ostrava?"))
    assert texts(memory) == [
        "How is the weather in Ostrava?",
        'weather({"city": "Ostrava"}) returned: Hail over Ostrava.',
        "Take a helmet with you.",
    ]
    assert kinds(memory) == [("user", "message"), ("tool", "tool"), ("model", "message")]


def test_nothing_of_the_recall_lands_in_state_or_checkpoint(memory: Memory) -> None:
    memory.write("My parrot is called Quibble.", source="user")
    saver = InMemorySaver()
    model = Scripted(lines=["Hello."])
    agent = create_agent(model, system_prompt="Be kind.", middleware=[HippoMemory(memory)], checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "t1"}}
    agent.invoke(say("What is my parrot called?"), config)
    assert model.system.startswith("Be kind.\n\n" + OPEN)
    assert "Quibble" in model.system
    assert "Quibble" not in str(agent.get_state(config))
    assert all("Quibble" not in str(saved) for saved in saver.list(config))


def test_what_was_recalled_is_not_written_again(memory: Memory) -> None:
    memory.write("My parrot is called Quibble.", source="user")
    model = Scripted(lines=["Hello."])
    agent = create_agent(model, middleware=[HippoMemory(memory)])
    block = memory.recall("parrot").render()
    agent.invoke(say(f"{block}\nSo, what is my parrot called?"))
    assert texts(memory) == ["My parrot is called Quibble.", "So, what is my parrot called?"]


def test_a_thread_is_written_once_however_often_it_is_run_again(memory: Memory) -> None:
    agent = create_agent(
        Scripted(lines=["One.", "Two."]), middleware=[HippoMemory(memory)], checkpointer=InMemorySaver()
    )
    config: Any = {"configurable": {"thread_id": "t1"}}
    agent.invoke(say("The first question?"), config)
    agent.invoke(say("And a second one?"), config)
    history = list(agent.get_state_history(config))
    before_the_first_answer = next(s for s in history if s.next == ("model",) and len(s.values["messages"]) == 1)
    agent.invoke(None, before_the_first_answer.config)
    found = texts(memory)
    assert found.count("The first question?") == 1
    assert found.count("And a second one?") == 1


def test_what_the_model_sees_anyway_is_not_recalled(memory: Memory) -> None:
    model = Scripted(lines=["One.", "Two."])
    agent = create_agent(model, middleware=[HippoMemory(memory)], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "t1"}}
    agent.invoke(say("My parrot is called Quibble."), config)
    agent.invoke(say("What is my parrot called?"), config)
    assert "Quibble" not in model.system  # it is in the messages
    agent.invoke(say("What is my parrot called?"), {"configurable": {"thread_id": "t2"}})
    assert "Quibble" in model.system


def test_a_tool_that_raises_is_remembered_and_raised(memory: Memory) -> None:
    agent = create_agent(
        Scripted(lines=[call("broken", city="Ostrava"), "?"]), [broken], middleware=[HippoMemory(memory)]
    )
    with pytest.raises(RuntimeError, match="the barometer burst"):
        agent.invoke(say("How is the weather in Ostrava?"))
    assert texts(memory) == [
        "How is the weather in Ostrava?",
        'broken({"city": "Ostrava"}) failed: RuntimeError: the barometer burst',
    ]
    assert kinds(memory)[-1] == ("tool", "failure")


def test_a_model_that_raises_is_remembered_and_raised(memory: Memory) -> None:
    agent = create_agent(Scripted(lines=[TimeoutError("no answer")]), middleware=[HippoMemory(memory)])
    with pytest.raises(TimeoutError):
        agent.invoke(say("Are you there?"))
    assert texts(memory) == ["Are you there?", "the model failed: TimeoutError: no answer"]


def test_an_interrupt_is_no_failure(memory: Memory) -> None:
    @tool
    def ask(question: str) -> str:
        """Asks a person."""
        return str(interrupt(question))

    agent = create_agent(
        Scripted(lines=[call("ask", question="Sure?"), "Done."]),
        [ask],
        middleware=[HippoMemory(memory)],
        checkpointer=InMemorySaver(),
    )
    config: Any = {"configurable": {"thread_id": "t1"}}
    agent.invoke(say("Delete it all."), config)
    assert kinds(memory) == [("user", "message")]
    agent.invoke(Command(resume="no"), config)
    assert texts(memory)[1:] == ['ask({"question": "Sure?"}) returned: no', "Done."]


@pytest.mark.anyio
async def test_async_runs_do_the_same(memory: Memory) -> None:
    model = Scripted(lines=[call("weather", city="Ostrava"), "Take a helmet with you.", RuntimeError("later")])
    agent = create_agent(model, [weather], middleware=[HippoMemory(memory)])
    await agent.ainvoke(say("How is the weather in Ostrava?"))
    with pytest.raises(RuntimeError, match="later"):
        await agent.ainvoke(say("Where did it hail?"))
    assert "Hail over Ostrava." in model.system
    assert len(texts(memory)) == 5
    assert texts(memory)[-1] == "the model failed: RuntimeError: later"


def test_streamed_runs_do_the_same(memory: Memory) -> None:
    agent = create_agent(Scripted(lines=["It hails."]), middleware=[HippoMemory(memory)])
    list(agent.stream(say("How is the weather?"), stream_mode="updates"))
    assert texts(memory) == ["How is the weather?", "It hails."]


def test_users_never_see_each_other(memory: Memory) -> None:
    model = Scripted(lines=["Fine."])
    agent = create_agent(model, middleware=[HippoMemory(memory)], context_schema=User)
    agent.invoke(say("The door code is 1111."), context=User("ada@example.org"))
    agent.invoke(say("The door code is 2222."), context=User("bo"))
    agent.invoke(say("What is the door code?"), context=User("bo"))
    assert "2222" in model.system and "1111" not in model.system
    agent.invoke(say("What is the door code?"), context=User(None))
    assert "1111" not in model.system and "2222" not in model.system
    agent.invoke(say("What is the door code?"), context=User("ada@example.org"))
    assert "1111" in model.system and "2222" not in model.system
    assert {trace.namespace for batch in memory._record.scan() for trace, _ in batch} == {
        ("ada@example.org",),
        ("bo",),
        (),
    }


def test_the_namespace_may_be_fixed_or_a_function(memory: Memory) -> None:
    for namespace in ("team", lambda runtime: ("team", runtime.context.user_id)):
        agent = create_agent(
            Scripted(lines=["Fine."]), middleware=[HippoMemory(memory, namespace=namespace)], context_schema=User
        )
        agent.invoke(say(f"A note by {namespace if isinstance(namespace, str) else 'a function'}."), context=User("bo"))
    found = {trace.text: trace.namespace for trace in memory.recall("a note", k=9).traces}
    assert found["A note by team."] == ("team",)
    assert found["A note by a function."] == ("team", "bo")


@pytest.mark.parametrize("user", ["", "  ", ["ada"], True, 1.5])
def test_a_user_id_that_is_no_name_is_an_error(memory: Memory, user: Any) -> None:
    agent = create_agent(Scripted(lines=["Fine."]), middleware=[HippoMemory(memory)], context_schema=User)
    with pytest.raises(InvalidInput, match="user_id"):
        agent.invoke(say("Hello?"), context=User(user))
    assert texts(memory) == []


def test_the_block_keeps_to_k_and_to_the_budget(memory: Memory) -> None:
    for number in range(20):
        memory.write(f"Parcel {number} weighs {number * 37 + 5} grams.", source="user")
    model = Scripted(lines=["Fine."])
    create_agent(model, middleware=[HippoMemory(memory, k=3)]).invoke(say("What do the parcels weigh?"))
    assert model.system.count("grams") == 3
    create_agent(model, middleware=[HippoMemory(memory, budget_tokens=120)]).invoke(say("What do the parcels weigh?"))
    assert 1 <= model.system.count("grams") < 8


def test_traces_below_the_trust_are_not_shown(memory: Memory) -> None:
    memory.write("The parrot is called Mallory.", source="web")
    memory.write("The parrot is called Quibble, says Ada.", source="user")
    model = Scripted(lines=["Fine."])
    create_agent(model, middleware=[HippoMemory(memory, min_trust=0.5)]).invoke(say("What is the parrot called?"))
    assert "Quibble" in model.system and "Mallory" not in model.system


def test_a_system_message_of_blocks_stays_one(memory: Memory) -> None:
    memory.write("My parrot is called Quibble.", source="user")
    model = Scripted(lines=["Fine."])
    prompt = SystemMessage([{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}])
    create_agent(model, system_prompt=prompt, middleware=[HippoMemory(memory)]).invoke(say("What is my parrot called?"))
    [first, second] = model.shown[-1][0].content
    assert first == prompt.content[0]
    assert isinstance(second, dict) and "Quibble" in second["text"]


def test_long_messages_become_several_episodes_and_endless_ones_are_cut(memory: Memory) -> None:
    agent = create_agent(Scripted(lines=["Fine."]), middleware=[HippoMemory(memory)])
    agent.invoke(say(" ".join(f"The heron number {n} nests behind mill {n}." for n in range(100))))
    assert 3 <= len(texts(memory)) <= 6
    memory.forget(trace_id=[t.id for batch in memory._record.scan() for t, _ in batch])
    agent.invoke(say("The heron nests behind the mill again and again. " * 20_000))
    found = texts(memory)
    assert len(found) <= MAX_PIECES + 1
    assert any("more parts were left out" in text for text in found)


def test_messages_of_pictures_are_named(memory: Memory) -> None:
    agent = create_agent(Scripted(lines=["A goat."]), middleware=[HippoMemory(memory)])
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    agent.invoke({"messages": [HumanMessage([{"type": "text", "text": "What is this?"}, picture])]})
    assert texts(memory)[0] == "What is this?\n[image]"


def test_an_empty_message_is_neither_recalled_for_nor_written(memory: Memory) -> None:
    model = Scripted(lines=["The goat is in the garden again."])
    create_agent(model, middleware=[HippoMemory(memory)]).invoke(say("   "))
    assert texts(memory) == ["The goat is in the garden again."]


def test_an_outcome_is_kept_and_strengthens_what_was_recalled(memory: Memory) -> None:
    parrot = memory.write("My parrot is called Quibble.", source="user").id or ""
    hippo = HippoMemory(memory)
    agent = create_agent(Scripted(lines=["Quibble."]), middleware=[hippo], checkpointer=InMemorySaver())
    agent.invoke(say("What is my parrot called?"), {"configurable": {"thread_id": "t1"}})
    before = memory.get(parrot).strength
    hippo.record_outcome(-1.0, "wrong", session="t1")
    assert memory.get(parrot).strength == before
    hippo.record_outcome(1.0, "she was content", session="t1")
    assert memory.get(parrot).strength > before
    [good] = [t for t in memory.recall("how did it end?", kinds=("outcome",)).traces if t.reward > 0]
    assert good.text == "This ended well (reward +1): she was content"
    assert good.provenance.source == "operator"
    with pytest.raises(InvalidInput, match="reward"):
        hippo.record_outcome(2.0)


def test_two_of_them_work_in_one_agent(memory: Memory, tmp_path: Path) -> None:
    with Memory(tmp_path / "team", embedder=HashingEmbedder(quiet=True)) as team:
        team.write("The team meets on Tuesdays.", source="user")
        model = Scripted(lines=["Fine."])
        both = [HippoMemory(memory), HippoMemory(team, name="TeamMemory")]
        create_agent(model, middleware=both).invoke(say("When does the team meet?"))
        assert "Tuesdays" in model.system
        assert texts(memory) == ["When does the team meet?"]  # "Fine." is no experience


def test_tool_answers_of_other_middleware_are_written_once(memory: Memory) -> None:
    class Refuse(AgentMiddleware[Any, Any]):
        def wrap_tool_call(self, request: Any, handler: Any) -> ToolMessage:
            return ToolMessage("Not allowed.", tool_call_id=request.tool_call["id"], status="error")

    for order in (lambda h: [h, Refuse()], lambda h: [Refuse(), h]):
        agent = create_agent(
            Scripted(lines=[call("weather", city="Ostrava"), "Sorry."]),
            [weather],
            middleware=order(HippoMemory(memory)),
        )
        agent.invoke(say("How is the weather in Ostrava?"))
    assert texts(memory).count('weather({"city": "Ostrava"}) failed: Not allowed.') == 1


def test_a_closed_memory_says_so(memory: Memory) -> None:
    agent = create_agent(Scripted(lines=["Fine."]), middleware=[HippoMemory(memory)])
    memory.close()
    with pytest.raises(MemoryClosed, match="open it again"):
        agent.invoke(say("Hello?"))


def test_one_memory_serves_one_event_loop_after_the_other(memory: Memory) -> None:
    agent = create_agent(Scripted(lines=["Fine."]), middleware=[HippoMemory(memory)])
    for number in range(3):
        asyncio.run(agent.ainvoke(say(f"Question number {number}?")))
    assert [text for text in texts(memory) if text.startswith("Question")] == [
        f"Question number {n}?" for n in range(3)
    ]


@pytest.mark.anyio
async def test_a_cancelled_run_leaves_the_memory_whole(memory: Memory) -> None:
    agent = create_agent(Scripted(lines=["Fine."]), middleware=[HippoMemory(memory)])
    for number in range(8):
        task = asyncio.create_task(agent.ainvoke(say(f"Question number {number}?")))
        await asyncio.sleep(0.002 * number)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await agent.ainvoke(say("Are you well?"))
    assert memory.verify().clean
    assert "Are you well?" in texts(memory)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_read_only_memory_is_recalled_from_and_not_written_to(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, asynchronous: bool
) -> None:
    """Nothing of a run is lost to it: the agent answers, also when a tool raises."""
    with Memory(tmp_path, embedder=HashingEmbedder(quiet=True)) as memory:
        memory.write("My parrot is called Quibble.", source="user")
    with Memory(tmp_path, embedder=HashingEmbedder(quiet=True), read_only=True) as memory:
        model = Scripted(lines=[call("broken", city="Oslo")])
        middleware = HippoMemory(memory)
        agent = create_agent(model, [broken], middleware=[middleware])
        with pytest.raises(RuntimeError, match="barometer"):
            if asynchronous:
                asyncio.run(agent.ainvoke(say("What is my parrot called?")))
            else:
                agent.invoke(say("What is my parrot called?"))
        assert memory.read_only
        assert "My parrot is called Quibble." in model.system
        assert texts(memory) == ["My parrot is called Quibble."]
        assert [record.levelname for record in caplog.records if "read only" in record.message] == ["WARNING"]
        with pytest.raises(ReadOnlyMemory):
            middleware.record_outcome(1.0)
