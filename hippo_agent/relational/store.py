"""Facts in the bank's own database: learnt from traces, forgotten with them, read back with their provenance.

The store follows the record's outbox (`catch_up`): whatever was written or forgotten since, by this process or
another, is
taken in, and how far it got is committed with it. A crash leaves it behind, never wrong.

- Nothing is overwritten: a value that another replaced gets ``invalid_at`` and stays.
- A fact goes with its last statement; what was derived from it goes with it.
- Reads see merged entities as one; a merge is a row and can be undone.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone

from hippo_agent.errors import InvalidInput
from hippo_agent.relational.entities import Evidence, key, shape
from hippo_agent.relational.extraction.base import Extractor, Source
from hippo_agent.relational.extraction.dates import moment
from hippo_agent.relational.facts import Entity, Fact, FactStatus, Resolution, Statement, Triple
from hippo_agent.relational.graph import Edge
from hippo_agent.relational.promotion import PromotionConfig, Support, promote
from hippo_agent.relational.relations import canonical
from hippo_agent.relational.resolve import Claim, intervals, verdict
from hippo_agent.relational.schema import Schemas
from hippo_agent.relational.words import heading
from hippo_agent.storage.base import RecordStore
from hippo_agent.storage.database import Database
from hippo_agent.types import Namespace, Trace

__all__ = ["FactStore"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_POSITION = "position"


class FactStore:
    """The facts of one bank. ``clock`` dates what is recorded and what "now" means."""

    def __init__(
        self,
        database: Database,
        extractor: Extractor,
        *,
        config: PromotionConfig | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._database = database
        self._extractor = extractor
        self._config = config or PromotionConfig()
        self._clock = clock
        self._schemas: dict[str, Schemas] = {}

    # -- writing ------------------------------------------------------------------------------------------------------

    def catch_up(self, record: RecordStore, *, batch: int = 500) -> int:
        """Follow the record: learn what was written, forget what was deleted. Returns how many changes there were."""
        followed = 0
        while True:
            with self._database.read() as connection:
                row = connection.execute("SELECT value FROM relational_state WHERE name = ?", (_POSITION,)).fetchone()
            changes = record.changes(row[0] if row else 0, limit=batch)
            if not changes:
                return followed
            traces = record.by_seq([change.seq for change in changes if change.op == "put"])
            known = self._known([change.seq for change in changes])
            new = [trace for seq, trace in sorted(traces.items()) if seq not in known and trace.status == "active"]
            triples = self._extractor.extract([_source(trace) for trace in new])
            with self._database.write() as connection:
                self._fall(connection)
                for trace, found in zip(new, triples, strict=True):
                    self._learn(connection, trace, found)
                connection.execute(
                    "INSERT INTO relational_state VALUES (?, ?) "
                    "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    (_POSITION, changes[-1].position),
                )
            followed += len(changes)

    def add(self, trace: Trace, triples: Sequence[Triple]) -> list[Fact]:
        """Learn given triples of a trace (a caller's own extraction) and return the facts that they support."""
        with self._database.write() as connection:
            ids = self._learn(connection, trace, triples)
        return self._facts(ids)

    def derive(
        self, subject: str, predicate: str, value: str, *, parents: Sequence[int], namespace: Namespace = ()
    ) -> Fact:
        """Record a fact that follows from others; it falls when one of them falls."""
        if not parents:
            raise InvalidInput("a derived fact needs at least one parent; use add() for one that a trace says")
        known = self._facts(parents)
        if len(known) != len(set(parents)):
            missing = sorted(set(parents) - {fact.id for fact in known})
            raise InvalidInput(f"no fact has the id {missing[0]!r}; parents must be recorded first")
        with self._database.write() as connection:
            space = _space(namespace)
            fact = self._fact_row(connection, space, subject, canonical(predicate), value, denied=False)
            valid = max((parent.valid_at for parent in known if parent.valid_at is not None), default=None)
            connection.execute(
                "UPDATE fact SET status = 'active', valid_at = ?, reason = 'derived' WHERE id = ?",
                (None if valid is None else _micros(valid), fact),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO derivation VALUES (?, ?)", [(fact, parent) for parent in parents]
            )
        return self._facts([fact])[0]

    def retest(self) -> int:
        """Test every waiting fact again (at night); returns how many were let in."""
        promoted = 0
        with self._database.write() as connection:
            waiting = connection.execute("SELECT id FROM fact WHERE status = 'deferred' ORDER BY id").fetchall()
            for (fact,) in waiting:
                promoted += self._promote(connection, fact) == "route"
        return promoted

    def merge(self, loser: str, winner: str, evidence: Evidence, *, namespace: Namespace = ()) -> None:
        """Treat two entities as one from now on; `unmerge` undoes it. Nothing is rewritten."""
        space = _space(namespace)
        with self._database.write() as connection:
            a, b = self._entity_id(connection, space, loser), self._entity_id(connection, space, winner)
            if a is None or b is None:
                raise InvalidInput(f"{(loser if a is None else winner)!r} is not known; nothing was merged")
            a, b = self._canonical(connection, a), self._canonical(connection, b)
            if a == b:
                raise InvalidInput(f"{loser!r} and {winner!r} are one already")
            note = json.dumps({"rule": evidence.rule, "strength": evidence.strength})
            connection.execute(
                "INSERT INTO entity_merge (loser, winner, time, evidence) VALUES (?, ?, ?, ?)",
                (a, b, _micros(self._clock()), note),
            )
            self._settle_entity(connection, b)

    def unmerge(self, loser: str, *, namespace: Namespace = ()) -> None:
        """Undo the merge of an entity into another."""
        with self._database.write() as connection:
            entity = self._entity_id(connection, _space(namespace), loser)
            row = connection.execute("SELECT winner FROM entity_merge WHERE loser = ?", (entity,)).fetchone()
            if row is None:
                raise InvalidInput(f"{loser!r} was not merged into anything")
            winner = self._canonical(connection, row[0])
            connection.execute("DELETE FROM entity_merge WHERE loser = ?", (entity,))
            self._settle_entity(connection, winner)
            assert entity is not None
            self._settle_entity(connection, entity)

    # -- reading ------------------------------------------------------------------------------------------------------

    def current(
        self, subject: str, predicate: str, *, at: datetime | None = None, namespace: Namespace = ()
    ) -> Resolution:
        """Which value holds now, or held at a time, with the runner-up and the reasons."""
        at = at or self._clock()
        name = canonical(predicate)
        with self._database.snapshot() as connection:
            space = _space(namespace)
            entity = self._entity_id(connection, space, subject)
            facts = [] if entity is None else self._group(connection, self._canonical(connection, entity), name)
            claims, names = self._claims(connection, facts)
            functional = self._schemas_of(connection, space).functional(name)
        found = verdict(claims, functional=functional, at=at)
        values = tuple(names[value] for value in found.values)
        runner_up = None if found.runner_up is None else names[found.runner_up]
        why = tuple(_with_names(reason, names) for reason in found.why)
        traces = tuple(
            dict.fromkeys(
                statement.trace_id
                for fact in self._facts(facts)
                if values and key(fact.object) == found.values[0] and not fact.denied
                for statement in fact.statements
            )
        )
        return Resolution(
            subject=subject,
            predicate=name,
            value=values[0] if values else None,
            values=values,
            runner_up=runner_up,
            conflict=found.conflict,
            why=why,
            traces=traces,
        )

    def history(self, subject: str, predicate: str | None = None, *, namespace: Namespace = ()) -> list[Fact]:
        """Every claim about a subject, oldest first, those that no longer hold included."""
        with self._database.snapshot() as connection:
            entity = self._entity_id(connection, _space(namespace), subject)
            if entity is None:
                return []
            ids = self._group(connection, self._canonical(connection, entity), predicate and canonical(predicate))
        return sorted(self._facts(ids), key=lambda fact: (fact.valid_at or _EPOCH, fact.id))

    def about(self, name: str, *, at: datetime | None = None, namespace: Namespace = ()) -> list[Fact]:
        """Accepted facts that have the entity as subject or object and hold at a time (now)."""
        at = at or self._clock()
        return [fact for fact in self._touching(name, namespace) if fact.status == "active" and fact.holds(at)]

    def neighbourhood(
        self, name: str, *, hops: int = 1, at: datetime | None = None, namespace: Namespace = ()
    ) -> list[Fact]:
        """Facts that hold within so many steps of an entity, nearest first."""
        if hops < 1:
            raise InvalidInput(f"hops must be at least 1, not {hops!r}")
        seen: dict[int, Fact] = {}
        reached, front = {key(name)}, [name]
        for _ in range(hops):
            found = [fact for one in front for fact in self.about(one, at=at, namespace=namespace)]
            seen.update((fact.id, fact) for fact in found if fact.id not in seen)
            front = [end for fact in found for end in (fact.subject, fact.object) if key(end) not in reached]
            reached.update(map(key, front))
        return list(seen.values())

    def explain(self, fact: int) -> list[str]:
        """Why a fact is in or waits: each decision about it, oldest first, then who says it."""
        found = self._facts([fact])
        if not found:
            raise InvalidInput(f"no fact has the id {fact!r}")
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT time, decision, reasons FROM promotion WHERE fact = ? ORDER BY number", (fact,)
            ).fetchall()
        lines = [
            f"{_time(time):%Y-%m-%d %H:%M} {decision}: {'; '.join(json.loads(why))}" for time, decision, why in rows
        ]
        said = [
            f"said by {s.principal or 'unknown'} (trust {s.trust:.2f}) in {s.trace_id}" for s in found[0].statements
        ]
        return lines + said + [f"follows from fact {parent}" for parent in found[0].parents]

    def entity(self, name: str, *, namespace: Namespace = ()) -> Entity | None:
        """The entity of this name, merged ones under their winner; None when it is not known."""
        with self._database.snapshot() as connection:
            found = self._entity_id(connection, _space(namespace), name)
            if found is None:
                return None
            winner = self._canonical(connection, found)
            rows = connection.execute(
                f"SELECT id, name, kind FROM entity WHERE id IN ({_marks(self._members(connection, winner))})",
                self._members(connection, winner),
            ).fetchall()
        names = {row[0]: row for row in rows}
        aliases = tuple(sorted(row[1] for row in rows if row[0] != winner))
        return Entity(id=winner, name=names[winner][1], kind=names[winner][2], aliases=aliases)

    def predicates(self, subject: str, *, namespace: Namespace = ()) -> list[str]:
        """What is said of a subject: the predicates of its accepted facts, in alphabetical order."""
        with self._database.snapshot() as connection:
            entity = self._entity_id(connection, _space(namespace), subject)
            if entity is None:
                return []
            members = self._members(connection, self._canonical(connection, entity))
            rows = connection.execute(
                "SELECT DISTINCT predicate FROM fact WHERE status = 'active' "
                f"AND subject IN ({_marks(members)}) ORDER BY predicate",
                members,
            )
            return [row[0] for row in rows]

    def known_names(self, names: Iterable[str], *, namespace: Namespace = ()) -> set[str]:
        """Which of these names, folded by `entities.key`, are entities."""
        wanted, found = list(names), set()
        with self._database.snapshot() as connection:
            for start in range(0, len(wanted), 500):
                part = wanted[start : start + 500]
                sql = f"SELECT key FROM entity WHERE namespace = ? AND key IN ({_marks(part)})"
                found |= {row[0] for row in connection.execute(sql, (_space(namespace), *part))}
        return found

    def facts(self, *, namespace: Namespace = (), waiting: bool = False) -> list[Fact]:
        """All accepted facts of a namespace, by id; with ``waiting`` the deferred ones instead."""
        status = "deferred" if waiting else "active"
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT id FROM fact WHERE namespace = ? AND status = ? ORDER BY id", (_space(namespace), status)
            ).fetchall()
        return self._facts([row[0] for row in rows])

    def edges(self, *, at: datetime | None = None, namespace: Namespace = ()) -> list[Edge]:
        """The accepted facts that hold at a time (now), as the graph takes them; one pass over the tables."""
        now = _micros(at or self._clock())
        with self._database.snapshot() as connection:
            names = dict(connection.execute("SELECT id, name FROM entity WHERE namespace = ?", (_space(namespace),)))
            winners = dict(connection.execute("SELECT loser, winner FROM entity_merge"))
            said: dict[int, list[str]] = defaultdict(list)
            for fact, trace in connection.execute("SELECT fact, trace_id FROM statement ORDER BY fact, trace"):
                said[fact].append(trace)
            rows = connection.execute(
                "SELECT id, subject, predicate, object FROM fact "
                "WHERE namespace = ? AND status = 'active' AND denied = 0 "
                "AND (valid_at IS NULL OR valid_at <= ?) AND (invalid_at IS NULL OR invalid_at > ?) ORDER BY id",
                (_space(namespace), now, now),
            ).fetchall()

        def name(entity: int) -> str:
            while entity in winners:
                entity = winners[entity]
            return str(names[entity])

        return [
            Edge(
                fact=fact, subject=name(a), predicate=predicate, object=name(b), traces=tuple(dict.fromkeys(said[fact]))
            )
            for fact, a, predicate, b in rows
        ]

    def schemas(self, namespace: Namespace = ()) -> Schemas:
        """What the accepted facts of a namespace were seen to join."""
        with self._database.snapshot() as connection:
            return self._schemas_of(connection, _space(namespace))

    # -- inside a transaction -----------------------------------------------------------------------------------------

    def _learn(self, connection: sqlite3.Connection, trace: Trace, triples: Iterable[Triple]) -> list[int]:
        space, ids = _space(trace.namespace), []
        for triple in triples:
            subject, value = triple.subject.strip(), triple.object.strip()
            if not key(subject) or not key(value):
                continue
            predicate = canonical(triple.predicate)
            fact = self._fact_row(connection, space, subject, predicate, value, denied=triple.denied)
            since = moment(triple.when) if triple.when else None
            until = moment(triple.until) if triple.until else None
            principal = trace.provenance.principal or f"{trace.provenance.source}:{trace.speaker or ''}"
            connection.execute(
                "INSERT OR IGNORE INTO statement VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    fact,
                    trace.seq,
                    trace.id,
                    triple.start,
                    triple.end,
                    _micros(since or trace.event_time),
                    None if until is None else _micros(until),
                    _micros(trace.event_time),
                    triple.confidence,
                    trace.provenance.trust,
                    principal,
                    json.dumps({"where": triple.where} if triple.where else {}),
                ),
            )
            self._promote(connection, fact)
            ids.append(fact)
        return ids

    def _fact_row(
        self, connection: sqlite3.Connection, space: str, subject: str, predicate: str, value: str, *, denied: bool
    ) -> int:
        row = (
            space,
            self._intern(connection, space, subject),
            predicate,
            self._intern(connection, space, value),
            denied,
        )
        connection.execute(
            "INSERT OR IGNORE INTO fact (namespace, subject, predicate, object, denied, status, recorded_at, reason) "
            "VALUES (?, ?, ?, ?, ?, 'deferred', ?, '')",
            (*row, _micros(self._clock())),
        )
        where = "namespace = ? AND subject = ? AND predicate = ? AND object = ? AND denied = ?"
        return int(connection.execute(f"SELECT id FROM fact WHERE {where}", row).fetchone()[0])

    def _promote(self, connection: sqlite3.Connection, fact: int) -> str:
        space, subject, predicate, value, denied, status = connection.execute(
            "SELECT f.namespace, s.name, f.predicate, o.name, f.denied, f.status FROM fact f "
            "JOIN entity s ON s.id = f.subject JOIN entity o ON o.id = f.object WHERE f.id = ?",
            (fact,),
        ).fetchone()
        rows = connection.execute(
            "SELECT principal, trust, confidence FROM statement WHERE fact = ?", (fact,)
        ).fetchall()
        schemas = self._schemas_of(connection, space)
        fit = schemas.fit(subject, predicate, value)
        decision, reasons = promote(fit, [Support(*row) for row in rows], there=status == "active", config=self._config)
        connection.execute(
            "INSERT INTO promotion (fact, time, decision, reasons) VALUES (?, ?, ?, ?)",
            (fact, _micros(self._clock()), decision, json.dumps(reasons)),
        )
        if decision == "route":
            connection.execute("UPDATE fact SET status = 'active', reason = ? WHERE id = ?", (reasons[0], fact))
            if not denied:
                schemas.add(subject, predicate, value)
        if decision != "defer":
            owner = connection.execute("SELECT subject FROM fact WHERE id = ?", (fact,)).fetchone()[0]
            self._settle(connection, self._canonical(connection, owner), predicate, schemas.functional(predicate))
        return decision

    def _settle(self, connection: sqlite3.Connection, entity: int, predicate: str, functional: bool) -> None:
        """Give every claim of a subject and predicate its time of validity anew."""
        ids = self._group(connection, entity, predicate)
        claims, _ = self._claims(connection, ids)
        spans: dict[str, list[tuple[datetime, datetime | None]]] = defaultdict(list)
        for interval in intervals(claims, functional=functional):
            spans[interval.value].append((interval.start, interval.end))
        names = connection.execute(
            f"SELECT id, object FROM fact WHERE denied = 0 AND id IN ({_marks(ids)})",
            ids,
        ).fetchall()
        for fact, target in names:
            held = spans.get(self._value_key(connection, target), [])
            told = connection.execute("SELECT 1 FROM statement WHERE fact = ?", (fact,)).fetchone()
            if not told:
                continue
            start, end = held[-1] if held else (None, _EPOCH)
            connection.execute(
                "UPDATE fact SET valid_at = ?, invalid_at = ? WHERE id = ?",
                (None if start is None else _micros(start), None if end is None else _micros(end), fact),
            )

    def _settle_entity(self, connection: sqlite3.Connection, entity: int) -> None:
        members = self._members(connection, entity)
        rows = connection.execute(
            f"SELECT DISTINCT predicate, namespace FROM fact WHERE subject IN ({_marks(members)})", members
        ).fetchall()
        for predicate, space in rows:
            self._settle(connection, entity, predicate, self._schemas_of(connection, space).functional(predicate))

    def _fall(self, connection: sqlite3.Connection) -> None:
        """Remove facts that nothing supports any more, then what was derived from them, then idle entities."""
        fallen = {
            row[0]
            for row in connection.execute(
                "SELECT id FROM fact f WHERE NOT EXISTS (SELECT 1 FROM statement WHERE fact = f.id) "
                "AND NOT EXISTS (SELECT 1 FROM derivation WHERE child = f.id)"
            )
        }
        front = set(fallen)
        while front:
            rows = connection.execute(
                f"SELECT child FROM derivation WHERE parent IN ({_marks(front)})", tuple(front)
            ).fetchall()
            front = {row[0] for row in rows} - fallen
            told = {row[0] for row in connection.execute(
                f"SELECT fact FROM statement WHERE fact IN ({_marks(front)})", tuple(front))}  # fmt: skip
            front -= told
            fallen |= front
        if not fallen:
            return
        groups = connection.execute(
            f"SELECT DISTINCT subject, predicate, namespace FROM fact WHERE id IN ({_marks(fallen)})", tuple(fallen)
        ).fetchall()
        connection.execute(f"DELETE FROM fact WHERE id IN ({_marks(fallen)})", tuple(fallen))
        self._schemas.clear()
        for subject, predicate, space in groups:
            functional = self._schemas_of(connection, space).functional(predicate)
            self._settle(connection, self._canonical(connection, subject), predicate, functional)
        connection.execute(
            "DELETE FROM entity WHERE NOT EXISTS (SELECT 1 FROM fact WHERE subject = entity.id OR object = entity.id)"
        )

    def _claims(self, connection: sqlite3.Connection, ids: Sequence[int]) -> tuple[list[Claim], dict[str, str]]:
        """The dated claims of accepted facts, by value key, and a name for each key."""
        rows = connection.execute(
            "SELECT f.object, f.denied, s.valid_from, s.valid_until, s.trace, s.trust, s.principal FROM fact f "
            f"JOIN statement s ON s.fact = f.id WHERE f.status = 'active' AND f.id IN ({_marks(ids)})",
            tuple(ids),
        ).fetchall()
        derived = connection.execute(
            "SELECT f.object, f.valid_at, f.recorded_at FROM fact f "
            f"WHERE f.status = 'active' AND f.id IN ({_marks(ids)}) "
            "AND EXISTS (SELECT 1 FROM derivation WHERE child = f.id) "
            "AND NOT EXISTS (SELECT 1 FROM statement WHERE fact = f.id)",
            tuple(ids),
        ).fetchall()
        keys = {target: self._value_key(connection, target) for target in {row[0] for row in (*rows, *derived)}}
        claims = [
            Claim(
                value=keys[target],
                denied=bool(denied),
                valid_from=_time(since),
                valid_until=None if until is None else _time(until),
                seq=seq,
                trust=trust,
                principal=principal,
            )
            for target, denied, since, until, seq, trust, principal in rows
        ]
        claims += [
            Claim(
                value=keys[target], valid_from=_time(recorded if since is None else since), seq=0, principal="derived"
            )
            for target, since, recorded in derived
        ]
        return claims, {keys[target]: self._name(connection, target) for target in keys}

    def _group(self, connection: sqlite3.Connection, entity: int, predicate: str | None) -> list[int]:
        members = self._members(connection, entity)
        sql = f"SELECT id FROM fact WHERE subject IN ({_marks(members)})"
        if predicate is None:
            return [row[0] for row in connection.execute(sql, members)]
        return [row[0] for row in connection.execute(f"{sql} AND predicate = ?", (*members, predicate))]

    def _touching(self, name: str, namespace: Namespace) -> list[Fact]:
        with self._database.snapshot() as connection:
            entity = self._entity_id(connection, _space(namespace), name)
            if entity is None:
                return []
            members = self._members(connection, self._canonical(connection, entity))
            rows = connection.execute(
                f"SELECT id FROM fact WHERE subject IN ({_marks(members)}) "
                f"OR object IN ({_marks(members)}) ORDER BY id",
                (*members, *members),
            ).fetchall()
        return self._facts([row[0] for row in rows])

    def _facts(self, ids: Iterable[int]) -> list[Fact]:
        wanted = list(dict.fromkeys(ids))
        out: list[Fact] = []
        with self._database.snapshot() as connection:
            for start in range(0, len(wanted), 500):
                out += self._read(connection, wanted[start : start + 500])
        return out

    def _read(self, connection: sqlite3.Connection, ids: Sequence[int]) -> list[Fact]:
        said: dict[int, list[Statement]] = defaultdict(list)
        for row in connection.execute(
            "SELECT fact, trace_id, trace, span_start, span_end, valid_from, valid_until, said_at, confidence, "
            "trust, principal "
            f"FROM statement WHERE fact IN ({_marks(ids)}) ORDER BY trace, span_start",
            tuple(ids),
        ):
            said[row[0]].append(
                Statement(
                    trace_id=row[1],
                    seq=row[2],
                    start=row[3],
                    end=row[4],
                    valid_from=_time(row[5]),
                    valid_until=None if row[6] is None else _time(row[6]),
                    said_at=_time(row[7]),
                    confidence=row[8],
                    trust=row[9],
                    principal=row[10],
                )
            )
        parents: dict[int, list[int]] = defaultdict(list)
        for child, parent in connection.execute(
            f"SELECT child, parent FROM derivation WHERE child IN ({_marks(ids)}) ORDER BY parent", tuple(ids)
        ):
            parents[child].append(parent)
        rows = connection.execute(
            "SELECT id, subject, predicate, object, denied, status, valid_at, invalid_at, recorded_at FROM fact "
            f"WHERE id IN ({_marks(ids)})",
            tuple(ids),
        ).fetchall()
        by_id = {row[0]: row for row in rows}
        return [
            Fact(
                id=fact,
                subject=self._name(connection, row[1]),
                predicate=row[2],
                object=self._name(connection, row[3]),
                denied=bool(row[4]),
                status=_status(row[5]),
                valid_at=None if row[6] is None else _time(row[6]),
                invalid_at=None if row[7] is None else _time(row[7]),
                recorded_at=_time(row[8]),
                confidence=max((s.confidence for s in said[fact]), default=1.0),
                trust=max((s.trust for s in said[fact]), default=0.0),
                statements=tuple(said[fact]),
                parents=tuple(parents[fact]),
            )
            for fact in ids
            if (row := by_id.get(fact)) is not None and (said[fact] or parents[fact])
        ]

    def _known(self, seqs: Sequence[int]) -> set[int]:
        with self._database.read() as connection:
            rows = connection.execute(f"SELECT trace FROM statement WHERE trace IN ({_marks(seqs)})", tuple(seqs))
            return {row[0] for row in rows}

    def _schemas_of(self, connection: sqlite3.Connection, space: str) -> Schemas:
        if space not in self._schemas:
            rows = connection.execute(
                "SELECT s.name, f.predicate, o.name FROM fact f JOIN entity s ON s.id = f.subject "
                "JOIN entity o ON o.id = f.object WHERE f.namespace = ? AND f.status = 'active' AND f.denied = 0",
                (space,),
            )
            self._schemas[space] = Schemas(rows)
        return self._schemas[space]

    def _intern(self, connection: sqlite3.Connection, space: str, name: str) -> int:
        connection.execute(
            "INSERT OR IGNORE INTO entity (namespace, name, key, kind) VALUES (?, ?, ?, ?)",
            (space, name, key(name), shape(name)),
        )
        found = self._entity_id(connection, space, name)
        assert found is not None
        return found

    def _entity_id(self, connection: sqlite3.Connection, space: str, name: str) -> int | None:
        row = connection.execute("SELECT id FROM entity WHERE namespace = ? AND key = ?", (space, key(name))).fetchone()
        return None if row is None else int(row[0])

    def _canonical(self, connection: sqlite3.Connection, entity: int) -> int:
        while row := connection.execute("SELECT winner FROM entity_merge WHERE loser = ?", (entity,)).fetchone():
            entity = int(row[0])
        return entity

    def _members(self, connection: sqlite3.Connection, entity: int) -> tuple[int, ...]:
        rows = connection.execute(
            "WITH RECURSIVE member (id) AS "
            "(SELECT ? UNION SELECT loser FROM entity_merge JOIN member ON winner = member.id) "
            "SELECT id FROM member",
            (entity,),
        )
        return tuple(row[0] for row in rows)

    def _name(self, connection: sqlite3.Connection, entity: int) -> str:
        winner = self._canonical(connection, entity)
        return str(connection.execute("SELECT name FROM entity WHERE id = ?", (winner,)).fetchone()[0])

    def _value_key(self, connection: sqlite3.Connection, entity: int) -> str:
        return key(self._name(connection, entity))


def _source(trace: Trace) -> Source:
    topic = trace.meta.get("title")
    listener = trace.meta.get("listener")
    return Source(
        text=trace.text,
        speaker=trace.speaker,
        listener=listener if isinstance(listener, str) else None,
        topic=topic if isinstance(topic, str) else heading(trace.text),
        said_at=trace.event_time,
    )


def _with_names(reason: str, names: dict[str, str]) -> str:
    for folded, name in names.items():
        reason = reason.replace(repr(folded), repr(name))
    return reason


def _space(namespace: Namespace) -> str:
    return json.dumps(list(namespace), ensure_ascii=False)


def _status(value: str) -> FactStatus:
    return "active" if value == "active" else "deferred"


def _marks(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)


def _micros(time: datetime) -> int:
    delta = time.astimezone(timezone.utc) - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _time(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
