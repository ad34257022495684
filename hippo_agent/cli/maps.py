"""`hippo map`: what the memory knows of places and ways."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hippo_agent.cli.options import DEFAULT_FOLDER, FolderOption, JsonOption, NamespaceOption, opened
from hippo_agent.cli.output import emit, safe


def map_(
    out: Annotated[
        Path | None, typer.Option(help="Draw it here: .html needs nothing, .png needs the pictures extra.")
    ] = None,
    goal: Annotated[str | None, typer.Option(help="Also plan a route from where the agent is to this place.")] = None,
    memory: FolderOption = DEFAULT_FOLDER,
    namespace: NamespaceOption = None,
    json_: JsonOption = False,
) -> None:
    """Sketch the map of a namespace in words, or draw it with its route and its habits.

    Example: hippo map --out map.html --goal library
    """
    from hippo_agent.spatial.pictures import draw
    from hippo_agent.spatial.regions import regions
    from hippo_agent.spatial.sketch import sketch

    with opened(memory, namespace, "hashing", read_only=True) as store:
        places = store.places
        plan = None if goal is None else places.plan(goal)
        if out is not None:
            draw(places.map, out, plan=plan, here=places.current, macros=places.macros)
        if json_:
            emit(
                {
                    "places": len(places.map),
                    "current": places.current,
                    "regions": len(set(regions(places.map).values())),
                    "macros": [macro.to_json() | {"id": macro.id} for macro in places.macros],
                    "route": None if plan is None else list(plan.actions),
                    "reason": None if plan is None else plan.reason or None,
                    "out": None if out is None else str(out),
                }
            )
            return
        if out is not None:
            typer.echo(f"{out}: {len(places.map)} places")
        else:
            typer.echo(safe(sketch(places.map, places.planner, places.current)))
        if plan is not None:
            typer.echo(safe(" > ".join(plan.actions) or "there already" if plan.found else f"no route: {plan.reason}"))
