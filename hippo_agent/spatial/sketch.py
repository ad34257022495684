"""The map in a few words, for a prompt: where one is, the ways from here, what is near, the regions. Bounded in tokens.

World text is quoted as data: titles are cut, and line breaks cannot leave their quotes.
"""

from __future__ import annotations

from hippo_agent.spatial.map import PlaceMap
from hippo_agent.spatial.plan import Planner
from hippo_agent.spatial.regions import regions

__all__ = ["quoted", "sketch", "tokens"]

_TITLE = 60


def tokens(text: str) -> int:
    """A cautious count of tokens: one for each four characters, or each word if that is more."""
    return max(len(text) // 4 + 1, len(text.split()))


def quoted(text: str) -> str:
    """World text as data: one line, at most 60 characters, in quotes of its own."""
    line = " ".join(text.split()).replace('"', "'")
    return f'"{line[: _TITLE - 1]}…"' if len(line) > _TITLE else f'"{line}"'


def sketch(places: PlaceMap, planner: Planner, here: str | None, *, budget_tokens: int = 300, now: float = 0.0) -> str:
    """Lines in order of use, as many as fit; the first always does."""
    if here is None or here not in places:
        return f"The map has {len(places)} places; it is not known where we are."
    here = places.find(here)
    place = places.place(here)
    lines = [f"You are at {quoted(place.label)} ({here})."]
    for edge in places.edges(here):
        if edge.blocked(now):
            lines.append(
                f"- {quoted(edge.spoken or edge.action)} is blocked" + (f": {quoted(edge.block)}" if edge.block else "")
            )
        elif edge.target is not None:
            needs = "".join(f", needs {quoted(f'{name} {value}')}" for name, value in sorted(edge.needs.items()))
            lines.append(
                f"- {quoted(edge.spoken or edge.action)} leads to {quoted(places.place(edge.target).label)}{needs}"
            )
    untried = places.untried(here)
    if untried:
        lines.append("- untried: " + ", ".join(quoted(action) for action in untried[:8]))
    near = [(other, far) for other, far in planner.distances(here, limit=4, now=now).items() if far >= 2]
    for other, far in near[:12]:
        lines.append(f"- {quoted(places.place(other).label)} ({other}) is {far:.0f} steps away")
    if len(places) <= 5000:
        sizes: dict[str, int] = {}
        for name in regions(places).values():
            sizes[name] = sizes.get(name, 0) + 1
        if len(sizes) > 1:
            told = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:8]
            lines.append(
                f"The map has {len(places)} places in {len(sizes)} parts: "
                + ", ".join(f"{quoted(n)} ({c})" for n, c in told)
            )
    text = lines[0]
    for line in lines[1:]:
        if tokens(f"{text}\n{line}") > budget_tokens:
            break
        text = f"{text}\n{line}"
    return text
