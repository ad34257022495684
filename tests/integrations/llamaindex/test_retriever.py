"""`HippoRetriever` and `HippoMemoryBlock`: recall inside LlamaIndex's own machinery."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core import Document, PromptTemplate
from llama_index.core.llms import ChatMessage, CompletionResponse, CustomLLM, LLMMetadata
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.memory import Memory as LlamaMemory
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import MetadataMode, QueryBundle
from llama_index.core.tools import QueryEngineTool, RetrieverTool

from hippo_agent import Memory
from hippo_agent.errors import InvalidInput
from llama_index_hippo import HippoMemoryBlock, HippoRetriever, remember_documents


class Reader(CustomLLM):
    """Answers with the prompt that it was given."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=prompt)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        yield CompletionResponse(text=prompt, delta=prompt)


DOCUMENTS = [
    Document(
        doc_id="harbour", text="The harbour master is Odo Vance. He lives on the barge Juno.", metadata={"page": 3}
    ),
    Document(doc_id="barge", text="The barge Juno was built in Ghent by the Maes yard."),
    Document(doc_id="empty", text="  "),
]


def test_documents_are_remembered_once_with_their_metadata(memory: Memory) -> None:
    assert remember_documents(DOCUMENTS, memory, progress=False) == 2
    assert remember_documents(DOCUMENTS, memory, progress=False) == 0
    [node, *_] = HippoRetriever(memory).retrieve("who is the harbour master?")
    assert node.node.get_content(metadata_mode=MetadataMode.NONE).startswith("The harbour master")
    assert node.node.metadata["page"] == 3
    assert node.node.metadata["session"] == "harbour"
    assert (node.node.metadata["source"], node.node.metadata["trust"]) == ("import", 0.3)
    assert memory.get(node.node.node_id).kind == "document"


def test_a_long_document_becomes_episodes_that_are_neighbours(memory: Memory) -> None:
    text = " ".join(f"The heron number {n} nests behind mill {n}." for n in range(100))
    assert 3 <= remember_documents([Document(doc_id="long", text=text)], memory, progress=False) <= 5
    assert {trace.provenance.session for trace in memory.recall("heron", k=9).traces} == {"long"}


def test_a_query_engine_reads_the_memory(memory: Memory) -> None:
    remember_documents(DOCUMENTS, memory, progress=False)
    engine = RetrieverQueryEngine.from_args(HippoRetriever(memory, k=2), llm=Reader())
    answer = engine.query("where was the barge of the harbour master built?")
    assert "built in Ghent by the Maes yard" in str(answer)
    assert "Odo Vance" in str(answer)
    assert [node.node.metadata["session"] for node in answer.source_nodes] in (
        ["harbour", "barge"],
        ["barge", "harbour"],
    )
    assert "reasons" not in str(answer)  # what no model has to read


def test_an_empty_memory_gives_an_empty_response_and_asks_no_llm(memory: Memory) -> None:
    class Never(Reader):
        def complete(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("asked")

    engine = RetrieverQueryEngine.from_args(HippoRetriever(memory), llm=Never())
    assert str(engine.query("who is the harbour master?")) == "Empty Response"


@pytest.mark.anyio
async def test_it_retrieves_asynchronously_and_as_a_tool(memory: Memory) -> None:
    remember_documents(DOCUMENTS, memory, progress=False)
    retriever = HippoRetriever(memory, k=1)
    [node] = await retriever.aretrieve(QueryBundle("who is the harbour master?"))
    assert node.score is not None and node.score > 0
    said = RetrieverTool.from_defaults(retriever, name="memory", description="What is remembered.")
    assert "Odo Vance" in str((await said.acall("who is the harbour master?")).content)
    engine = RetrieverQueryEngine.from_args(retriever, llm=Reader(), text_qa_template=PromptTemplate("{context_str}"))
    asked = QueryEngineTool.from_defaults(engine, name="memory", description="What is remembered.")
    assert "Odo Vance" in str(asked.call("who is the harbour master?").content)


def test_filters_hold(memory: Memory) -> None:
    memory.write("The harbour master is Mallory.", source="web", namespace="bo")
    memory.write("The harbour master is Odo Vance.", source="user", namespace="ada")
    asked = "who is the harbour master?"
    assert len(HippoRetriever(memory).retrieve(asked)) == 2
    assert [n.text for n in HippoRetriever(memory, min_trust=0.5).retrieve(asked)] == [
        "The harbour master is Odo Vance."
    ]
    assert [n.text for n in HippoRetriever(memory, namespace="bo").retrieve(asked)] == [
        "The harbour master is Mallory."
    ]
    with pytest.raises(InvalidInput, match="empty"):
        HippoRetriever(memory).retrieve("   ")


@pytest.mark.anyio
async def test_a_block_gets_what_overflows_and_gives_it_back(memory: Memory) -> None:
    block = HippoMemoryBlock(memory=memory, namespace="ada")
    stock = LlamaMemory.from_defaults(
        session_id="monday", token_limit=120, token_flush_size=20, chat_history_token_ratio=0.5, memory_blocks=[block]
    )
    await stock.aput(ChatMessage(role="user", content="My parrot is called Quibble."))
    for number in range(12):
        await stock.aput(
            ChatMessage(role="assistant", content=f"Parcel {number} weighs {number * 37 + 5} grams today.")
        )
    await stock.aput(ChatMessage(role="user", content="What is my parrot called?"))
    [trace, *_] = memory.recall("parrot", namespace="ada").traces
    assert (trace.text, trace.provenance.session) == ("My parrot is called Quibble.", "monday")
    assert "Quibble" in await block.aget([ChatMessage(role="user", content="What is my parrot called?")])
    assert await block.aget([]) == ""
    assert await block.atruncate("text", 3) is None
    await stock.sql_store._async_engine.dispose()


@pytest.mark.anyio
async def test_a_block_writes_the_same_message_once(memory: Memory) -> None:
    block = HippoMemoryBlock(memory=memory)
    message = ChatMessage(role="user", content="My parrot is called Quibble.")
    await block.aput([message], session_id="monday")
    await block.aput([message], session_id="monday")
    assert memory.stats().as_dict()["traces"] == 1
