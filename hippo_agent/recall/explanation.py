"""Why each trace came back, in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hippo_agent.recall.result import Recall

__all__ = ["REASONS", "explain"]

#: What the names in `Hit.reasons` mean.
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "words": "its words cover the cue's",
        "context": "the turns around it cover more of the cue's words",
        "meaning": "the text as a whole is close in meaning",
        "time": "it is from the time that the cue names",
        "particulars": "it tells of the very number or date that the cue names",
        "sparse": "its sparse key overlaps with the cue's",
        "neighbours": "the turns before and after it match",
        "session": "its session has a strong match",
        "speaker": "the cue names who said it",
        "asks": "it is itself a question",
        "order": "it has the cue's words in the same order",
        "place": "it happened where the agent is, or nearby",
        "slots": "it fits the who, what, where and when that were given",
        "near": "it was remembered here or nearby",
        "match": "its words and meaning fit the question",
        "claims": "a fact that it states is close in meaning",
        "links": "a strong match leads to it by name, or the question names what it is about",
    }
)


def explain(recall: Recall) -> str:
    """One paragraph per hit: score, text, and the points of each reason."""
    kind = "question" if recall.question else "fragment"
    head = f"{len(recall.hits)} of {recall.considered} candidates for the {kind} {recall.cue.text!r}"
    left = [f"{recall.duplicates} duplicates" if recall.duplicates else ""]
    left.append(f"{recall.over_budget} over the token budget" if recall.over_budget else "")
    if any(left):
        head += f"; left out: {', '.join(part for part in left if part)}"
    lines = [head]
    lines += [f"read {word!r} as {' or '.join(map(repr, known))}" for word, known in recall.corrections]
    for number, hit in enumerate(recall.hits, 1):
        said = f"{hit.trace.speaker}: " if hit.trace.speaker else ""
        lines.append(f"{number}. {hit.score:.3f}  {_short(said + hit.trace.text)!r}  ({hit.trace.id})")
        for name, points in hit.reasons.items():
            more = f" ({hit.because[name]})" if name in hit.because else ""
            lines.append(f"     {points:+.3f}  {name}: {REASONS.get(name, name)}{more}")
    return "\n".join(lines)


def _short(text: str, width: int = 96) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "\u2026"
