"""The tools an agent gets, with one schema for every framework: names, descriptions, typed arguments, short answers.

    tools = spatial_tools(places)
    tools["plan_route"].call({"goal": "library"})

An answer is text of at most 400 tokens; world text in it is quoted. A bad argument gives an answer that says so, not an
exception: a model has to read it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hippo_agent.errors import HippoError
from hippo_agent.spatial.places import Places
from hippo_agent.spatial.plan import Plan
from hippo_agent.spatial.sketch import quoted, sketch, tokens

__all__ = ["MAX_TOKENS", "RecallHere", "SpatialTool", "spatial_tools"]

MAX_TOKENS = 400


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Observe(_Arguments):
    text: str = Field(description="what you see, word for word")
    action: str | None = Field(
        None, description="what you did just before; leave out at the start or when you only looked"
    )
    exits: list[str] = Field(default_factory=list, description="actions that are possible here, if you know them")


class _Nothing(_Arguments):
    pass


class _Neighbourhood(_Arguments):
    place: str | None = Field(None, description="place id; here by default")
    radius: int = Field(1, ge=0, le=6, description="steps")


class _Route(_Arguments):
    goal: str = Field(description="place id or name")
    objective: str = Field("cost", description="steps, cost or reliability")


class _Report(_Arguments):
    ok: bool | None = Field(None, description="whether the step worked; leave out to let the map decide")
    note: str = Field("", max_length=200, description="what went wrong")


class _Block(_Arguments):
    action: str = Field(description="the action that does not work")
    place: str | None = Field(None, description="place id; here by default")
    reason: str = Field("", max_length=200, description="why")
    seconds: float | None = Field(None, gt=0, description="for how long; for good by default")


class RecallHere(_Arguments):
    """Arguments of recall_here."""

    place: str | None = Field(None, description="place id; here by default")
    query: str | None = Field(None, description="what you want to know")
    radius: int = Field(1, ge=0, le=6, description="steps around the place")


class _Suggest(_Arguments):
    goal: str = Field("", description="what you want to do")


class _Run(_Arguments):
    macro: str = Field(description="macro id")
    values: list[str] = Field(default_factory=list, description="values of its parameters")


class _Name(_Arguments):
    name: str = Field(description="the new name")
    place: str | None = Field(None, description="place id; here by default")


@dataclass(frozen=True, slots=True)
class SpatialTool:
    """One tool: what a framework wraps."""

    name: str
    description: str
    arguments: type[BaseModel]
    run: Callable[[Any], str]  # validated arguments to the answer

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments."""
        return self.arguments.model_json_schema()

    def call(self, arguments: Mapping[str, Any]) -> str:
        """The answer, at most 400 tokens. Errors of the caller come back as text."""
        try:
            text = self.run(self.arguments.model_validate(dict(arguments)))
        except ValidationError as error:
            first = error.errors()[0]
            text = f"Error: {'.'.join(map(str, first['loc'])) or 'arguments'}: {first['msg']}"
        except HippoError as error:
            text = f"Error: {error}"
        while tokens(text) > MAX_TOKENS:
            text = text[: int(len(text) * 0.9)].rstrip() + "…"
        return text


def spatial_tools(
    places: Places, *, texts: Callable[[list[str]], Mapping[str, str]] | None = None
) -> dict[str, SpatialTool]:
    """The tools over one world. ``texts`` gives the texts of remembered items by id, for recall_here."""

    def label(place: str) -> str:
        return f"{quoted(places.place(place).label)} ({place})"

    def observe(a: _Observe) -> str:
        arrival = places.observe(a.text, action=a.action, exits=a.exits)
        sure = "" if arrival.band != "tentative" else ", though it may be another place that looks alike"
        state = "a new place" if arrival.new else "a place you know"
        return f"You are at {label(arrival.place)}, {state}{sure}."

    def where_am_i(_: _Nothing) -> str:
        found = places.where_am_i()
        if not found:
            return "Not known yet; observe first."
        return "; ".join(f"{label(place)} {share:.0%}" for place, share in found)

    def neighbourhood(a: _Neighbourhood) -> str:
        if a.place is None and a.radius <= 1:
            return sketch(places.map, places.planner, places.current, budget_tokens=MAX_TOKENS - 20)
        near = places.neighbourhood(a.place, radius=a.radius)
        return "\n".join(f"{label(place)}: {distance:.0f} steps" for place, distance in list(near.items())[:30])

    def plan_route(a: _Route) -> str:
        named = [] if a.goal in places.map else places.named(a.goal)
        exact = [place for place in named if place.name == named[0].name]
        if len(named) > 1 and len(exact) != len(named):
            return "Which one? " + ", ".join(label(place.id) for place in named[:10])
        plan = places.plan([place.id for place in named] if named else a.goal, objective=a.objective)
        if plan.found:
            places.follow(plan)
        return _tell(plan, label)

    def next_step(_: _Nothing) -> str:
        action = places.next_step()
        return "Nothing left to do." if action is None else f"Do: {quoted(action)}"

    def report_step(a: _Report) -> str:
        return places.report_step(ok=a.ok, note=a.note)

    def block_edge(a: _Block) -> str:
        places.block(a.place, a.action, reason=a.reason, seconds=a.seconds)
        return f"{quoted(a.action)} is blocked" + (f" for {a.seconds:g} seconds." if a.seconds else ".")

    def frontier(_: _Nothing) -> str:
        found = places.frontier(limit=8)
        lines = [f"{label(p)}, {d:.0f} steps: {', '.join(map(quoted, untried[:6]))}" for p, d, untried in found]
        return "\n".join(lines) or "Everything near was tried."

    def recall_here(a: RecallHere) -> str:
        loader = (lambda ids: texts(list(ids))) if texts is not None else None
        here = places.recall_here(a.place, query=a.query, radius=a.radius, texts=loader)
        shown = texts([hit.item for hit in here.hits]) if texts is not None else {}
        lines = [f"- {quoted(shown.get(hit.item, hit.item))} at {label(hit.place)}" for hit in here.hits]
        lines += [
            f"- failed before: {quoted(f.action)} at {label(f.place)}: {quoted(f.reason)}" for f in here.failures[:5]
        ]
        lines += [f"- macro {macro} starts here" for macro in here.macros[:5]]
        return "\n".join(lines) or "Nothing is remembered here."

    def suggest_macros(a: _Suggest) -> str:
        found = places.suggest_macros(a.goal)
        lines = [
            f"{macro.id} ({score:.0%}): {quoted(macro.name)}, {len(macro.parameters)} values" for macro, score in found
        ]
        return "\n".join(lines) or "No macro fits."

    def run_macro(a: _Run) -> str:
        run = places.run_macro(a.macro, a.values)
        return f"Running {len(run.remaining)} steps; ask next_step."

    def name_place(a: _Name) -> str:
        places.name_place(a.place, a.name)
        return "Named."

    rows: list[tuple[Callable[[Any], str], type[BaseModel], str]] = [
        (observe, _Observe, "Tell the map what you see and what you did before; returns where you are."),
        (where_am_i, _Nothing, "Where you are, with probabilities when it is not clear."),
        (neighbourhood, _Neighbourhood, "Places and ways around you or around a place."),
        (plan_route, _Route, "The best known route from here to a place; then ask next_step for each action."),
        (next_step, _Nothing, "The next action of the route or macro being followed."),
        (report_step, _Report, "After observing the result of a step: go on, replan or stop."),
        (block_edge, _Block, "Remember that an action does not work at a place, for some time or for good."),
        (frontier, _Nothing, "Nearest places where something was never tried."),
        (recall_here, RecallHere, "What happened here and nearby, and what failed here before."),
        (suggest_macros, _Suggest, "Habits that worked before and fit here and now."),
        (run_macro, _Run, "Begin a habit; then ask next_step for each action."),
        (name_place, _Name, "Give a place a name."),
    ]
    return {run.__name__: SpatialTool(run.__name__, description, model, run) for run, model, description in rows}


def _tell(plan: Plan, label: Callable[[str], str]) -> str:
    if not plan.found:
        hint = f" Nearest place with something untried: {label(plan.frontier)}." if plan.frontier else ""
        return f"No route: {quoted(plan.reason)}.{hint}"
    if not plan.steps:
        return "You are there."
    route = " > ".join(quoted(step.action) for step in plan.steps[:40])
    return f"{len(plan.steps)} steps, success {plan.probability:.0%}: {route}"
