"""`memory.facts`: what the traces say together, asked from one place.

    memory.facts.current("Ada", "lives in").value          # the value that holds now, with reasons
    memory.facts.search("where does Ada live?")            # facts near a question
    memory.facts.history("Ada", "lives in")                # every claim, past ones included

Facts are derived from the record. A read takes in what was written since (with a progress bar when that is long); a
memory that is open read-only shows the facts as they were last brought up to date.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hippo_agent.errors import InvalidInput, ModelUnavailable
from hippo_agent.progress import Progress, reporter
from hippo_agent.relational.answer import Answer, answer, names_in
from hippo_agent.relational.entities import Evidence, same_thing
from hippo_agent.relational.extraction.lm import LMExtractor, chat_of
from hippo_agent.relational.fact_vectors import FactVectors
from hippo_agent.relational.facts import Entity, Fact, Resolution
from hippo_agent.relational.graph import KnowledgeGraph
from hippo_agent.relational.merging import MergeProposal, propose_merges
from hippo_agent.relational.relations import content_stems
from hippo_agent.relational.store import FactStore
from hippo_agent.relational.words import words
from hippo_agent.storage.base import RecordStore
from hippo_agent.types import Namespace, Trace

__all__ = ["Facts", "FoundFact"]

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]
RecallTraces = Callable[[str, Namespace, float, int], Sequence[Trace]]


class FactPlaces(Protocol):
    """Where facts were said."""

    def facts_at(self, place: str | None = None, *, radius: int = 1, min_trust: float = 0.0) -> list[Fact]: ...

    def places_of(self, traces: Sequence[str]) -> list[str]: ...


_TRACES = 30  # recalled traces whose facts a search looks at
_QUIET = 32  # changes that are taken in without a progress bar


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFact:
    """A fact that a search found; ``score`` is the cosine plus the share of the query's words that it holds."""

    fact: Fact
    score: float
    similarity: float  # cosine of the fact as text and the query, 0 without an embedding model
    words: float  # share of the query's content words


class Facts:
    """Facts of one memory as its namespace sees them: itself and everything below. Reads of facts never fail for want
    of a model: `missing` says why nothing new was read."""

    def __init__(
        self,
        store: FactStore,
        vectors: FactVectors,
        record: RecordStore,
        *,
        embed: Callable[[Sequence[str]], Floats | None],
        recall: RecallTraces,
        places: FactPlaces,
        namespace: Namespace,
        read_only: bool,
        check_open: Callable[[], None],
        clean_namespace: Callable[[Sequence[str] | str | None], Namespace],
    ) -> None:
        self._store = store
        self._usual = store.extractor
        self._vectors = vectors
        self._record = record
        self._embed = embed
        self._recall = recall
        self._places = places
        self._namespace = namespace
        self._read_only = read_only
        self._check_open = check_open
        self._clean = clean_namespace
        self._lock = threading.RLock()
        self.missing: str | None = None

    # Keeping up

    def behind(self) -> int:
        """About how many changes of the record are not read yet."""
        self._check_open()
        return self._store.behind(self._record)

    def catch_up(self, *, progress: Progress = None) -> int:
        """Read what was written since, let go of what was forgotten; returns how many changes were taken in.

        Reads do it by themselves; call it where the time suits, such as after an import. Raises ReadOnlyMemory,
        ModelUnavailable.
        """
        self._check_open()
        with self._lock:
            with reporter(progress, self._store.behind(self._record), "reading facts") as done:
                followed = self._store.catch_up(self._record, done=done)
            if waiting := self._vectors.waiting():
                with reporter(progress, waiting, "embedding facts") as done:
                    self._vectors.catch_up(done=done)
        self.missing = None
        return followed

    def rebuild(self, *, progress: Progress = None) -> int:
        """Read the whole record again; facts, merges and decisions made by hand are lost. Returns how many changes."""
        self._check_open()
        with self._lock:
            self._store.clear()
            return self.catch_up(progress=progress)

    def read_with(self, model: Any) -> None:
        """From now on read facts by a language model of yours; what it cannot do the usual extractor does.

        Args:
            model: a function from prompt to reply, a LangChain chat model, a `LocalModel`; None: without one again.

        Raises:
            InvalidInput: it is none of these.
        """
        self._check_open()
        self._store.extractor = self._usual if model is None else LMExtractor(chat_of(model), self._usual)

    def retest(self) -> int:
        """Test every waiting fact again, in the light of all that waits; returns how many were let in."""
        self._fresh()
        return self._store.retest()

    # Asking

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        at: datetime | None = None,
        past: bool = False,
        min_trust: float = 0.0,
        namespace: Sequence[str] | str | None = None,
    ) -> list[FoundFact]:
        """Facts near a question or a few words, best first: of the things it names and of the traces it recalls.

        Args:
            at: facts that hold at this time (now), and claims of trusted sources that still wait (see their `status`).
            past: also what holds no more, what is denied, and what nobody trusted says.
        """
        if k < 1:
            raise InvalidInput(f"k must be at least 1, not {k!r}")
        space = self._fresh(namespace)
        asked = words(query)
        found: dict[int, Fact] = {}
        for start, end in names_in(self._store, asked, space):
            name = " ".join(word.raw for word in asked[start:end])
            found |= {fact.id: fact for fact in self._store.touching(name, namespace=space, min_trust=min_trust)}
        traces = self._recall(query, space, min_trust, _TRACES)
        said = self._store.said_in((trace.seq for trace in traces), min_trust=min_trust)
        found |= {fact.id: fact for fact in said}
        kept = list(found.values()) if past else self._store.tenable(found.values(), at=at)
        return self._scored(query, kept)[:k]

    def said_in(self, traces: Sequence[Trace], *, at: datetime | None = None, min_trust: float = 0.0) -> list[Fact]:
        """Facts that these traces state and that hold at a time (now), surest first.

        New traces are read when they are few, so that this is quick; see `catch_up`.
        """
        self._check_open()
        if self._read_only or self._store.behind(self._record) <= _QUIET:
            self._fresh()
        found = self._store.tenable(self._store.said_in((t.seq for t in traces), min_trust=min_trust), at=at)
        return sorted(found, key=lambda fact: (-fact.confidence, fact.id))

    def ask(
        self,
        question: str,
        *,
        at: datetime | None = None,
        min_trust: float = 0.0,
        namespace: Sequence[str] | str | None = None,
    ) -> Answer:
        """The answer of a question that facts settle ("Where does the boss of Teo live?"), with the steps to it."""
        space = self._fresh(namespace)
        return answer(self._store, question, at=at, namespace=space, min_trust=min_trust)

    def current(
        self,
        subject: str,
        predicate: str,
        *,
        at: datetime | None = None,
        min_trust: float = 0.0,
        namespace: Sequence[str] | str | None = None,
    ) -> Resolution:
        """Which value holds now, or held at a time, with the runner-up and the reasons."""
        space = self._fresh(namespace)
        return self._store.current(subject, predicate, at=at, namespace=space, min_trust=min_trust)

    def history(
        self,
        subject: str,
        predicate: str | None = None,
        *,
        min_trust: float = 0.0,
        namespace: Sequence[str] | str | None = None,
    ) -> list[Fact]:
        """Every claim about a subject, oldest first, those that no longer hold and those that wait included."""
        return self._store.history(subject, predicate, namespace=self._fresh(namespace), min_trust=min_trust)

    def about(
        self,
        name: str,
        *,
        at: datetime | None = None,
        min_trust: float = 0.0,
        namespace: Sequence[str] | str | None = None,
    ) -> list[Fact]:
        """Accepted facts that hold at a time (now) and have this name as subject or object."""
        return self._store.about(name, at=at, namespace=self._fresh(namespace), min_trust=min_trust)

    def touching(
        self, name: str, *, min_trust: float = 0.0, namespace: Sequence[str] | str | None = None
    ) -> list[Fact]:
        """Every fact with this name as subject or object, those that hold no more and those that wait included."""
        return self._store.touching(name, namespace=self._fresh(namespace), min_trust=min_trust)

    def at_place(self, place: str | None = None, *, radius: int = 1, min_trust: float = 0.0) -> list[Fact]:
        """Every fact said by what is remembered at a place (here by default) and around it, nearest first.

        A fact is where the traces are that say it, and is forgotten with them. Raises InvalidInput as `recall_here`.
        """
        self._fresh()
        return self._places.facts_at(place, radius=radius, min_trust=min_trust)

    def places_of(self, fact: int | Fact) -> list[str]:
        """Ids of the places where the traces that say a fact are remembered. Raises InvalidInput for an unknown id."""
        self._fresh()
        return self._places.places_of((fact if isinstance(fact, Fact) else self._store.get(fact)).traces)

    def holding(self, facts: Iterable[Fact], *, at: datetime | None = None) -> list[Fact]:
        """Those of the facts that are accepted and hold at a time (now)."""
        return self._store.holding(facts, at=at)

    def neighbourhood(
        self,
        name: str,
        *,
        hops: int = 1,
        at: datetime | None = None,
        min_trust: float = 0.0,
        namespace: Sequence[str] | str | None = None,
    ) -> list[Fact]:
        """Facts that hold within so many steps of a name, nearest first."""
        space = self._fresh(namespace)
        return self._store.neighbourhood(name, hops=hops, at=at, namespace=space, min_trust=min_trust)

    def all(
        self, *, waiting: bool = False, min_trust: float = 0.0, namespace: Sequence[str] | str | None = None
    ) -> list[Fact]:
        """All accepted facts, past ones included; with ``waiting`` those that were not let in yet."""
        return self._store.facts(namespace=self._fresh(namespace), waiting=waiting, min_trust=min_trust)

    def explain(self, fact: int | Fact) -> list[str]:
        """Why a fact is in or waits: each decision about it, oldest first, then who says it."""
        self._fresh()
        return self._store.explain(fact.id if isinstance(fact, Fact) else fact)

    def graph(
        self, *, at: datetime | None = None, min_trust: float = 0.0, namespace: Sequence[str] | str | None = None
    ) -> KnowledgeGraph:
        """The facts that hold at a time (now) as a graph of entities, facts and traces."""
        return KnowledgeGraph(self._store.edges(at=at, namespace=self._fresh(namespace), min_trust=min_trust))

    # Names

    def entity(self, name: str, *, namespace: Sequence[str] | str | None = None) -> Entity | None:
        """The thing of this name with its other names; None when no fact has it."""
        return self._store.entity(name, namespace=self._fresh(namespace))

    def merge_proposals(self, *, namespace: Sequence[str] | str | None = None) -> list[MergeProposal]:
        """Names that may mean one thing, with the evidence, the strongest first. Nothing is merged by itself."""
        return propose_merges(self._store.names(namespace=self._fresh(namespace)), self._embed)

    def merge(
        self,
        loser: str,
        winner: str,
        *,
        evidence: Evidence | None = None,
        namespace: Sequence[str] | str | None = None,
    ) -> None:
        """Treat two names as one thing from now on; `unmerge` undoes it. Both must be known in this very namespace."""
        space = self._fresh(namespace)
        found = evidence or same_thing(loser, winner) or Evidence("merged by hand", 1.0)
        self._store.merge(loser, winner, found, namespace=space)

    def unmerge(self, loser: str, *, namespace: Sequence[str] | str | None = None) -> None:
        """Undo the merge of a name into another."""
        self._store.unmerge(loser, namespace=self._fresh(namespace))

    def _fresh(self, namespace: Sequence[str] | str | None = None) -> Namespace:
        """Take in what is new and return the namespace that is asked about."""
        self._check_open()
        space = self._namespace if namespace is None else self._clean(namespace)
        if not self._read_only:
            waiting = self._store.behind(self._record)
            if waiting:
                try:
                    self.catch_up(progress=None if waiting > _QUIET else False)
                except ModelUnavailable as exc:
                    if self.missing is None:
                        logger.warning("facts are not brought up to date: %s", exc)
                    self.missing = str(exc)
        return space

    def _scored(self, query: str, facts: Sequence[Fact]) -> list[FoundFact]:
        asked = content_stems(query)
        vector = self._embed([query]) if facts else None
        vectors = self._vectors.of_facts(fact.id for fact in facts) if vector is not None else {}
        out = []
        for fact in facts:
            covered = len(asked & content_stems(fact.text)) / max(len(asked), 1)
            close = float(vectors[fact.id] @ vector[0]) if vector is not None and fact.id in vectors else 0.0
            out.append(FoundFact(fact=fact, score=close + covered, similarity=close, words=covered))
        return sorted(out, key=lambda item: (-item.score, item.fact.id))
