"""Vectors of facts as text, kept beside them: how near a question comes to what a trace says, claim by claim.

Half precision, 768 bytes a fact of 384 dimensions. A vector goes with its fact; those of another embedder are replaced
by the next `catch_up`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hippo_agent.relational import rows
from hippo_agent.storage.database import Database

__all__ = ["FactVectors"]

Floats = NDArray[np.float32]
Embed = Callable[[Sequence[str]], "Floats | None"]

_BATCH = 256


class FactVectors:
    """``embed`` gives unit rows, or None when no model is here; ``embedder_id`` names its weights."""

    def __init__(self, database: Database, embed: Embed, embedder_id: Callable[[], str]) -> None:
        self._database = database
        self._embed = embed
        self._embedder_id = embedder_id
        self._there = False

    def any(self) -> bool:
        """Whether any fact has a vector."""
        with self._database.read() as connection:
            if not self._there:  # a folder of an older format that is read only has no such table
                query = "SELECT 1 FROM sqlite_master WHERE name = 'fact_vector'"
                self._there = connection.execute(query).fetchone() is not None
            return self._there and connection.execute("SELECT 1 FROM fact_vector LIMIT 1").fetchone() is not None

    def waiting(self) -> int:
        """Facts without a vector of this embedder."""
        with self._database.read() as connection:
            if connection.execute("SELECT 1 FROM fact LIMIT 1").fetchone() is None:  # no need to load a model
                return 0
            sql = "SELECT count(*) FROM fact WHERE id NOT IN (SELECT fact FROM fact_vector WHERE embedder_id = ?)"
            return int(connection.execute(sql, (self._embedder_id(),)).fetchone()[0])

    def catch_up(self, *, done: Callable[[int], None] = lambda made: None) -> int:
        """Give every fact its vector; returns how many were made. Stops where no model is here."""
        made = 0
        name = self._embedder_id()
        while True:
            with self._database.snapshot() as connection:
                ids = [
                    row[0]
                    for row in connection.execute(
                        "SELECT id FROM fact WHERE id NOT IN (SELECT fact FROM fact_vector WHERE embedder_id = ?) "
                        "ORDER BY id LIMIT ?",
                        (name, _BATCH),
                    )
                ]
                texts = rows.texts(connection, ids)
            vectors = self._embed(texts) if ids else None
            if vectors is None:
                return made
            with self._database.write() as connection:
                connection.executemany(
                    "INSERT OR REPLACE INTO fact_vector (fact, embedder_id, vec) "
                    "SELECT id, ?, ? FROM fact WHERE id = ?",  # a fact that fell meanwhile gets none
                    [(name, vector.astype("<f2").tobytes(), fact) for fact, vector in zip(ids, vectors, strict=True)],
                )
            made += len(ids)
            done(made)

    def of_facts(self, ids: Iterable[int]) -> dict[int, Floats]:
        """The vectors of those of these facts that have one."""
        name = self._embedder_id()
        out: dict[int, Floats] = {}
        with self._database.snapshot() as connection:
            for part in rows.chunks(ids):
                sql = f"SELECT fact, vec FROM fact_vector WHERE embedder_id = ? AND fact IN ({rows.marks(part)})"
                out.update((fact, _vector(raw)) for fact, raw in connection.execute(sql, (name, *part)))
        return out

    def nearest(self, vector: Floats, seqs: Iterable[int]) -> Mapping[int, tuple[float, int]]:
        """By trace, for those that say something: the cosine of their fact nearest to a vector [d], and its id."""
        name = self._embedder_id()
        found: list[tuple[int, int, bytes]] = []
        with self._database.snapshot() as connection:
            for part in rows.chunks(seqs):
                found += connection.execute(
                    "SELECT s.trace, s.fact, v.vec FROM statement s JOIN fact_vector v ON v.fact = s.fact "
                    f"WHERE v.embedder_id = ? AND s.trace IN ({rows.marks(part)})",
                    (name, *part),
                ).fetchall()
        if not found:
            return {}
        held = np.frombuffer(b"".join(row[2] for row in found), dtype="<f2").reshape(len(found), -1)
        close = held.astype(np.float32) @ vector
        best: dict[int, tuple[float, int]] = {}
        for (seq, fact, _), value in zip(found, close.tolist(), strict=True):
            if seq not in best or value > best[seq][0]:
                best[seq] = (value, fact)
        return best


def _vector(raw: bytes) -> Floats:
    return np.frombuffer(raw, dtype="<f2").astype(np.float32)
