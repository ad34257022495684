"""`HippoPropertyGraphStore` against LlamaIndex's simple one for puts and questions; deletes by rules of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.graph_stores import SimplePropertyGraphStore
from llama_index.core.graph_stores.types import ChunkNode, EntityNode, Relation, Triplet
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery

from hippo_agent import HashingEmbedder, Memory
from hippo_agent.errors import InvalidInput
from llama_index_hippo import HippoPropertyGraphStore

NAMES = ("ada", "bo", "Cy O'Neil", 'the "Juno"', "Łódź")
LABELS = ("knows", "lives_in", "in")

entities = st.builds(
    EntityNode,
    name=st.sampled_from(NAMES),
    label=st.sampled_from(("person", "ship")),
    properties=st.dictionaries(st.sampled_from(("age", "home")), st.sampled_from((1, 2, "x", None)), max_size=2),
)
chunks = st.builds(
    ChunkNode, text=st.sampled_from(("one text", "another")), id_=st.sampled_from(("c1", "c2")), properties=st.just({})
)
relations = st.builds(
    Relation,
    label=st.sampled_from(LABELS),
    source_id=st.sampled_from(("ada", "bo", "c1", "nobody")),
    target_id=st.sampled_from(("ada", "bo", "Łódź", "nobody")),
    properties=st.dictionaries(st.just("since"), st.sampled_from((1, 2)), max_size=1),
)
steps = st.lists(
    st.one_of(
        st.lists(st.one_of(entities, chunks), min_size=1, max_size=3), st.lists(relations, min_size=1, max_size=3)
    ),
    max_size=6,
)
questions = st.fixed_dictionaries(
    {},
    optional={
        "entity_names": st.lists(st.sampled_from(NAMES), min_size=1, max_size=2),
        "relation_names": st.lists(st.sampled_from(LABELS), min_size=1, max_size=2),
        "properties": st.dictionaries(
            st.sampled_from(("age", "since")), st.sampled_from((1, 2)), min_size=1, max_size=1
        ),
        "ids": st.lists(st.sampled_from((*NAMES, "c1")), min_size=1, max_size=2),
    },
)


def put(store: Any, step: Sequence[Any]) -> None:
    if isinstance(step[0], Relation):
        store.upsert_relations(list(step))
    else:
        store.upsert_nodes(step)


def told(triplets: Sequence[Triplet], *, properties: bool = True) -> set[str]:
    return {f"{s.id} {r.label} {r.properties if properties else ''} {o.id}" for s, r, o in triplets}


def dumped(nodes: Sequence[Any]) -> list[dict[str, Any]]:
    return sorted(({**node.model_dump(), "id": node.id} for node in nodes), key=lambda node: str(node["id"]))


@settings(max_examples=40)
@given(steps=steps, asked=questions)
def test_puts_and_questions_give_what_the_simple_store_gives(
    tmp_path_factory: pytest.TempPathFactory, steps: Any, asked: dict[str, Any]
) -> None:
    theirs = SimplePropertyGraphStore()
    folder = tmp_path_factory.mktemp("graph")
    with Memory(folder, embedder=HashingEmbedder(quiet=True)) as memory:
        ours = HippoPropertyGraphStore(memory, facts=False)
        for step in steps:
            put(theirs, step)
            put(ours, step)
        assert dumped(ours.get()) == dumped(theirs.get())
        only = {key: value for key, value in asked.items() if key in ("properties", "ids")}
        assert dumped(ours.get(**only)) == dumped(theirs.get(**only))
        if "properties" not in asked:
            assert told(ours.get_triplets(**asked), properties=False) == told(
                theirs.get_triplets(**asked), properties=False
            )
        some = ours.get(ids=["ada", "bo"])
        assert told(ours.get_rel_map(some, depth=2, limit=999, ignore_rels=["in"]), properties=False) == told(
            theirs.get_rel_map(some, depth=2, limit=999, ignore_rels=["in"]), properties=False
        )


@pytest.fixture
def graph(memory: Memory) -> HippoPropertyGraphStore:
    """a knows b, b knows c, a lives_in b, and a chunk that mentions c."""
    store = HippoPropertyGraphStore(memory)
    store.upsert_nodes([EntityNode(name=name, properties={"of": name}) for name in "abc"])
    store.upsert_nodes([ChunkNode(text="c was there", id_="chunk", properties={"ref_doc_id": "doc"})])
    store.upsert_relations(
        [
            Relation(label="knows", source_id="a", target_id="b"),
            Relation(label="knows", source_id="b", target_id="c"),
            Relation(label="lives_in", source_id="a", target_id="b", properties={"since": 1}),
            Relation(label="mentions", source_id="chunk", target_id="c"),
        ]
    )
    return store


def ids(store: HippoPropertyGraphStore) -> list[str]:
    return sorted(node.id for node in store.get())


def everything(store: HippoPropertyGraphStore) -> set[str]:
    return {f"{s.id} {r.label} {o.id}" for s, r, o in store.get_triplets(ids=["a", "b", "c", "chunk"])}


def test_deleting_a_node_keeps_its_neighbours_and_leaves_no_dangling_triplet(graph: HippoPropertyGraphStore) -> None:
    graph.delete(ids=["b"])
    assert ids(graph) == ["a", "c", "chunk"]
    assert everything(graph) == {"chunk mentions c"}


def test_deleting_by_entity_name_is_deleting_the_node(graph: HippoPropertyGraphStore) -> None:
    graph.delete(entity_names=["a"])
    assert ids(graph) == ["b", "c", "chunk"]
    assert everything(graph) == {"b knows c", "chunk mentions c"}


def test_deleting_by_relation_name_deletes_no_node(graph: HippoPropertyGraphStore) -> None:
    graph.delete(relation_names=["knows"])
    assert ids(graph) == ["a", "b", "c", "chunk"]
    assert everything(graph) == {"a lives_in b", "chunk mentions c"}
    graph.delete(entity_names=["a"], relation_names=["lives_in"])
    assert everything(graph) == {"chunk mentions c"}


def test_deleting_by_property_takes_the_nodes_and_relations_that_have_it(graph: HippoPropertyGraphStore) -> None:
    graph.delete(properties={"since": 1})
    assert "a lives_in b" not in everything(graph)
    assert ids(graph) == ["a", "b", "c", "chunk"]
    graph.delete(properties={"of": "a"})
    assert ids(graph) == ["b", "c", "chunk"]
    assert everything(graph) == {"b knows c", "chunk mentions c"}


def test_deleting_nothing_deletes_nothing(graph: HippoPropertyGraphStore) -> None:
    before = everything(graph)
    graph.delete()
    graph.delete(ids=["nobody"])
    assert everything(graph) == before


def test_llama_nodes_come_back_and_go_by_document(graph: HippoPropertyGraphStore) -> None:
    node = TextNode(id_="n1", text="Ada was there.", metadata={"page": 3})
    graph.upsert_llama_nodes([node])
    [found] = graph.get_llama_nodes(["n1"])
    assert (found.node_id, found.get_content(), found.metadata) == ("n1", "Ada was there.", {"page": 3})
    graph.delete_llama_nodes(ref_doc_ids=["doc"])
    assert ids(graph) == ["a", "b", "c", "n1"]


def test_a_relation_that_is_put_again_gets_the_new_properties(graph: HippoPropertyGraphStore) -> None:
    graph.upsert_relations([Relation(label="lives_in", source_id="a", target_id="b", properties={"since": 2})])
    [triplet] = graph.get_triplets(relation_names=["lives_in"])
    assert triplet[1].properties == {"since": 2}


def test_it_is_on_disk(graph: HippoPropertyGraphStore, memory: Memory) -> None:
    folder = memory.folder
    before = everything(graph)
    memory.close()
    with Memory(folder, embedder=HashingEmbedder(quiet=True)) as again:
        assert everything(HippoPropertyGraphStore(again)) == before
        assert HippoPropertyGraphStore(again, namespace="bo").get() == []


def test_the_rel_map_keeps_to_its_limit_and_depth(graph: HippoPropertyGraphStore) -> None:
    a = graph.get(ids=["a"])
    assert told(graph.get_rel_map(a, depth=1), properties=False) == {"a knows  b", "a lives_in  b"}
    assert len(graph.get_rel_map(a, depth=3)) == 4
    assert len(graph.get_rel_map(a, depth=3, limit=2)) == 2
    assert graph.get_rel_map(a, depth=0) == []


def test_facts_of_the_memory_stand_beside_the_graph_and_are_read_only(memory: Memory) -> None:
    for text in ("Odo Vance lives in Ghent.", "Odo Vance works for the Maes yard."):
        memory.write(text, source="user", pin=True)
    store = HippoPropertyGraphStore(memory)
    found = store.get_triplets(ids=["Odo Vance"])
    held = [fact for fact in memory.facts.holding(memory.facts.all()) if fact.subject == "Odo Vance"]
    assert {(s.id, o.id) for s, _, o in found} == {(fact.subject, fact.object) for fact in held}
    assert len(found) >= 1
    assert memory.get(found[0][1].properties["traces"][0]).text.startswith("Odo Vance")
    assert HippoPropertyGraphStore(memory, facts=False).get() == []
    with pytest.raises(InvalidInput, match=r"Memory\.forget"):
        store.delete(ids=["Odo Vance"])
    memory.forget(trace_id=[trace.id for trace in memory.recall("Odo", k=9).traces])
    assert store.get_triplets(ids=["Odo Vance"]) == []


def test_what_is_not_offered_says_so(graph: HippoPropertyGraphStore) -> None:
    with pytest.raises(NotImplementedError, match="get_rel_map"):
        graph.structured_query("MATCH (n) RETURN n")
    with pytest.raises(NotImplementedError, match="vector_store"):
        graph.vector_query(VectorStoreQuery(query_embedding=[1.0]))
    with pytest.raises(InvalidInput, match="empty"):
        graph.upsert_nodes([EntityNode(name="")])
    assert graph.get_triplets() == []


def test_a_property_graph_index_builds_and_deletes_on_it(memory: Memory, tmp_path: Path) -> None:
    from llama_index.core import MockEmbedding, PropertyGraphIndex
    from llama_index.core.indices.property_graph import ImplicitPathExtractor
    from llama_index.core.llms import MockLLM
    from llama_index.core.schema import Document

    store = HippoPropertyGraphStore(memory, facts=False)
    index = PropertyGraphIndex.from_documents(
        [Document(doc_id="d1", text="Ada was there."), Document(doc_id="d2", text="Bo was not.")],
        kg_extractors=[ImplicitPathExtractor()],
        property_graph_store=store,
        llm=MockLLM(),
        embed_model=MockEmbedding(embed_dim=4),
        show_progress=False,
    )
    texts = {node.text for node in store.get() if isinstance(node, ChunkNode)}
    assert texts == {"Ada was there.", "Bo was not."}
    index.property_graph_store.delete_llama_nodes(ref_doc_ids=["d1"])
    assert {node.text for node in store.get() if isinstance(node, ChunkNode)} == {"Bo was not."}
