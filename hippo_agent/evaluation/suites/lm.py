"""``lm``: how well a model foretells a text, with and without a memory of what came before.

The text is cut into episodes. Each episode is foretold with the one before it as context. Its memory is of the episodes
before that, never of itself or later ones; the cue is the context alone. ``prefix`` and ``adapter`` read the eight that
the embedder finds, ``shuffled`` reads eight drawn at random, ``memory_off`` none. Perplexity is a token of the model's
own tokeniser, which the report names; ``nll_per_character`` can be compared between models.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from math import exp
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hippo_agent.episodic.segmentation import SegmentationConfig, segment
from hippo_agent.errors import DataError
from hippo_agent.evaluation.run import Outcome, Row
from hippo_agent.evaluation.suites.reader import ReaderRun, ready_readers
from hippo_agent.model.packing import PackedTrace
from hippo_agent.model.readers import Reader

__all__ = ["SYSTEMS", "run"]

SYSTEMS = ("memory_off", "prefix", "adapter", "shuffled")
_READ = 8  # traces read beside an episode
_MOST = 400  # episodes that are judged
_PIECES = SegmentationConfig(least=100, most=400)


def run(data: Path, run: ReaderRun) -> Outcome:
    """Perplexity and nats a character of each system, over the same tokens."""
    episodes = _episodes(data)
    judged = list(range(_READ + 2, len(episodes)))
    limit = run.limit or _MOST
    if len(judged) > limit:
        judged = sorted(random.Random(run.seed).sample(judged, limit))
    vectors = run.embedder.embed(episodes)
    readers = ready_readers(run)
    rows: list[Row] = []
    sums: dict[str, list[float]] = {}
    rng = random.Random(f"lm:{run.seed}")
    for number, at in enumerate(judged, 1):
        earlier = range(at - 1)
        drawn = rng.sample(earlier, _READ)
        found = {}
        for name in SYSTEMS:
            reader = readers.get("prefix" if name == "shuffled" else name)
            if name not in run.systems or (reader is None and name != "memory_off"):
                continue
            places = drawn if name == "shuffled" else _nearest(vectors, at, earlier)
            found[name] = _foretold(run, reader, episodes, vectors, at, places)
        for name, nll in found.items():
            sums.setdefault(name, []).extend(nll)
        rows.append(
            Row(
                about={"episode": at, "tokens": len(found["memory_off"]) if "memory_off" in found else 0},
                metrics={name: {"nll": float(np.mean(nll))} for name, nll in found.items()},
            )
        )
        if run.tick:
            run.tick(number, len(judged))
    for reader in readers.values():
        reader.close()
    characters = sum(len(episodes[at]) for at in judged)
    return Outcome(n=len(rows), systems={name: _figures(nll, characters) for name, nll in sums.items()}, rows=rows)


def _figures(nll: Sequence[float], characters: int) -> Mapping[str, float]:
    return {"perplexity": exp(float(np.mean(nll))), "nll_per_character": float(np.sum(nll)) / characters}


def _episodes(data: Path) -> list[str]:
    try:
        text = data.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise DataError(f"{str(data)!r} is not a UTF-8 text ({exc}); name a plain text with --data") from exc
    found = segment(text, config=_PIECES)
    if len(found) < _READ + 3:
        raise DataError(f"{str(data)!r} has {len(found)} episodes, at least {_READ + 3} are needed; give a longer text")
    return found


def _nearest(vectors: NDArray[np.float32], at: int, earlier: range) -> list[int]:
    """The earlier episodes most like the context of an episode."""
    scores = vectors[earlier.start : earlier.stop] @ vectors[at - 1]
    return [int(one) for one in np.argsort(-scores, kind="stable")[:_READ]]


def _foretold(
    run: ReaderRun,
    reader: Reader | None,
    episodes: Sequence[str],
    vectors: NDArray[np.float32],
    at: int,
    places: Sequence[int],
) -> list[float]:
    """Nats of each token of an episode after the one before it."""
    traces = [
        PackedTrace(id=str(one), text=episodes[one], score=float(vectors[one] @ vectors[at - 1])) for one in places
    ]
    context, model = episodes[at - 1], run.model
    before = len(model.tokens(f"{context}\n"))
    with nullcontext() if reader is None else reader.reading(traces):
        nll = model.surprise(f"{context}\n{episodes[at]}")
    return nll[before:]
