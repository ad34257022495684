"""Which names may mean one thing: pairs worth judging, by the words and letters that they share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hippo_agent.relational.entities import Evidence, key, same_thing, shape
from hippo_agent.relational.words import STOP_WORDS

__all__ = ["MergeProposal", "propose_merges"]

_HOLDERS = 30  # a word that more names share tells nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeProposal:
    """Two names that may mean one thing; ``winner`` is the longer one."""

    loser: str
    winner: str
    evidence: Evidence


def propose_merges(
    names: Iterable[str], embed: Callable[[Sequence[str]], NDArray[np.float32] | None]
) -> list[MergeProposal]:
    """Pairs with evidence that they are one thing (`entities.same_thing`), the strongest first."""
    held = [name for name in dict.fromkeys(names) if shape(name) == "name"]
    pairs = _pairs(held)
    wanted = list(dict.fromkeys(name for pair in pairs for name in pair))
    vectors = embed(wanted) if wanted else None
    at = {name: number for number, name in enumerate(wanted)}
    out = []
    for first, second in pairs:
        close = 0.0 if vectors is None else float(vectors[at[first]] @ vectors[at[second]])
        evidence = same_thing(first, second, close)
        if evidence is not None:
            loser, winner = sorted((first, second), key=lambda name: (len(name), name))
            out.append(MergeProposal(loser=loser, winner=winner, evidence=evidence))
    return sorted(out, key=lambda item: (-item.evidence.strength, item.winner, item.loser))


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Names that share a word, the first letters of one, or all letters but one at either end."""
    blocks: dict[str, list[str]] = defaultdict(list)
    for name in names:
        parts = key(name).split()
        marks = {part for part in parts if part not in STOP_WORDS and len(part) > 1}
        marks.add("capitals " + "".join(part[0] for part in parts if part not in STOP_WORDS))
        if len(parts) == 1:
            marks.add(f"capitals {parts[0]}")
        folded = " ".join(parts)
        if len(folded) >= 8:
            half = len(folded) // 2
            marks |= {f"head {folded[: half - 1]}", f"tail {folded[-(half - 1) :]}"}
        for mark in marks:
            blocks[mark].append(name)
    pairs: dict[tuple[str, str], None] = {}
    for found in blocks.values():
        if 1 < len(found) <= _HOLDERS:
            pairs.update(((a, b), None) for a, b in combinations(found, 2))
    return list(pairs)
