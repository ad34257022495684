"""``fast-lane``: does promotion tell at once what fits from what does not?

An invented stream of claims from one trusted source; every fifth is an oddball: a value of the wrong kind, swapped ends
or a clause in place of a thing. Half of the relations are known beforehand, half have to earn their schema. No data
file is read. ``everything`` lets all in, ``known relations`` only predicates that are known beforehand.
"""

from __future__ import annotations

import random
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from hippo_agent.evaluation.run import Outcome, Row, Run, sample
from hippo_agent.relational.extraction.patterns import PatternExtractor
from hippo_agent.relational.facts import Triple
from hippo_agent.relational.relations import relation
from hippo_agent.relational.store import FactStore
from hippo_agent.storage.base import NewTrace
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.types import Event, Provenance, Slots

__all__ = ["Claim", "run", "stream"]

CLAIMS = 1000
ODDBALLS = 0.2
_START = datetime(2024, 1, 1, tzinfo=timezone.utc)
_SYLLABLES = (
    "an",
    "bel",
    "cor",
    "dun",
    "el",
    "far",
    "gil",
    "hol",
    "is",
    "jor",
    "kel",
    "lum",
    "mor",
    "nes",
    "or",
    "pel",
)

#: predicate -> kind of its object
_RELATIONS = {
    "lives in": "name",
    "works for": "name",
    "boss": "name",
    "born on": "date",
    "mentors": "name",
    "rents a loft in": "name",
    "weighs": "number",
    "collects": "phrase",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of the stream."""

    subject: str
    predicate: str
    object: str
    fits: bool


def run(data: Path | None, run: Run) -> Outcome:
    """The share of fitting claims and of oddballs that are in the graph as soon as they are told."""
    claims = stream(run.seed)
    run.expect(len(claims), each=1)
    told: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="hippo-eval-") as folder, closing(SqliteRecord(Path(folder))) as record:
        store = FactStore(record.database, PatternExtractor(), clock=lambda: _START + timedelta(days=1))
        traces = record.append([_trace(number, claim) for number, claim in enumerate(claims)])
        for number, (trace, claim) in enumerate(zip(traces, claims, strict=True)):
            triple = Triple(subject=claim.subject, predicate=claim.predicate, object=claim.object)
            inside = {
                "hippo": store.add(trace, [triple])[0].status == "active",
                "everything": True,
                "known relations": relation(claim.predicate) is not None,
            }
            metric = "fitting_at_once" if claim.fits else "oddballs_at_once"
            about = {
                "id": str(number),
                "claim": f"{claim.subject} {claim.predicate} {claim.object}",
                "fits": claim.fits,
            }
            told.append(Row(about=about, metrics={name: {metric: float(value)} for name, value in inside.items()}))
            run.step()
    return Outcome.of(sample(told, run.limit, run.seed))


def stream(seed: int, *, claims: int = CLAIMS) -> list[Claim]:
    """Claims in random order; exactly one in five is an oddball."""
    rng = random.Random(seed)
    odd = set(rng.sample(range(claims), round(ODDBALLS * claims)))
    return [_claim(rng, number not in odd) for number in range(claims)]


def _claim(rng: random.Random, fits: bool) -> Claim:
    predicate = rng.choice(list(_RELATIONS))
    subject, kind = _value(rng, "name"), _RELATIONS[predicate]
    if fits:
        return Claim(subject, predicate, _value(rng, kind), True)
    wrong = rng.choice([other for other in ("name", "number", "date", "clause") if other != kind])
    if rng.random() < 0.3:  # ends swapped, or no thing at all
        return Claim(_value(rng, "clause"), predicate, subject, False)
    return Claim(subject, predicate, _value(rng, wrong), False)


def _value(rng: random.Random, kind: str) -> str:
    if kind == "number":
        return str(rng.randrange(10, 5000))
    if kind == "date":
        return f"{rng.randrange(1900, 2024)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
    if kind == "clause":
        return f"what {_word(rng)} said to {_word(rng)} about the {_word(rng)} before it rained again"
    if kind == "phrase":
        return f"old {_word(rng)} {rng.choice(('clocks', 'maps', 'coins', 'shells'))}"
    return f"{_word(rng).title()} {_word(rng).title()}"


def _word(rng: random.Random) -> str:
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randrange(2, 4)))


def _trace(number: int, claim: Claim) -> NewTrace:
    time = _START + timedelta(seconds=number)
    text = f"{claim.subject} {claim.predicate} {claim.object}."
    return NewTrace(
        event=Event(text=text, event_time=time, provenance=Provenance(source="user", principal="u", trust=0.8)),
        id=f"c{number}",
        vector=None,
        slots=Slots(),
        slot_codes=b"",
        salience=0.5,
        write_time=time,
        embedder_id=None,
    )
