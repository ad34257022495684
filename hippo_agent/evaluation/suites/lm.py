"""``lm``: how well a model foretells a text, with and without a memory of what came before.

The text is cut into episodes. Each episode is foretold with the one before it as context. Its memory is of the episodes
before that, never of itself or later ones; the cue is the context alone. ``prefix`` and ``adapter`` read the eight that
the embedder finds, ``memory_off`` none. The ``shuffled`` ones read eight drawn at random: the prefix reader, the same
without its floor of the scores, and the adapter. Perplexity is a token of the model's
own tokeniser, which the report names; ``nll_per_character`` can be compared between models.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from math import exp
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hippo_agent.episodic.segmentation import SegmentationConfig, segment
from hippo_agent.errors import DataError
from hippo_agent.evaluation.run import Outcome, Row
from hippo_agent.evaluation.suites.reader import ReaderRun, ready_readers
from hippo_agent.model.packing import PackedTrace
from hippo_agent.model.readers import PrefixReader, Reader

__all__ = ["SYSTEMS", "run"]

SYSTEMS = ("memory_off", "prefix", "adapter", "shuffled", "shuffled_no_floor", "shuffled_adapter")
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
    rng = random.Random(f"lm:{run.seed}")
    for number, at in enumerate(judged, 1):
        earlier = range(at - 1)
        drawn, near = rng.sample(earlier, _READ), _nearest(vectors, at, earlier)
        alone = _foretold(run, None, episodes, vectors, at, ())
        found: dict[str, dict[str, float]] = {"memory_off": _figures(alone, alone)}
        for name in SYSTEMS[1:]:
            reader = readers.get("adapter" if name.endswith("adapter") else "prefix")
            if reader is not None:
                places = drawn if name.startswith("shuffled") else near
                with _floored(reader, not name.endswith("no_floor")):
                    found[name] = _figures(_foretold(run, reader, episodes, vectors, at, places), alone)
        rows.append(
            Row(
                about={"episode": at, "tokens": len(alone.nll), "characters": len(episodes[at])},
                metrics={name: figures for name, figures in found.items() if name in run.systems},
            )
        )
        if run.tick:
            run.tick(number, len(judged))
    for reader in readers.values():
        reader.close()
    names = dict.fromkeys(name for row in rows for name in row.metrics)
    return Outcome(n=len(rows), systems={name: _means(name, rows) for name in names}, rows=rows)


@dataclass(frozen=True, slots=True)
class _Foretold:
    """Nats of each token, [n], and the logarithm of every token's chance there, [n, vocabulary]."""

    nll: NDArray[np.float32]
    chances: NDArray[np.float32]


def _figures(read: _Foretold, alone: _Foretold) -> dict[str, float]:
    """Mean nats a token, and the mean divergence of the model that reads from the model alone."""
    divergence = (np.exp(alone.chances) * (alone.chances - read.chances)).sum(axis=1)
    return {"nll": float(read.nll.mean()), "kl": float(divergence.mean())}


@contextmanager
def _floored(reader: Reader, floored: bool) -> Iterator[None]:
    """The prefix reader with its floor, or without."""
    if not isinstance(reader, PrefixReader) or floored:
        yield
        return
    floor, reader.prefix.floor = reader.prefix.floor, 0.0
    try:
        yield
    finally:
        reader.prefix.floor = floor


def _means(name: str, rows: Sequence[Row]) -> Mapping[str, float]:
    """Over all tokens of all episodes."""
    counts = np.array([row.about["tokens"] for row in rows], dtype=np.float64)
    nll = float((counts * [row.metrics[name]["nll"] for row in rows]).sum())
    kl = float((counts * [row.metrics[name]["kl"] for row in rows]).sum() / counts.sum())
    characters = sum(row.about["characters"] for row in rows)
    return {"perplexity": exp(nll / float(counts.sum())), "nll_per_character": nll / characters, "kl": kl}


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
) -> _Foretold:
    """An episode after the one before it, read with the traces of these places."""
    import torch

    traces = [
        PackedTrace(id=str(one), text=episodes[one], score=float(vectors[one] @ vectors[at - 1])) for one in places
    ]
    model = run.model
    before = model.tokens(f"{episodes[at - 1]}\n")
    own = model.tokens(episodes[at])[: model.context - len(before)]
    ids = torch.tensor([[*before, *own]], device=model.model.device)
    with torch.no_grad(), nullcontext() if reader is None else reader.reading(traces):
        logits = model.model(ids, use_cache=False).logits[0, len(before) - 1 : -1].float()
    chances = torch.log_softmax(logits, dim=-1).cpu().numpy()
    return _Foretold(nll=-chances[np.arange(len(own)), own], chances=chances)
