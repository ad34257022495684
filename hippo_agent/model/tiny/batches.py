"""Documents as batches of tokens: several in a row, each blind to the others. Step and seed alone decide a batch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippo_agent.errors import DataError
from hippo_agent.model.tiny.documents import ANSWER, Piece, document

__all__ = ["Batch", "Encoded", "batch", "books", "encode", "pack"]

_BOOK_WEIGHT = 0.3
_MISSES = 6  # documents in a row that find no room, before what is left is filled


@dataclass(frozen=True, slots=True)
class Encoded:
    """A document as tokens: ids, weights of the loss, positions, blocks; all of one length."""

    ids: NDArray[np.int64]
    weights: NDArray[np.float32]
    positions: NDArray[np.int64]
    blocks: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """[rows, length] each; ``documents`` numbers the documents of a row from 1, 0 is padding."""

    ids: NDArray[np.int64]
    weights: NDArray[np.float32]
    positions: NDArray[np.int64]
    blocks: NDArray[np.int64]
    documents: NDArray[np.int64]


def encode(tokenizer: Any, pieces: Sequence[Piece], *, align_left: bool = False) -> Encoded:
    """The tokens of a document. Traces (blocks above 0) end side by side, or with ``align_left`` start so."""
    runs: list[list[Piece]] = []
    for piece in pieces:
        if not runs or runs[-1][-1].block != piece.block:
            runs.append([])
        runs[-1].append(piece)
    parts = [_run(tokenizer, run) for run in runs]
    longest = max((len(ids) for (ids, _), run in zip(parts, runs, strict=True) if run[0].block), default=0)
    positions, blocks, at = [], [], longest
    for (ids, _), run in zip(parts, runs, strict=True):
        length = len(ids)
        if run[0].block:
            start = 0 if align_left else longest - length
        else:
            start, at = at, at + length
        positions.append(np.arange(start, start + length))
        blocks.append(np.full(length, run[0].block))
    return Encoded(
        np.concatenate([ids for ids, _ in parts]),
        np.concatenate([weights for _, weights in parts]),
        np.concatenate(positions),
        np.concatenate(blocks),
    )


def batch(
    tokenizer: Any, seed: int, step: int, progress: float, *, rows: int, length: int, texts: Sequence[NDArray[np.int64]]
) -> Batch:
    """The batch of this step."""
    rng = random.Random(f"{seed}:{step}")
    filled: list[list[Encoded]] = [[] for _ in range(rows)]
    free = [length] * rows
    misses = 0
    if texts and rng.random() < 0.25:  # a row that is a page of a book
        filled[0].append(_page(rng, texts, length))
        free[0] = 0
    while misses < _MISSES and max(free) > 24:
        pieces = document(rng, progress)
        row = max(range(rows), key=lambda row: free[row])
        found = _fitting(tokenizer, pieces, free[row], align_left=rng.random() < 0.25)
        if found is None:
            misses += 1
            continue
        filled[row].append(found)
        free[row] -= len(found.ids)
    if texts:
        for row in range(rows):
            if free[row] >= 16:
                filled[row].append(_page(rng, texts, free[row]))
    return pack(filled, length)


def pack(rows: Sequence[Sequence[Encoded]], length: int) -> Batch:
    """Documents side by side, padded to the length."""
    shape = (len(rows), length)
    out = Batch(
        ids=np.zeros(shape, np.int64),
        weights=np.zeros(shape, np.float32),
        positions=np.zeros(shape, np.int64),
        blocks=np.zeros(shape, np.int64),
        documents=np.zeros(shape, np.int64),
    )
    for row, found in enumerate(rows):
        at = 0
        for number, one in enumerate(found, 1):
            here = slice(at, at + len(one.ids))
            out.ids[row, here], out.weights[row, here] = one.ids, one.weights
            out.positions[row, here], out.blocks[row, here] = one.positions, one.blocks
            out.documents[row, here] = number
            at += len(one.ids)
    return out


def books(tokenizer: Any, folder: Path | None) -> list[NDArray[np.int64]]:
    """The tokens of every .txt file of a folder, in the order of their names."""
    return [np.array(tokenizer(text)["input_ids"], np.int64) for text in read_books(folder)]


def read_books(folder: Path | None) -> list[str]:
    """The texts themselves, without the licence that Project Gutenberg puts around them."""
    if folder is None:
        return []
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise DataError(f"no .txt file in {str(folder)!r}: name a folder of plain texts, or leave --text out")
    return [_bare(file.read_text(encoding="utf-8-sig", errors="replace")) for file in files]


def _bare(text: str) -> str:
    start, end = text.find("*** START OF"), text.find("*** END OF")
    if start >= 0:
        start = text.find("\n", start) + 1
    text = text[max(start, 0) : end if end > 0 else len(text)]
    paragraphs = (" ".join(part.split()) for part in text.replace("\r\n", "\n").split("\n\n"))
    return "\n".join(part for part in paragraphs if part)


def _fitting(tokenizer: Any, pieces: Sequence[Piece], room: int, *, align_left: bool) -> Encoded | None:
    """The document with as many of its questions as there is room for: were long ones left out, few facts would rule.

    None if not even its first question fits."""
    kept = list(pieces)
    while True:
        found = encode(tokenizer, kept, align_left=align_left)
        if len(found.ids) <= room:
            return found
        over = len(found.ids) - room
        while over > 0:  # about four characters a token, so that few rounds are needed
            answers = sum(piece.weight == ANSWER for piece in kept)
            if answers <= 1:
                return None
            last = max(at for at, piece in enumerate(kept[:-1]) if piece.weight == ANSWER) + 1
            over -= sum(len(piece.text) for piece in kept[last:]) // 4
            kept = kept[:last]


def _run(tokenizer: Any, run: Sequence[Piece]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Ids and weights of pieces that are read as one text."""
    found = tokenizer("".join(piece.text for piece in run), return_offsets_mapping=True)
    ends = np.cumsum([len(piece.text) for piece in run])
    last = np.array([end for _, end in found["offset_mapping"]]) - 1  # a token belongs where its last character is
    of = np.searchsorted(ends, last, side="right")
    weights = np.array([piece.weight for piece in run], np.float32)[of]
    weights[0] = 0.0  # nothing in this block foretells its first token
    return np.array(found["input_ids"], np.int64), weights


def _page(rng: random.Random, texts: Sequence[NDArray[np.int64]], length: int) -> Encoded:
    text = texts[rng.choices(range(len(texts)), [len(text) for text in texts])[0]]
    start = rng.randrange(max(1, len(text) - length))
    ids = text[start : start + length]
    weights = np.full(len(ids), _BOOK_WEIGHT, np.float32)
    weights[0] = 0.0
    return Encoded(ids, weights, np.arange(len(ids)), np.zeros(len(ids), np.int64))
