"""The write gate: what happens to an event, decided without a model, never silently.

    pinned ........................ write
    the same event is stored ...... merge
    a repeat, an echo, a greeting . skip   (unless rewarded)
    the caller's rule says no ..... skip
    no budget ..................... write
    a budget ...................... write what is clearly good, defer the rest; `settle` keeps the best of it

Salience is a bounded noisy-or of the signals, 1 - prod(1 - weight x signal), so it stays in [0, 1] and rises with each.
The gate sees numbers only: similarity, reward and a language model's token surprise come from the caller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from hippo_agent.episodic.controller import DeferredBudget, RateController
from hippo_agent.episodic.reading import Reader, Reading, ReadingConfig
from hippo_agent.episodic.same_event import Neighbour, difference
from hippo_agent.episodic.strategies import Always, Rule
from hippo_agent.episodic.surprise import ModelSurprise
from hippo_agent.errors import ConfigError, InvalidInput
from hippo_agent.types import Decision, Event, Namespace, Signals, Trace

TokenSurprise = Callable[[str], Sequence[float]]  # text -> negative log-likelihood of each token, nats, memory on


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConfig:
    """Settings of the write gate. Without a budget everything is kept but repeats, echoes and bare greetings."""

    enabled: bool = True  # False: every event is written
    budget: float | None = None  # share of events to write, in (0, 1]; None: no limit
    late: bool = True  # spend the budget at the end of a conversation (defer); False: decide each event at once
    urgent: float = 0.5  # share of the budget that clearly good events may use at once; 0: all of them wait
    buffer: int = 64  # deferred events of one conversation before they are settled anyway
    surprise: float = 1.0  # weights of the noisy-or, each in [0, 1]
    answer: float = 0.2
    shared: float = 0.2
    novelty: float = 0.1
    model: float = 0.5
    reward: float = 0.9
    place: float = 0.3  # for what happens where it is new or unexpected to be
    same_event_cosine: float = 0.8  # below it nothing merges
    same_event_hours: float = 24.0  # said again later it is an episode of its own; a night may still join the two
    reading: ReadingConfig = field(default_factory=ReadingConfig)

    def __post_init__(self) -> None:
        for name in ("urgent", "surprise", "answer", "shared", "novelty", "model", "reward", "place"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ConfigError(f"GateConfig.{name} must be in [0, 1], not {value!r}")
        if self.budget is not None and not 0.0 < self.budget <= 1.0:
            raise ConfigError(f"GateConfig.budget must be in (0, 1] or None, not {self.budget!r}")
        if self.buffer < 1:
            raise ConfigError(f"GateConfig.buffer must be at least 1, not {self.buffer!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of a deferred event."""

    token: str
    decision: Literal["write", "skip"]
    salience: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """What to do with an event, and why."""

    decision: Decision
    salience: float
    signals: Signals
    reasons: tuple[str, ...]
    merge_into: str | None = None  # id of the stored trace, for "merge"
    settled: tuple[Settled, ...] = ()  # deferred events that a full buffer decided with this call


class WriteGate:
    """Decides about events in order of arrival. Same events and settings: same decisions.

    Args:
        config: weights, budget and switches.
        keep: a rule over the signals; what it refuses is skipped (pinned and rewarded events are not asked).
        token_surprise: per-token surprise of a language model, nats; its mean is standardised per source.
    """

    def __init__(
        self, config: GateConfig | None = None, *, keep: Rule | None = None, token_surprise: TokenSurprise | None = None
    ) -> None:
        self.config = config or GateConfig()
        self._keep = keep or Always()
        self._token_surprise = token_surprise
        self.reset()

    def reset(self) -> None:
        """Forget everything seen: a gate as new."""
        self.reader = Reader(self.config.reading)
        self.counters: Counter[str] = Counter()
        self._model = ModelSurprise()
        budget = self.config.budget
        self._late = DeferredBudget(budget, urgent=self.config.urgent) if budget and self.config.late else None
        self._online = RateController(budget) if budget and not self.config.late else None

    def decide(self, event: Event, *, token: str, nearest: Neighbour | None = None, place: float = 0.0) -> GateDecision:
        """The decision about one event, and the state moved on by it.

        Args:
            event: checked and normalised; its slots should be filled when ``nearest`` is given.
            token: the caller's name for the event, returned by `settle`: the id that a deferred trace is kept under.
            nearest: the most similar stored trace; None: nothing is known about similarity (novelty 1).
            place: in [0, 1], how new or unexpected it was to be where it happened.
        """
        conversation = conversation_of(event.namespace, event.provenance.session)
        reading = self.reader.read(
            event.text,
            speaker=event.speaker or event.provenance.source,
            conversation=conversation,
            day=event.event_time.date().isoformat() if event.event_time else "",
        )
        signals, salience = self._weigh(event, reading, nearest, place)
        decision, reasons, merge_into = self._choose(event, reading, signals, nearest)
        if decision == "write" and not event.pin:
            decision, why = self._spend(token, salience, conversation)
            reasons = (*why, *reasons)
        elif self._late is not None:
            self._late.count(decision == "write", conversation=conversation)
        elif self._online is not None:
            self._online.count(decision == "write")
        self.reader.remember(reading, conversation=conversation)
        self.counters[decision] += 1
        self.counters[f"{decision}: {reasons[0].partition(':')[0]}"] += 1
        settled: tuple[Settled, ...] = ()
        if self._late is not None and self._late.waiting(conversation) >= self.config.buffer:
            settled = tuple(self.settle(conversation))
        return GateDecision(
            decision=decision,
            salience=salience,
            signals=signals,
            reasons=reasons,
            merge_into=merge_into,
            settled=settled,
        )

    def settle(self, conversation: str | None = None) -> list[Settled]:
        """Decide what waits in a conversation, or in all of them: call it at the end of a session and on closing."""
        if self._late is None:
            return []
        settled: list[Settled] = []
        for name in self._late.conversations() if conversation is None else [conversation]:
            kept, dropped = self._late.settle(name)
            for token, score in kept:
                settled.append(Settled(token=token, decision="write", salience=score, reasons=("among the best",)))
            for token, score in dropped:
                settled.append(Settled(token=token, decision="skip", salience=score, reasons=("over the budget",)))
        for outcome in settled:
            self.counters[f"settled {outcome.decision}"] += 1
        return settled

    def witness(self, trace: Trace) -> None:
        """Take a stored trace into the statistics without deciding: what was written after the state was saved."""
        conversation = conversation_of(trace.namespace, trace.provenance.session)
        reading = self.reader.read(
            trace.text,
            speaker=trace.speaker or trace.provenance.source,
            conversation=conversation,
            day=trace.event_time.date().isoformat(),
        )
        self.reader.remember(reading, conversation=conversation)
        if self._late is not None:
            if trace.status == "deferred":
                self._late.wait(trace.id, trace.salience, conversation=conversation)
            else:
                self._late.count(True, conversation=conversation)

    def forget(self, text: str, *, token: str | None = None) -> None:
        """Take a deleted event out of the statistics, the last turns and the buffer."""
        self.reader.forget(text)
        if token is not None and self._late is not None:
            self._late.withdraw(token)

    def state(self) -> dict[str, Any]:
        """JSON-able; `restore` on a gate with the same settings continues exactly."""
        return {
            "reader": self.reader.state(),
            "model": self._model.state(),
            "late": self._late.state() if self._late else None,
            "online": self._online.state() if self._online else None,
            "counters": dict(self.counters),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that `state` gave."""
        self.reader.restore(state["reader"])
        self._model = ModelSurprise.from_state(state["model"])
        self.counters = Counter(state["counters"])
        if self._late is not None and state["late"] is not None:
            self._late.restore(state["late"])
        if self._online is not None and state["online"] is not None:
            self._online.restore(state["online"])

    def _weigh(self, event: Event, reading: Reading, nearest: Neighbour | None, place: float) -> tuple[Signals, float]:
        config = self.config
        novelty = 1.0 if nearest is None else min(max(1.0 - nearest.cosine, 0.0), 1.0)
        if not (-1.0 <= event.reward <= 1.0 and 0.0 <= novelty <= 1.0 and 0.0 <= place <= 1.0):
            found = f"reward {event.reward!r}, novelty {novelty!r} or place {place!r}"
            raise InvalidInput(f"{found} is not a number in range; correct it")
        modelled = 0.0
        if self._token_surprise is not None:
            modelled = self._model.standardise(self._token_surprise(event.text), source=event.provenance.source)
        surprise = 1.0 - (1.0 - reading.surprise) * (1.0 - config.model * modelled)
        signals = Signals(
            surprise=surprise,
            novelty=novelty,
            place=place,
            reward=event.reward,
            pinned=event.pin,
            information=reading.information,
        )
        if event.pin:
            return signals, 1.0
        missing = 1.0
        for weight, signal in (
            (config.surprise, surprise),
            (config.answer, float(reading.answers)),
            (config.shared, float(reading.shares)),
            (config.novelty, novelty),
            (config.reward, abs(event.reward)),
            (config.place, place),
        ):
            missing *= 1.0 - weight * signal
        return signals, 1.0 - missing

    def _choose(
        self, event: Event, reading: Reading, signals: Signals, nearest: Neighbour | None
    ) -> tuple[Decision, tuple[str, ...], str | None]:
        """Decision before any budget, reasons, and the trace to merge into."""
        if not self.config.enabled:
            return "write", ("the gate is off",), None
        if event.pin:
            return "write", ("pinned",), None
        news = False
        if nearest is not None:
            apart = difference(event, nearest, least_cosine=self.config.same_event_cosine)
            news = apart is None and (nearest.outdated or not self._soon(event, nearest))
            if apart is None and not news and not (reading.answers and not reading.heard.content):
                return "merge", (f"same event: {nearest.id}",), nearest.id
        reasons = _describe(event, reading, signals)
        if news:
            reasons = ("said again, later or after something else was said of it", *reasons)
        if event.reward == 0.0:
            if reading.repeat and not news:
                return "skip", ("repeat: word for word one of the last turns", *reasons), None
            if reading.empty:
                return "skip", ("small talk: a greeting, thanks or assent with nothing else", *reasons), None
            if reading.echo and not news:
                return "skip", ("echo: one of the last turns said all of it", *reasons), None
            if not self._keep(signals):
                return "skip", ("rule: refused", *reasons), None
        return "write", reasons, None

    def _soon(self, event: Event, nearest: Neighbour) -> bool:
        if event.event_time is None or nearest.event_time is None:
            return True
        return abs((event.event_time - nearest.event_time).total_seconds()) <= 3600 * self.config.same_event_hours

    def _spend(self, token: str, salience: float, conversation: str) -> tuple[Decision, tuple[str, ...]]:
        if self._late is not None:
            if self._late.offer(token, salience, conversation=conversation):
                return "write", ("clearly within the budget",)
            return "defer", ("waits for the end of the conversation",)
        if self._online is not None:
            if self._online.admit(salience):
                return "write", ("within the budget",)
            return "skip", ("over the budget",)
        return "write", ()


def conversation_of(namespace: Namespace, session: str | None) -> str:
    """The name under which the turns of one conversation are kept together."""
    return "\x1f".join((*namespace, session or ""))


def _describe(event: Event, reading: Reading, signals: Signals) -> tuple[str, ...]:
    reasons = [f"surprise: {signals.surprise:.2f} ({signals.information:.0f} nats)"]
    if reading.answers:
        reasons.append("answers a question")
    if reading.shares:
        reasons.append("shares something")
    if signals.novelty < 1.0:
        reasons.append(f"novelty: {signals.novelty:.2f}")
    if signals.place:
        reasons.append(f"place: {signals.place:.2f} new or unexpected")
    if event.reward:
        reasons.append(f"reward: {event.reward:+.2f}")
    return tuple(reasons)
