"""Macros: habits made of several actions, found in what succeeded before.

Contiguous sequences that many successful trajectories share, found by byte-pair merges that shorten the description of
the whole journal (two-part description length). Arguments that differ between the supporting trajectories become
parameters; arguments that agree stay as they are. PrefixSpan was tried and gives gappy, redundant patterns.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from hippo_agent.errors import ConfigError, InvalidInput
from hippo_agent.spatial import actions

Symbol = tuple[str, ...]
Pair = tuple[Symbol, Symbol]
_Spot = tuple[int, int]  # (trajectory, position)

__all__ = ["Act", "Macro", "MacroConfig", "Trajectory", "distil", "suggest", "template", "without_loops"]

Status = Literal["active", "quarantined", "dropped"]

_SLOT = "*"
_LINKS = frozenset("in on into onto to with from at under behind through about the a an".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroConfig:
    """What is admitted and when it is given up. Support and rates follow AWM and Memp."""

    support: int = 3  # distinct successful trajectories
    starts: int = 2  # distinct places it began at, where places are known
    shortest: int = 2
    longest: int = 12
    most: int = 64  # macros of one world
    patience: int = 2  # failures in a row before quarantine
    trial: int = 3  # uses before the success rate counts
    rate: float = 0.5  # success rate below which it is dropped

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise ConfigError(f"shortest {self.shortest!r} and longest {self.longest!r} do not bound anything")
        if self.support < 1 or self.starts < 1 or self.patience < 1 or self.trial < 1 or self.most < 1:
            raise ConfigError("support, starts, patience, trial and most must be at least 1")


@dataclass(frozen=True, slots=True)
class Act:
    """One step of a trajectory: an action, where it was done and where it led ("" where places are not known)."""

    action: str
    place: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """One episode. Only successful ones teach macros."""

    id: str
    acts: tuple[Act, ...]
    success: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """A habit. ``steps`` are actions with {1}, {2}... for the parameters."""

    id: str
    name: str
    steps: tuple[str, ...]
    parameters: tuple[tuple[str, ...], ...] = ()  # values seen for each parameter
    starts: frozenset[str] = frozenset()  # places it began at; empty: anywhere
    after: tuple[frozenset[str], ...] = ()  # places seen after each step; empty: not checked
    support: int = 0
    gain: float = 0.0  # bits that it saves on the journal it was found in, once its parts are there
    trajectories: tuple[str, ...] = ()
    uses: int = 0
    successes: int = 0
    failures_in_a_row: int = 0
    status: Status = "active"
    not_when: tuple[str, ...] = ()  # what went wrong, newest last
    version: int = 1

    @property
    def success_rate(self) -> float:
        """(successes + 1) / (uses + 2)."""
        return (self.successes + 1) / (self.uses + 2)

    def bind(self, values: Sequence[str] = ()) -> tuple[str, ...]:
        """The actions with the parameters filled in. Raises InvalidInput for the wrong number of values."""
        if len(values) != len(self.parameters):
            raise InvalidInput(f"macro {self.name!r} takes {len(self.parameters)} values, got {len(values)}")
        filled = list(self.steps)
        for number, value in enumerate(values, start=1):
            filled = [step.replace(f"{{{number}}}", value) for step in filled]
        return tuple(filled)

    def used(self, success: bool, config: MacroConfig, *, note: str = "") -> Macro:
        """After one use: quarantined after two failures in a row, dropped below half after three uses."""
        uses, successes = self.uses + 1, self.successes + success
        row = 0 if success else self.failures_in_a_row + 1
        status: Status = self.status
        if uses >= config.trial and successes / uses < config.rate:
            status = "dropped"
        elif row >= config.patience:
            status = "quarantined"
        notes = self.not_when if success or not note else (*self.not_when, note)[-5:]
        return replace(self, uses=uses, successes=successes, failures_in_a_row=row, status=status, not_when=notes)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "steps": list(self.steps),
            "parameters": [list(values) for values in self.parameters],
            "starts": sorted(self.starts),
            "after": [sorted(places) for places in self.after],
            "support": self.support,
            "gain": self.gain,
            "trajectories": list(self.trajectories),
            "stats": [self.uses, self.successes, self.failures_in_a_row],
            "status": self.status,
            "not_when": list(self.not_when),
            "version": self.version,
        }

    @classmethod
    def from_json(cls, id: str, row: Mapping[str, Any]) -> Macro:
        uses, successes, failures = row["stats"]
        return cls(
            id=id,
            name=row["name"],
            steps=tuple(row["steps"]),
            parameters=tuple(tuple(values) for values in row["parameters"]),
            starts=frozenset(row["starts"]),
            after=tuple(frozenset(places) for places in row["after"]),
            support=row["support"],
            gain=row["gain"],
            trajectories=tuple(row["trajectories"]),
            uses=uses,
            successes=successes,
            failures_in_a_row=failures,
            status=row["status"],
            not_when=tuple(row["not_when"]),
            version=row["version"],
        )


def template(action: str) -> tuple[str, tuple[str, ...]]:
    """An action without its arguments, and the arguments: "put knife in purse" -> "put * in *", ("knife", "purse")."""
    if actions.direction(action) is not None:
        return action, ()
    verb, *rest = action.split()
    shape, arguments, current = [verb], [], list[str]()
    for word in [*rest, ""]:
        if word and word not in _LINKS:
            current.append(word)
            continue
        if current:
            shape.append(_SLOT)
            arguments.append(" ".join(current))
            current = []
        if word and word not in ("the", "a", "an"):
            shape.append(word)
    return " ".join(shape), tuple(arguments)


def without_loops(acts: Sequence[Act]) -> list[Act]:
    """The same way without walks that came back to where they began; handling things on the way keeps a walk."""
    kept: list[Act] = []
    for act in acts:
        kept.append(act)
        if not act.after:
            continue
        for at in range(len(kept) - 1, -1, -1):
            if not kept[at].place or (kept[at].place == kept[at].after and at < len(kept) - 1):
                break
            if kept[at].place == act.after and act.place != act.after:
                del kept[at:]
                break
    return kept


def distil(
    trajectories: Sequence[Trajectory], config: MacroConfig | None = None, *, known: Sequence[Macro] = ()
) -> list[Macro]:
    """Macros from the successful trajectories, most useful first. ``known`` ones keep their id and their record."""
    config = config or MacroConfig()
    good = [(each.id, without_loops(each.acts)) for each in trajectories if each.success]
    shapes = [[template(act.action)[0] for act in acts] for _, acts in good]
    sequences, gains = _merge_pairs(shapes, config)
    at = {sequence: _occurrences(sequence, shapes) for sequence in sequences}
    fit: dict[Symbol, tuple[str, ...]] = {}  # sequence -> the trajectories that support it
    for sequence, where in at.items():
        support = {good[number][0] for number, _ in where}
        starts = {good[number][1][position].place for number, position in where}
        if len(support) >= config.support and ("" in starts or len(starts) >= config.starts):
            fit[sequence] = tuple(sorted(support))
    wholes = _wholes({sequence: at[sequence] for sequence in fit}, gains)
    found = [
        _macro(sequence, [good[n][1][i : i + len(sequence)] for n, i in at[sequence]], fit[sequence], gain)
        for sequence, gain in wholes.items()
    ]
    admitted = sorted(found, key=lambda macro: (-macro.gain, macro.steps))
    before = {macro.id: macro for macro in known}
    return [_with_record(macro, before.get(macro.id)) for macro in admitted[: config.most]]


def suggest(
    macros: Sequence[Macro], *, place: str | None = None, goal: str = "", plan: Sequence[str] = (), k: int = 5
) -> list[tuple[Macro, float]]:
    """Active macros that fit, best first, with a score in [0, 1].

    Filters first (active; begins here or anywhere), then words of the goal, then order: embeddings and bags of words
    cannot tell "open, take" from "take, open", so the steps are compared with the plan's by edit distance.
    """
    wanted = set(re.findall(r"\w+", goal.lower()))
    shapes = [template(action)[0] for action in plan]
    scored = []
    for macro in macros:
        if macro.status != "active" or (place is not None and macro.starts and place not in macro.starts):
            continue
        score = macro.success_rate
        if wanted:
            own = set(re.findall(r"\w+", " ".join([macro.name, *macro.steps, *sum(macro.parameters, ())]).lower()))
            score *= 0.2 + 0.8 * len(wanted & own) / len(wanted)
        if shapes:
            steps = [template(re.sub(r"\{\d+\}", "x", step))[0] for step in macro.steps]
            score *= 1 - _distance(steps, shapes[: len(steps)]) / max(1, len(steps))
        scored.append((macro, score))
    scored.sort(key=lambda pair: (-pair[1], -len(pair[0].steps), pair[0].id))
    return [pair for pair in scored if pair[1] > 0][:k]


def _merge_pairs(shapes: Sequence[Sequence[str]], config: MacroConfig) -> tuple[list[Symbol], dict[Symbol, float]]:
    """Byte-pair merges while each shortens the description; the sequences made, and the bits each saved."""
    texts: list[list[Symbol]] = [[(symbol,) for symbol in shape] for shape in shapes]
    made: list[Symbol] = []
    gains: dict[Symbol, float] = {}
    length = _bits(texts, made)
    refused: set[Pair] = set()
    while len(made) < 4 * config.most:
        pairs: Counter[Pair] = Counter()
        owners: dict[Pair, set[int]] = defaultdict(set)
        for number, text in enumerate(texts):
            for pair in pairwise(text):
                pairs[pair] += 1
                owners[pair].add(number)
        choice = None
        for pair, _ in sorted(pairs.items(), key=lambda item: (-item[1], item[0])):
            if pair in refused or len(owners[pair]) < config.support or len(pair[0]) + len(pair[1]) > config.longest:
                continue
            choice = pair
            break
        if choice is None:
            break
        joined = choice[0] + choice[1]
        candidate = [_joined(text, choice) for text in texts]
        rules = made if joined in gains else [*made, joined]
        shorter = _bits(candidate, rules)
        if shorter >= length:
            refused.add(choice)
            continue
        gains[joined] = gains.get(joined, 0.0) + length - shorter
        texts, made, length = candidate, rules, shorter
    return [sequence for sequence in made if len(sequence) >= config.shortest], gains


def _joined(text: list[Symbol], pair: Pair) -> list[Symbol]:
    result: list[Symbol] = []
    at = 0
    while at < len(text):
        if at + 1 < len(text) and (text[at], text[at + 1]) == pair:
            result.append(pair[0] + pair[1])
            at += 2
        else:
            result.append(text[at])
            at += 1
    return result


def _bits(texts: Sequence[Sequence[Symbol]], rules: Sequence[Symbol]) -> float:
    """Two-part description length: one symbol each from one alphabet for the texts, and two for each rule."""
    alphabet = {part for text in texts for symbol in text for part in symbol}
    symbol_bits = math.log2(1 + len(alphabet))
    return symbol_bits * (sum(map(len, texts)) + 2 * len(rules))


def _macro(
    sequence: tuple[str, ...],
    occurrences: Sequence[Sequence[Act]],
    support: Sequence[str],
    gain: float,
) -> Macro:
    arguments = [[template(act.action)[1] for act in acts] for acts in occurrences]
    slots: dict[tuple[str, ...], int] = {}  # values over the occurrences -> parameter number
    steps = []
    for position, shape in enumerate(sequence):
        step, place_in_step = shape, 0
        while _SLOT in step.split():
            values = tuple(found[position][place_in_step] for found in arguments)
            agreed = len(set(values)) == 1
            text = values[0] if agreed else f"{{{slots.setdefault(values, len(slots) + 1)}}}"
            words_of_step = step.split()
            words_of_step[words_of_step.index(_SLOT)] = text
            step, place_in_step = " ".join(words_of_step), place_in_step + 1
        steps.append(step)
    after = tuple(frozenset(acts[position].after for acts in occurrences) for position in range(len(sequence)))
    starts = frozenset(acts[0].place for acts in occurrences)
    digest = hashlib.blake2b("\n".join(steps).encode(), digest_size=5).hexdigest()
    return Macro(
        id=f"m{digest}",
        name=" > ".join(steps),
        steps=tuple(steps),
        parameters=tuple(tuple(dict.fromkeys(values)) for values in slots),
        starts=frozenset() if "" in starts else starts,
        after=() if any("" in places for places in after) else after,
        support=len(support),
        gain=round(gain, 3),
        trajectories=tuple(support),
    )


def _with_record(macro: Macro, before: Macro | None) -> Macro:
    if before is None:
        return macro
    return replace(
        macro,
        uses=before.uses,
        successes=before.successes,
        failures_in_a_row=before.failures_in_a_row,
        status=before.status,
        not_when=before.not_when,
        version=before.version + (before.support != macro.support),
    )


def _occurrences(sequence: Symbol, shapes: Sequence[Sequence[str]]) -> list[_Spot]:
    size = len(sequence)
    return [
        (number, position)
        for number, shape in enumerate(shapes)
        for position in range(len(shape) - size + 1)
        if tuple(shape[position : position + size]) == sequence
    ]


def _wholes(at: Mapping[Symbol, Sequence[_Spot]], gains: Mapping[Symbol, float]) -> dict[Symbol, float]:
    """Without the sequences that occur only as a part of one and the same longer one, which has their gain too.

    All others stay, parts beside wholes: the short ones are what fits elsewhere.
    """
    kept = {sequence: gains[sequence] for sequence in sorted(at, key=lambda sequence: (len(sequence), sequence))}
    for part in list(kept):
        spots = set(at[part])
        for whole in reversed(kept):
            offsets = _inside(part, whole)
            if offsets and spots <= {(number, start + offset) for number, start in at[whole] for offset in offsets}:
                kept[whole] += kept.pop(part)
                break
    return kept


def _inside(part: Symbol, whole: Symbol) -> list[int]:
    """Where a sequence begins in a longer one."""
    size = len(part)
    return [
        start for start in range(len(whole) - size + 1) if len(whole) > size and whole[start : start + size] == part
    ]


def _distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Edit distance between two sequences."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        previous, row[0] = row[0], i
        for j, right in enumerate(b, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return row[-1]
