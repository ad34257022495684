"""Twenty users, two hundred turns each, nearly the same words: nobody sees anything of anybody else by any way in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from llama_index.core.llms import ChatMessage

from hippo_agent import Event, HashingEmbedder, Memory, Provenance
from langchain_hippo import HippoMemory as AgentMemory
from langchain_hippo import HippoRetriever as DocumentRetriever
from langchain_hippo import HippoStore, encode_label, hippo_tools
from llama_index_hippo import HippoMemory, HippoMemoryBlock, HippoRetriever, HippoToolSpec
from tests.integrations.langchain.scripted import Scripted

USERS = [f"user{number}@example.org" for number in range(20)]
TURNS = 200
THINGS = ("locker", "bicycle", "garden gate", "post box", "shed")


@dataclass
class User:
    user_id: str


def code(user: int, turn: int) -> str:
    """A number that only one turn of one user holds."""
    return f"{user:02d}7{turn:03d}"


def whose(text: str) -> set[int]:
    """The users whose numbers stand in a text."""
    return {int(number[:2]) for number in re.findall(r"is (\d{6})\.", text)}


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    with Memory(tmp_path_factory.mktemp("crowd"), embedder=HashingEmbedder(quiet=True)) as memory:
        memory.write_many(
            [
                Event(
                    text=f"The code of my {THINGS[turn % 5]} number {turn} is {code(user, turn)}.",
                    namespace=(name,),
                    provenance=Provenance(source="user", session=f"s{turn // 20}"),
                )
                for user, name in enumerate(USERS)
                for turn in range(TURNS)
            ],
            progress=False,
        )
        store = HippoStore(memory)
        for user, name in enumerate(USERS):
            store.put((encode_label(name), "notes"), "code", {"text": f"The code of my locker is {code(user, 0)}."})
        yield memory


ASKED = "What is the code of my bicycle number 101?"


def test_the_crowd_is_there(crowd: Memory) -> None:
    assert crowd.stats().as_dict()["traces"] >= len(USERS) * TURNS * 0.95
    assert len(whose(crowd.recall("What is the code of my locker?", k=100).render())) > 10  # to whom all is open


@pytest.mark.parametrize("user", range(0, len(USERS), 3))
def test_no_way_in_leads_to_somebody_else(crowd: Memory, user: int) -> None:
    name = USERS[user]
    model = Scripted(lines=["Let me see what there is to be found."])
    agent = create_agent(model, middleware=[AgentMemory(crowd, k=20, budget_tokens=4000)], context_schema=User)
    agent.invoke({"messages": [HumanMessage(ASKED)]}, context=User(name))
    shown = {"middleware": model.system}
    shown["retriever"] = " ".join(
        d.page_content for d in DocumentRetriever(memory=crowd, namespace=name, k=50).invoke(ASKED)
    )
    shown["nodes"] = " ".join(n.text for n in HippoRetriever(crowd, namespace=name, k=50).retrieve(ASKED))
    chat = HippoMemory.from_defaults(crowd, namespace=name, k=20, budget_tokens=4000)
    shown["chat"] = " ".join(str(message.content) for message in chat.get(input=ASKED))
    block = HippoMemoryBlock(memory=crowd, namespace=name, k=20, budget_tokens=4000)
    shown["block"] = block._recalled([ChatMessage(role="user", content=ASKED)])
    [tool] = hippo_tools(crowd, namespace=name, names=["recall"])
    shown["tool"] = tool.invoke({"query": ASKED, "k": 20})
    [spec] = HippoToolSpec(crowd, namespace=name, stores=("episodic",)).to_tool_list(["recall"])
    shown["spec"] = str(spec.call(query=ASKED, k=20).content)
    found = HippoStore(crowd).search((encode_label(name),), query="What is the code of my locker?", limit=50)
    shown["store"] = " ".join(item.value["text"] for item in found)
    assert {way: whose(text) for way, text in shown.items()} == {way: {user} for way in shown}


def test_a_run_without_a_user_sees_nobody(crowd: Memory) -> None:
    model = Scripted(lines=["Let me see what there is to be found."])
    create_agent(model, middleware=[AgentMemory(crowd, k=20, budget_tokens=4000)]).invoke(
        {"messages": [HumanMessage(ASKED)]}
    )
    assert whose(model.system) == set()
