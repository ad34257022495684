"""Generations of an index on disk: built whole, sealed by a manifest that is written last, checked before use.

index/gen-000003/chroma/...      what Chroma keeps
index/gen-000003/MANIFEST.json   what it holds and what its files hash to; without it the generation does not exist
index/quarantine-000002-...      one that failed a check, kept for a look
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from hippo_agent.errors import IndexBroken
from hippo_agent.storage.columns import Columns
from hippo_agent.storage.index.chroma import ChromaIndex
from hippo_agent.storage.opening import sync_folder

__all__ = [
    "Generation",
    "Manifest",
    "build",
    "drop_unsealed",
    "generations",
    "open_generation",
    "quarantine",
    "read_manifest",
    "remove_all",
]

_BATCH = 1000
_CANARIES = 16
_TOLERANCE = 1e-3  # between a score that Chroma computed and ours
_QUARANTINES = 2  # kept at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    generation: int
    embedder_id: str
    dim: int
    metric: str  # "cosine": unit vectors, inner product
    count: int
    position: int  # outbox position that it shows; later changes are scanned exactly
    files: dict[str, str]  # blake2b of the files that Chroma does not rewrite on reading
    complete: bool


@dataclass(frozen=True, slots=True)
class Generation:
    """An opened, checked generation."""

    path: Path
    manifest: Manifest
    index: ChromaIndex


def generations(folder: Path) -> list[Path]:
    """All generation folders, oldest first, complete or not."""
    return sorted(path for path in folder.glob("gen-*") if path.is_dir())


def build(folder: Path, columns: Columns, embedder_id: str, stop: threading.Event) -> Path | None:
    """Build the next generation from the columns; None when stopped. Nothing half made is ever used."""
    folder.mkdir(mode=0o700, exist_ok=True)
    drop_unsealed(folder)
    number = max((int(path.name.split("-")[1]) for path in folder.glob("*-*") if path.is_dir()), default=0) + 1
    path = folder / f"gen-{number:06d}"
    path.mkdir(mode=0o700)
    rows = np.flatnonzero(columns.live & columns.has_vector)
    index = ChromaIndex(path / "chroma")
    try:
        for start in range(0, len(rows), _BATCH):
            if stop.is_set():
                return None
            batch = rows[start : start + _BATCH]
            index.add(columns.seq[batch], columns.vectors[batch])
    finally:
        index.close()
    manifest = Manifest(
        generation=number,
        embedder_id=embedder_id,
        dim=columns.vectors.shape[1],
        metric="cosine",
        count=len(rows),
        position=columns.position,
        files=_hashes(path),
        complete=True,
    )
    draft = path / "MANIFEST.json.part"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(manifest), file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path / "MANIFEST.json")
    sync_folder(path)
    return path


def read_manifest(path: Path) -> Manifest:
    """IndexBroken when there is none that can be read."""
    try:
        return Manifest(**json.loads((path / "MANIFEST.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise IndexBroken(f"{str(path)!r} has no readable manifest ({error}); it will be rebuilt") from error


def open_generation(path: Path, columns: Columns, embedder_id: str, changed: set[int], seed: int) -> Generation:
    """Open and check: manifest, embedder, file hashes, count, and 16 random traces that must find themselves.

    changed: seqs that are not as they were when it was built. IndexBroken when anything is not as it should be.
    """
    manifest = read_manifest(path)
    if not manifest.complete or (manifest.embedder_id, manifest.dim) != (embedder_id, columns.vectors.shape[1]):
        raise IndexBroken(f"{str(path)!r} is of another embedder or incomplete; it will be rebuilt")
    if _hashes(path) != manifest.files:
        raise IndexBroken(f"files of {str(path)!r} have changed since it was built; it will be rebuilt")
    index = ChromaIndex(path / "chroma")
    try:
        if len(index) != manifest.count:
            raise IndexBroken(f"{str(path)!r} holds {len(index)} vectors, not {manifest.count}; it will be rebuilt")
        rows = np.flatnonzero(columns.live & columns.has_vector)
        rows = rows[~np.isin(columns.seq[rows], np.fromiter(changed, np.int64, len(changed)))]
        for row in np.random.default_rng(seed).choice(rows, min(_CANARIES, len(rows)), replace=False):
            _check_canary(index, columns, int(row))
    except BaseException:
        index.close()
        raise
    return Generation(path, manifest, index)


def _check_canary(index: ChromaIndex, columns: Columns, row: int) -> None:
    """A trace of the snapshot must be found by its own vector, unless ten others have the same one."""
    seqs, scores = index.search(columns.vectors[row], 10)
    said = scores[seqs == columns.seq[row]] if columns.seq[row] in seqs else scores[-1:]
    if not len(said) or abs(float(said[0]) - 1.0) > _TOLERANCE:
        raise IndexBroken(f"trace {int(columns.seq[row])} is not found by its own vector; it will be rebuilt")


def quarantine(path: Path) -> Path:
    """Set a broken generation aside, and remove the oldest quarantines."""
    target = path.with_name(path.name.replace("gen-", "quarantine-"))
    if target.exists():
        shutil.rmtree(target, ignore_errors=True)
    path.rename(target)
    for old in sorted(path.parent.glob("quarantine-*"))[:-_QUARANTINES]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def remove_all(folder: Path) -> None:
    """Remove every generation and quarantine: Chroma keeps deleted vectors until its files are gone."""
    for path in (*folder.glob("gen-*"), *folder.glob("quarantine-*")):
        shutil.rmtree(path, ignore_errors=True)


def drop_unsealed(folder: Path) -> None:
    """Remove what a builder left when it died."""
    for path in generations(folder):
        if not (path / "MANIFEST.json").exists():
            shutil.rmtree(path, ignore_errors=True)


def _hashes(path: Path) -> dict[str, str]:
    """Hashes of the segment files; Chroma's own database is rewritten at every open and judged by its answers."""
    found = {}
    for file in sorted((path / "chroma").rglob("*")):
        if file.is_file() and not file.name.startswith("chroma.sqlite3"):
            digest = blake2b(digest_size=16)
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
            found[str(file.relative_to(path))] = digest.hexdigest()
    return found
