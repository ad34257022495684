"""Which items a night may teach: accepted facts that hold now, trusted, old enough, not private; and why others not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hippo_agent.consolidation.config import SelectionConfig
from hippo_agent.consolidation.items import Item, key_of
from hippo_agent.consolidation.steps import is_step
from hippo_agent.relational.facts import Fact
from hippo_agent.relational.store import FactStore
from hippo_agent.storage.base import RecordStore
from hippo_agent.types import Namespace, Trace

__all__ = ["Refused", "Selection", "select", "trusted", "unfit"]


@dataclass(frozen=True, slots=True)
class Refused:
    """A fact that is not taught tonight."""

    item: Item
    why: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Items that may be taught, and those that may not with the reason."""

    items: tuple[Item, ...]
    refused: tuple[Refused, ...]

    def __add__(self, other: Selection) -> Selection:
        return Selection((*self.items, *other.items), (*self.refused, *other.refused))


def select(
    store: FactStore, record: RecordStore, namespace: Namespace, *, now: datetime, config: SelectionConfig
) -> Selection:
    """Every accepted fact of the namespace and of those below it, judged."""
    items: dict[str, Item] = {}
    refused: dict[str, Refused] = {}
    schemas = store.schemas(namespace)
    for fact in store.facts(namespace=namespace):
        traces = record.get(fact.traces)
        item = _item(fact, traces, fit=schemas.fit(fact.subject, fact.predicate, fact.object).score, config=config)
        if item is None or item.key in items:
            continue
        why = _refusal(fact, item, traces, store, namespace, now, config)
        if why:
            refused.setdefault(item.key, Refused(item, why))
        else:
            items[item.key] = item
            refused.pop(item.key, None)
    return Selection(tuple(items.values()), tuple(refused.values()))


def trusted(
    item: Item,
    traces: Mapping[str, Trace],
    *,
    now: datetime,
    config: SelectionConfig,
    steps: Collection[str] = (),
) -> bool:
    """Whether the traces of an item, as they are now in the record, let it into the training; ``steps``: that hold."""
    walked = [one for one in item.traces if is_step(one)]
    held = [traces.get(one) for one in item.traces if not is_step(one)]
    if walked:
        young = now - item.said_at < timedelta(hours=config.cool_off_hours)
        if young or item.trust < config.min_trust or not all(one in steps for one in walked):
            return False
    elif not held:
        return False
    return all(trace is not None and not unfit(trace, now, config) for trace in held)


def _item(fact: Fact, traces: Mapping[str, Trace], *, fit: float, config: SelectionConfig) -> Item | None:
    """The item of a fact, resting on its trusted statements if there are any."""
    said = [one for one in fact.statements if one.trace_id in traces]
    said = [one for one in said if one.trust >= config.min_trust] or said
    if not said:
        return None
    newest = max(said, key=lambda one: one.seq)
    held = [traces[one.trace_id] for one in said]
    source = traces[newest.trace_id]
    sentence = source.text[newest.start : newest.end] or source.text
    return Item(
        key=key_of(fact.subject, fact.predicate, "", fact.object),
        subject=fact.subject,
        relation=fact.predicate,
        value=fact.object,
        text=f"{source.speaker}: {sentence}" if source.speaker else sentence,
        traces=tuple(dict.fromkeys(one.trace_id for one in said)),
        trust=min(one.trust for one in said),
        said_at=max(trace.write_time for trace in held),
        salience=max(trace.salience for trace in held),
        strength=max(trace.strength for trace in held),
        fit=fit,
    )


def _refusal(
    fact: Fact,
    item: Item,
    traces: Mapping[str, Trace],
    store: FactStore,
    namespace: Namespace,
    now: datetime,
    config: SelectionConfig,
) -> str:
    if fact.denied or not fact.holds(now):
        return "holds no more"
    for one in item.traces:
        if why := unfit(traces[one], now, config):
            return why
    found = store.current(fact.subject, fact.predicate, at=now, namespace=namespace)
    if found.conflict:
        return "contradicted by a source of equal standing"
    if fact.object not in found.values:
        return "replaced by another value"
    return ""


def unfit(trace: Trace, now: datetime, config: SelectionConfig) -> str:
    """Why a trace may not be taught; "" when it may."""
    if trace.provenance.trust < config.min_trust:
        return f"untrusted: {trace.provenance.trust:.2f} is below {config.min_trust:.2f}"
    if trace.status != "active":
        return f"the trace is {trace.status}"
    if trace.meta.get("consolidate") is False:
        return "private: meta says consolidate=False"
    if now - trace.write_time < timedelta(hours=config.cool_off_hours):
        return f"younger than {config.cool_off_hours:g} hours"
    return ""
