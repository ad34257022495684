"""One recall, start to end: understand the cue, gather candidates, score them, cut, join back to the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hippo_agent.episodic.codes import slot_codes, slot_mask, slot_similarity
from hippo_agent.episodic.vectors import BankVectors
from hippo_agent.recall.budget import CountTokens, estimate_tokens, fit
from hippo_agent.recall.candidates import Candidates, gather, widened
from hippo_agent.recall.config import RecallConfig
from hippo_agent.recall.coverage import is_quoted
from hippo_agent.recall.duplicates import without_duplicates
from hippo_agent.recall.lexicon import Lexicon, Lines
from hippo_agent.recall.query import Query, understand
from hippo_agent.recall.result import Recall
from hippo_agent.recall.room import with_room
from hippo_agent.recall.scoring import Points, score
from hippo_agent.recall.sources import CandidateSource, FirstPass, propose
from hippo_agent.recall.words import cut
from hippo_agent.storage.base import Mask, RecordStore, Scores, Vector
from hippo_agent.storage.columns import Columns
from hippo_agent.storage.index.managed import ManagedIndex
from hippo_agent.storage.mirror import Mirror
from hippo_agent.types import EMPTY, TRUSTED, Cue, Hit, Status

__all__ = ["Recaller"]

SPARE = 2  # traces fetched besides the k wanted, in case some say the same
#: What can be recalled: a deferred trace is stored, only its place in a write budget is open.
RECALLED: tuple[Status, ...] = ("active", "deferred")

_SESSIONS = 100  # ranked sessions that a recall carries
_SHARES = (4 / 7, 2 / 7, 1 / 7)  # of a session's best traces in its score


class Recaller:
    """Reads only. Thread-safe as far as its parts are.

    Args:
        vectors: of this bank; if its embedder gives vectors of words too, words that are alike count.
        count_tokens: tokens of a text for `Cue.budget_tokens`; the default overestimates without a tokenizer.
        sources: other stores that propose traces after the first pass (`recall.sources`).
    """

    def __init__(
        self,
        record: RecordStore,
        mirror: Mirror,
        index: ManagedIndex,
        vectors: BankVectors,
        *,
        config: RecallConfig | None = None,
        count_tokens: CountTokens = estimate_tokens,
        sources: Sequence[CandidateSource] = (),
    ) -> None:
        self.config = config or RecallConfig()
        self._record = record
        self._mirror = mirror
        self._index = index
        self._vectors = vectors
        self._count_tokens = count_tokens
        self._sources = tuple(sources)
        self._lexicon = Lexicon(record, vectors.of_words if self.config.alike else None)

    def recall(self, cue: Cue) -> Recall:
        """The best ``cue.k`` traces that pass its filters and fit its budget."""
        self._vectors.prepare()
        columns = self._mirror.refresh()
        visible = columns.visible(
            cue.namespace,
            since=cue.since,
            until=cue.until,
            sources=cue.sources,
            kinds=cue.kinds,
            session=cue.session,
            min_trust=cue.min_trust,
            exact_namespace=cue.exact_namespace,
            statuses=RECALLED,
        )
        if not visible.any():
            return Recall(cue=cue, hits=())
        self._lexicon.refresh(columns)
        slot_scores = self._slot_scores(cue, columns)
        query = understand(cue, columns, visible, self._lexicon, self.config)
        vector, candidates, lines = self._gather(query, slot_scores, columns, visible)
        if query.question and is_quoted(self._lexicon.vocabulary.known(cut(cue.text)), lines):
            query = understand(cue, columns, visible, self._lexicon, self.config, question=False)
            vector, candidates, lines = self._gather(query, slot_scores, columns, visible)
        points = self._score(query, vector, slot_scores, candidates, lines, columns)
        because: Mapping[int, Mapping[str, str]] = {}
        if self._sources:
            seqs = columns.seq[candidates.positions].tolist()
            first = FirstPass(
                cue=cue,
                question=query.question,
                text=query.text,
                vector=vector,
                points=dict(zip(seqs, points.total.tolist(), strict=True)),
                columns=columns,
                visible=visible,
            )
            if proposed := propose(self._sources, first):
                if len(np.setdiff1d(proposed.positions, candidates.positions)):
                    candidates = widened(candidates, proposed.positions, columns=columns, visible=visible)
                    lines = self._lexicon.lines(columns.seq[candidates.positions])
                    points = self._score(query, vector, slot_scores, candidates, lines, columns)
                points = points.plus(proposed.columns_for(candidates.positions))
                because = proposed.because
        return self._result(cue, query, candidates, points, columns, because)

    def _score(
        self,
        query: Query,
        vector: Vector | None,
        slot_scores: Scores | None,
        candidates: Candidates,
        lines: Lines,
        columns: Columns,
    ) -> Points:
        return score(
            query,
            vector,
            slot_scores,
            candidates,
            lines,
            columns=columns,
            lexicon=self._lexicon,
            config=self.config,
        )

    def _gather(
        self, query: Query, slot_scores: Scores | None, columns: Columns, visible: Mask
    ) -> tuple[Vector | None, Candidates, Lines]:
        vector = self._embedded(query, columns)
        candidates = gather(
            query,
            vector,
            slot_scores,
            columns=columns,
            visible=visible,
            record=self._record,
            index=self._index,
            config=self.config,
        )
        return vector, candidates, self._lexicon.lines(columns.seq[candidates.positions])

    def _embedded(self, query: Query, columns: Columns) -> Vector | None:
        wanted = self.config.meaning if query.question else self.config.meaning_of_fragment
        if not query.text or not wanted or not columns.has_vector.any():
            return None
        vectors = self._vectors.embed([query.text])
        return None if vectors is None else vectors[0]

    def _slot_scores(self, cue: Cue, columns: Columns) -> Scores | None:
        if not cue.slots or not self.config.slots:
            return None
        code = np.frombuffer(slot_codes(cue.slots), dtype=np.int8)
        return slot_similarity(code, columns.slot_codes, slot_mask(code))

    def _result(
        self,
        cue: Cue,
        query: Query,
        candidates: Candidates,
        points: Points,
        columns: Columns,
        because: Mapping[int, Mapping[str, str]],
    ) -> Recall:
        seqs = columns.seq[candidates.positions]
        order = np.argsort(-points.total, kind="stable")
        order = with_room(order, points.total, columns.trust[candidates.positions] >= TRUSTED, cue.k)
        hits: list[Hit] = []
        duplicates = 0
        step = cue.k + SPARE
        for start in range(0, len(order), step):  # usually once: more only when many say the same
            batch = order[start : start + step]
            traces = self._record.by_seq(seqs[batch])
            hits += [
                Hit(
                    trace=traces[int(seqs[at])],
                    score=float(points.total[at]),
                    reasons=points.of(int(at)),
                    because=because.get(int(candidates.positions[at]), EMPTY),
                )
                for at in batch
                if int(seqs[at]) in traces
            ]
            if self.config.duplicates:
                unique = without_duplicates(hits)
                duplicates += len(hits) - len(unique)
                hits = unique
            if len(hits) >= cue.k:
                break
        kept = fit(hits[: cue.k], cue.budget_tokens, self._count_tokens)
        return Recall(
            cue=cue,
            hits=tuple(kept),
            ranked_sessions=_sessions(candidates, points, columns),
            question=query.question,
            corrections=tuple((term.word, term.fixed) for term in query.terms if term.fixed),
            considered=len(order),
            duplicates=duplicates,
            over_budget=len(hits[: cue.k]) - len(kept),
        )


def _sessions(candidates: Candidates, points: Points, columns: Columns) -> tuple[tuple[str, float], ...]:
    """Sessions of the candidates, best first, by the three best traces of each; every next one counts half."""
    codes = columns.session[candidates.positions]
    rest = np.argsort(-points.total, kind="stable")
    rest = rest[codes[rest] >= 0]
    total = np.zeros(len(columns.sessions), dtype=np.float64)
    seen = np.unique(codes[rest])
    for share in _SHARES:
        found, first = np.unique(codes[rest], return_index=True)
        total[found] += share * points.total[rest[first]]
        rest = np.delete(rest, first)
    best = seen[np.argsort(-total[seen], kind="stable")][:_SESSIONS]
    return tuple((columns.sessions[code][1], float(total[code])) for code in best)
