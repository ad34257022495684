"""The tools that let a model use its memory, with one schema for every framework.

    tools = memory_tools(memory, namespace=("ada",))
    tools["recall"].call({"query": "where does Ada live?"})

An answer is text of at most 400 tokens; what is remembered stands in it as quoted data. A bad argument gives an answer
that says so, not an exception: a model has to read it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hippo_agent.context import Store, facts_near, recall_beside
from hippo_agent.memory import Memory
from hippo_agent.recall.rendering import render
from hippo_agent.spatial.tools import RecallHere, SpatialTool, spatial_tools
from hippo_agent.types import Cue, Namespace

__all__ = ["memory_tools"]

_BUDGET = 250  # tokens of recalled lines: with ids they stay below what a tool may answer


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Remember(_Arguments):
    text: str = Field(description="what to remember: one thing, in a full sentence with names and dates")


class _Recall(_Arguments):
    query: str = Field(description="a question, or a few words of what is wanted")
    k: int = Field(5, ge=1, le=20, description="how many at most")


class _Forget(_Arguments):
    ids: list[str] = Field(min_length=1, max_length=20, description="ids as recall gives them")
    reason: str = Field("asked to", max_length=200, description="why")


class _Facts(_Arguments):
    query: str = Field(description="a question, or names")
    k: int = Field(8, ge=1, le=20, description="how many at most")


def memory_tools(
    memory: Memory,
    *,
    namespace: Namespace | None = None,
    exact: bool = False,
    session: str | None = None,
    stores: Sequence[Store] = ("episodic", "facts"),
) -> dict[str, SpatialTool]:
    """Tools by name: remember, recall, forget (episodic); facts; and those of the map (places).

    Args:
        namespace: where they read and write; ``exact``: and nowhere below.
        session: what they write belongs to it.
    """
    where = memory.namespace if namespace is None else namespace

    def remember(a: _Remember) -> str:
        receipt = memory.write(a.text, source="model", kind="note", session=session, namespace=where)
        return f"Not stored: {'; '.join(receipt.reasons)}." if receipt.id is None else f"Remembered ({receipt.id})."

    def recall(a: _Recall) -> str:
        cue = Cue(text=a.query, namespace=where, exact_namespace=exact, k=a.k, budget_tokens=_BUDGET)
        hits = recall_beside(memory, cue).hits
        return render(hits, ids=True) or "Nothing comes back."

    def forget(a: _Forget) -> str:
        for trace_id in a.ids:
            found = memory.get(trace_id).namespace
            inside = found == where if exact else found[: len(where)] == where
            if not inside:
                return f"Error: no trace {trace_id!r}: it was never written, or it was forgotten"
        return f"Forgotten: {len(memory.forget(trace_id=a.ids, reason=a.reason).traces)}."

    def facts(a: _Facts) -> str:
        found = facts_near(memory, Cue(text=a.query, namespace=where, exact_namespace=exact, k=a.k))
        return "\n".join(found) or "No fact is known about it."

    def recall_here(a: RecallHere) -> str:
        return memory.recall_here(a.query, place=a.place, radius=a.radius).render() or "Nothing is remembered here."

    rows: list[tuple[Callable[[Any], str], type[BaseModel], str]] = []
    if "episodic" in stores:
        rows += [
            (remember, _Remember, "Keep something for later conversations."),
            (recall, _Recall, "What is remembered about something, word for word, with ids."),
            (forget, _Forget, "Delete remembered things for good, by their ids."),
        ]
    if "facts" in stores:
        rows.append((facts, _Facts, "What is known to hold now about someone or something."))
    tools = {run.__name__: SpatialTool(run.__name__, description, model, run) for run, model, description in rows}
    if "places" in stores:
        tools |= spatial_tools(memory.places)
        tools["recall_here"] = replace(tools["recall_here"], run=recall_here)
    return tools
