"""`HippoPropertyGraphStore`: LlamaIndex's property graph in a memory folder, with the memory's facts to read in it.

What LlamaIndex puts in (nodes, chunks, relations) is kept as it is, in the same folder. The facts that the memory read
out of its traces and that hold now can be seen beside it: entities as nodes, facts as relations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from llama_index.core.graph_stores.types import (
    ChunkNode,
    EntityNode,
    LabelledNode,
    PropertyGraphStore,
    Relation,
    Triplet,
)
from llama_index.core.vector_stores.types import VectorStoreQuery

from hippo_agent import Memory
from hippo_agent.errors import InvalidInput
from hippo_agent.intake import clean_namespace
from hippo_agent.sharing import shared
from hippo_agent.storage.items import Item, ItemWrite

__all__ = ["HippoPropertyGraphStore"]

_ROOT = ".llama_index.graph"


class HippoPropertyGraphStore(PropertyGraphStore):
    """A property graph that is on disk with every call and deletes what it is told to, no more and no less.

        PropertyGraphIndex.from_documents(documents, property_graph_store=HippoPropertyGraphStore("agent-memory"), ...)

    Args:
        memory: a folder, or an open `Memory`.
        namespace: whose graph and facts; the memory's own by default.
        facts: also show the facts of the memory that hold now. They are read only: a fact goes with the traces that say
            it (`Memory.forget`); their ids are in the relation's property "traces".
    """

    supports_structured_queries = False
    supports_vector_queries = False

    def __init__(
        self,
        memory: Memory | str | Path = "agent-memory",
        *,
        namespace: Sequence[str] | str | None = None,
        facts: bool = True,
    ) -> None:
        self.memory = shared(memory)
        self._namespace = self.memory.namespace if namespace is None else clean_namespace(namespace)
        self._facts = facts
        self._nodes_at = (_ROOT, *self._namespace, ".nodes")
        self._relations_at = (_ROOT, *self._namespace, ".relations")

    @property
    def client(self) -> Any:
        """The open memory."""
        return self.memory

    # Reading

    def get(self, properties: dict[str, Any] | None = None, ids: list[str] | None = None) -> list[LabelledNode]:
        """Nodes with any of the properties and one of the ids; all nodes when neither is given."""
        nodes, _ = self._graph()
        return [node for node in nodes.values() if _matches(node, properties) and (not ids or node.id in ids)]

    def get_triplets(
        self,
        entity_names: list[str] | None = None,
        relation_names: list[str] | None = None,
        properties: dict[str, Any] | None = None,
        ids: list[str] | None = None,
    ) -> list[Triplet]:
        """Triplets that pass every given filter; none when none is given."""
        if not (entity_names or relation_names or properties or ids):
            return []
        nodes, relations = self._graph()
        return _filtered(_triplets(nodes, relations), entity_names, relation_names, properties, ids)

    def get_rel_map(
        self,
        graph_nodes: list[LabelledNode],
        depth: int = 2,
        limit: int = 30,
        ignore_rels: list[str] | None = None,
    ) -> list[Triplet]:
        """Triplets around nodes, nearest first, each once."""
        nodes, relations = self._graph()
        triplets = _triplets(nodes, relations)
        found: dict[str, Triplet] = {}
        reached = {node.id for node in graph_nodes}
        for _ in range(depth):
            near = [t for t in triplets if t[0].id in reached or t[2].id in reached]
            new = [t for t in near if _key(t[1]) not in found]
            found |= {_key(t[1]): t for t in new}
            reached = {t[2].id for t in new}
        ignored = ignore_rels or []
        return [t for t in found.values() if t[1].id not in ignored][:limit]

    # Writing

    def upsert_nodes(self, nodes: Sequence[LabelledNode]) -> None:
        """Put nodes; one with the same id is replaced."""
        self.memory.items.write(
            [ItemWrite(namespace=self._nodes_at, key=_checked(node.id), value=_dump(node)) for node in nodes]
        )

    def upsert_relations(self, relations: list[Relation]) -> None:
        """Put relations; an end that is not there becomes a node, a relation that is there gets the new properties."""
        there = {item.key for item in self._items(self._nodes_at)}
        ends = dict.fromkeys(end for r in relations for end in (r.source_id, r.target_id) if end not in there)
        self.memory.items.write(
            [
                *(
                    ItemWrite(namespace=self._nodes_at, key=_checked(end), value=_dump(EntityNode(name=end)))
                    for end in ends
                ),
                *(
                    ItemWrite(namespace=self._relations_at, key=_key(r), value=r.model_dump(mode="json"))
                    for r in relations
                ),
            ]
        )

    def delete(
        self,
        entity_names: list[str] | None = None,
        relation_names: list[str] | None = None,
        properties: dict[str, Any] | None = None,
        ids: list[str] | None = None,
    ) -> None:
        """Delete matching relations, and matching nodes with every relation that touches them. Neighbours stay.

        With ``relation_names`` no node is deleted. Raises InvalidInput when only facts of the memory match.
        """
        if not (entity_names or relation_names or properties or ids):
            return
        nodes, relations = self._own()
        gone = _filtered(_triplets(nodes, relations), entity_names, relation_names, properties, ids)
        doomed = [
            node
            for node in nodes.values()
            if not relation_names
            and _matches(node, properties)
            and (not ids or node.id in ids)
            and (not entity_names or node.id in entity_names)
        ]
        if relation_names or (properties and not ids and not entity_names):
            keys = {_key(triplet[1]) for triplet in gone if relation_names or _matches(triplet[1], properties)}
        else:
            keys = set()
        ends = {node.id for node in doomed}
        keys |= {key for key, relation in relations.items() if {relation.source_id, relation.target_id} & ends}
        if not doomed and not keys and self.get_triplets(entity_names, relation_names, properties, ids):
            raise InvalidInput(
                "what matches is known from the memory's facts; forget the traces that say it "
                "(property 'traces' of the relation) with Memory.forget"
            )
        self.memory.items.write(
            [
                *(ItemWrite(namespace=self._relations_at, key=key, value=None) for key in sorted(keys)),
                *(ItemWrite(namespace=self._nodes_at, key=end, value=None) for end in sorted(ends)),
            ]
        )

    # Not offered

    def structured_query(self, query: str, param_map: dict[str, Any] | None = None) -> Any:
        """Not supported: there is no query language here."""
        raise NotImplementedError("HippoPropertyGraphStore has no query language; use get, get_triplets or get_rel_map")

    def vector_query(self, query: VectorStoreQuery, **kwargs: Any) -> tuple[list[LabelledNode], list[float]]:
        """Not supported: give the index a vector store, or recall by `HippoRetriever`."""
        raise NotImplementedError("HippoPropertyGraphStore holds no vectors; give the index a vector_store")

    # Parts

    def _own(self) -> tuple[dict[str, LabelledNode], dict[str, Relation]]:
        nodes = {item.key: _load(item.value) for item in self._items(self._nodes_at)}
        relations = {item.key: Relation.model_validate(item.value) for item in self._items(self._relations_at)}
        return nodes, relations

    def _graph(self) -> tuple[dict[str, LabelledNode], dict[str, Relation]]:
        """What was put in, and the facts beside it."""
        nodes, relations = self._own()
        if not self._facts:
            return nodes, relations
        facts = self.memory.facts
        for fact in facts.holding(facts.all(namespace=self._namespace)):
            for name in (fact.subject, fact.object):
                node = EntityNode(name=name)
                nodes.setdefault(node.id, node)
            relation = Relation(
                label=fact.predicate,
                source_id=EntityNode(name=fact.subject).id,
                target_id=EntityNode(name=fact.object).id,
                properties={
                    "fact": fact.id,
                    "valid_at": None if fact.valid_at is None else fact.valid_at.isoformat(),
                    "trust": fact.trust,
                    "traces": list(fact.traces),
                },
            )
            relations.setdefault(_key(relation), relation)
        return nodes, relations

    def _items(self, namespace: tuple[str, ...]) -> list[Item]:
        found = (item for item in self.memory.items.under(namespace) if item.namespace == namespace)
        return sorted(found, key=lambda item: item.number)


def _dump(node: LabelledNode) -> dict[str, Any]:
    return {"class": type(node).__name__, **node.model_dump(mode="json"), "id": node.id}


def _load(value: dict[str, Any]) -> LabelledNode:
    if value["class"] == "ChunkNode":
        return ChunkNode.model_validate({**value, "id_": value["id"]})
    return EntityNode.model_validate(value)


def _key(relation: Relation) -> str:
    return json.dumps([relation.source_id, relation.label, relation.target_id])


def _checked(node_id: str) -> str:
    if not node_id:
        raise InvalidInput("a node needs a name or an id that is not empty")
    return node_id


def _triplets(nodes: dict[str, LabelledNode], relations: dict[str, Relation]) -> list[Triplet]:
    return [
        (nodes[r.source_id], r, nodes[r.target_id])
        for r in relations.values()
        if r.source_id in nodes and r.target_id in nodes
    ]


def _filtered(
    triplets: Iterable[Triplet],
    entity_names: list[str] | None,
    relation_names: list[str] | None,
    properties: dict[str, Any] | None,
    ids: list[str] | None,
) -> list[Triplet]:
    return [
        triplet
        for triplet in triplets
        if (not entity_names or triplet[0].id in entity_names or triplet[2].id in entity_names)
        and (not relation_names or triplet[1].id in relation_names)
        and (not properties or any(_matches(part, properties) for part in triplet))
        and (not ids or triplet[0].id in ids or triplet[2].id in ids)
    ]


def _matches(part: LabelledNode | Relation, properties: dict[str, Any] | None) -> bool:
    """Whether any of the properties is there with this value; nothing is asked of it when none is given."""
    return not properties or any(part.properties.get(key) == value for key, value in properties.items())
