"""Association over a record: the passage index kept in step with the outbox, asked by trace instead of by row.

    associations = Associations(record, embedder.embed)
    for seq, item in associations.expand(question, vector, base).items(): ...

Derived and never saved. Only texts with a heading take part (a first line alone, or ``meta["title"]``): links lead to
what a text is about, and in dialogue they measured as a loss. Sentences are
embedded when a question first reaches their passage, a few at a time, and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hippo_agent.relational.association import DEFAULT, AssociationConfig, Link, associate, named_topics
from hippo_agent.relational.passages import PassageIndex
from hippo_agent.relational.words import heading, words
from hippo_agent.storage.base import RecordStore
from hippo_agent.types import Trace

__all__ = ["Associated", "Associations"]

Floats = NDArray[np.float32]

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Associated:
    """Points that links add to a trace, and where the best link comes from."""

    points: float
    source: int | None  # seq of the trace that led here; None when the question names what this one is about
    name: str


class Associations:
    """Candidates by association. Not safe for several threads at once; the caller holds its lock."""

    def __init__(
        self,
        record: RecordStore,
        embed: Callable[[Sequence[str]], Floats | None],
        *,
        config: AssociationConfig = DEFAULT,
    ) -> None:
        self._record = record
        self._embed = embed
        self._config = config
        self._index = PassageIndex()
        self._position: int | None = None

    def refresh(self, *, most: int | None = None) -> PassageIndex:
        """The index at the record's newest state; microseconds when nothing changed.

        ``most``: where there are more texts with a heading, about so many are taken.
        """
        if self._position is None:
            self._position = self._record.position()
            seqs = self._record.headed()
            for start in range(0, len(seqs), _BATCH):
                if most is not None and len(self._index) > most:
                    break
                for trace in self._record.by_seq(seqs[start : start + _BATCH]).values():
                    self._take(trace)
        while self._record.position() != self._position and (changes := self._record.changes(self._position)):
            traces = self._record.by_seq([change.seq for change in changes if change.op == "put"])
            for change in changes:
                if change.op == "delete":
                    self._index.remove(change.seq)
                elif change.seq in traces and self._index.row(change.seq) is None:
                    self._take(traces[change.seq])
            self._position = changes[-1].position
        return self._index

    def expand(
        self, question: str, vector: Floats, base: Mapping[int, float], similarity: Mapping[int, float] | None = None
    ) -> dict[int, Associated]:
        """Points by seq for what the best of ``base`` lead to, and for what the question names.

        ``base``: first scores by seq, coverage and cosine on their own scales (about [0, 2]); others are not seen.
        ``vector``: [d] of the question. ``similarity``: cosine by seq, where known, for sentences not embedded yet.
        """
        index = self.refresh()
        scores = np.full(index.rows, -np.inf, dtype=np.float32)
        close = np.zeros(index.rows, dtype=np.float32)
        for seq, score in base.items():
            row = index.row(seq)
            if row is not None:
                scores[row] = score
                close[row] = (similarity or {}).get(seq, 0.0)
        named = named_topics(index, words(question), question) * np.isfinite(scores)
        scores = scores + self._config.named * named
        self._prepare(scores)
        found = associate(
            index, question, base=scores, vector=vector, similarity=close, named=named, config=self._config
        )
        out: dict[int, Associated] = {}
        for at in np.flatnonzero((found.bonus > 0) | (named > 0)).tolist():
            link: Link | None = found.links.get(at)
            passage = index.passage(at)
            out[passage.seq] = Associated(
                points=float(found.bonus[at]) + self._config.named * float(named[at]),
                source=None if link is None else index.passage(link.source).seq,
                name=" ".join(passage.topic if link is None else link.name),
            )
        return out

    def _take(self, trace: Trace) -> None:
        found = trace.meta.get("title")
        title = found if isinstance(found, str) and found.strip() else None
        if title is None and heading(trace.text) is None:
            return
        self._index.add(trace.seq, trace.text, title=title)

    def _prepare(self, scores: Floats) -> None:
        """Embed the sentences of the passages that will hand score on."""
        order = np.argsort(-scores, kind="stable")[: self._config.seeds]
        waiting = [int(row) for row in order if np.isfinite(scores[row]) and self._index.vectors(int(row)) is None]
        lines = [(row, line) for row in waiting for line in self._lines(row)]
        if not lines:
            return
        vectors = self._embed([line for _, line in lines])
        if vectors is None:  # no model is here: the passage's own similarity serves
            return
        for row in waiting:
            places = [at for at, (owner, _) in enumerate(lines) if owner == row]
            if places:
                self._index.set_vectors(row, vectors[places])

    def _lines(self, row: int) -> list[str]:
        passage = self._index.passage(row)
        about = " ".join(passage.topic)
        said = [passage.text[a:b] for a, b in passage.spans]
        return [f"{about}: {line}" for line in said] if about else said
