"""The door: what callers pass is checked and normalised here, once, before anything is changed.

Text: lone surrogates become U+FFFD, NUL is dropped, NFC. Times: aware, UTC (a naive one is taken as UTC). Meta: JSON
values only. Trust: from provenance alone; a derived row has at most the trust of its parents.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, get_args

from hippo_agent.errors import InvalidInput, TooLarge
from hippo_agent.types import DEFAULT_TRUST, SOURCE_KINDS, Cue, Event, Namespace, Provenance, Slots, SourceKind

MAX_LABEL = 512  # characters of a namespace part, key, session, speaker, principal or kind
MAX_DEPTH = 32  # of nested meta


def clean_text(text: str, *, what: str = "text") -> str:
    """The text as it will be stored: no lone surrogates, no NUL, NFC."""
    if not isinstance(text, str):
        raise InvalidInput(f"{what} must be a str, not {type(text).__name__}; convert it first")
    if text.isascii():
        return text.replace("\x00", "")
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "")
    return unicodedata.normalize("NFC", text)


def clean_label(value: str | None, *, what: str) -> str | None:
    """A short name (session, speaker, key, ...), or None."""
    if value is None:
        return None
    value = clean_text(value, what=what).strip()
    if not value:
        raise InvalidInput(f"{what} is empty; leave it out or pass None")
    if len(value) > MAX_LABEL:
        raise TooLarge(f"{what} has {len(value)} characters, at most {MAX_LABEL} are allowed; hash or shorten it")
    return value


def clean_namespace(namespace: Sequence[str] | str) -> Namespace:
    """A tuple of non-empty strings; a single string is a namespace of one part."""
    parts = (namespace,) if isinstance(namespace, str) else tuple(namespace)
    return tuple(clean_label(part, what="namespace part") or "" for part in parts)


def utc(moment: datetime | None, *, what: str = "event_time") -> datetime | None:
    """The moment in UTC; a naive datetime is taken as UTC."""
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        raise InvalidInput(f"{what} must be a datetime, not {moment!r}; use datetime.fromisoformat(...)")
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError as exc:
        raise InvalidInput(f"{what} {moment!r} is outside the years 1 to 9999; correct it") from exc


def clean_meta(meta: Mapping[str, Any] | None) -> dict[str, Any]:
    """A JSON object: string keys, no NaN or infinity, depth at most 32."""
    if not meta:
        return {}
    try:
        text = json.dumps(dict(meta), allow_nan=False, ensure_ascii=False)
        found = json.loads(clean_text(text))
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidInput(f"meta must be a JSON object without NaN or infinity: {exc}") from exc
    if _depth(found) > MAX_DEPTH:
        raise InvalidInput(f"meta is nested deeper than {MAX_DEPTH}; flatten it")
    return dict(found)


def provenance(
    *,
    source: str,
    principal: str | None,
    session: str | None,
    parents: Sequence[str],
    trust: float | None,
    parent_trust: Callable[[Sequence[str]], Sequence[float]],
) -> Provenance:
    """Provenance whose trust is the smallest of the source's own, the given one and the parents'."""
    kind = source_kind(source)
    own = DEFAULT_TRUST[kind] if trust is None else unit_interval(trust, what="trust")
    ids = tuple(parents)
    return Provenance(
        source=kind,
        principal=clean_label(principal, what="principal"),
        session=clean_label(session, what="session"),
        parents=ids,
        trust=min([own, *parent_trust(ids)]) if ids else own,
    )


def clean_provenance(given: Provenance) -> Provenance:
    """Provenance with clean labels, a known source and a trust in [0, 1]."""
    return Provenance(
        source=source_kind(given.source),
        principal=clean_label(given.principal, what="principal"),
        session=clean_label(given.session, what="session"),
        parents=tuple(clean_label(parent, what="parent") or "" for parent in given.parents),
        trust=unit_interval(given.trust, what="trust"),
    )


def source_kind(source: str) -> SourceKind:
    """One of the known source kinds."""
    for kind in get_args(SourceKind):
        if source == kind:
            found: SourceKind = kind
            return found
    raise InvalidInput(f"source {source!r} is not one of {', '.join(SOURCE_KINDS)}")


def unit_interval(value: float, *, what: str, low: float = 0.0) -> float:
    """A finite number in [low, 1]."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InvalidInput(f"{what} must be a finite number, not {value!r}")
    if not low <= value <= 1.0:
        raise InvalidInput(f"{what} must be in [{low:g}, 1], not {value!r}")
    return float(value)


def clean_event(event: Event, *, now: datetime, max_chars: int) -> Event:
    """The event as it will be stored, or a typed error; nothing has been changed yet."""
    text = clean_text(event.text).strip()
    if not text:
        raise InvalidInput("text is empty; there is nothing to remember")
    if len(text) > max_chars:
        raise TooLarge(
            f"text has {len(text)} characters, at most {max_chars} are allowed; cut it into episodes with "
            "hippo_agent.segment(text), or raise Config.max_chars"
        )
    return replace(
        event,
        text=text,
        namespace=clean_namespace(event.namespace),
        provenance=clean_provenance(event.provenance),
        speaker=clean_label(event.speaker, what="speaker"),
        event_time=utc(event.event_time) or now,
        kind=clean_label(event.kind, what="kind") or "episode",
        key=clean_label(event.key, what="key"),
        place=clean_label(event.place, what="place"),
        reward=unit_interval(event.reward, what="reward", low=-1.0),
        slots=None if event.slots is None else clean_slots(event.slots),
        meta=clean_meta(event.meta),
        pin=bool(event.pin),
    )


def clean_slots(slots: Slots) -> Slots:
    """Slots with clean, non-empty strings."""
    return Slots(
        **{
            name: tuple(clean_label(value, what=f"slot {name!r}") or "" for value in getattr(slots, name))
            for name in ("who", "what", "where", "when")
        }
    )


def clean_cue(cue: Cue, *, max_chars: int) -> Cue:
    """The cue as it will be searched, or a typed error."""
    text = clean_text(cue.text, what="cue").strip()
    if len(text) > max_chars:
        raise TooLarge(f"the cue has {len(text)} characters, at most {max_chars} are allowed; ask with its gist")
    slots = clean_slots(cue.slots)
    if not text and not slots:
        raise InvalidInput("the cue is empty; give a text or at least one slot")
    if isinstance(cue.k, bool) or not isinstance(cue.k, int) or cue.k < 1:
        raise InvalidInput(f"k must be a whole number of at least 1, not {cue.k!r}")
    if cue.budget_tokens is not None and cue.budget_tokens < 1:
        raise InvalidInput(f"budget_tokens must be at least 1, not {cue.budget_tokens!r}; leave it out for no budget")
    since, until = utc(cue.since, what="since"), utc(cue.until, what="until")
    if since is not None and until is not None and since >= until:
        raise InvalidInput(f"since {since.isoformat()} is not before until {until.isoformat()}")
    return replace(
        cue,
        text=text,
        slots=slots,
        namespace=clean_namespace(cue.namespace),
        since=since,
        until=until,
        sources=tuple(source_kind(kind) for kind in cue.sources),
        kinds=tuple(clean_label(kind, what="kind") or "" for kind in cue.kinds),
        session=clean_label(cue.session, what="session"),
        min_trust=unit_interval(cue.min_trust, what="min_trust"),
        asked_at=utc(cue.asked_at, what="asked_at"),
    )


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth
