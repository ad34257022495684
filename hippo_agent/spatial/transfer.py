"""Worlds as lines of an export, and back: nothing is recognised anew, and nothing that is read is believed.

A line of type "world" opens a world; the steps, places, edges, merges, macros and links that follow are its own. A
world that is here already stays as it is. Every field is checked; what is read is written out again from its parts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from hippo_agent.errors import InvalidInput
from hippo_agent.spatial.atlas import MAX_STEP_TEXT
from hippo_agent.spatial.journal import Merge, Step
from hippo_agent.spatial.macros import Macro
from hippo_agent.spatial.manner import Manner
from hippo_agent.spatial.place import MAX_DIGESTS, MAX_SENTENCES, MAX_TEXT, Edge, Place
from hippo_agent.spatial.store import Changes, PlaceLink, SpatialStore
from hippo_agent.storage.places import seqs_of
from hippo_agent.types import Namespace

__all__ = ["WorldImport", "world_lines"]

_TYPES = ("world", "step", "place", "edge", "place_merge", "macro", "link")

Id = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Label = Annotated[str, StringConstraints(max_length=512)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Numbers = Annotated[list[float], Field(min_length=1, max_length=16)]


class _Row(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class _World(_Row):
    type: Literal["world"]
    namespace: list[Annotated[str, StringConstraints(min_length=1, max_length=512)]]
    next_seq: Count
    episode: Count
    current: Id | None = None
    start: Id | None = None
    began: Count = 0
    now: float = 0.0
    brief: Annotated[float, Field(ge=0)] = 0.0
    full: Annotated[float, Field(ge=0)] = 0.0
    styles: dict[Label, Count] = {}


class _Step(_Row):
    type: Literal["step"]
    seq: Count
    episode: Count
    place: Id
    action: Label | None = None
    spoken: Label = ""
    text: Annotated[str, StringConstraints(max_length=MAX_STEP_TEXT)] = ""
    origin: Id | None = None
    moved: bool = False
    view: bool = False
    coordinate: tuple[Label, Numbers] | None = Field(None, strict=False)
    key: Label | None = None
    ok: bool | None = None
    cost: Annotated[float, Field(ge=0)] | None = None
    reward: float = 0.0
    at: float = 0.0
    verdict: bool | None = None
    decision: dict[str, Any] = {}


class _Place(_Row):
    type: Literal["place"]
    id: Id
    name: Label
    title: Label = ""
    called: Label = ""
    first: Annotated[str, StringConstraints(max_length=MAX_STEP_TEXT)] = ""
    text: Annotated[str, StringConstraints(max_length=4 * MAX_TEXT)] = ""
    key: Label | None = None
    outside: Label | None = None
    tentative: Id | None = None
    region: Label | None = None
    exits: Annotated[list[Label], Field(max_length=256)] = []
    dark: bool = False
    settled: bool = False
    sentences: Annotated[
        list[Annotated[str, StringConstraints(max_length=MAX_STEP_TEXT)]], Field(max_length=2 * MAX_SENTENCES)
    ] = []
    digests: Annotated[list[Label], Field(max_length=2 * MAX_DIGESTS)] = []
    thing: list[Label] = []
    frame: Label | None = None
    at: Numbers | None = None
    vector: Annotated[str, StringConstraints(max_length=100_000, pattern=r"^[A-Za-z0-9+/]*={0,2}$")] | None = None
    seen: Annotated[tuple[float, float, Count, Annotated[int, Field(ge=-1)]], Field(strict=False)]


class _Edge(_Row):
    type: Literal["edge"]
    source: Id
    action: Label
    outcomes: dict[Id, Count]
    tries: Count
    cost: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=2, max_length=2)]
    spoken: Label = ""
    last: Id | None = None
    last_ok: float | None = None
    last_fail: float | None = None
    failure: Label = ""
    block: Label = ""
    blocked_until: float | Literal["never"] | None = None
    needs: dict[Label, Label] = {}
    provenance: Literal["observed", "told", "imported"] = "observed"


class _Merge(_Row):
    type: Literal["place_merge"]
    number: Count
    old: Id
    new: Id
    seq: Annotated[int, Field(ge=-1)]
    reason: Label


class _Macro(_Row):
    type: Literal["macro"]
    id: Id
    name: Annotated[str, StringConstraints(max_length=4000)]
    steps: Annotated[list[Label], Field(min_length=1, max_length=64)]
    parameters: list[list[Label]] = []
    starts: list[Id] = []
    after: list[list[Id]] = []
    support: Count = 0
    gain: float = 0.0
    trajectories: list[Label] = []
    stats: Annotated[list[Count], Field(min_length=3, max_length=3)]
    status: Literal["active", "quarantined", "dropped"] = "active"
    not_when: list[Label] = []
    version: Count = 1


class _Link(_Row):
    type: Literal["link"]
    item: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    place: Id
    seq: Count
    time: float


_Line = Annotated[_World | _Step | _Place | _Edge | _Merge | _Macro | _Link, Field(discriminator="type")]
_LINE: TypeAdapter[Any] = TypeAdapter(_Line)


def world_lines(store: SpatialStore) -> Iterator[dict[str, Any]]:
    """All worlds, line by line."""
    for namespace in store.worlds():
        world = store.world(namespace)
        with store.connections.read() as connection:
            stored = store.load(connection, world, tail=0)
        state = stored.state
        yield {
            "type": "world",
            "namespace": list(namespace),
            "next_seq": state.get("next_seq", 0),
            "episode": state.get("episode", 0),
            "current": state.get("current"),
            "start": state.get("start"),
            "began": state.get("began", 0),
            "now": float(state.get("now", 0.0)),
            **state.get("manner", {}),
        }
        for step in store.steps(world):
            yield {"type": "step", "seq": step.seq, "episode": step.episode, "place": step.place, **step.to_json()}
        for place in stored.places:
            yield {"type": "place", **place.to_json()}
        for edge in stored.edges:
            yield {"type": "edge", "source": edge.source, "action": edge.action, **edge.to_json()}
        for merge in stored.merges:
            yield {
                "type": "place_merge",
                "number": merge.number,
                "old": merge.old,
                "new": merge.new,
                "seq": merge.seq,
                "reason": merge.reason,
            }
        for macro, row in stored.macros.items():
            yield {"type": "macro", "id": macro, **row}
        for link in store.links(world):
            yield {
                "type": "link",
                "item": link.item,
                "place": link.place,
                "seq": link.seq,
                "time": link.time,
            }


class WorldImport:
    """Takes the lines of worlds in, inside one running transaction."""

    def __init__(self, store: SpatialStore) -> None:
        self._store = store
        self._world: int | None = None  # the one that lines belong to; None: it was here already
        self._state: dict[str, Any] = {}
        self._opened = False

    @staticmethod
    def knows(kind: object) -> bool:
        """Whether lines of this type are ours."""
        return kind in _TYPES

    def take(self, connection: sqlite3.Connection, line: Mapping[str, Any]) -> str | None:
        """One line; "worlds" when it opened a new world. Raises InvalidInput or pydantic's ValidationError."""
        row = _LINE.validate_python(dict(line))
        if isinstance(row, _World):
            return self._open(connection, row)
        if not self._opened:
            raise InvalidInput("it belongs to no world: a line of type 'world' comes first")
        if self._world is None:
            return None
        fields = row.model_dump(exclude_unset=True, exclude={"type"})
        changes = Changes()
        if isinstance(row, _Step):
            seq, episode, place = fields.pop("seq"), fields.pop("episode"), fields.pop("place")
            self._store.write_steps(connection, self._world, [Step.from_json(seq, episode, place, fields)])
            return None
        if isinstance(row, _Place):
            if (row.at is None) != (row.frame is None):
                raise InvalidInput(f"place {row.id!r} has a position without its frame, or the other way round")
            changes.places[row.id] = Place.from_json(fields)
        elif isinstance(row, _Edge):
            source, action = fields.pop("source"), fields.pop("action")
            changes.edges[source, action] = Edge.from_json(source, action, fields)
        elif isinstance(row, _Merge):
            changes.merges.append(Merge(**fields))
        elif isinstance(row, _Macro):
            macro = Macro.from_json(
                fields.pop("id"), {"parameters": [], "starts": [], "after": [], **_DEFAULTS, **fields}
            )
            changes.macros[macro.id] = macro.to_json()
        elif seqs_of(connection, [row.item]):
            changes.links.append(PlaceLink(**fields))
        self._store.save(connection, self._world, changes, self._state)
        return None

    def _open(self, connection: sqlite3.Connection, row: _World) -> str | None:
        namespace: Namespace = tuple(row.namespace)
        self._opened = True
        self._world = self._store.empty_world(connection, namespace)
        self._state = {
            "next_seq": row.next_seq,
            "episode": row.episode,
            "current": row.current,
            "start": row.start,
            "began": row.began,
            "now": row.now,
            "manner": Manner(brief=row.brief, full=row.full).to_json() | {"styles": row.styles},
        }
        if self._world is None:
            return None
        self._store.save(connection, self._world, Changes(), self._state)
        return "worlds"


_DEFAULTS: dict[str, Any] = {
    "support": 0,
    "gain": 0.0,
    "trajectories": [],
    "status": "active",
    "not_when": [],
    "version": 1,
}
