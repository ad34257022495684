"""Settings of a night: what is taught, how it is trained, and what the result has to pass before it serves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from hippo_agent.errors import ConfigError

__all__ = ["ConsolidationConfig", "GateLimits", "MaintenanceConfig", "SelectionConfig", "TrainingConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionConfig:
    """Which traces a night may teach, and how many."""

    per_night: int = 500  # new items at most
    min_trust: float = 0.5  # of every trace that an item rests on
    cool_off_hours: float = 24.0  # nothing younger is taught: there is time to notice what was wrong
    retention: float = 0.9  # desired chance of recall without memory; below it an item is due again
    light: int = 4  # renderings of an item that fits its schema
    rich: int = 12  # and of one that does not
    routes: bool = True  # steps of the map and the ways of macros too
    walked: int = 2  # times that a step was walked with success
    stale_days: float = 180.0  # a step that was not walked for so long is not taught
    fifo: bool = False  # oldest first instead of by priority: the control of the schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """The LoRA and its training. Steps None: as many as the number of items asks for."""

    rank: int | None = None  # None: 16 up to 400 items, 32 beyond
    learning_rate: float = 5e-3
    steps: int | None = None
    batch: int = 64  # renderings per step
    guard: int = 6  # documents of the guard per step; 0: none
    guard_weight: float = 12.0
    strangers: int = 16  # questions per step about what was never told; 0: none
    stranger_weight: float = 1.5
    interleave: float = 0.5  # share of a batch that earlier nights get at least, as long as there are any; 0: none
    statements_only: bool = False  # replay the sentences alone, ask nothing: the control of the renderings
    distil: float = 0.0  # weight of the teacher with the trace in its prompt, beside the plain targets
    context_weight: float = 0.02  # loss weight of the words around an answer
    average: float = 0.95  # decay of the averaged weights that are kept; 0: the last ones
    warm_up: int = 20
    clip: float = 1.0
    checkpoint: int = 50  # steps between two checkpoints
    rebuild_up_to: int = 2000  # ledger items up to which every night trains anew, so that deletion is exact
    max_tokens: int = 192  # a longer rendering is left out
    threads: int | None = None  # of the CPU; None: one for a small model, where more only wait for each other
    half: bool = True  # compute in bfloat16 where the device does so in hardware; weights stay float32
    minutes: float | None = None  # wall-clock limit; what was reached until then goes to the gate
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLimits:
    """What a version has to reach, all measured without memory but for the last.

    What may be lost (locality, in_context_drop, abstention_drop) is judged with one standard error of the questions.
    """

    taught: float = 0.90  # exact match on questions of the taught items, forms they were not replayed in included
    paraphrase: float = 0.75  # on the paraphrase that was held out of each item's replay
    locality: float = 0.95  # questions about other subjects keep the base's answer
    loss_ratio: float = 1.02  # language-model loss on held-out text against the base
    in_context_drop: float = 0.015  # exact match with the facts in the prompt
    abstention_drop: float = 0.05  # "unknown" to what was never taught
    enabled: bool = True  # False: every version is promoted: the control of the gate
    questions: int = 200  # of each kind, at most
    halvings: int = 6  # scales tried when only the base's abilities suffer
    least_scale: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceConfig:
    """What a night puts in order before it teaches, each step with its switch."""

    duplicates: bool = True  # the same event stored twice becomes one trace; needs the write gate's rule
    facts: bool = True  # waiting facts are tested again
    retention: bool = True  # what has faded below `RetentionConfig.forget_below` goes; at its default nothing does
    maps: bool = True  # the map is read again, loops are closed, macros are distilled
    compact: bool = True  # full text in one piece, superseded lines of the outbox out, the log folded into the file

    @classmethod
    def off(cls) -> MaintenanceConfig:
        """Nothing at all."""
        return cls(**{entry.name: False for entry in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolidationConfig:
    """All settings of consolidation."""

    selection: SelectionConfig = field(default_factory=SelectionConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    gate: GateLimits = field(default_factory=GateLimits)
    keep: int = 7  # versions kept, the serving one always
    maintenance: MaintenanceConfig = field(default_factory=MaintenanceConfig)

    def __post_init__(self) -> None:
        training, selection = self.training, self.selection
        for what, value in (("interleave", training.interleave), ("average", training.average)):
            if not 0.0 <= value < 1.0:
                raise ConfigError(f"TrainingConfig.{what} must be in [0, 1), not {value!r}")
        for part in (training, selection, self.gate):
            for entry in fields(part):
                value = getattr(part, entry.name)
                if isinstance(value, float) and not 0.0 <= value < float("inf"):
                    raise ConfigError(f"{type(part).__name__}.{entry.name} must be a number >= 0, not {value!r}")
        if min(training.guard, training.strangers) < 0:
            raise ConfigError("TrainingConfig.guard and strangers must be at least 0")
        doses = (selection.light, selection.rich, selection.walked)
        threads = 1 if training.threads is None else training.threads
        if min(training.batch, training.checkpoint, threads, *doses, self.keep) < 1:
            raise ConfigError("batch, checkpoint, threads, light, rich, walked and keep must be at least 1")

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, for manifests."""
        return asdict(self)
