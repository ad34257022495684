"""The graph to look at: a PNG by matplotlib, and one HTML page that needs nothing from anywhere."""

from __future__ import annotations

import html
import json
from collections import Counter
from pathlib import Path

from hippo_agent.errors import InvalidInput, MissingExtra
from hippo_agent.relational.entities import key
from hippo_agent.relational.graph import Edge, KnowledgeGraph

__all__ = ["page", "write_page", "write_png"]

_PAGE = Path(__file__).parent / "page.html"
_ON_PAGE = 1500  # entities that a browser still moves smoothly
_IN_PICTURE = 150  # entities whose names still can be read


def write_page(graph: KnowledgeGraph, path: Path) -> Path:
    """Write the interactive page: drag, zoom, search, click a thing for its facts. Raises InvalidInput when empty."""
    path.write_text(page(graph), encoding="utf-8")
    return path


def page(graph: KnowledgeGraph) -> str:
    """The page as text; names are data in it, never markup or script."""
    names, edges = _shown(graph, _ON_PAGE)
    number = {key(name): at for at, name in enumerate(names)}
    data = {
        "names": names,
        "facts": [
            [number[key(edge.subject)], edge.predicate, number[key(edge.object)], list(edge.traces)] for edge in edges
        ],
        "left_out": len(graph) - len(edges),
    }
    held = json.dumps(data, ensure_ascii=True).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    title = html.escape(f"{len(edges)} facts about {len(names)} things")
    return _PAGE.read_text(encoding="utf-8").replace("{{TITLE}}", title).replace("{{DATA}}", held)


def write_png(graph: KnowledgeGraph, path: Path) -> Path:
    """Draw the most connected things. Raises MissingExtra without matplotlib, InvalidInput when there is nothing."""
    try:
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise MissingExtra('a picture needs matplotlib: pip install "hippo-agent[pictures]"') from exc
    import networkx

    names, edges = _shown(graph, _IN_PICTURE)
    drawn = networkx.MultiDiGraph()
    drawn.add_nodes_from(names)
    first = {key(name): name for name in names}
    drawn.add_edges_from((first[key(edge.subject)], first[key(edge.object)]) for edge in edges)
    positions = networkx.spring_layout(networkx.Graph(drawn), seed=1, k=1.6 / max(len(names), 1) ** 0.5)
    size = min(24.0, 6.0 + 0.9 * len(names) ** 0.5)
    figure = Figure(figsize=(size, size * 0.75), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    for edge in edges:
        (x0, y0), (x1, y1) = positions[first[key(edge.subject)]], positions[first[key(edge.object)]]
        axes.annotate("", (x1, y1), (x0, y0), arrowprops={"arrowstyle": "->", "color": "#9aa5b1", "shrinkB": 6})
        label = _plain(edge.predicate, 24)
        axes.text((x0 + x1) / 2, (y0 + y1) / 2, label, fontsize=6, color="#52606d", ha="center", parse_math=False)
    xy = [positions[name] for name in names]
    axes.scatter([x for x, _ in xy], [y for _, y in xy], s=36, color="#2f6f9f", zorder=2)
    for name, (x, y) in zip(names, xy, strict=True):
        axes.annotate(
            _plain(name, 32), (x, y), xytext=(0, 5), textcoords="offset points", fontsize=8, ha="center",
            parse_math=False,
        )  # fmt: skip
    figure.savefig(path, dpi=120)
    return path


def _shown(graph: KnowledgeGraph, most: int) -> tuple[list[str], list[Edge]]:
    """Names of the most connected things, and the facts among them."""
    if not len(graph):
        raise InvalidInput("no facts hold, so there is nothing to draw; write something first, or ask for another time")
    degree: Counter[str] = Counter()
    for edge in graph.edges():
        degree.update((key(edge.subject), key(edge.object)))
    kept = {name for name, _ in sorted(degree.items(), key=lambda item: (-item[1], item[0]))[:most]}
    edges = [edge for edge in graph.edges() if key(edge.subject) in kept and key(edge.object) in kept]
    found = dict.fromkeys(key(end) for edge in edges for end in (edge.subject, edge.object))
    return [graph.name(name) for name in found], edges


def _plain(text: str, width: int) -> str:
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= width else text[: width - 1] + "…"
