"""A night of replay: facts are told by day, taught overnight, answered from the weights, and forgotten for good.

    python examples/overnight.py

Everything runs on the CPU with the model in the package. Memory is off in every question here: no trace is read. The
names are such as hippo-tiny can read; with "Quillmar" and "Ilsabet" as values it refused two of these facts.
"""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

from hippo_agent import Config, HashingEmbedder, Memory
from hippo_agent.consolidation.config import ConsolidationConfig, GateLimits, TrainingConfig

FACTS = {
    "Where does Ostrevan live?": "Ostrevan lives in Tarnholm.",
    "Who is the boss of Ostrevan?": "Ostrevan's boss is Tamsika.",
    "Where does Belvane live?": "Belvane lives in Druskholm.",
    "Who does Belvane work for?": "Belvane works for Fennoric.",
    "Where does Ilsabet live?": "Ilsabet lives in Corvane.",
    "Who is the boss of Belvane?": "Belvane's boss is Morvane.",
    "Who is the mayor of Druskholm?": "The mayor of Druskholm is Norvane.",
}
STRANGER = "Where does Marwenna live?"  # nobody ever said
EVENING = datetime(2026, 3, 1, 20, tzinfo=timezone.utc)
#: A short night, and a gate that asks fewer questions than the default one.
SHORT = ConsolidationConfig(
    training=TrainingConfig(steps=100, batch=32, guard=2, strangers=8),
    gate=GateLimits(questions=40, paraphrase=0.5),
)


class Clock:
    """Days pass when we say so."""

    now = EVENING

    def __call__(self) -> datetime:
        return self.now


def ask(memory: Memory, title: str) -> None:
    """Every question without memory: no trace is of this kind, so only weights can know."""
    print(title)
    for question in (*FACTS, STRANGER):
        answer = memory.ask(question, kinds=["nothing"])
        print(f"  {question:<38} {answer.text}")


def main() -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "memory"
        config = Config(consolidation=SHORT)

        with Memory(folder, embedder=HashingEmbedder(quiet=True), config=config, clock=clock) as memory:
            told = [memory.write(text, source="user", principal="mira").id for text in FACTS.values()]
            ask(memory, "By day, memory off:")
            clock.now += timedelta(days=2)  # nothing younger than a day is taught
            report = memory.consolidate()
            outcome = "promoted" if report.promoted else "rejected"
            print(f"\nThe night: {report.new} new items, {outcome}: {report.reason}.")

        with Memory(folder, embedder=HashingEmbedder(quiet=True), config=config, clock=clock) as memory:
            ask(memory, "\nNext morning, memory still off, from the weights:")
            memory.forget(trace_id=told[0], reason="Ostrevan asked")
            served = memory.nights.serving()
            print(f"\nOne fact is forgotten: the weights that knew it {'still serve' if served else 'serve no more'}.")
            ask(memory, "Until the next night has trained anew without it:")


if __name__ == "__main__":
    main()
