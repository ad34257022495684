"""`HippoMemory` in LlamaIndex: the chat in order, recall before it, one engine however it is copied."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ImageBlock, TextBlock, ToolCallBlock
from llama_index.core.llms import ChatMessage, MessageRole
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.workflow import Context, JsonSerializer

from hippo_agent import HashingEmbedder, Memory
from hippo_agent.errors import InvalidInput, MemoryClosed, ReadOnlyMemory
from llama_index_hippo import HippoMemory


def user(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)


def assistant(text: str) -> ChatMessage:
    return ChatMessage(role="assistant", content=text)


def texts(memory: Memory) -> list[str]:
    return [trace.text for batch in memory._record.scan() for trace, _ in batch]


def test_every_message_is_written_when_it_is_put(memory: Memory) -> None:
    chat = HippoMemory.from_defaults(memory, session="monday")
    chat.put(user("My parrot is called Quibble."))
    chat.put(assistant("Parrots live for sixty years."))
    assert texts(memory) == ["My parrot is called Quibble.", "Parrots live for sixty years."]
    [first, second] = [trace for batch in memory._record.scan() for trace, _ in batch]
    assert (first.provenance.source, second.provenance.source) == ("user", "model")
    assert first.provenance.session == second.provenance.session == "monday"


def test_what_another_session_said_comes_back_in_a_system_message(tmp_path: Path) -> None:
    with Memory(tmp_path, embedder=HashingEmbedder(quiet=True)) as memory:
        HippoMemory.from_defaults(memory, session="monday").put(user("My parrot is called Quibble."))
    with Memory(tmp_path, embedder=HashingEmbedder(quiet=True)) as memory:
        chat = HippoMemory.from_defaults(memory, session="tuesday")
        chat.put(user("What is my parrot called?"))
        [system, question] = chat.get()
        assert system.role == MessageRole.SYSTEM
        assert "My parrot is called Quibble." in str(system.content)
        assert question == user("What is my parrot called?")
        assert chat.get_all() == [question]
        assert "Quibble" in str(chat.get(input="parrot")[0].content)


def test_the_chat_is_that_of_chat_memory_buffer(memory: Memory) -> None:
    call = ChatMessage(
        role="assistant", blocks=[ToolCallBlock(tool_call_id="1", tool_name="weather", tool_kwargs={"city": "Oslo"})]
    )
    answer = ChatMessage(role="tool", content="Hail.", additional_kwargs={"tool_call_id": "1", "name": "weather"})
    messages = [user("How is the weather?"), call, answer, assistant("It hails."), user("Thanks."), assistant("Bye.")]
    ours = HippoMemory.from_defaults(memory, session="a", chat_history=messages)
    theirs = ChatMemoryBuffer.from_defaults(chat_history=list(messages))
    assert ours.get_all() == theirs.get_all() == messages
    assert [m for m in ours.get() if m.role != MessageRole.SYSTEM] == theirs.get()
    for limit in (5, 12, 20, 60):
        ours = HippoMemory.from_defaults(memory, session="a", token_limit=limit)
        theirs = ChatMemoryBuffer.from_defaults(chat_history=list(messages), token_limit=limit)
        assert [m for m in ours.get() if m.role != MessageRole.SYSTEM] == theirs.get(), limit
    for memory_of_chat in (ours, theirs):
        memory_of_chat.set(messages[:2])
    assert ours.get_all() == theirs.get_all() == messages[:2]
    for memory_of_chat in (ours, theirs):
        memory_of_chat.reset()
    assert ours.get_all() == theirs.get_all() == []


def test_a_reset_chat_is_still_remembered(memory: Memory) -> None:
    chat = HippoMemory.from_defaults(memory, session="a")
    chat.put(user("My parrot is called Quibble."))
    chat.reset()
    chat.put(user("What is my parrot called?"))
    assert "Quibble" in str(chat.get()[0].content)


def test_what_the_chat_shows_anyway_is_not_recalled(memory: Memory) -> None:
    chat = HippoMemory.from_defaults(memory, session="a")
    chat.put_messages([user("My parrot is called Quibble."), user("What is my parrot called?")])
    assert [message.role for message in chat.get()] == [MessageRole.USER, MessageRole.USER]


def test_setting_the_same_history_again_writes_nothing(memory: Memory) -> None:
    chat = HippoMemory.from_defaults(memory, session="a")
    history = [user("My parrot is called Quibble."), assistant("Parrots live for sixty years.")]
    chat.set(history)
    chat.set([*history, user("Which fruit do they eat?")])
    assert [trace.repeats for batch in memory._record.scan() for trace, _ in batch] == [0, 0, 0]
    assert len(texts(memory)) == 3


def test_it_serialises_as_a_pointer_and_the_copy_leads_to_the_same_memory(memory: Memory) -> None:
    chat = HippoMemory.from_defaults(memory, namespace="ada", session="monday", k=3)
    chat.put(user("My parrot is called Quibble."))
    said = JsonSerializer().serialize(chat)
    assert "Quibble" not in said
    assert json.loads(said)["value"] == {
        "folder": str(memory.folder.resolve()),
        "namespace": ["ada"],
        "session": "monday",
        "k": 3,
        "budget_tokens": 800,
        "min_trust": 0.0,
        "stores": ["episodic"],
        "token_limit": 30_000,
        "class_name": "HippoMemory",
    }
    copy = JsonSerializer().deserialize(said)
    assert isinstance(copy, HippoMemory)
    assert copy.memory is memory
    copy.put(assistant("Parrots live for sixty years."))
    assert [str(message.content) for message in chat.get_all()] == [
        "My parrot is called Quibble.",
        "Parrots live for sixty years.",
    ]


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")  # LlamaIndex's own
@pytest.mark.anyio
async def test_an_agent_with_it_remembers_and_its_context_may_be_used_again(memory: Memory) -> None:
    chat = HippoMemory.from_defaults(memory, session="monday")
    agent = FunctionAgent(tools=[], llm=MockFunctionCallingLLM())
    context = Context(agent)
    await agent.run("My parrot is called Quibble.", memory=chat, ctx=context)
    assert [message.role.value for message in chat.get_all()] == ["user", "assistant"]
    await agent.run("Parrots like figs.", ctx=context)
    assert len(chat.get_all()) == 4
    await agent.run("Figs grow on trees.", memory=chat, ctx=context)
    assert len(chat.get_all()) == 6
    copy = Context.from_dict(agent, context.to_dict())
    await agent.run("Trees grow on hills.", memory=chat, ctx=copy)
    assert len(chat.get_all()) == 8
    assert {"My parrot is called Quibble.", "Trees grow on hills."} <= set(texts(memory))


@pytest.mark.anyio
async def test_the_async_methods_do_the_same(memory: Memory) -> None:
    chat = HippoMemory.from_defaults(memory, session="a")
    await asyncio.gather(*(chat.aput(user(f"Parcel {n} weighs {n * 37} grams.")) for n in range(20)))
    assert len(await chat.aget_all()) == len(texts(memory)) == 20
    await chat.aset([user("What does parcel 7 weigh?")])
    assert "259 grams" in str((await chat.aget())[0].content)
    await chat.areset()
    assert await chat.aget_all() == []


def test_the_block_joins_a_system_message_that_is_there(memory: Memory) -> None:
    memory.write("My parrot is called Quibble.", source="user")
    chat = HippoMemory.from_defaults(memory, session="a")
    chat.put_messages([ChatMessage(role="system", content="Be kind."), user("What is my parrot called?")])
    [system, _] = chat.get()
    assert str(system.blocks[0]) != str(system.blocks[1])
    assert str(system.content).startswith("Be kind.\n<memories")
    assert str(chat.get_all()[0].content) == "Be kind."
    assert texts(memory) == ["My parrot is called Quibble.", "What is my parrot called?"]


def test_pictures_are_named_and_calls_spelled_out(memory: Memory) -> None:
    chat = HippoMemory.from_defaults(memory, session="a")
    chat.put(ChatMessage(role="user", blocks=[TextBlock(text="What is this?"), ImageBlock(image=b"0" * 40)]))
    chat.put(ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_name="look", tool_kwargs={"at": "goat"})]))
    assert texts(memory) == ["What is this?\n[image]", 'calls look({"at": "goat"})']


def test_namespaces_and_sessions_keep_apart(memory: Memory) -> None:
    ada = HippoMemory.from_defaults(memory, namespace="ada", session="monday")
    bo = HippoMemory.from_defaults(memory, namespace="bo", session="monday")
    ada.put(user("My door code is 1111."))
    bo.put(user("What is my door code?"))
    assert [message.role for message in bo.get()] == [MessageRole.USER]
    assert len(ada.get_all()) == len(bo.get_all()) == 1
    nested = HippoMemory.from_defaults(memory, namespace=("ada", "monday"), session="x")
    assert nested.get_all() == []


def test_two_new_chats_have_sessions_of_their_own(memory: Memory) -> None:
    first, second = HippoMemory.from_defaults(memory), HippoMemory.from_defaults(memory)
    first.put(user("My parrot is called Quibble."))
    assert first.session != second.session
    assert second.get_all() == []


def test_bad_input_is_a_typed_error(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="session"):
        HippoMemory.from_defaults(memory, session="  ")
    with pytest.raises(InvalidInput, match="namespace"):
        HippoMemory.from_defaults(memory, namespace=("",))
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        HippoMemory.from_defaults(memory, k=0)
    chat = HippoMemory.from_defaults(memory)
    memory.close()
    held = chat.memory  # the folder's memory was closed by its owner: it is opened again, with the defaults
    assert held is not memory
    held.close()
    with pytest.raises(MemoryClosed):
        memory.write("x", source="user")


def test_a_read_only_memory_gives_the_chat_and_refuses_another_message(tmp_path: Path) -> None:
    with Memory(tmp_path, embedder=HashingEmbedder(quiet=True)) as memory:
        HippoMemory.from_defaults(memory, session="monday").put(user("My parrot is called Quibble."))
    with Memory(tmp_path, embedder=HashingEmbedder(quiet=True), read_only=True) as memory:
        chat = HippoMemory.from_defaults(memory, session="monday")
        with pytest.raises(ReadOnlyMemory):
            chat.put(user("And my cat Mora."))
        assert chat.get_all() == [user("My parrot is called Quibble.")]
