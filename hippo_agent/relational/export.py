"""The graph as a file: a page, a picture, GraphML (Gephi, yEd, networkx) or JSON-LD (RDF). Text is never markup."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from hippo_agent.errors import ConfigError
from hippo_agent.relational.entities import key
from hippo_agent.relational.graph import KnowledgeGraph
from hippo_agent.relational.pictures import write_page, write_png

__all__ = ["json_ld", "write_graph"]

_CONTEXT = {
    "name": "https://schema.org/name",
    "subject": {"@id": "http://www.w3.org/1999/02/22-rdf-syntax-ns#subject", "@type": "@id"},
    "predicate": "http://www.w3.org/1999/02/22-rdf-syntax-ns#predicate",
    "object": {"@id": "http://www.w3.org/1999/02/22-rdf-syntax-ns#object", "@type": "@id"},
    "source": {"@id": "http://www.w3.org/ns/prov#wasDerivedFrom", "@type": "@id", "@container": "@set"},
}


def json_ld(graph: KnowledgeGraph) -> str:
    """The facts as reified RDF statements with their provenance; equal graphs give equal text."""
    facts = list(graph.edges())
    names = {key(name): graph.name(name) for edge in facts for name in (edge.subject, edge.object)}
    items: list[dict[str, object]] = [
        {"@id": _iri("entity", folded), "@type": "Entity", "name": name} for folded, name in sorted(names.items())
    ]
    items += [
        {
            "@id": _iri("fact", str(edge.fact)),
            "@type": "http://www.w3.org/1999/02/22-rdf-syntax-ns#Statement",
            "subject": _iri("entity", key(edge.subject)),
            "predicate": edge.predicate,
            "object": _iri("entity", key(edge.object)),
            "source": [_iri("trace", trace) for trace in edge.traces],
        }
        for edge in facts
    ]
    return json.dumps({"@context": _CONTEXT, "@graph": items}, ensure_ascii=False, indent=2)


def write_graph(graph: KnowledgeGraph, path: Path) -> Path:
    """Write ``.html``, ``.png``, ``.graphml`` or ``.jsonld`` by the ending of the path; ConfigError for another."""
    writer = _WRITERS.get(path.suffix)
    if writer is None:
        raise ConfigError(f"{path.name!r} ends in none of {', '.join(_WRITERS)}; choose one of them")
    return writer(graph, path)


def _json_ld(graph: KnowledgeGraph, path: Path) -> Path:
    path.write_text(json_ld(graph), encoding="utf-8")
    return path


def _graphml(graph: KnowledgeGraph, path: Path) -> Path:
    import networkx

    plain = networkx.relabel_nodes(graph.networkx(), lambda node: f"{node[0]}:{node[1]}")
    for _, attributes in plain.nodes(data=True):
        attributes["label"] = _printable(attributes["label"])
    networkx.write_graphml(networkx.relabel_nodes(plain, _printable), str(path))
    return path


_WRITERS: dict[str, Callable[[KnowledgeGraph, Path], Path]] = {
    ".html": write_page,
    ".png": write_png,
    ".graphml": _graphml,
    ".jsonld": _json_ld,
}


def _iri(kind: str, name: str) -> str:
    return f"urn:hippo:{kind}:{quote(name, safe='')}"


def _printable(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(c for c in text if c >= " " or c in "\t\n\r")
