"""`memory.nights`: consolidation of one memory, wired to its record, its facts, its map and a local model.

report = memory.consolidate()
memory.nights.versions()          # numbered adapters, each with its manifest
memory.nights.rollback()          # the one before serves
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hippo_agent.consolidation.config import ConsolidationConfig, MaintenanceConfig, SelectionConfig
from hippo_agent.consolidation.history import draw_history
from hippo_agent.consolidation.job import Consolidation, Tick, purge
from hippo_agent.consolidation.report import ConsolidationReport
from hippo_agent.consolidation.selection import Selection, select
from hippo_agent.consolidation.versions import Version, Versions
from hippo_agent.errors import AdapterError
from hippo_agent.relational.facade import Facts
from hippo_agent.relational.store import FactStore
from hippo_agent.storage.record import SqliteRecord
from hippo_agent.types import Namespace

if TYPE_CHECKING:
    from hippo_agent.model.local import LocalModel
    from hippo_agent.spatial.places import Places

__all__ = ["Nights"]


class Nights:
    """The nights of one namespace: what lies below it is learnt with it, nothing beside it."""

    def __init__(
        self,
        record: SqliteRecord,
        folder: Path,
        namespace: Namespace,
        *,
        store: FactStore,
        facts: Facts,
        config: ConsolidationConfig,
        clock: Callable[[], datetime],
        places: Callable[[], Places | None],
        maintain: Callable[[MaintenanceConfig, Tick | None], dict[str, int]],
    ) -> None:
        self._record = record
        self._folder = folder
        self._namespace = namespace
        self._store = store
        self._facts = facts
        self._config = config
        self._clock = clock
        self._places = places
        self._maintain = maintain

    def consolidate(
        self,
        model: LocalModel,
        *,
        dry_run: bool = False,
        minutes: float | None = None,
        cool_off_hours: float | None = None,
        guard_texts: Sequence[str] = (),
        maintenance: bool = True,
        progress: Tick | None = None,
    ) -> ConsolidationReport:
        """One night: maintenance, then training and the gate. See `Memory.consolidate`."""
        from hippo_agent.consolidation.night import Base

        config = self._config
        if minutes is not None:
            config = replace(config, training=replace(config.training, minutes=minutes))
        if cool_off_hours is not None:
            config = replace(config, selection=replace(config.selection, cool_off_hours=cool_off_hours))
        if self._facts.behind():
            self._facts.catch_up()
        done = self._maintain(config.maintenance, progress) if maintenance and not dry_run else {}
        selection = self._select(config.selection)
        with model.lock:
            report = self._job(config).run(
                Base(model.model, model.tokenizer, model.fingerprint),
                selection,
                extra=guard_texts,
                dry_run=dry_run,
                tick=progress,
            )
        return replace(report, maintenance=done)

    def selection(self) -> Selection:
        """What may be taught now, and what may not with the reasons; trains nothing."""
        if self._facts.behind():
            self._facts.catch_up()
        return self._select(self._config.selection)

    def versions(self) -> list[Version]:
        """Every version on disk, oldest first."""
        return self._job(self._config).versions.all()

    def serving(self) -> Version | None:
        """The version that answers: promoted, and without knowledge of any trace that was forgotten since."""
        return self._job(self._config).serving()

    def rollback(self, to: int | None = None) -> Version | None:
        """Let version ``to`` serve, or the promoted one before; None: the bare base. AdapterError: it is not there."""
        job = self._job(self._config)
        forgotten = job.ledger.missing(trace for version in job.versions.all() for trace in version.traces)
        return job.versions.rollback(to, without=forgotten)

    def purge(self) -> list[int]:
        """Delete the versions that know a forgotten trace; returns their numbers."""
        return self._job(self._config).purge()

    def knowing(self, ids: Sequence[str]) -> list[str]:
        """Versions of every namespace of the bank that were trained on one of these traces, as folder/number."""
        wanted = frozenset(ids)
        return [
            f"{versions.folder.name}/{version.number}"
            for versions in self._everywhere()
            for version in versions.all()
            if version.traces & wanted
        ]

    def sweep(self) -> list[str]:
        """Delete, in every namespace of the bank, versions that know a forgotten trace, and unfinished trainings.

        Returns what is left and why.
        """
        left = []
        ledger = self._job(self._config).ledger  # which traces are missing is asked of the whole bank
        for versions in self._everywhere():
            try:
                purge(versions, ledger)
            except (AdapterError, OSError) as error:
                left.append(f"an adapter in {versions.folder.name}: {error}")
            if not versions.drop_draft():
                left.append(f"a training in {versions.folder.name}: another process is at it")
        return left

    def draw(self, path: str | Path) -> Path:
        """A picture of all versions, .png or .html: what the weights knew after each night."""
        return draw_history(self.versions(), Path(path))

    def _select(self, config: SelectionConfig) -> Selection:
        """Facts of the namespace, and the steps and ways of its map."""
        now = self._clock()
        selection = select(self._store, self._record, self._namespace, now=now, config=config)
        if config.routes and (places := self._places()) is not None:
            from hippo_agent.consolidation.routes import select_routes

            selection += select_routes(places, self._record, now=now, config=config)
        return selection

    def _everywhere(self) -> list[Versions]:
        folder = self._folder / "adapters"
        return [Versions(path) for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []

    def _job(self, config: ConsolidationConfig) -> Consolidation:
        return Consolidation(self._record, self._folder, self._namespace, config=config, clock=self._clock)
