"""ROME's known-facts format, turned counterfactual: each subject gets another subject's value of the same relation."""

from __future__ import annotations

import json
import random
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hippo_agent.consolidation.items import Item, key_of
from hippo_agent.errors import DataError

__all__ = ["counterfactuals"]

_NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def counterfactuals(path: Path, count: int, *, seed: int) -> list[Item]:
    """``count`` facts that are false, so that no model answers them untaught. DataError for another format."""
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        facts = [
            (
                row["subject"].strip(),
                row["template"].removeprefix("{} ").strip(),
                row["attribute"].strip(),
                row["relation_id"],
            )
            for row in rows
            if row["template"].startswith("{} ")
        ]
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise DataError(
            f"{str(path)!r} is not a list of known facts with subject, template and attribute ({error})"
        ) from error
    rng = random.Random(f"counterfactual/{seed}")
    rng.shuffle(facts)
    values: dict[str, set[str]] = {}
    for _, _, value, relation in facts:
        values.setdefault(relation, set()).add(value)
    items: dict[str, Item] = {}
    for subject, predicate, true, relation in facts:
        others = sorted(values[relation] - {true})
        if not others or len(items) == count:
            continue
        value = rng.choice(others)
        key = key_of(subject, predicate, "", value)
        items[key] = Item(
            key=key,
            subject=subject,
            relation=predicate,
            value=value,
            text=f"{subject} {predicate} {value}.",
            traces=(key,),
            trust=1.0,
            said_at=_NOW,
        )
    if len(items) < count:
        raise DataError(f"{str(path)!r} gives {len(items)} counterfactuals, not {count}; ask for fewer with --facts")
    return list(items.values())
