"""Facts read back: what holds, what held, who says so. Reads never write.

A namespace sees itself and everything below it, as in recall; claims of all that it sees are weighed together. Merged
entities are read as one. ``min_trust`` leaves out statements of less trusted sources, and facts that only they say.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone

from hippo_agent.errors import InvalidInput
from hippo_agent.relational import rows
from hippo_agent.relational.entities import key
from hippo_agent.relational.facts import Entity, Fact, Resolution
from hippo_agent.relational.graph import Edge
from hippo_agent.relational.relations import canonical
from hippo_agent.relational.resolve import verdict
from hippo_agent.relational.schema import Schemas
from hippo_agent.storage.database import Database
from hippo_agent.storage.rows import from_micros, micros
from hippo_agent.types import Namespace

__all__ = ["FactReader"]

_FIRST = datetime.min.replace(tzinfo=timezone.utc)


class FactReader:
    """The facts of one bank. ``clock`` says what "now" means. Thread-safe as far as the database is."""

    def __init__(
        self, database: Database, *, clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    ) -> None:
        self._database = database
        self._clock = clock
        self._schemas: dict[str, Schemas] = {}

    def current(
        self,
        subject: str,
        predicate: str,
        *,
        at: datetime | None = None,
        namespace: Namespace = (),
        min_trust: float = 0.0,
    ) -> Resolution:
        """Which value holds now, or held at a time, with the runner-up and the reasons."""
        at = self._moment(at)
        name = canonical(predicate)
        with self._database.snapshot() as connection:
            subjects = self._subjects(connection, subject, namespace)
            facts = rows.group(connection, subjects, name)
            claims, names = rows.claims(connection, facts, min_trust=min_trust)
            functional = self._functional(connection, subjects, name)
            found = verdict(claims, functional=functional, at=at)
            read = rows.read_facts(connection, facts, min_trust=min_trust) if found.values else []
        values = tuple(names[value] for value in found.values)
        traces = tuple(
            dict.fromkeys(
                trace for fact in read if not fact.denied and key(fact.object) == found.values[0]
                for trace in fact.traces
            )
        )  # fmt: skip
        return Resolution(
            subject=subject,
            predicate=name,
            value=values[0] if values else None,
            values=values,
            runner_up=None if found.runner_up is None else names[found.runner_up],
            conflict=found.conflict,
            why=tuple(_with_names(reason, names) for reason in found.why),
            traces=traces,
        )

    def history(
        self, subject: str, predicate: str | None = None, *, namespace: Namespace = (), min_trust: float = 0.0
    ) -> list[Fact]:
        """Every claim about a subject, oldest first, those that no longer hold included."""
        with self._database.snapshot() as connection:
            subjects = self._subjects(connection, subject, namespace)
            ids = rows.group(connection, subjects, predicate and canonical(predicate))
            found = rows.read_facts(connection, ids, min_trust=min_trust)
        return sorted(found, key=lambda fact: (fact.valid_at or _FIRST, fact.id))

    def about(
        self, name: str, *, at: datetime | None = None, namespace: Namespace = (), min_trust: float = 0.0
    ) -> list[Fact]:
        """Accepted facts that have the entity as subject or object and hold at a time (now)."""
        return self.holding(self.touching(name, namespace=namespace, min_trust=min_trust), at=at)

    def holding(self, facts: Iterable[Fact], *, at: datetime | None = None) -> list[Fact]:
        """Those of the facts that are accepted and hold at a time (now)."""
        at = self._moment(at)
        return [fact for fact in facts if fact.status == "active" and fact.holds(at)]

    def touching(self, name: str, *, namespace: Namespace = (), min_trust: float = 0.0) -> list[Fact]:
        """Every fact, waiting and past ones included, that has the entity as subject or object, by id."""
        with self._database.snapshot() as connection:
            held = self._subjects(connection, name, namespace)
            ids = [
                row[0]
                for row in connection.execute(
                    f"SELECT id FROM fact WHERE subject IN ({rows.marks(held)}) "
                    f"UNION SELECT id FROM fact WHERE object IN ({rows.marks(held)}) ORDER BY 1",
                    (*held, *held),
                )
            ]
            return rows.read_facts(connection, ids, min_trust=min_trust)

    def neighbourhood(
        self,
        name: str,
        *,
        hops: int = 1,
        at: datetime | None = None,
        namespace: Namespace = (),
        min_trust: float = 0.0,
    ) -> list[Fact]:
        """Facts that hold within so many steps of an entity, nearest first."""
        if hops < 1:
            raise InvalidInput(f"hops must be at least 1, not {hops!r}")
        seen: dict[int, Fact] = {}
        reached, front = {key(name)}, [name]
        for _ in range(hops):
            found = [fact for one in front for fact in self.about(one, at=at, namespace=namespace, min_trust=min_trust)]
            seen.update((fact.id, fact) for fact in found if fact.id not in seen)
            ends = {key(end): end for fact in found for end in (fact.subject, fact.object)}
            front = [end for folded, end in ends.items() if folded not in reached]
            reached.update(ends)
        return list(seen.values())

    def said_in(self, seqs: Iterable[int], *, min_trust: float = 0.0) -> list[Fact]:
        """Facts, waiting and past ones included, that any of these traces states, by id."""
        with self._database.snapshot() as connection:
            ids = {
                row[0]
                for part in rows.chunks(seqs)
                for row in connection.execute(f"SELECT fact FROM statement WHERE trace IN ({rows.marks(part)})", part)
            }
            return rows.read_facts(connection, sorted(ids), min_trust=min_trust)

    def get(self, fact: int) -> Fact:
        """One fact by id. Raises InvalidInput when there is none."""
        with self._database.snapshot() as connection:
            found = rows.read_facts(connection, [fact])
        if not found:
            raise InvalidInput(f"no fact has the id {fact!r}: it was never learnt, or what said it was forgotten")
        return found[0]

    def explain(self, fact: int) -> list[str]:
        """Why a fact is in or waits: each decision about it, oldest first, then who says it."""
        found = self.get(fact)
        with self._database.read() as connection:
            decisions = connection.execute(
                "SELECT time, decision, reasons FROM promotion WHERE fact = ? ORDER BY number", (fact,)
            ).fetchall()
        lines = [
            f"{from_micros(time):%Y-%m-%d %H:%M} {decision}: {'; '.join(json.loads(why))}"
            for time, decision, why in decisions
        ]
        said = [f"said by {s.principal or 'unknown'} (trust {s.trust:.2f}) in {s.trace_id}" for s in found.statements]
        return lines + said + [f"follows from fact {parent}" for parent in found.parents]

    def entity(self, name: str, *, namespace: Namespace = ()) -> Entity | None:
        """The entity of this name, merged ones under their winner; None when it is not known."""
        with self._database.snapshot() as connection:
            held = rows.entities(connection, rows.spaces(connection, namespace), name)
            if not held:
                return None
            winner = rows.canonical(connection, held[0])
            same = rows.members(connection, [winner])
            named = connection.execute(
                f"SELECT id, name, kind FROM entity WHERE id IN ({rows.marks(same)})", same
            ).fetchall()
        by_id = {row[0]: row for row in named}
        aliases = tuple(sorted(row[1] for row in named if row[0] != winner))
        return Entity(id=winner, name=by_id[winner][1], kind=by_id[winner][2], aliases=aliases)

    def names(self, *, namespace: Namespace = ()) -> list[str]:
        """Names of all entities that were merged into no other, in alphabetical order."""
        with self._database.snapshot() as connection:
            within = rows.spaces(connection, namespace)
            found = connection.execute(
                f"SELECT DISTINCT name FROM entity WHERE namespace IN ({rows.marks(within)}) "
                "AND id NOT IN (SELECT loser FROM entity_merge) ORDER BY name",
                within,
            )
            return [row[0] for row in found]

    def predicates(self, subject: str, *, namespace: Namespace = ()) -> list[str]:
        """What is said of a subject: the predicates of its accepted facts, in alphabetical order."""
        with self._database.snapshot() as connection:
            held = self._subjects(connection, subject, namespace)
            found = connection.execute(
                "SELECT DISTINCT predicate FROM fact WHERE status = 'active' "
                f"AND subject IN ({rows.marks(held)}) ORDER BY predicate",
                held,
            )
            return [row[0] for row in found]

    def known_names(self, names: Iterable[str], *, namespace: Namespace = ()) -> set[str]:
        """Which of these names, folded by `entities.key`, are entities."""
        found: set[str] = set()
        with self._database.snapshot() as connection:
            within = rows.spaces(connection, namespace)
            for part in rows.chunks(names):
                sql = (
                    f"SELECT key FROM entity WHERE key IN ({rows.marks(part)}) AND namespace IN ({rows.marks(within)})"
                )
                found |= {row[0] for row in connection.execute(sql, (*part, *within))}
        return found

    def facts(self, *, namespace: Namespace = (), waiting: bool = False, min_trust: float = 0.0) -> list[Fact]:
        """All accepted facts, by id, past ones included; with ``waiting`` the deferred ones instead."""
        status = "deferred" if waiting else "active"
        with self._database.snapshot() as connection:
            within = rows.spaces(connection, namespace)
            ids = [
                row[0]
                for row in connection.execute(
                    f"SELECT id FROM fact WHERE namespace IN ({rows.marks(within)}) AND status = ? ORDER BY id",
                    (*within, status),
                )
            ]
            return rows.read_facts(connection, ids, min_trust=min_trust)

    def edges(self, *, at: datetime | None = None, namespace: Namespace = (), min_trust: float = 0.0) -> list[Edge]:
        """The accepted facts that hold at a time (now), as the graph takes them; one pass over the tables."""
        now = micros(self._moment(at))
        with self._database.snapshot() as connection:
            within = rows.spaces(connection, namespace)
            places = rows.marks(within)
            names = dict(connection.execute(f"SELECT id, name FROM entity WHERE namespace IN ({places})", within))
            winners = dict(connection.execute("SELECT loser, winner FROM entity_merge"))
            said: dict[int, list[str]] = defaultdict(list)
            for fact, trace in connection.execute(
                "SELECT fact, trace_id FROM statement WHERE trust >= ? ORDER BY fact, trace", (min_trust,)
            ):
                said[fact].append(trace)
            children = connection.execute("SELECT DISTINCT child FROM derivation").fetchall()
            derived = {row[0] for row in children if rows.trust(connection, row[0]) >= min_trust}
            found = connection.execute(
                "SELECT id, subject, predicate, object FROM fact "
                f"WHERE namespace IN ({places}) AND status = 'active' AND denied = 0 "
                "AND (valid_at IS NULL OR valid_at <= ?) AND (invalid_at IS NULL OR invalid_at > ?) ORDER BY id",
                (*within, now, now),
            ).fetchall()

        def name(entity: int) -> str:
            while entity in winners:
                entity = winners[entity]
            return str(names[entity])

        return [
            Edge(
                fact=fact, subject=name(a), predicate=predicate, object=name(b), traces=tuple(dict.fromkeys(said[fact]))
            )
            for fact, a, predicate, b in found
            if fact in said or fact in derived
        ]

    def schemas(self, namespace: Namespace = ()) -> Schemas:
        """What the accepted facts of exactly this namespace were seen to join."""
        with self._database.snapshot() as connection:
            return self._schemas_of(connection, rows.space(namespace))

    def _moment(self, at: datetime | None) -> datetime:
        """Now when no time is given; a naive time is UTC."""
        if at is None:
            return self._clock()
        return at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)

    def _subjects(self, connection: sqlite3.Connection, name: str, namespace: Namespace) -> tuple[int, ...]:
        """All entities that this name means in all that the namespace sees."""
        held = rows.entities(connection, rows.spaces(connection, namespace), name)
        return rows.members(connection, held)

    def _functional(self, connection: sqlite3.Connection, subjects: Sequence[int], predicate: str) -> bool:
        """Whether a predicate holds one value, in every space that says it of these subjects."""
        found = connection.execute(
            f"SELECT DISTINCT namespace FROM fact WHERE predicate = ? AND subject IN ({rows.marks(subjects)})",
            (predicate, *subjects),
        ).fetchall()
        return all(self._schemas_of(connection, row[0]).functional(predicate) for row in found)

    def _schemas_of(self, connection: sqlite3.Connection, space: str) -> Schemas:
        if space not in self._schemas:
            found = connection.execute(
                "SELECT s.name, f.predicate, o.name FROM fact f JOIN entity s ON s.id = f.subject "
                "JOIN entity o ON o.id = f.object WHERE f.namespace = ? AND f.status = 'active' AND f.denied = 0",
                (space,),
            )
            self._schemas[space] = Schemas(found)
        return self._schemas[space]


def _with_names(reason: str, names: dict[str, str]) -> str:
    for folded, name in names.items():
        reason = reason.replace(repr(folded), repr(name))
    return reason
