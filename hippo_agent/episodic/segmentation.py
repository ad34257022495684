"""Turns and documents become episodes; a long text is cut where something new begins.

A cut falls where the surprise of the next sentence exceeds mean + gamma x sigma of the sentences before it (EM-LLM,
Fountas et al. 2024). Surprise comes from a language model's token NLLs when there is one, else from the embedding
distance between neighbouring sentences; without either, cuts fall at paragraphs and at the size limit only.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean, pstdev

import numpy as np
from numpy.typing import NDArray

from hippo_agent.errors import ConfigError, InvalidInput, InvalidVector

#: text -> (start, NLL in nats) of each token: where it begins in the text, and how unlikely it was.
TokenNll = Callable[[str], Sequence[tuple[int, float]]]
#: texts -> float32[n, d] unit rows.
Embed = Callable[[Sequence[str]], NDArray[np.float32]]

_SENTENCE = re.compile(r".+?(?:[.!?…]+[\"')\]]*(?=\s|$)|[。！？]|\n+|$)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationConfig:
    """Sizes in characters."""

    gamma: float = 1.0  # standard deviations above the mean at which something new begins
    window: int = 32  # sentences before that the mean and deviation are taken over
    least: int = 200  # no episode is shorter, unless the text is
    most: int = 2_000  # no episode is longer

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise ConfigError(f"an episode needs 1 <= least <= most, not least={self.least!r}, most={self.most!r}")
        if self.window < 2:
            raise ConfigError(f"SegmentationConfig.window must be at least 2, not {self.window!r}")


def surprise_boundaries(values: Sequence[float], *, gamma: float = 1.0, window: int = 32) -> list[int]:
    """Positions i > 1 with values[i] > mean + gamma x sigma of the ``window`` values before i."""
    found: list[int] = []
    for i in range(2, len(values)):
        before = values[max(0, i - window) : i]
        if values[i] > fmean(before) + gamma * pstdev(before) + 1e-12:
            found.append(i)
    return found


def segment(
    text: str,
    *,
    config: SegmentationConfig | None = None,
    token_nll: TokenNll | None = None,
    embed: Embed | None = None,
) -> list[str]:
    """Episodes of a text, in order, without white space around them; a text that fits is one episode."""
    return [text[start:end] for start, end in spans(text, config=config, token_nll=token_nll, embed=embed)]


def spans(
    text: str,
    *,
    config: SegmentationConfig | None = None,
    token_nll: TokenNll | None = None,
    embed: Embed | None = None,
) -> list[tuple[int, int]]:
    """(start, end) of each episode; only white space lies between them, and none begins or ends with it."""
    config = config or SegmentationConfig()
    if not text.strip():
        return []
    if len(text) <= config.most and not (token_nll or embed):
        return _stripped(text, [(0, len(text))])
    pieces = _pieces(text, config.most)
    if token_nll is not None:
        fresh = _by_tokens(text, pieces, token_nll, config)
    elif embed is not None and len(pieces) > 1:
        fresh = _by_distance(text, pieces, embed, config)
    else:
        fresh = {i for i in range(1, len(pieces)) if "\n" in text[pieces[i - 1][0] : pieces[i - 1][1]].lstrip()}
    return _stripped(text, _joined(pieces, fresh, config))


def _stripped(text: str, found: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without white space at either end, and without blank ones."""
    tight: list[tuple[int, int]] = []
    for start, end in found:
        inside = text[start:end]
        if inside.strip():
            tight.append((start + len(inside) - len(inside.lstrip()), start + len(inside.rstrip())))
    return tight


def _pieces(text: str, most: int) -> list[tuple[int, int]]:
    """Sentences with the white space after them; one longer than ``most`` is cut at spaces, at worst anywhere."""
    pieces: list[tuple[int, int]] = []
    start = 0
    for found in _SENTENCE.finditer(text):
        end = found.end()
        if not text[start:end].strip():
            continue  # white space at the very beginning joins the first sentence
        while end - start > most:
            cut = text.rfind(" ", start + 1, start + most) + 1 or start + most
            pieces.append((start, cut))
            start = cut
        if text[start:end].strip() or not pieces:
            pieces.append((start, end))
        else:
            pieces[-1] = (pieces[-1][0], end)
        start = end
    return pieces


def _by_tokens(
    text: str, pieces: Sequence[tuple[int, int]], token_nll: TokenNll, config: SegmentationConfig
) -> set[int]:
    """Pieces whose tokens are more surprising, on average, than those of the pieces before."""
    starts = [start for start, _ in pieces]
    tokens: list[list[float]] = [[] for _ in pieces]
    for place, nll in token_nll(text):
        if not isfinite(nll):
            raise InvalidInput(f"a surprise of {nll!r} is not a finite number; check the language model's output")
        tokens[max(bisect_right(starts, place) - 1, 0)].append(nll)
    means = [fmean(values) if values else 0.0 for values in tokens]
    return set(surprise_boundaries(means, gamma=config.gamma, window=config.window))


def _by_distance(text: str, pieces: Sequence[tuple[int, int]], embed: Embed, config: SegmentationConfig) -> set[int]:
    """Pieces far from the one before; distance = 1 - cosine."""
    vectors = np.asarray(embed([text[start:end].strip() or " " for start, end in pieces]), dtype=np.float32)
    if vectors.shape[0] != len(pieces) or not np.isfinite(vectors).all():
        raise InvalidVector(f"the embedder gave {vectors.shape} for {len(pieces)} sentences; check the embedder")
    distances = [0.0, *(1.0 - np.einsum("nd,nd->n", vectors[1:], vectors[:-1])).tolist()]
    return {i + 1 for i in surprise_boundaries(distances[1:], gamma=config.gamma, window=config.window)}


def _joined(pieces: Sequence[tuple[int, int]], fresh: set[int], config: SegmentationConfig) -> list[tuple[int, int]]:
    """Pieces joined up to the next boundary, as far as the sizes allow."""
    episodes: list[tuple[int, int]] = []
    start, end = pieces[0]
    for i, (piece_start, piece_end) in enumerate(pieces[1:], start=1):
        too_long = piece_end - start > config.most
        if too_long or (i in fresh and piece_start - start >= config.least):
            episodes.append((start, end))
            start = piece_start
        end = piece_end
    if episodes and end - start < config.least and end - episodes[-1][0] <= config.most:
        episodes[-1] = (episodes[-1][0], end)
    else:
        episodes.append((start, end))
    return episodes
