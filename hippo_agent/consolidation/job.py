"""A night over a bank: select, plan, train, examine, publish, promote; the order is what makes a crash harmless.

1. lessons of forgotten traces are gone already (they fall with the trace);
2. the draft is trained, with checkpoints, and examined;
3. the draft becomes a numbered version, which serves nobody yet;
4. the ledger takes what was taught;
5. the pointer moves.

A crash before 5 leaves the old version serving; the next night takes up the draft, or teaches what the ledger has not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from hippo_agent.consolidation import lora
from hippo_agent.consolidation.config import ConsolidationConfig
from hippo_agent.consolidation.items import Item
from hippo_agent.consolidation.ledger import Ledger, Taught
from hippo_agent.consolidation.night import Base, Night, Result
from hippo_agent.consolidation.report import ConsolidationReport
from hippo_agent.consolidation.schedule import Plan, new_card, plan, reviewed
from hippo_agent.consolidation.selection import Selection, trusted
from hippo_agent.consolidation.trainer import rank_for
from hippo_agent.consolidation.versions import Version, Versions
from hippo_agent.errors import AdapterError
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.types import Namespace

__all__ = ["Consolidation", "Tick", "purge", "tainted"]

Tick = Callable[[str, int, int], None]


class Consolidation:
    """The nights of one namespace of a bank; its weights know that namespace, and what lies below it, alone."""

    def __init__(
        self,
        record: SqliteRecord,
        folder: Path,
        namespace: Namespace,
        *,
        config: ConsolidationConfig,
        clock: Callable[[], datetime],
    ) -> None:
        self.config = config
        self.versions = Versions(folder / "adapters" / _folder(namespace), keep=config.keep)
        self.ledger = Ledger(record.database, namespace)
        self._record = record
        self._clock = clock

    def serving(self) -> Version | None:
        """The version to answer with: the promoted one, unless it knows a trace that was forgotten since."""
        version = self.versions.current()
        return None if version is None or self.ledger.missing(version.traces) else version

    def tainted(self) -> list[Version]:
        """Versions that were trained on traces which the record no longer has."""
        return tainted(self.versions, self.ledger)

    def purge(self) -> list[int]:
        """Delete the versions that know a forgotten trace; see `purge`."""
        return purge(self.versions, self.ledger)

    def plan(self, selection: Selection, known: dict[str, bool]) -> Plan:
        """What tonight would teach."""
        cards = {key: taught.card for key, taught in self.ledger.lessons().items()}
        return plan(selection.items, cards, known, now=self._clock(), config=self.config.selection)

    def run(
        self,
        base: Base,
        selection: Selection,
        *,
        extra: Sequence[str] = (),
        dry_run: bool = False,
        tick: Tick | None = None,
    ) -> ConsolidationReport:
        """One night. Nothing serves that did not pass the gate; what served before goes on when it fails."""
        now = self._clock()
        refused = dict(Counter(refused.why for refused in selection.refused))
        night = Night(base, self.config, extra=extra)
        known = self._probe(night, selection.items)
        planned = self.plan(selection, known)
        counts: dict[str, Any] = {
            "new": len(planned.new),
            "again": len(planned.again),
            "warm": len(planned.warm),
            "postponed": len(planned.postponed),
            "refused": refused,
        }
        held = self.ledger.lessons()
        dropped = [key for key in held if key not in {item.key for item in selection.items}]
        stale = bool(dropped) or bool(self.tainted())
        if not planned.tonight and not (stale and planned.warm):
            reason = "nothing new to learn, and nothing that was forgotten"
            if stale and not dry_run:
                self.versions.promote(None)
                self.purge()
                self.ledger.save((), dropped=dropped)
                reason = "nothing is left that may be taught: the bare base serves"
            return ConsolidationReport(version=None, promoted=False, reason=reason, dry_run=dry_run, **counts)
        if not planned.tonight:  # only the rebuild without what was dropped
            planned = replace(planned, again=planned.warm, warm=())
        if dry_run:
            return ConsolidationReport(version=None, promoted=False, reason="a dry run", dry_run=True, **counts)
        return self._night(night, planned, selection, held, dropped, known, now, counts, tick)

    def _night(
        self,
        night: Night,
        planned: Plan,
        selection: Selection,
        held: dict[str, Taught],
        dropped: Sequence[str],
        known: dict[str, bool],
        now: datetime,
        counts: dict[str, Any],
        tick: Tick | None,
    ) -> ConsolidationReport:
        items = (*planned.tonight, *planned.warm)
        start = None if dropped else self._continued(night.base, len(items))
        rests_on = sorted({trace for item in items for trace in item.traces})
        traces, steps = self._record.get(rests_on), set(rests_on) - self.ledger.missing(rests_on)

        def may(item: Item) -> bool:
            return trusted(item, traces, now=now, config=self.config.selection, steps=steps)

        canaries = [refused.item for refused in selection.refused if refused.why.startswith("untrusted")]
        with self.versions.draft() as draft:
            begun = None if start is None else lora.read(night.base.model, start.folder)
            with night.train(planned, trusted=may, canaries=canaries, draft=draft, start=begun, tick=tick) as trained:
                model, result = trained
                _clear(draft)
                lora.save(model, draft)
            manifest = self._manifest(night.base, items, result, now)
            manifest["continues"] = None if start is None else start.number
            version = self.versions.publish(draft, manifest)
            if result.verdict.promoted:
                self._remember(planned, held, dropped, known, result, version.number, now)
                self.versions.promote(version)
            self.purge()
            self.versions.prune()
        return ConsolidationReport(
            version=version.number,
            promoted=version.promoted,
            reason="; ".join(result.verdict.reasons),
            unreadable=len(result.tonight.refused),
            verdict=result.verdict,
            trained=result.trained,
            rank=result.rank,
            **counts,
        )

    def _continued(self, base: Base, items: int) -> Version | None:
        """The version to go on from: with too many items to train them all anew, the one that serves, if it fits.

        None, and everything is trained anew, whenever something was forgotten or replaced: only that is exact.
        """
        training, version = self.config.training, self.serving()
        if items <= training.rebuild_up_to or version is None or version.manifest["base"] != base.fingerprint:
            return None
        if self.tainted() or version.manifest["rank"] != (training.rank or rank_for(items)):
            return None
        return version

    def _probe(self, night: Night, items: Sequence[Item]) -> dict[str, bool]:
        """Which items the serving version answers without memory."""
        version = self.serving()
        if version is None:
            return night.known(items)
        try:
            version.check()
            model = lora.load(night.base.model, version.folder)
        except AdapterError:  # damaged: the base is asked, and everything is taught anew
            return night.known(items)
        try:
            return night.known(items, model)
        finally:
            lora.detach(model)

    def _remember(
        self,
        planned: Plan,
        held: dict[str, Taught],
        dropped: Sequence[str],
        known: dict[str, bool],
        result: Result,
        number: int,
        now: datetime,
    ) -> None:
        unread = {*result.tonight.refused, *result.warm.refused}
        taught = [
            Taught(
                item=item,
                card=new_card(now) if item.key not in held else reviewed(held[item.key].card, known[item.key], now),
                night=held[item.key].night if item.key in held else number,
                dose=planned.doses[item.key],
            )
            for item in (*planned.tonight, *planned.warm)
            if item.key not in unread
        ]
        self.ledger.save(taught, dropped=dropped)

    def _manifest(self, base: Base, items: Sequence[Item], result: Result, now: datetime) -> dict[str, Any]:
        settings = json.dumps(self.config.as_dict(), sort_keys=True)
        return {
            "time": now.isoformat(),
            "base": base.fingerprint,
            "config": self.config.as_dict(),
            "config_hash": blake2b(settings.encode(), digest_size=8).hexdigest(),
            "seed": self.config.training.seed,
            "rank": result.rank,
            "steps": result.trained.steps,
            "cpu_seconds": round(result.trained.cpu_seconds, 1),
            "lessons": sorted(item.key for item in items),
            "traces": sorted({trace for item in items for trace in item.traces}),
            **result.verdict.as_dict(),
        }


def tainted(versions: Versions, ledger: Ledger) -> list[Version]:
    """Versions that were trained on traces which the record no longer has."""
    return [version for version in versions.all() if ledger.missing(version.traces)]


def purge(versions: Versions, ledger: Ledger) -> list[int]:
    """Delete the versions that know a forgotten trace; the newest promoted one that knows none serves.

    Returns the numbers of those that went. The next night trains anew without what was forgotten.
    """
    gone = tainted(versions, ledger)
    if not gone:
        return []
    serving = versions.current()
    if serving is not None and serving.number in {version.number for version in gone}:
        known = frozenset(trace for version in gone for trace in version.traces)
        versions.rollback(without=ledger.missing(known))
    versions.delete(gone)
    return [version.number for version in gone]


def _folder(namespace: Namespace) -> str:
    """Names never become paths."""
    return (
        blake2b("\x1f".join(namespace).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        if namespace
        else "root"
    )


def _clear(draft: Path) -> None:
    """Checkpoints and what an earlier attempt left."""
    for path in draft.iterdir():
        path.unlink()
