"""Export and import of whole rows as JSON lines: nothing is lost, nothing is decided anew.

One record per line: a trace with its vector (base64 of little-endian float32), or an observation that was merged into a
trace. An import is one transaction, keeps ids, runs no gate, and may be repeated; it believes nothing that it reads.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from hippo_agent.errors import ImportFailed, InvalidInput
from hippo_agent.storage.base import NewTrace, Observation
from hippo_agent.storage.record import FullRow, SqliteRecord, find_key, insert, last_seq
from hippo_agent.storage.rows import Row, dump, dump_event, encode, event_hash, micros
from hippo_agent.types import SLOT_NAMES, Event, Provenance, Slots, SourceKind, Status

__all__ = ["Imported", "export_jsonl", "import_jsonl"]

MAX_LINE = 4 * 1024 * 1024  # bytes: a text of a million characters, its slots and meta, and a vector
MAX_LINES = 20_000_000
MAX_DEPTH = 32
_BATCH = 500

Label = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]
Unit = Annotated[float, Field(ge=0.0, le=1.0)]
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$")]


class _Line(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class _Event(_Line):
    """What traces and observations have in common."""

    text: Text
    namespace: list[Label] = []
    source: SourceKind
    principal: Label | None = None
    session: Label | None = None
    parents: list[Label] = []
    trust: Unit
    speaker: Label | None = None
    event_time: Moment
    write_time: Moment
    kind: Label
    key: Label | None = None
    pinned: bool = False
    reward: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.0
    slots: dict[Literal["who", "what", "where", "when"], list[str]] | None = None
    meta: dict[str, Any] = {}

    def event(self, max_trust: float) -> Event:
        return Event(
            text=self.text,
            namespace=tuple(self.namespace),
            provenance=Provenance(
                source=self.source,
                principal=self.principal,
                session=self.session,
                parents=tuple(self.parents),
                trust=min(self.trust, max_trust),
            ),
            speaker=self.speaker,
            event_time=_moment(self.event_time),
            kind=self.kind,
            key=self.key,
            pin=self.pinned,
            reward=self.reward,
            slots=None if self.slots is None else _slots(self.slots),
            meta=self.meta,
        )


class _Trace(_Event):
    type: Literal["trace"]
    id: Label
    salience: Unit
    strength: Annotated[float, Field(ge=1.0)] = 1.0
    repeats: Annotated[int, Field(ge=0, lt=2**31)] = 0
    last_used: Moment | None = None
    status: Status = "active"
    embedder_id: Label | None = None
    vector: Annotated[str, StringConstraints(max_length=100_000)] | None = None
    slot_codes: Annotated[str, StringConstraints(max_length=100_000)] = ""


class _Observation(_Event):
    type: Literal["observation"]
    trace_id: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did."""

    traces: int  # written
    observations: int  # written
    existing: int  # traces that were here already, by id or by key
    forgotten: int  # traces left out because they were forgotten here
    worlds: int = 0  # maps that were not here


class OtherLines(Protocol):
    """Lines that are no traces, in the same transaction; see `import_jsonl`."""

    def knows(self, kind: object) -> bool: ...

    def take(self, connection: sqlite3.Connection, line: Mapping[str, Any]) -> str | None: ...


def export_jsonl(
    record: SqliteRecord,
    target: str | Path,
    *,
    vectors: bool = True,
    more: Iterable[Mapping[str, Any]] = (),
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write every trace and observation to a file, which appears when it is complete; returns the number of traces.

    ``more``: further lines, after all traces.
    """
    path = Path(target)
    draft = path.with_name(path.name + ".part")
    count = 0
    with draft.open("w", encoding="utf-8", newline="\n") as file:
        draft.chmod(0o600)
        for batch in record.scan_full(batch=_BATCH):
            for row in batch:
                line = _trace_line(row)
                if vectors and row.vector is not None:
                    line |= {"embedder_id": row.embedder_id, "vector": _base64(row.vector.tobytes())}
                file.write(dump(line) + "\n")
                for seen in record.observations(row.trace.id) if row.trace.repeats else ():
                    file.write(dump(_observation_line(seen)) + "\n")
                count += 1
            if progress is not None:
                progress(len(batch))
        file.writelines(dump(line) + "\n" for line in more)
    draft.replace(path)
    return count


def import_jsonl(
    record: SqliteRecord,
    source: str | Path,
    *,
    vectors: bool = True,
    max_trust: float = 1.0,
    restore_forgotten: bool = False,
    other: OtherLines | None = None,
    progress: Callable[[int], None] | None = None,
) -> Imported:
    """Add the traces of a file in one transaction; ImportFailed names the first bad line, and nothing was imported.

    ``vectors`` False leaves the traces to be embedded anew; ``max_trust`` caps what the file claims for itself;
    ``other`` takes lines of the types that it knows. Raises EmbedderMismatch when the file's vectors are of another
    embedder than the bank's.
    """
    counts = {"traces": 0, "observations": 0, "existing": 0, "forgotten": 0, "worlds": 0}
    skipped: set[str] = set()
    with Path(source).open("rb") as file, record.database.write(durable=True) as connection:
        for number, raw in _lines(file):
            if number > MAX_LINES:
                raise ImportFailed(f"{str(source)!r} has more than {MAX_LINES} lines; cut it, nothing was imported")
            outcome: str | None
            try:
                found = _load(raw)
                line = None if other is not None and other.knows(found.get("type")) else _parse(found)
                if line is None:
                    assert other is not None
                    outcome = other.take(connection, found)
                elif isinstance(line, _Trace):
                    outcome = _add_trace(record, connection, line, vectors, max_trust, restore_forgotten)
                    if outcome == "forgotten":
                        skipped.add(line.id)
                else:
                    outcome = _add_observation(connection, line, max_trust, skipped)
            except (ValidationError, InvalidInput, ValueError, RecursionError) as error:
                raise ImportFailed(
                    f"line {number} of {str(source)!r} is not right ({_reason(error)}); nothing was imported"
                ) from error
            if outcome is not None:
                counts[outcome] += 1
            if progress is not None:
                progress(1)
    return Imported(**counts)


def _add_trace(
    record: SqliteRecord,
    connection: sqlite3.Connection,
    line: _Trace,
    vectors: bool,
    max_trust: float,
    restore_forgotten: bool,
) -> str:
    event = line.event(max_trust)
    if connection.execute("SELECT 1 FROM trace WHERE id = ?", (line.id,)).fetchone() is not None:
        return "existing"
    if event.key is not None and find_key(connection, event.namespace, event.key) is not None:
        return "existing"
    if connection.execute("SELECT 1 FROM tombstone WHERE id = ?", (line.id,)).fetchone() is not None:
        if not restore_forgotten:
            return "forgotten"
        connection.execute("DELETE FROM tombstone WHERE id = ?", (line.id,))
    seq = last_seq(connection) + 1
    vector = np.frombuffer(_bytes(line.vector), "<f4") if vectors and line.vector is not None else None
    new = NewTrace(
        event=event,
        id=line.id,
        vector=vector,
        slots=event.slots or Slots(),
        slot_codes=_bytes(line.slot_codes),
        salience=line.salience,
        write_time=_moment(line.write_time),
        embedder_id=None if vector is None else line.embedder_id,
    )
    last_used = None if line.last_used is None else micros(_moment(line.last_used))
    row = Row((seq, line.status, line.strength, line.repeats, last_used), encode(new, seq).immutable)
    record.check_embedder(connection, [row])
    insert(connection, [row])
    return "traces"


def _add_observation(
    connection: sqlite3.Connection, line: _Observation, max_trust: float, skipped: set[str]
) -> str | None:
    found = connection.execute("SELECT seq FROM trace WHERE id = ?", (line.trace_id,)).fetchone()
    if found is None:
        if line.trace_id in skipped:
            return None
        raise InvalidInput(f"it belongs to the trace {line.trace_id!r}, which is not here and does not come before it")
    event, written = line.event(max_trust), micros(_moment(line.write_time))
    raw = dump_event(event)
    if event.key is not None and find_key(connection, event.namespace, event.key) is not None:
        return None
    query = "SELECT 1 FROM observation WHERE trace_seq = ? AND t_write = ? AND event = ?"
    if connection.execute(query, (found[0], written, raw)).fetchone() is not None:
        return None
    connection.execute(
        "INSERT INTO observation (trace_seq, namespace, key, t_write, row_hash, event) VALUES (?, ?, ?, ?, ?, ?)",
        (found[0], dump(event.namespace), event.key, written, event_hash(found[0], written, raw), raw),
    )
    return "observations"


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while raw := file.readline(MAX_LINE + 1):
        number += 1
        if len(raw) > MAX_LINE:
            raise ImportFailed(f"line {number} is longer than {MAX_LINE} bytes; nothing was imported")
        if raw.strip():
            yield number, raw


def _load(raw: bytes) -> dict[str, Any]:
    found = json.loads(raw.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse)
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")
    if _depth(found) > MAX_DEPTH:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH}")
    return found


def _parse(found: dict[str, Any]) -> _Trace | _Observation:
    kind = _Observation if found.get("type") == "observation" else _Trace
    return kind.model_validate(found)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it has the same key twice")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        nested = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list))]
        level = [child for items in nested for child in items]
    return depth


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
    return str(error)[:200]


def _trace_line(row: FullRow) -> dict[str, Any]:
    trace, origin = row.trace, row.trace.provenance
    return {
        "type": "trace",
        "id": trace.id,
        "text": trace.text,
        "namespace": trace.namespace,
        "source": origin.source,
        "principal": origin.principal,
        "session": origin.session,
        "parents": origin.parents,
        "trust": origin.trust,
        "speaker": trace.speaker,
        "event_time": trace.event_time.isoformat(),
        "write_time": trace.write_time.isoformat(),
        "kind": trace.kind,
        "key": trace.key,
        "pinned": trace.pinned,
        "reward": trace.reward,
        "slots": _slot_lists(trace.slots),
        "meta": dict(trace.meta),
        "salience": trace.salience,
        "strength": trace.strength,
        "repeats": trace.repeats,
        "last_used": None if row.last_used is None else row.last_used.isoformat(),
        "status": trace.status,
        "slot_codes": _base64(row.slot_codes),
    }


def _observation_line(seen: Observation) -> dict[str, Any]:
    event, origin = seen.event, seen.event.provenance
    assert event.event_time is not None
    return {
        "type": "observation",
        "trace_id": seen.trace_id,
        "text": event.text,
        "namespace": event.namespace,
        "source": origin.source,
        "principal": origin.principal,
        "session": origin.session,
        "parents": origin.parents,
        "trust": origin.trust,
        "speaker": event.speaker,
        "event_time": event.event_time.isoformat(),
        "write_time": seen.write_time.isoformat(),
        "kind": event.kind,
        "key": event.key,
        "pinned": event.pin,
        "reward": event.reward,
        "slots": None if event.slots is None else _slot_lists(event.slots),
        "meta": dict(event.meta),
    }


def _slot_lists(slots: Slots) -> dict[str, list[str]]:
    return {name: list(values) for name in SLOT_NAMES if (values := getattr(slots, name))}


def _slots(lists: Mapping[Any, list[str]]) -> Slots:
    return Slots(**{name: tuple(values) for name, values in lists.items()})


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "", validate=True)
