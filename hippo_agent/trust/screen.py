"""The screen between the door and the write gate: secrets are taken out, and what looks dangerous is set aside."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hippo_agent.trust.config import TrustConfig
from hippo_agent.trust.pii import redact_pii
from hippo_agent.trust.secrets import redact_secrets
from hippo_agent.trust.signs import anomalies, instructions
from hippo_agent.types import DEFAULT_TRUST, SLOT_NAMES, TRUSTED, Event, Receipt, Slots

__all__ = ["Screen", "Screened", "held_of", "told"]

_PRINCIPALS = 10_000  # whose rate is kept


@dataclass(frozen=True, slots=True)
class Screened:
    """An event as it may be stored."""

    event: Event
    held: tuple[str, ...] = ()  # why it is quarantined; empty: it is not
    redacted: tuple[str, ...] = ()  # what was taken out of it


class Screen:
    """Judges events by their text and their provenance. Thread-safe as far as counting is: a race may let one more in.

    ``clock``: now, for the rate of a principal.
    """

    def __init__(self, config: TrustConfig, clock: Callable[[], datetime]) -> None:
        self.config = config
        self._clock = clock
        self._rates: OrderedDict[str, tuple[float, float]] = OrderedDict()  # principal -> tokens left, when

    def __call__(self, event: Event) -> Screened:
        """The event without secrets, and why it should be set aside, if it should."""
        event, redacted = self.redacted(event)
        origin, held = event.provenance, list[str]()
        if event.reward and DEFAULT_TRUST[origin.source] < TRUSTED:
            event = replace(event, reward=0.0)  # a reward counts from a source that is trusted by itself
        if self.config.secrets == "quarantine" and redacted:
            held += [f"holds a secret: {what}" for what in redacted]
            redacted = ()
        if origin.trust < self.config.exempt:
            said = event.text if event.speaker is None else f"{event.speaker}: {event.text}"
            if self.config.instructions:
                held += instructions(event.text)
            if self.config.anomalies:
                held += anomalies(said)
            if origin.principal is not None and self._too_many(origin.principal):
                held.append(f"{self.config.per_hour} writes an hour of one principal are exceeded")
        return Screened(event, tuple(held), redacted)

    def all(self, events: Sequence[Event]) -> list[Screened]:
        """Each event as it may be stored, in order."""
        return [self(event) for event in events]

    def redacted(self, event: Event) -> tuple[Event, tuple[str, ...]]:
        """The event without secrets (and personal data), everywhere in it, and what was taken out."""
        found: list[str] = []
        parts = [event.text, event.speaker or ""]
        if event.slots is not None:
            parts += [one for name in SLOT_NAMES for one in getattr(event.slots, name)]
        if event.meta:
            parts.append(json.dumps(dict(event.meta), ensure_ascii=False, default=str))
        self.text("\n".join(parts), found)
        if not found:  # nothing in any part: one look at all of them is enough
            return event, ()
        found.clear()
        keep = self.config.secrets == "quarantine"  # the text is set aside as it is
        changed: dict[str, Any] = {}
        text = self.text(event.text, found)
        if text != event.text:
            changed["text"] = text
        if event.speaker is not None and (speaker := self.text(event.speaker, found)) != event.speaker:
            changed["speaker"] = speaker
        if event.slots is not None and event.slots:
            slots = Slots(
                **{name: tuple(self.text(one, found) for one in getattr(event.slots, name)) for name in SLOT_NAMES}
            )
            if slots != event.slots:
                changed["slots"] = slots
        if event.meta:
            meta = self._values(event.meta, found)
            if json.dumps(meta, default=str) != json.dumps(dict(event.meta), default=str):
                changed["meta"] = meta
        if not found:
            return event, ()
        return (event if keep else replace(event, **changed)), tuple(dict.fromkeys(found))

    def text(self, text: str, found: list[str] | None = None) -> str:
        """The text without secrets (and personal data); what was found is added to ``found``."""
        found = [] if found is None else found
        if self.config.secrets != "keep":
            text, secrets = redact_secrets(text)
            found += secrets
        if self.config.pii:
            text, personal = redact_pii(text)
            found += personal
        return text

    def value(self, value: Any) -> Any:
        """A JSON value without secrets (and personal data), its keys as they are."""
        return self._values(value, [])

    def _values(self, value: Any, found: list[str]) -> Any:
        if isinstance(value, str):
            return self.text(value, found)
        if isinstance(value, Mapping):
            return {key: self._named(key, item, found) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._values(item, found) for item in value]
        return value

    def _named(self, key: str, value: Any, found: list[str]) -> Any:
        """A value under its name: {"password": "..."} is a secret by its name."""
        if not isinstance(value, str):
            return self._values(value, found)
        whole = self.text(f"{key}={value}", found)
        return whole[len(key) + 1 :] if whole.startswith(f"{key}=") else self.text(value, found)

    def _too_many(self, principal: str) -> bool:
        """A token bucket that holds an hour's worth."""
        limit = self.config.per_hour
        if limit is None:
            return False
        now = self._clock().timestamp()
        left, when = self._rates.pop(principal, (float(limit), now))
        left = min(float(limit), left + max(0.0, now - when) * limit / 3600.0)
        self._rates[principal] = (max(0.0, left - 1.0), now)
        if len(self._rates) > _PRINCIPALS:
            self._rates.popitem(last=False)
        return left < 1.0


def held_of(screened: Sequence[Screened]) -> dict[int, tuple[str, ...]]:
    """By position: why an event is set aside."""
    return {at: one.held for at, one in enumerate(screened) if one.held}


def told(receipts: list[Receipt], screened: Sequence[Screened]) -> list[Receipt]:
    """The receipts, which say what was taken out."""
    if not any(one.redacted for one in screened):
        return receipts
    return [
        replace(receipt, reasons=(*receipt.reasons, *(f"redacted: {what}" for what in one.redacted)))
        for receipt, one in zip(receipts, screened, strict=True)
    ]
