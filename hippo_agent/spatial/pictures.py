"""Pictures of a map: PNG by matplotlib, and one HTML file with an SVG inside that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import networkx as nx

from hippo_agent.errors import InvalidInput, MissingExtra
from hippo_agent.spatial.macros import Macro
from hippo_agent.spatial.map import PlaceMap
from hippo_agent.spatial.plan import Plan
from hippo_agent.spatial.regions import regions, to_networkx

__all__ = ["draw", "layout"]

_MOST = 400  # places that still can be told apart
_HABITS = 8
_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#eeca3b", "#9d755d")


def draw(
    places: PlaceMap,
    path: Path,
    *,
    plan: Plan | None = None,
    here: str | None = None,
    macros: Sequence[Macro] = (),
) -> Path:
    """Write a picture; the ending decides: .png or .html. Raises InvalidInput for another one or an empty map.

    The route of ``plan`` is red, the place one is ``here`` has a black rim, ``macros`` stand in words below the map.
    """
    if not len(places):
        raise InvalidInput("the map is empty; observe something first")
    shown = _shown(places, plan, here)
    if path.suffix == ".html":
        path.write_text(_html(places, shown, plan, here, _habits(places, macros)), encoding="utf-8")
    elif path.suffix == ".png":
        _png(places, shown, plan, here, _habits(places, macros), path)
    else:
        raise InvalidInput(f"{path.name!r} must end in .png or .html")
    return path


def layout(places: PlaceMap, shown: Collection[str]) -> dict[str, tuple[float, float]]:
    """Positions: by dead reckoning where it puts no two places on one spot, else by springs."""
    found: dict[str, tuple[float, float]] = {}
    for name in shown:
        coordinate = places.place(name).coordinate
        if coordinate is None or len(coordinate.at) < 2:
            break
        at = coordinate.at
        lift = at[2] if len(at) > 2 else 0.0
        found[name] = (at[0] + 0.35 * lift, at[1] + 0.35 * lift)
    if len(found) == len(shown) and len(set(found.values())) == len(found):
        return found
    graph = nx.Graph(to_networkx(places).subgraph(shown))
    return {node: (float(x), float(y)) for node, (x, y) in nx.spring_layout(graph, seed=1).items()}


def _shown(places: PlaceMap, plan: Plan | None, here: str | None) -> list[str]:
    wanted = [step.place for step in plan.steps] + [step.expected for step in plan.steps] if plan is not None else []
    first = [place for place in [here, *wanted] if place is not None and place in places]
    rest = sorted(places.places.values(), key=lambda place: (-place.visits, place.id))
    return list(dict.fromkeys([*(places.find(place) for place in first), *(place.id for place in rest)]))[:_MOST]


def _routes(places: PlaceMap, plan: Plan | None) -> set[tuple[str, str]]:
    return set() if plan is None else {(step.place, step.expected) for step in plan.steps}


def _colours(places: PlaceMap) -> Mapping[str, str]:
    named = regions(places)
    order = {name: number for number, name in enumerate(dict.fromkeys(named.values()))}
    return {place: _COLOURS[order[name] % len(_COLOURS)] for place, name in named.items()}


def _habits(places: PlaceMap, macros: Sequence[Macro]) -> list[str]:
    """The active macros in words, most used first."""
    active = sorted((m for m in macros if m.status == "active"), key=lambda m: (-m.uses, -m.gain, m.id))
    lines = []
    for macro in active[:_HABITS]:
        starts = ", ".join(sorted(places.place(place).label for place in macro.starts if place in places)[:3])
        tried = f", {macro.successes} of {macro.uses} uses" if macro.uses else ""
        lines.append(f"{macro.name}" + (f" (from {starts}{tried})" if starts else ""))
    return lines


def _png(
    places: PlaceMap,
    shown: Collection[str],
    plan: Plan | None,
    here: str | None,
    habits: Sequence[str],
    path: Path,
) -> None:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        remedy = 'a .png needs matplotlib, an .html needs nothing: pip install "hippo-agent[pictures]"'
        raise MissingExtra(remedy) from error
    graph = to_networkx(places).subgraph(shown)
    at, colours, route = layout(places, shown), _colours(places), _routes(places, plan)
    size = min(24.0, 5 + 0.12 * len(shown))
    figure = Figure(figsize=(size, 0.75 * size))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.axis("off")
    nodes = list(graph.nodes)
    edges = [(a, b) for a, b in dict.fromkeys((a, b) for a, b, _ in graph.edges(keys=True)) if a != b]
    nx.draw_networkx_nodes(
        graph,
        at,
        ax=axes,
        nodelist=nodes,
        node_color=[colours[node] for node in nodes],
        edgecolors=["black" if node == here else "none" for node in nodes],
        linewidths=2,
        node_size=260,
    )
    nx.draw_networkx_edges(
        nx.DiGraph(edges),
        at,
        ax=axes,
        edgelist=edges,
        edge_color=["#d62728" if edge in route else "#999999" for edge in edges],
        width=[2.5 if edge in route else 1.0 for edge in edges],
        connectionstyle="arc3,rad=0.08",
        node_size=260,
    )
    nx.draw_networkx_labels(
        graph,
        at,
        ax=axes,
        font_size=7,
        labels={node: places.place(node).label[:24].replace("$", r"\$") for node in nodes},
    )
    if habits:
        text = "\n".join(f"habit: {_cut(line, 110)}" for line in habits).replace("$", r"\$")
        figure.text(0.02, 0.01, text, fontsize=7, color="#444444", va="bottom")
    figure.savefig(path, dpi=120, bbox_inches="tight")


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1] + "…"


def _html(places: PlaceMap, shown: Collection[str], plan: Plan | None, here: str | None, habits: Sequence[str]) -> str:
    at, colours, route = layout(places, shown), _colours(places), _routes(places, plan)
    xs, ys = [x for x, _ in at.values()], [y for _, y in at.values()]
    width = height = 900.0
    scale_x = (width - 120) / ((max(xs) - min(xs)) or 1.0)
    scale_y = (height - 120) / ((max(ys) - min(ys)) or 1.0)
    spot = {node: (60 + (x - min(xs)) * scale_x, height - 60 - (y - min(ys)) * scale_y) for node, (x, y) in at.items()}
    parts = []
    for source in shown:
        for edge in places.edges(source):
            target = edge.target
            if target is None or target not in spot:
                continue
            (x1, y1), (x2, y2) = spot[source], spot[target]
            marked = (source, target) in route
            colour = "#d62728" if marked else "#999"
            told = html.escape(f"{edge.spoken or edge.action}: {edge.hits}/{edge.tries}, cost {edge.cost:.3g}")
            parts.append(
                f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
                f'stroke-width="{3 if marked else 1.2}" marker-end="url(#tip)"><title>{told}</title></line>'
            )
    for node, (x, y) in spot.items():
        place = places.place(node)
        ring = "black" if node == here else "white"
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="{colours[node]}" stroke="{ring}" stroke-width="2">'
            f"<title>{html.escape(place.label)} ({node}), {place.visits} visits</title></circle>"
            f'<text x="{x + 12:.1f}" y="{y + 4:.1f}">{html.escape(place.label[:32])}</text>'
        )
    note = f"{len(places)} places" + (f", {len(shown)} shown" if len(shown) < len(places) else "")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Map</title><style>'
        "body{font:14px sans-serif;margin:1em}text{font-size:11px}</style><p>"
        + note
        + '</p><svg viewBox="0 0 900 900" width="100%" role="img">'
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="18" refY="5" markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M0 0L10 5L0 10z" fill="#777"/></marker></defs>'
        + "".join(parts)
        + "</svg>"
        + ("<ul>" + "".join(f"<li>habit: {html.escape(line)}</li>" for line in habits) + "</ul>" if habits else "")
        + "</html>\n"
    )
