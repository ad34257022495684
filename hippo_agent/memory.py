"""`Memory`: the one object a user holds. Wiring only; each part's work is done in its own package.

with Memory("agent-memory") as memory:
    memory.write("Ada moved to Lisbon on 3 May.", source="user", speaker="Ada")
    print(memory.recall("where does Ada live now?").render())
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from hippo_agent import intake
from hippo_agent.asking import Answer, Asker
from hippo_agent.config import Config
from hippo_agent.embedding.base import Embedder
from hippo_agent.embedding.sentence_transformer import SentenceTransformerEmbedder
from hippo_agent.episodic.encoder import EpisodeEncoder
from hippo_agent.episodic.gate import TokenSurprise, WriteGate
from hippo_agent.episodic.retention import Retention
from hippo_agent.episodic.store import EpisodicStore
from hippo_agent.episodic.vectors import BankVectors
from hippo_agent.errors import InvalidInput, MemoryClosed, ReadOnlyMemory, TraceNotFound
from hippo_agent.forgetting import Forgetting, Forgotten, Selector
from hippo_agent.maintenance import Maintenance
from hippo_agent.model.packing import POINTS, PackedTrace
from hippo_agent.nights import Nights
from hippo_agent.progress import Progress, StageProgress, reporter, stages
from hippo_agent.recall import Recall, Recaller
from hippo_agent.recall.claims import ClaimSource
from hippo_agent.recall.evidence import facts_said, steps_asked
from hippo_agent.recall.here import PlaceContext, PlaceRecall
from hippo_agent.recall.links import LinkSource
from hippo_agent.recall.sources import CandidateSource
from hippo_agent.relational.associations import Associations
from hippo_agent.relational.extraction.choice import LazyExtractor
from hippo_agent.relational.facade import Facts
from hippo_agent.relational.fact_vectors import FactVectors
from hippo_agent.relational.store import FactStore
from hippo_agent.storage.copies import Backup, backup
from hippo_agent.storage.index.managed import ManagedIndex
from hippo_agent.storage.items import Items
from hippo_agent.storage.mirror import Mirror
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.storage.stats import Stats, collect
from hippo_agent.storage.transfer import export_jsonl, import_jsonl
from hippo_agent.storage.verify import Verification, repair, verify
from hippo_agent.trust.quarantine import Quarantine
from hippo_agent.trust.screen import Screen, held_of, told
from hippo_agent.types import EMPTY, TRUSTED, Cue, Event, Namespace, Receipt, Slots, SourceKind, Trace

if TYPE_CHECKING:
    from hippo_agent.consolidation.report import ConsolidationReport
    from hippo_agent.model.local import LocalModel
    from hippo_agent.spatial.places import Places

__all__ = ["Memory"]


class Memory:
    """A memory in one folder: SQLite inside, no server, no key. Threads and processes may share the folder.

    Args:
        folder: the bank; created when missing (mode 0700). One bank per tenant is the hard boundary.
        namespace: where this handle writes and what it sees by default: itself and everything below it.
        config: settings of all parts.
        embedder: text to vectors; the default is all-MiniLM-L6-v2, loaded on first use.
        token_surprise: a language model's per-token surprise of a text in nats; sharpens the write gate.
        clock: now, timezone-aware. new_id: a fresh unique id per call.
        read_only: recall only; nothing in the folder is touched.

    Raises:
        CorruptMemory, MigrationError, ReadOnlyMemory, StorageError: the folder cannot be used.
    """

    def __init__(
        self,
        folder: str | Path = "agent-memory",
        *,
        namespace: Sequence[str] | str = (),
        config: Config | None = None,
        embedder: Embedder | None = None,
        token_surprise: TokenSurprise | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        read_only: bool = False,
    ) -> None:
        self.config = config or Config()
        self.namespace = intake.clean_namespace(namespace)
        self.folder = Path(folder)
        self._clock = clock
        self._closed = False
        self._record = SqliteRecord(self.folder, read_only=read_only, durability=self.config.durability, clock=clock)
        self._mirror = Mirror(self._record)
        self._index = ManagedIndex(self._record, self._mirror, kind=self.config.index)
        self._vectors = BankVectors(embedder or SentenceTransformerEmbedder(), self._record)
        self._facts, vectors = self._fact_store()
        self._screen = Screen(self.config.trust, clock)
        self._here = PlaceContext(
            self._record,
            self._mirror,
            self._vectors,
            self.namespace,
            facts=self._facts,
            config=self.config.recall,
            macros=self.config.macros,
            clock=lambda: clock().timestamp(),
            redact=self._screen.text,
        )
        encoder = EpisodeEncoder()
        self._episodes = EpisodicStore(
            self._record,
            self._mirror,
            self._vectors,
            encoder=encoder,
            gate=WriteGate(self.config.gate, token_surprise=token_surprise),
            retention=Retention(self.config.retention),
            capacity=self.config.capacity,
            clock=clock,
            new_id=new_id,
            mark=self._here.mark,
            rivals=self._facts.rivals,
        )
        self._episodes.restore()
        self._items = Items(
            self._record.database,
            embed=self._vectors.embed,
            embedder_id=lambda: self._vectors.id,
            clock=clock,
            redact=self._screen.value,
        )
        self._recaller = Recaller(
            self._record,
            self._mirror,
            self._index,
            self._vectors,
            config=self.config.recall,
            sources=(self._here, *self._sources(vectors)),
        )
        self.facts = Facts(
            self._facts,
            vectors,
            self._record,
            embed=self._vectors.embed,
            recall=self._recalled,
            places=self._here,
            namespace=self.namespace,
            read_only=self._record.read_only,
            check_open=self._open,
            clean_namespace=self._inside,
        )
        self._nights = Nights(
            self._record,
            self.folder,
            self.namespace,
            store=self._facts,
            facts=self.facts,
            config=self.config.consolidation,
            clock=clock,
            places=lambda: self._here.known,
            maintain=lambda steps, tick: self._maintenance.run(steps, tick=tick),
        )
        self._asker = Asker(
            None if read_only else self.folder / "states",
            serving=self._nights.serving,
            embedder=lambda: self._vectors.id,
        )
        self._forgetting = Forgetting(
            self._record,
            episodes=self._episodes,
            facts=self._facts,
            here=self._here,
            index=self._index,
            nights=self._nights,
            asker=self._asker,
            clock=clock,
        )
        self._maintenance = Maintenance(
            self._record,
            self._mirror,
            store=self._facts,
            facts=self.facts,
            here=self._here,
            forgetting=self._forgetting,
            gate=self.config.gate,
            retention=Retention(self.config.retention),
            namespace=self.namespace,
            clock=clock,
        )

    @property
    def nights(self) -> Nights:
        """What was learnt overnight: versions, rollback, pictures. `consolidate` adds to it."""
        self._open()
        return self._nights

    @property
    def places(self) -> Places:
        """The map of this handle's namespace: observe, plan, recall by place. Opened on first use.

        What is written while the agent is at a place is remembered there. Raises ReadOnlyMemory in a folder that is
        read only and has no map of this namespace.
        """
        self._open()
        return self._here.places

    # Writing

    def write(
        self,
        text: str | Event,
        *,
        source: SourceKind | str = "unknown",
        principal: str | None = None,
        session: str | None = None,
        parents: Sequence[str] = (),
        trust: float | None = None,
        speaker: str | None = None,
        event_time: datetime | None = None,
        kind: str = "episode",
        key: str | None = None,
        pin: bool = False,
        reward: float = 0.0,
        place: str | None = None,
        slots: Slots | None = None,
        meta: Mapping[str, Any] = EMPTY,
        namespace: Sequence[str] | str | None = None,
    ) -> Receipt:
        """Decide about one event and store it; durable when this returns. An `Event` brings its own fields.

        Args:
            source: who it comes from; sets the trust. Untrusted text is recalled as quoted data, never promoted.
            session: one conversation, document or run; neighbours in it are recalled together.
            event_time: when it happened; the default is now. Naive times are UTC.
            key: idempotency key, unique in the namespace: the same key is never written twice.
            pin: written in any case, never evicted. reward: in [-1, 1], from a trusted caller only.
            place: where it happened, an id or a name of `places`; the default is where the agent is, if that is known.

        Raises:
            InvalidInput, TooLarge, TraceNotFound (of a parent), EmbedderMismatch, StorageFull, ReadOnlyMemory.
        """
        event = text
        if not isinstance(event, Event):
            event = Event(
                text=event,
                namespace=self._inside(namespace),
                provenance=intake.provenance(
                    source=source,
                    principal=principal,
                    session=session,
                    parents=parents,
                    trust=trust,
                    parent_trust=self._trust_of,
                ),
                speaker=speaker,
                event_time=event_time,
                kind=kind,
                key=key,
                pin=pin,
                reward=reward,
                place=place,
                slots=slots,
                meta=meta,
            )
        return self.write_many([event], progress=False)[0]

    def write_many(self, events: Iterable[Event | str], *, progress: Progress = None) -> list[Receipt]:
        """Write events in order; all are checked before the first is stored. One transaction per batch.

        A plain string, or an `Event` without a namespace, goes to this handle's namespace.
        """
        self._open()
        now = self._clock()
        clean = [intake.clean_event(self._event(event), now=now, max_chars=self.config.max_chars) for event in events]
        clean = [event if event.place is None else self._here.placed(event) for event in clean]
        screened = self._screen.all(clean)
        with reporter(progress, len(clean), "remembering") as done:
            receipts = self._episodes.put([one.event for one in screened], held=held_of(screened), done=done)
        return told(receipts, screened)

    def end_session(self, session: str | None = None, *, namespace: Sequence[str] | str | None = None) -> list[Receipt]:
        """Decide about the deferred traces of a session, or of all of them; only a write budget defers."""
        self._open()
        return self._episodes.settle(self._inside(namespace), session)

    # Recalling

    def recall(
        self,
        cue: str | Cue,
        *,
        k: int = 8,
        budget_tokens: int | None = None,
        slots: Slots | None = None,
        namespace: Sequence[str] | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        sources: Sequence[SourceKind | str] = (),
        kinds: Sequence[str] = (),
        session: str | None = None,
        min_trust: float = 0.0,
        exact_namespace: bool = False,
        asked_at: datetime | None = None,
    ) -> Recall:
        """What the cue brings back, best first. Reads only: recalling changes nothing (see `reinforce`).

        Args:
            k: at most so many traces; budget_tokens: and at most so many tokens when rendered.
            slots: what is known of who, what, where, when; a cue may be slots alone.
            since, until: bounds of the event time, inclusive and exclusive.
            sources, kinds, session, min_trust: filters; all of them hold before anything is cut.
            exact_namespace: only the namespace itself, not what lies below it.
            asked_at: "yesterday" in the cue is resolved against it; without it only absolute dates are.
        """
        self._open()
        if not isinstance(cue, Cue):
            cue = Cue(
                text=cue,
                slots=slots or Slots(),
                namespace=self._inside(namespace),
                k=k,
                budget_tokens=budget_tokens,
                since=since,
                until=until,
                sources=tuple(intake.source_kind(kind) for kind in sources),
                kinds=tuple(kinds),
                session=session,
                min_trust=min_trust,
                exact_namespace=exact_namespace,
                asked_at=asked_at,
            )
        if not cue.namespace:
            cue = replace(cue, namespace=self.namespace)
        return self._recaller.recall(intake.clean_cue(cue, max_chars=self.config.max_chars))

    def recall_here(
        self,
        query: str | None = None,
        *,
        place: str | None = None,
        radius: int = 1,
        k: int = 5,
        since: datetime | None = None,
        min_trust: float = 0.0,
    ) -> PlaceRecall:
        """What was remembered at a place and around it: geometry leads, the question decides among equals.

        Facts come with it as they were last read from the traces; `facts.at_place` reads first what is new.

        Args:
            place: an id or a name of `places`; the default is where the agent is. radius: steps around it.
            since: only what was written there since then.

        Raises:
            InvalidInput: it is not known where the agent is, the place is unknown, or its name is not unique.
        """
        self._open()
        if k < 1 or radius < 0:
            raise InvalidInput(f"k must be at least 1 and radius at least 0, not {k!r} and {radius!r}")
        moment = intake.utc(since, what="since")
        return self._here.recall_here(
            None if query is None else intake.clean_text(query, what="query").strip() or None,
            place=intake.clean_label(place, what="place"),
            radius=radius,
            k=k,
            since=None if moment is None else moment.timestamp(),
            min_trust=intake.unit_interval(min_trust, what="min_trust"),
        )

    def ask(
        self,
        question: str,
        *,
        reader: str = "auto",
        model: LocalModel | str | None = None,
        k: int = 8,
        whole: bool = True,
        **filters: Any,
    ) -> Answer:
        """What a local model answers from what the question brings back; it says when it does not know.

        Args:
            reader: "prefix" (traces as keys and values), "adapter" (trained), "prompt" (text), or "auto".
            model: a `LocalModel`, or the name or folder of one; None: the tiny one in the package.
            k: traces that it reads, with the facts that they state and the steps of the map that the question asks
                for. filters: further arguments of `recall`.
            whole: half of a name is asked in full where what was recalled knows just one such name.

        Raises:
            ModelUnavailable, OutOfMemory, ReaderError (the model does not allow this reader), and those of `recall`.
        """
        recall = self.recall(question, k=k, **filters)
        more = self._known(question, recall)
        return self._asker.ask(question, recall, reader=reader, model=model, more=more, whole=whole)

    def consolidate(
        self,
        model: LocalModel | str | None = None,
        *,
        dry_run: bool = False,
        minutes: float | None = None,
        cool_off_hours: float | None = None,
        guard_texts: Sequence[str] = (),
        maintenance: bool = True,
        progress: StageProgress = None,
    ) -> ConsolidationReport:
        """One night: what mattered is replayed into a LoRA of the local model, which serves if it passes the gate.

        Taught are accepted facts that hold now and rest on trusted traces old enough; `ask` answers with the version
        that serves. A night that is killed leaves what served before, and is taken up again by the next call.

        Args:
            model: the base, a `LocalModel` or its name; None: the tiny one in the package.
            dry_run: say what would be taught; train nothing.
            minutes: stop training after so long; the gate judges what was reached.
            cool_off_hours: how old a trace has to be, instead of the configured 24 hours.
            guard_texts: texts of your own whose language must not suffer.
            maintenance: put the stores in order first, as `ConsolidationConfig.maintenance` says; False: only teach.
            progress: told (what, done, total); None: a bar on a terminal.

        Raises:
            ModelUnavailable, OutOfMemory, NothingToTeach, AdapterError (another night runs), ReadOnlyMemory.
        """
        self._open()
        if self._record.read_only:
            raise ReadOnlyMemory(f"{str(self.folder)!r} is open read-only; open it where the folder can be written")
        with stages(progress) as tick:
            return self._nights.consolidate(
                self._asker.model(model),
                dry_run=dry_run,
                minutes=minutes,
                cool_off_hours=cool_off_hours,
                guard_texts=guard_texts,
                maintenance=maintenance,
                progress=tick,
            )

    def reinforce(self, trace_ids: Sequence[str]) -> int:
        """Tell the memory that these traces were useful: they fade slower. Returns how many are known."""
        self._open()
        return self._episodes.reinforce(trace_ids)

    def get(self, trace_id: str) -> Trace:
        """One trace by id. Raises TraceNotFound."""
        self._open()
        found = self._record.get([intake.clean_text(trace_id, what="trace id")]).get(trace_id)
        if found is None:
            raise TraceNotFound(f"no trace {trace_id!r}: it was never written, or it was forgotten")
        return found

    @property
    def items(self) -> Items:
        """JSON documents by namespace and key, kept beside the traces: never gated, never recalled."""
        self._open()
        return self._items

    @property
    def quarantine(self) -> Quarantine:
        """What was set aside in this namespace: `list`, `release(ids, by=...)`, `add(ids, reason=...)`."""
        self._open()
        return Quarantine(self._record, self.namespace, clock=self._clock)

    # Forgetting and care

    def forget(
        self,
        *,
        trace_id: str | Sequence[str] = (),
        query: str | None = None,
        principal: str | None = None,
        namespace: Sequence[str] | str | None = None,
        before: datetime | None = None,
        dry_run: bool = False,
        purge: bool = True,
        reason: str = "asked to",
    ) -> Forgotten:
        """Forget traces and all that rested on them alone, for good; returns a certificate of what went.

        Every condition that is given must hold. Only ids, the time and the reason stay, as tombstones. Adapters that
        know one of the traces answer no more, and the next night trains without them.

        Args:
            trace_id: one or several. An unknown one raises, and nothing is forgotten.
            query: traces in which all its words occur. principal: what this one vouched for.
            namespace: it and all below; alone, its documents and its map too. before: what happened earlier.
            dry_run: only say what would go.
            purge: leave no byte in the files; takes seconds on a large bank. False leaves that to `scrub`.

        Raises:
            InvalidInput (no condition), TraceNotFound, ReadOnlyMemory.
        """
        self._open()
        selector = Selector(
            trace_ids=(trace_id,) if isinstance(trace_id, str) else tuple(dict.fromkeys(trace_id)),
            query=None if query is None else intake.clean_text(query, what="query"),
            principal=intake.clean_label(principal, what="principal"),
            namespace=None if namespace is None else intake.clean_namespace(namespace),
            before=intake.utc(before, what="before"),
            scope=self.namespace,
        )
        why = intake.clean_label(reason, what="reason") or ""
        return self._forgetting.forget(selector, reason=why, dry_run=dry_run, purge=purge)

    def scrub(self) -> tuple[str, ...]:
        """Leave no byte of what was deleted in the folder; says what could not be removed yet, and why.

        Takes seconds on a large bank and as much free space as its file.
        """
        self._open()
        return self._forgetting.purge()

    def verify(self) -> Verification:
        """Check every row, its hashes, the full text, the outbox and the index; reads only."""
        self._open()
        return verify(self._record, self._index)

    def repair(self, *, quarantine: bool = False) -> tuple[str, ...]:
        """Rebuild what can be rebuilt from the rows; says what was done. Nothing is ever deleted.

        With ``quarantine`` damaged rows are set aside: kept, named by `verify`, never recalled.
        """
        self._open()
        done = repair(self._record, quarantine=quarantine)
        if any("maps" in what for what in done):
            self._here.rederive()
        self._index.rebuild()
        return done

    def reembed(self, *, progress: Progress = None) -> int:
        """Make this memory's embedder the bank's: every trace gets its vector. Returns how many were made."""
        self._open()
        with reporter(progress, self._record.count(), "embedding") as done:
            return self._vectors.reembed(done=done)

    def stats(self) -> Stats:
        """Counts, sizes and versions of this bank."""
        self._open()
        return collect(self._record, index=self._index.serving)

    def backup(self, target: str | Path) -> Backup:
        """Copy this memory, adapters included, into a new folder, also while it is in use. `hippo restore` takes it."""
        self._open()
        return backup(self._record, target, now=self._clock())

    def export_jsonl(self, path: str | Path) -> int:
        """Write every trace, with its vector, provenance and repeats, to a JSON lines file; returns how many."""
        self._open()
        return export_jsonl(self._record, path, more=self._here.lines())

    def import_jsonl(self, path: str | Path, *, max_trust: float = 1.0) -> int:
        """Take in an exported file: all of it or nothing, never through the gate. Returns how many traces are new.

        ``max_trust`` caps what a file that others made claims for its traces.
        """
        self._open()
        cap = intake.unit_interval(max_trust, what="max_trust")
        found = import_jsonl(self._record, path, max_trust=cap, other=self._here.importer())
        self._episodes.catch_up()
        return found.traces

    @property
    def read_only(self) -> bool:
        """Whether it can only recall: asked for, or because the folder cannot be written."""
        return self._record.read_only

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Save the gate's state and release the folder. Closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        try:
            if not self._record.read_only:
                self._episodes.save()
        finally:
            self._index.close()
            self._record.close()

    def __enter__(self) -> Memory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fact_store(self) -> tuple[FactStore, FactVectors]:
        config = self.config.relational
        extractor = LazyExtractor(config.extractor, self._vectors.embedder)
        store = FactStore(self._record.database, extractor, config=config.promotion, clock=self._clock)
        return store, FactVectors(self._record.database, self._vectors.embed, lambda: self._vectors.id)

    def _sources(self, vectors: FactVectors) -> tuple[CandidateSource, ...]:
        config = self.config.relational
        associations = Associations(self._record, self._vectors.embed, config=config.association)
        return (
            ClaimSource(vectors, self._vectors.embed, weight=config.claims),
            LinkSource(associations, weight=config.links, limit=config.linked),
        )

    def _recalled(self, text: str, namespace: Namespace, min_trust: float, k: int) -> Sequence[Trace]:
        return self._recaller.recall(Cue(text=text, namespace=namespace, min_trust=min_trust, k=k)).traces

    def _known(self, question: str, recall: Recall) -> list[PackedTrace]:
        """What a model reads beside the recalled traces; facts of those that it may read in its attention."""
        out: list[PackedTrace] = []
        vouched = replace(recall, hits=tuple(hit for hit in recall.hits if hit.trace.provenance.trust >= TRUSTED))
        if self.config.evidence.facts and vouched.hits:
            least = max(recall.cue.min_trust, TRUSTED)
            out += facts_said(self.facts.said_in(vouched.traces, min_trust=least), vouched)
        if self.config.evidence.steps and (places := self._here.known) is not None:
            best = max((hit.score for hit in recall.hits), default=0.0)
            out += steps_asked(question, places, score=POINTS * best)
        return out

    def _open(self) -> None:
        if self._closed:
            raise MemoryClosed(f"the memory in {str(self.folder)!r} is closed; open it again with Memory(...)")

    def _inside(self, namespace: Sequence[str] | str | None) -> Namespace:
        return self.namespace if namespace is None else intake.clean_namespace(namespace)

    def _event(self, event: Event | str) -> Event:
        if not isinstance(event, Event):
            return Event(text=event, namespace=self.namespace)
        if parents := event.provenance.parents:
            trust = min(event.provenance.trust, *self._trust_of(parents))
            event = replace(event, provenance=replace(event.provenance, trust=trust))
        return event if event.namespace else replace(event, namespace=self.namespace)

    def _trust_of(self, parents: Sequence[str]) -> list[float]:
        return [self.get(parent).provenance.trust for parent in parents]
