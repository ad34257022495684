"""Tools, the other two stores, and the local chat model in LangChain agents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolCall, ToolMessage

from hippo_agent import HashingEmbedder, Memory
from hippo_agent.errors import ConfigError
from hippo_agent.model.local import LocalModel
from langchain_hippo import HippoChatModel, HippoMemory, HippoRetriever, hippo_tools
from tests.integrations.langchain.scripted import Scripted
from tests.unit.model.conftest import save_model


@dataclass
class User:
    user_id: str | None = None


def call(name: str, **arguments: Any) -> AIMessage:
    return AIMessage("", tool_calls=[ToolCall(name=name, args=arguments, id="call-1")])


def say(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


def use(memory: Memory, tool: str, arguments: dict[str, Any], user: str | None = None) -> str:
    """What the tool says when an agent of this user calls it."""
    model = Scripted(lines=[call(tool, **arguments), "Well then."])
    agent = create_agent(
        model, middleware=[HippoMemory(memory, tools=True, stores=("episodic", "facts"))], context_schema=User
    )
    done = agent.invoke(say("Please see to it."), context=User(user))
    [answer] = [message for message in done["messages"] if isinstance(message, ToolMessage)]
    return answer.text


def test_a_model_remembers_recalls_and_forgets_in_its_user_s_namespace(memory: Memory) -> None:
    assert use(memory, "remember", {"text": "Ada's parrot is called Quibble."}, "ada").startswith("Remembered (")
    said = use(memory, "recall", {"query": "What is the parrot called?"}, "ada")
    assert "Quibble" in said
    trace = next(t for t in memory.recall("parrot", namespace="ada").traces if t.kind == "note")
    assert trace.id in said
    assert "Quibble" not in use(memory, "recall", {"query": "What is the parrot called?"}, "bo")
    assert "Quibble" not in use(memory, "recall", {"query": "What is the parrot called?"})
    assert use(memory, "forget", {"ids": [trace.id]}, "bo").startswith("Error: no trace")
    assert use(memory, "forget", {"ids": [trace.id]}).startswith("Error: no trace")
    assert use(memory, "forget", {"ids": [trace.id]}, "ada") == "Forgotten: 1."
    assert "Quibble" not in use(memory, "recall", {"query": "What is the parrot called?"}, "ada")


def test_what_the_recall_tool_said_is_not_written(memory: Memory) -> None:
    memory.write("The spare key is with the florist.", source="user", namespace="ada")
    use(memory, "recall", {"query": "Who has the spare key?"}, "ada")
    held = [trace for batch in memory._record.scan() for trace, _ in batch if "florist" in trace.text]
    assert len(held) == 1


def test_facts_are_those_of_the_user(memory: Memory) -> None:
    memory.write("Odo Vance lives in Ghent.", source="user", namespace="ada", pin=True)
    memory.write("Odo Vance lives in Lille.", source="user", namespace="bo", pin=True)
    ada, bo, nobody = (
        use(memory, "facts", {"query": "Where does Odo Vance live?"}, user) for user in ("ada", "bo", None)
    )
    assert "Ghent" in ada and "Lille" not in ada
    assert "Lille" in bo and "Ghent" not in bo
    assert nobody == "No fact is known about it."


def test_facts_may_speak_before_each_call(memory: Memory) -> None:
    memory.write("Odo Vance lives in Ghent.", source="user", pin=True)
    model = Scripted(lines=["Well."])
    create_agent(model, middleware=[HippoMemory(memory, stores=("facts",))]).invoke(say("Where does Odo Vance live?"))
    assert model.system.startswith("<facts ")
    assert model.system.rstrip().endswith("</facts>")
    assert "Ghent" in model.system and "<memories" not in model.system
    both = HippoMemory(memory, stores=("episodic", "facts"), budget_tokens=400)
    create_agent(model, middleware=[both]).invoke(say("Where does Odo Vance live, I ask?"))
    assert "<memories " in model.system and "<facts " in model.system


def test_stores_and_tools_that_are_not_there_are_refused(memory: Memory) -> None:
    with pytest.raises(ConfigError, match="episodic, facts, places"):
        HippoMemory(memory, stores=("episodes",))
    with pytest.raises(ConfigError, match="shared by all users"):
        HippoMemory(memory, stores=("places",))
    with pytest.raises(ConfigError, match="there are no tools"):
        HippoMemory(memory, tools=["plan_route"])
    assert [tool.name for tool in hippo_tools(memory, names=["recall"])] == ["recall"]


def test_tools_work_outside_of_an_agent_and_answer_bad_calls(memory: Memory) -> None:
    memory.write("The spare key is with the florist.", source="user")
    tools = {tool.name: tool for tool in hippo_tools(memory)}
    assert sorted(tools) == ["facts", "forget", "recall", "remember"]
    assert "florist" in tools["recall"].invoke({"query": "Who has the spare key?"})
    assert tools["forget"].invoke({"ids": ["unknown"]}).startswith("Error: no trace 'unknown'")
    assert tools["recall"].invoke({"query": "  "}) == "Nothing comes back."


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Memory]:
    """A memory with a map of three rooms, the agent in the kitchen."""
    with Memory(tmp_path / "house", namespace="house", embedder=HashingEmbedder(quiet=True)) as memory:
        library = "Library\nShelves rise to the roof of this round room. A door leads south."
        hall = "Hall\nPortraits stare down from the walls. Doors lead north and south."
        kitchen = "Kitchen\nCopper pans hang in rows above an iron stove. The hall is north."
        walk = [(kitchen, None), (hall, "north"), (library, "north"), (hall, "south"), (kitchen, "south")]
        for text, action in walk:
            memory.places.observe(text, action=action)
        memory.write("The stove is hot, do not touch it.", source="tool")
        yield memory


def test_the_place_and_the_plan_stand_before_each_call(house: Memory) -> None:
    hippo = HippoMemory(house, namespace="house", stores=("places",), tools=True)
    model = Scripted(lines=["Well.", call("plan_route", goal="Library"), "On my way.", "Going."])
    agent = create_agent(model, middleware=[hippo])
    agent.invoke(say("Where are you?"))
    assert model.system.startswith("<place ")
    assert "Kitchen" in model.system and "To do next" not in model.system
    done = agent.invoke(say("Go to the library."))
    [planned] = [m.text for m in done["messages"] if isinstance(m, ToolMessage)]
    assert planned.startswith("2 steps, success ") and planned.endswith('"north" > "north"')
    assert 'To do next: "north", "north"' in model.system
    held = [trace.kind for batch in house._record.scan() for trace, _ in batch]
    assert "tool" not in held  # the map keeps what its tools said
    hippo.record_outcome(1.0, "found it", namespace="house")
    assert list(house.places.journal())[-1].verdict is True


def test_a_retriever_looks_where_it_is_told(house: Memory) -> None:
    house.write("Odo Vance lives in Ghent.", source="user", pin=True)
    by_place = HippoRetriever(memory=house, stores=("places",)).invoke("the stove")
    assert by_place[0].page_content == "The stove is hot, do not touch it."
    [fact, *_] = HippoRetriever(memory=house, stores=("facts",)).invoke("Where does Odo Vance live?")
    assert (fact.metadata["subject"], fact.metadata["object"], fact.metadata["kind"]) == ("Odo Vance", "Ghent", "fact")
    both = HippoRetriever(memory=house, stores=("episodic", "facts"), k=1).invoke("Where does Odo Vance live?")
    assert [document.metadata["kind"] for document in both] == ["episode", "fact"]
    with pytest.raises(ConfigError, match="stores must be"):
        HippoRetriever(memory=house, stores=("elsewhere",)).invoke("x")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return LocalModel(save_model(tmp_path_factory.mktemp("model")), device="cpu")


def test_the_local_chat_model_says_what_the_local_model_says(local: LocalModel) -> None:
    chat = HippoChatModel(local, max_tokens=8)
    messages = [SystemMessage("Be kind."), HumanMessage("Who has the key?")]
    expected = local.generate(
        [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Who has the key?"}], max_new_tokens=8
    )
    answer = chat.invoke(messages)
    assert answer.text == expected
    assert "".join(chunk.text for chunk in chat.stream(messages)) == expected
    assert answer.usage_metadata is not None and answer.usage_metadata["output_tokens"] > 0
    assert (
        answer.usage_metadata["total_tokens"]
        == answer.usage_metadata["input_tokens"] + answer.usage_metadata["output_tokens"]
    )
    if len(expected) > 2:
        assert chat.invoke(messages, stop=[expected[2]]).text == expected[: expected.index(expected[2])]


def test_the_local_chat_model_reads_a_memory_when_it_has_one(local: LocalModel, memory: Memory) -> None:
    written = memory.write("The spare key is with the florist.", source="user").id
    chat = HippoChatModel(local, memory=memory, reader="prompt", k=3)
    answer = chat.invoke("Who has the spare key?")
    expected = memory.ask("Who has the spare key?", reader="prompt", model=local, k=3)
    assert answer.text == expected.text
    assert answer.response_metadata["reader"] == expected.reader == "prompt"
    assert answer.response_metadata["cited"] == list(expected.cited)
    assert set(expected.cited) <= {written}
    [chunk] = [piece for piece in chat.stream("Who has the spare key?") if piece.response_metadata.get("reader")]
    assert chunk.text == expected.text
