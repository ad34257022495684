# mypy: ignore-errors
"""Interim recall, replaced by the real one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hippo_agent.types import Cue, Hit, Trace


@dataclass(frozen=True)
class RecallConfig:
    pass


@dataclass(frozen=True)
class Recall:
    cue: Cue
    hits: tuple[Hit, ...]

    @property
    def traces(self) -> tuple[Trace, ...]:
        return tuple(h.trace for h in self.hits)

    def render(self) -> str:
        return "\n".join(f"> {h.trace.text}" for h in self.hits)

    def explain(self) -> str:
        return "\n".join(f"{h.score:.3f} {dict(h.reasons)} {h.trace.text}" for h in self.hits)

    def sessions(self, k: int = 10):
        best = {}
        for h in self.hits:
            s = h.trace.provenance.session or ""
            best[s] = max(best.get(s, -9), h.score)
        return sorted(best.items(), key=lambda x: -x[1])[:k]

    def as_dict(self):
        return {
            "cue": self.cue.text,
            "hits": [
                {"id": h.trace.id, "text": h.trace.text, "score": h.score, "reasons": dict(h.reasons)}
                for h in self.hits
            ],
        }


class Recaller:
    def __init__(self, record, mirror, index, vectors, *, encoder, config):
        self.r, self.m, self.i, self.v = record, mirror, index, vectors

    def recall(self, cue: Cue) -> Recall:
        c = self.m.refresh()
        mask = c.visible(
            cue.namespace,
            since=cue.since,
            until=cue.until,
            sources=cue.sources,
            kinds=cue.kinds,
            session=cue.session,
            min_trust=cue.min_trust,
            statuses=("active", "deferred"),
        )
        scores = {}
        text = cue.text or " ".join(w for n in ("who", "what", "where", "when") for w in getattr(cue.slots, n))
        v = self.v.embed([text])
        if v is not None and len(c):
            for p, s in zip(*self.i.search(v[0], 200, mask=mask, columns=c)):
                scores.setdefault(int(c.seq[p]), {})["dense"] = float(s)
        seqs, sc = self.r.match(
            re.findall(r"\w+", text), limit=200, allowed=lambda q: (lambda p: (p >= 0) & mask[p])(c.positions(q))
        )
        for q, s in zip(seqs, sc):
            scores.setdefault(int(q), {})["bm25"] = float(s) / (float(sc[0]) or 1)
        best = sorted(scores, key=lambda q: (-sum(scores[q].values()), q))[: cue.k]
        t = self.r.by_seq(best)
        return Recall(
            cue, tuple(Hit(trace=t[q], score=sum(scores[q].values()), reasons=scores[q]) for q in best if q in t)
        )
