"""Facts in the bank's own database: learnt from traces, let in or kept waiting, forgotten with what said them.

The store follows the record's outbox (`catch_up`): whatever was written or forgotten since, by this process or another,
is taken in, and how far it got is committed with it. A crash leaves it behind, never wrong.

- Nothing is overwritten: a value that another replaced gets ``invalid_at`` and stays.
- A fact goes with its last statement; what was derived from it goes with it.
- A merge of two entities is a row of its own and can be undone.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone

from hippo_agent.errors import InvalidInput
from hippo_agent.relational import rows
from hippo_agent.relational.entities import Evidence, key, shape
from hippo_agent.relational.extraction.base import Extractor, Source
from hippo_agent.relational.extraction.dates import moment
from hippo_agent.relational.facts import Fact, Triple
from hippo_agent.relational.promotion import PromotionConfig, PromotionDecision, Support, promote
from hippo_agent.relational.reading import FactReader
from hippo_agent.relational.relations import canonical
from hippo_agent.relational.validity import fall, settle
from hippo_agent.relational.words import heading
from hippo_agent.storage.base import RecordStore
from hippo_agent.storage.database import Database
from hippo_agent.storage.rows import micros
from hippo_agent.types import Event, Namespace, Status, Trace

__all__ = ["READ", "FactStore"]

#: Traces that facts are learnt from: those that recall can bring back. A quarantined one loses its statements.
READ: tuple[Status, ...] = ("active", "deferred")

_POSITION = "position"
_RECONSIDERED = 20  # newest waiting claims of a predicate that a new claim of it makes worth another look


class FactStore(FactReader):
    """The facts of one bank, to be written too. ``clock`` dates what is recorded and what "now" means."""

    def __init__(
        self,
        database: Database,
        extractor: Extractor,
        *,
        config: PromotionConfig | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        super().__init__(database, clock=clock)
        self.extractor = extractor  # of what is read from now on
        self._config = config or PromotionConfig()
        self._followed = 0  # the position that the cached schemas are of

    # Following the record

    def position(self) -> int:
        """The outbox position that the facts stand at."""
        with self._database.read() as connection:
            return _position(connection)

    def behind(self, record: RecordStore) -> int:
        """About how many changes of the record are not taken in yet."""
        return abs(record.position() - self.position())

    def catch_up(
        self, record: RecordStore, *, batch: int = 64, done: Callable[[int], None] = lambda followed: None
    ) -> int:
        """Follow the record: learn what was written, forget what was deleted. Returns how many changes there were."""
        if self.position() > record.position():  # the outbox was made anew: read it again, what is known stays known
            with self._database.write() as connection:
                _set_position(connection, 0)
        followed = 0
        while True:
            start = self.position()
            changes = record.changes(start, limit=batch)
            if not changes:
                return followed
            traces = record.by_seq(sorted({change.seq for change in changes if change.op == "put"}))
            unread = self._unread(traces.values())
            triples = self.extractor.extract([_source(trace) for trace in unread])
            with self._database.write() as connection:
                if _position(connection) != start:  # another process was quicker
                    continue
                if start != self._followed:
                    self._schemas.clear()
                hidden = [trace.seq for trace in traces.values() if trace.status not in READ]
                self._let_go(connection, hidden, deleted=any(change.op == "delete" for change in changes))
                touched: dict[tuple[str, str], None] = {}
                for trace, found in zip(unread, triples, strict=True):
                    self._learn(connection, trace, found, touched)
                    connection.execute("INSERT OR IGNORE INTO read_trace VALUES (?)", (trace.seq,))
                self._reconsider(connection, touched)
                _set_position(connection, changes[-1].position)
            self._followed = changes[-1].position
            followed += len(changes)
            done(followed)

    def tenable(self, facts: Iterable[Fact], *, at: datetime | None = None) -> list[Fact]:
        """Those of the facts that hold at a time (now), and those that only wait for more evidence."""
        at = self._moment(at)
        trust = self._config.trust
        return [fact for fact in facts if fact.holds(at) and (fact.status == "active" or fact.trust >= trust)]

    def said_otherwise(self, older: Trace, newer: Trace) -> bool:
        """Whether another value of what the newer trace says was said after the older one and before it."""
        since, until = sorted((micros(older.event_time), micros(newer.event_time)))
        with self._database.read() as connection:
            found = connection.execute(
                "SELECT 1 FROM statement s JOIN fact f ON f.id = s.fact "
                "JOIN fact g ON g.subject = f.subject AND g.predicate = f.predicate AND g.id <> f.id "
                "JOIN statement o ON o.fact = g.id "
                "WHERE s.trace = ? AND o.trace NOT IN (?, ?) AND o.said_at BETWEEN ? AND ? LIMIT 1",
                (newer.seq, newer.seq, older.seq, since, until),
            ).fetchone()
        return found is not None

    def rivals(self, text: Event | Trace, others: Sequence[Event | Trace]) -> bool:
        """Whether one of the others says another value of what a text says, or denies it; nothing is stored."""
        own, *rest = self.extractor.extract([_source(one) for one in (text, *others)])
        if not own:
            return False
        with self._database.read() as connection:
            schemas = self._schemas_of(connection, rows.space(text.namespace))
        claims = {(key(one.subject), canonical(one.predicate)): one for one in own}
        for other in (one for found in rest for one in found):
            mine = claims.get((key(other.subject), canonical(other.predicate)))
            if mine is None:
                continue
            if key(mine.object) == key(other.object):
                if mine.denied != other.denied:
                    return True
            elif not other.denied and schemas.functional(canonical(other.predicate)):
                return True
        return False

    def prune(self) -> int:
        """Let go of facts that nothing supports any more, and of names that no fact has; returns how many facts."""
        with self._database.write() as connection:
            return self._fall(connection)

    def clear(self) -> None:
        """Forget every fact, merge and decision, so that `catch_up` reads the whole record again."""
        with self._database.write() as connection:
            for table in ("fact", "entity", "read_trace"):
                connection.execute(f"DELETE FROM {table}")
            _set_position(connection, 0)
            self._schemas.clear()

    # Facts by hand

    def add(self, trace: Trace, triples: Sequence[Triple]) -> list[Fact]:
        """Learn given triples of a trace (a caller's own extraction) and return the facts that they support."""
        with self._database.write() as connection:
            touched: dict[tuple[str, str], None] = {}
            ids = self._learn(connection, trace, triples, touched)
            self._reconsider(connection, touched)
            return rows.read_facts(connection, ids)

    def derive(
        self, subject: str, predicate: str, value: str, *, parents: Sequence[int], namespace: Namespace = ()
    ) -> Fact:
        """Record a fact that follows from others; it falls when one of them falls."""
        if not parents:
            raise InvalidInput("a derived fact needs at least one parent; use add() for one that a trace says")
        with self._database.write() as connection:
            known = rows.read_facts(connection, parents)
            if missing := sorted(set(parents) - {fact.id for fact in known}):
                raise InvalidInput(f"no fact has the id {missing[0]!r}; parents must be recorded first")
            fact = self._fact_row(connection, rows.space(namespace), subject, canonical(predicate), value, denied=False)
            valid = max((parent.valid_at for parent in known if parent.valid_at is not None), default=None)
            connection.execute(
                "UPDATE fact SET status = 'active', valid_at = ?, reason = 'derived' WHERE id = ?",
                (None if valid is None else micros(valid), fact),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO derivation VALUES (?, ?)", [(fact, parent) for parent in parents]
            )
            return rows.read_facts(connection, [fact])[0]

    def retest(self) -> int:
        """Test every waiting fact again (at night), in the light of all that waits; returns how many were let in."""
        with self._database.write() as connection:
            touched = connection.execute(
                "SELECT DISTINCT namespace, predicate FROM fact WHERE status = 'deferred' ORDER BY 1, 2"
            ).fetchall()
            return self._reconsider(connection, dict.fromkeys(touched), limit=-1)

    # Entities

    def merge(self, loser: str, winner: str, evidence: Evidence, *, namespace: Namespace = ()) -> None:
        """Treat two entities as one from now on; `unmerge` undoes it. Nothing is rewritten."""
        space = rows.space(namespace)
        with self._database.write() as connection:
            pair = [rows.entities(connection, [space], name) for name in (loser, winner)]
            if not all(pair):
                raise InvalidInput(f"{(winner if pair[0] else loser)!r} is not known; nothing was merged")
            a, b = (rows.canonical(connection, found[0]) for found in pair)
            if a == b:
                raise InvalidInput(f"{loser!r} and {winner!r} are one already")
            note = json.dumps({"rule": evidence.rule, "strength": evidence.strength})
            connection.execute(
                "INSERT INTO entity_merge (loser, winner, time, evidence) VALUES (?, ?, ?, ?)",
                (a, b, micros(self._clock()), note),
            )
            self._settle_entity(connection, b)

    def unmerge(self, loser: str, *, namespace: Namespace = ()) -> None:
        """Undo the merge of an entity into another."""
        with self._database.write() as connection:
            held = rows.entities(connection, [rows.space(namespace)], loser)
            found = held and connection.execute("SELECT winner FROM entity_merge WHERE loser = ?", held).fetchone()
            if not found:
                raise InvalidInput(f"{loser!r} was not merged into anything")
            connection.execute("DELETE FROM entity_merge WHERE loser = ?", held)
            self._settle_entity(connection, found[0])
            self._settle_entity(connection, held[0])

    # Inside a transaction

    def _unread(self, traces: Iterable[Trace]) -> list[Trace]:
        held = sorted((trace for trace in traces if trace.status in READ), key=lambda trace: trace.seq)
        known: set[int] = set()
        with self._database.read() as connection:
            for part in rows.chunks(trace.seq for trace in held):
                sql = f"SELECT trace FROM read_trace WHERE trace IN ({rows.marks(part)})"
                known |= {row[0] for row in connection.execute(sql, part)}
        return [trace for trace in held if trace.seq not in known]

    def _learn(
        self,
        connection: sqlite3.Connection,
        trace: Trace,
        triples: Iterable[Triple],
        touched: dict[tuple[str, str], None],
    ) -> list[int]:
        space, ids = rows.space(trace.namespace), []
        principal = trace.provenance.principal or f"{trace.provenance.source}:{trace.speaker or ''}"
        for triple in triples:
            subject, value = triple.subject.strip(), triple.object.strip()
            if not key(subject) or not key(value):
                continue
            predicate = canonical(triple.predicate)
            fact = self._fact_row(connection, space, subject, predicate, value, denied=triple.denied)
            since = moment(triple.when) if triple.when else None
            until = moment(triple.until) if triple.until else None
            connection.execute(
                "INSERT OR IGNORE INTO statement VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    fact,
                    trace.seq,
                    trace.id,
                    triple.start,
                    triple.end,
                    micros(since or trace.event_time),
                    None if until is None else micros(until),
                    micros(trace.event_time),
                    triple.confidence,
                    trace.provenance.trust,
                    principal,
                    json.dumps({"where": triple.where} if triple.where else {}),
                ),
            )
            if self._promote(connection, fact) == "defer":
                touched[space, predicate] = None
            ids.append(fact)
        return ids

    def _fact_row(
        self, connection: sqlite3.Connection, space: str, subject: str, predicate: str, value: str, *, denied: bool
    ) -> int:
        row = (space, _intern(connection, space, subject), predicate, _intern(connection, space, value), denied)
        where = "namespace = ? AND subject = ? AND predicate = ? AND object = ? AND denied = ?"
        found = connection.execute(f"SELECT id FROM fact WHERE {where}", row).fetchone()
        if found is None:
            found = connection.execute(
                "INSERT INTO fact (namespace, subject, predicate, object, denied, status, recorded_at, reason) "
                "VALUES (?, ?, ?, ?, ?, 'deferred', ?, '') RETURNING id",
                (*row, micros(self._clock())),
            ).fetchone()
        return int(found[0])

    def _promote(self, connection: sqlite3.Connection, fact: int, *, again: bool = False) -> PromotionDecision:
        """Decide about a fact and log it; ``again``: only a change of mind is logged."""
        space, subject, predicate, value, denied, status, owner = connection.execute(
            "SELECT f.namespace, s.name, f.predicate, o.name, f.denied, f.status, f.subject FROM fact f "
            "JOIN entity s ON s.id = f.subject JOIN entity o ON o.id = f.object WHERE f.id = ?",
            (fact,),
        ).fetchone()
        support = connection.execute("SELECT principal, trust, confidence FROM statement WHERE fact = ?", (fact,))
        schemas = self._schemas_of(connection, space)
        decision, reasons = promote(
            schemas.fit(subject, predicate, value),
            [Support(*row) for row in support],
            there=status == "active",
            config=self._config,
        )
        if decision != "defer" or not again:
            connection.execute(
                "INSERT INTO promotion (fact, time, decision, reasons) VALUES (?, ?, ?, ?)",
                (fact, micros(self._clock()), decision, json.dumps(reasons)),
            )
        if decision == "route":
            connection.execute("UPDATE fact SET status = 'active', reason = ? WHERE id = ?", (reasons[0], fact))
            if not denied:
                schemas.add(subject, predicate, value)
        if decision != "defer":
            self._settle(connection, owner, predicate, schemas.functional(predicate), fact)
        return decision

    def _reconsider(
        self, connection: sqlite3.Connection, touched: Iterable[tuple[str, str]], *, limit: int = _RECONSIDERED
    ) -> int:
        """Test waiting claims of these predicates again, each with the others from trusted sources as evidence."""
        routed = 0
        for space, predicate in touched:
            waiting = connection.execute(
                "SELECT f.id, s.name, o.name, f.denied, EXISTS (SELECT 1 FROM statement WHERE fact = f.id "
                "AND trust >= ? AND confidence >= ?) FROM fact f JOIN entity s ON s.id = f.subject "
                "JOIN entity o ON o.id = f.object WHERE f.namespace = ? AND f.predicate = ? AND f.status = 'deferred' "
                "ORDER BY f.id DESC LIMIT ?",
                (self._config.trust, self._config.confidence, space, predicate, limit),
            ).fetchall()
            schemas = self._schemas_of(connection, space)
            evidence = {
                fact: (subject, predicate, value)
                for fact, subject, value, denied, sure in waiting
                if sure and not denied
            }
            for claim in evidence.values():
                schemas.add(*claim)
            for fact, *_ in reversed(waiting):
                if fact in evidence:
                    schemas.remove(*evidence[fact])  # a claim is no evidence for itself
                if self._promote(connection, fact, again=True) == "route":
                    routed += 1
                    evidence.pop(fact, None)
                elif fact in evidence:
                    schemas.add(*evidence[fact])
            for claim in evidence.values():
                schemas.remove(*claim)
        return routed

    def _settle(
        self, connection: sqlite3.Connection, subject: int, predicate: str, functional: bool, fact: int | None = None
    ) -> None:
        """Give the claims of a subject and predicate their times of validity anew; without rivalry only one value's."""
        ids = rows.group(connection, rows.members(connection, [subject]), predicate)
        if fact is not None and not functional and len(ids) > 1:
            target = connection.execute("SELECT object FROM fact WHERE id = ?", (fact,)).fetchone()[0]
            same = rows.members(connection, [target])
            sql = f"SELECT id FROM fact WHERE object IN ({rows.marks(same)}) AND id IN ({rows.marks(ids)})"
            ids = [row[0] for row in connection.execute(sql, (*same, *ids))]
        settle(connection, ids, functional=functional)

    def _settle_entity(self, connection: sqlite3.Connection, entity: int) -> None:
        held = rows.members(connection, [entity])
        found = connection.execute(
            f"SELECT DISTINCT predicate, namespace FROM fact WHERE subject IN ({rows.marks(held)})", held
        ).fetchall()
        for predicate, space in found:
            self._settle(connection, entity, predicate, self._schemas_of(connection, space).functional(predicate))

    def _let_go(self, connection: sqlite3.Connection, hidden: Sequence[int], *, deleted: bool) -> None:
        """Statements of hidden traces go like those of deleted ones, which went with their trace."""
        for part in rows.chunks(hidden):
            for table in ("statement", "read_trace"):
                connection.execute(f"DELETE FROM {table} WHERE trace IN ({rows.marks(part)})", part)
        if hidden or deleted:
            self._fall(connection)

    def _fall(self, connection: sqlite3.Connection) -> int:
        fallen, groups = fall(connection)
        if fallen:
            self._schemas.clear()
        for subject, predicate, space in groups:
            functional = self._schemas_of(connection, space).functional(predicate)
            self._settle(connection, subject, predicate, functional)
        return fallen


def _position(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT value FROM relational_state WHERE name = ?", (_POSITION,)).fetchone()
    return int(row[0]) if row else 0


def _set_position(connection: sqlite3.Connection, position: int) -> None:
    connection.execute(
        "INSERT INTO relational_state VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_POSITION, position),
    )


def _intern(connection: sqlite3.Connection, space: str, name: str) -> int:
    """The entity of this name, made when it is new."""
    folded = key(name)
    found = connection.execute("SELECT id FROM entity WHERE namespace = ? AND key = ?", (space, folded)).fetchone()
    if found is None:
        found = connection.execute(
            "INSERT INTO entity (namespace, name, key, kind) VALUES (?, ?, ?, ?) RETURNING id",
            (space, name, folded, shape(name)),
        ).fetchone()
    return int(found[0])


def _source(trace: Event | Trace) -> Source:
    topic = trace.meta.get("title")
    listener = trace.meta.get("listener")
    return Source(
        text=trace.text,
        speaker=trace.speaker,
        listener=listener if isinstance(listener, str) else None,
        topic=topic if isinstance(topic, str) else heading(trace.text),
        said_at=trace.event_time,
    )
