"""Tools, blocks of one store each, and the local LLM in LlamaIndex."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_index.core.llms import ChatMessage

from hippo_agent import HashingEmbedder, Memory
from hippo_agent.errors import ConfigError
from hippo_agent.model.local import LocalModel
from llama_index_hippo import (
    EpisodicBlock,
    FactsBlock,
    HippoLLM,
    HippoMemory,
    HippoMemoryBlock,
    HippoRetriever,
    HippoToolSpec,
    PlacesBlock,
)
from tests.unit.model.conftest import save_model

ASKED = [ChatMessage(role="user", content="Where does Odo Vance live?")]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "house", namespace="house", embedder=HashingEmbedder(quiet=True)) as memory:
        memory.places.observe("Library\nShelves rise to the roof of this round room. A door leads south.")
        memory.places.observe("Kitchen\nCopper pans hang in rows above an iron stove.", action="south")
        memory.write("Odo Vance lives in Ghent.", source="user", pin=True)
        yield memory


@pytest.mark.anyio
async def test_each_store_has_a_block_and_one_has_them_all(house: Memory) -> None:
    said = {kind: await kind(memory=house).aget(ASKED) for kind in (EpisodicBlock, FactsBlock, PlacesBlock)}
    assert said[EpisodicBlock].startswith("<memories ") and "Ghent" in said[EpisodicBlock]
    assert said[FactsBlock].startswith("<facts ") and "Ghent" in said[FactsBlock]
    assert said[PlacesBlock].startswith("<place ") and "Kitchen" in said[PlacesBlock]
    joint = await HippoMemoryBlock(memory=house, stores=("episodic", "facts", "places"), budget_tokens=900).aget(ASKED)
    assert [mark for mark in ("<memories ", "<facts ", "<place ") if mark in joint] == [
        "<memories ",
        "<facts ",
        "<place ",
    ]
    assert len({kind(memory=house).name for kind in said} | {HippoMemoryBlock(memory=house).name}) == 4


def test_a_memory_speaks_for_the_stores_it_is_told(house: Memory) -> None:
    chat = HippoMemory.from_defaults(house, stores=["facts", "places"])
    chat.put(ASKED[0])
    block = str(chat.get()[0].content)
    assert "<facts " in block and "<place " in block and "<memories" not in block


def test_stores_that_cannot_be_used_are_refused(house: Memory) -> None:
    for build in (
        lambda: HippoMemory.from_defaults(house, namespace="other", stores=["places"]),
        lambda: PlacesBlock(memory=house, namespace="other"),
        lambda: HippoToolSpec(house, stores=("everything",)),
    ):
        with pytest.raises(ValueError, match=r"shared by all users|stores must be"):
            build()
    with pytest.raises(ConfigError):
        HippoRetriever(house, stores=("everything",)).retrieve("x")


def test_tools_use_the_memory_of_their_namespace(memory: Memory) -> None:
    ada = {tool.metadata.name: tool for tool in HippoToolSpec(memory, namespace="ada").to_tool_list()}
    bo = {tool.metadata.name: tool for tool in HippoToolSpec(memory, namespace="bo").to_tool_list()}
    assert sorted(map(str, ada)) == ["facts", "forget", "recall", "remember"]
    assert str(ada["remember"].call(text="The spare key is with the florist.").content).startswith("Remembered (")
    said = str(ada["recall"].call(query="Who has the spare key?").content)
    [trace] = memory.recall("key", namespace="ada").traces
    assert "florist" in said and trace.id in said
    assert str(bo["recall"].call(query="Who has the spare key?").content) == "Nothing comes back."
    assert str(bo["forget"].call(ids=[trace.id]).content).startswith("Error: no trace")
    assert str(ada["recall"].call(query="key", k=99).content).startswith("Error: k:")
    assert set(ada["recall"].metadata.get_parameters_dict()["properties"]) == {"query", "k"}
    assert str(ada["forget"].call(ids=[trace.id]).content) == "Forgotten: 1."


def test_the_tools_of_the_map_are_there_when_it_is_used(house: Memory) -> None:
    tools = {tool.metadata.name: tool for tool in HippoToolSpec(house, stores=("places",)).to_tool_list()}
    assert "recall" not in tools
    assert "Kitchen" in str(tools["where_am_i"].call().content)
    assert len(HippoToolSpec(house, stores=("places",)).to_tool_list(["where_am_i"])) == 1


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return LocalModel(save_model(tmp_path_factory.mktemp("model")), device="cpu")


def test_the_local_llm_says_what_the_local_model_says(local: LocalModel) -> None:
    llm = HippoLLM(local, max_new_tokens=8)
    expected = local.generate("Who has the key?", max_new_tokens=8)
    assert llm.complete("Who has the key?").text == expected
    *_, last = llm.stream_complete("Who has the key?")
    assert last.text == expected
    assert llm.metadata.context_window == local.context
    assert str(llm.chat(ASKED).message.content)


def test_the_local_llm_reads_a_memory_when_it_has_one(local: LocalModel, memory: Memory) -> None:
    memory.write("The spare key is with the florist.", source="user", namespace="ada")
    llm = HippoLLM(local, memory=memory, namespace="ada", reader="prompt", k=2)
    answer = llm.complete("Who has the spare key?")
    expected = memory.ask("Who has the spare key?", reader="prompt", model=local, k=2, namespace="ada")
    assert answer.text == expected.text
    assert answer.additional_kwargs == {"cited": list(expected.cited), "abstained": expected.abstained}
    [whole] = llm.stream_complete("Who has the spare key?")
    assert whole.delta == expected.text
