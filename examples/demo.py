"""Remember a conversation history and recall from it, with scores and reasons; walk a map; learn overnight.

Run: make demo                          the conversation that comes with the project
     make demo DATA=path/to/locomo.json  any file in the LoCoMo format

The questions are drawn from the file itself with a fixed seed. The file also says which turns hold the answer, so a
check mark means that a turn with the answer came back, and the share over all questions follows. Nothing asks an LLM.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from hippo_agent import HippoError, Memory, Recall
from hippo_agent.conversations import ADVERSARIAL, Conversation, Question, load
from hippo_agent.types import Namespace

EXAMPLE = Path(__file__).parent / "data" / "mira_and_teo.json"
FOLDER = Path("demo-memory")
K = 5
SINGLE_WRITES = 25  # the last turns are written one by one, to time a single write


@dataclass(frozen=True)
class Asked:
    """A question of the file and where it is asked."""

    question: Question
    namespace: Namespace


def main() -> int:
    options = arguments()
    console = Console(highlight=False)
    if options.ask is not None:  # the fresh process of the second part
        return ask_again(console, options)
    try:
        conversations = load(options.data)
    except (HippoError, OSError) as exc:
        Console(stderr=True).print(f"error: {exc}", style="red", markup=False)
        return 1
    if options.memory == FOLDER:
        shutil.rmtree(FOLDER, ignore_errors=True)  # the demo's own folder starts anew; another one is left as it is

    console.print(Rule(Text(f"Remember: {options.data}"), align="left"))
    with Memory(options.memory) as memory:
        write_times = remember(console, memory, conversations)

        what = f"Recall: {options.questions} of the file's own questions, drawn with seed {options.seed}"
        console.print(Rule(what, align="left"))
        asked = answerable(conversations)
        sample = random.Random(options.seed).sample(asked, min(options.questions, len(asked)))
        for entry in sample:
            recall = memory.recall(entry.question.text, k=K, namespace=entry.namespace)
            console.print(panel(entry.question, recall))
        recall_times = judge_all(console, memory, asked)

    if sample:
        console.print(Rule("Again, from disk, in another process", align="left"))
        console.file.flush()
        ask = [sys.executable, __file__, "--memory", str(options.memory), "--ask", sample[0].question.text]
        subprocess.run([*ask, *(f"--namespace={part}" for part in sample[0].namespace)], check=True)

    console.print(Rule("A map that it walked", align="left"))
    walk(console, options.memory)

    if options.night:
        console.print(Rule("A night of replay: answers from the weights, half a minute on one core", align="left"))
        console.file.flush()
        subprocess.run([sys.executable, str(Path(__file__).with_name("overnight.py"))], check=True)

    console.print(Rule("Figures of this run", align="left"))
    size = sum(file.stat().st_size for file in options.memory.rglob("*") if file.is_file())
    console.print(f"write, one at a time   p50 {1000 * statistics.median(write_times):6.1f} ms   embedding included")
    if recall_times:
        console.print(
            f"recall                 p50 {1000 * statistics.median(recall_times):6.1f} ms   embedding included"
        )
    console.print(f"folder                 {size / 1e6:.1f} MB in {str(options.memory)!r}")
    console.print(Rule("What to try next", align="left"))
    hippo = Path(sys.executable).with_name("hippo")
    shown = os.path.relpath(hippo) if hippo.exists() else "hippo"
    console.print(
        f'{shown} recall "your own question" -m {options.memory}\n{shown} stats -m {options.memory}\n'
        f"{shown} doctor -m {options.memory}\n{Path(sys.executable).name} examples/quickstart.py",
        markup=False,
    )
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", nargs="?", type=Path, default=EXAMPLE, help="a conversation file in the LoCoMo format")
    parser.add_argument("--memory", type=Path, default=FOLDER, help="folder of the memory (default: %(default)s)")
    parser.add_argument("--questions", type=int, default=5, help="how many to show (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--night", action=argparse.BooleanOptionalAction, default=True, help="learn overnight, too")
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    parser.add_argument("--namespace", action="append", default=[], help=argparse.SUPPRESS)
    return parser.parse_args()


def remember(console: Console, memory: Memory, conversations: list[Conversation]) -> list[float]:
    """Writes every turn; the seconds that each single write took."""
    events = [
        event
        for conversation in conversations
        for event in conversation.events(namespace=namespace_of(conversation, conversations), source="user")
    ]
    many, single = events[:-SINGLE_WRITES], events[-SINGLE_WRITES:]
    began = time.perf_counter()
    with bar(console, "writing turns", len(events)) as (report, step):
        receipts = memory.write_many(many, progress=report)
        times = []
        for event in single:
            start = time.perf_counter()
            receipts.append(memory.write(event))
            times.append(time.perf_counter() - start)
            step()
    took = time.perf_counter() - began
    decisions = {
        name: sum(r.decision == name for r in receipts) for name in ("write", "merge", "defer", "skip", "duplicate")
    }
    said = ", ".join(f"{count} {name}" for name, count in decisions.items() if count)
    console.print(f"{len(events)} turns of {len(conversations)} conversation(s) in {took:.1f} s: {said}")
    return times


def judge_all(console: Console, memory: Memory, asked: list[Asked]) -> list[float]:
    """Asks every question that has an answer; the seconds that each recall took."""
    times, found = [], 0
    with bar(console, "asking all questions", len(asked)) as (_, step):
        for entry in asked:
            start = time.perf_counter()
            recall = memory.recall(entry.question.text, k=K, namespace=entry.namespace)
            times.append(time.perf_counter() - start)
            found += bool(gold(entry.question, recall))
            step()
    if asked:
        console.print(
            f"All {len(asked)} questions of the file that have an answer: a turn with it is among the first {K} traces "
            f"for {found} of them ({found / len(asked):.0%})."
        )
    return times


WALK = (
    ("Hall\nA cold hall with a clock.", None),
    ("Kitchen\nA stove and copper pans.", "north"),
    ("Pantry\nShelves of jars.", "east"),
    ("Kitchen\nA stove and copper pans.", "west"),
    ("Stairs\nWorn wooden stairs.", "up"),
    ("Attic\nDusty boxes under the roof.", "up"),
)


def walk(console: Console, folder: Path) -> None:
    """Walks through a house once, and plans a way in it that was never walked in one piece."""
    with Memory(folder, namespace="house") as memory:
        for seen, action in WALK:
            memory.places.observe(seen, action=action)
        memory.write("The ladder is behind the boxes.", source="user")
    with Memory(folder, namespace="house") as memory:  # another day
        hall, attic = (memory.places.named(name)[0].id for name in ("Hall", "Attic"))
        plan = memory.places.plan(attic, start=hall)
        console.print(
            f"{len(memory.places.map)} places. Hall to attic: {', '.join(step.action for step in plan.steps)}"
        )
        here = memory.recall_here("ladder", place=attic, k=1)
        console.print(f"Remembered in the attic: {here.traces[0].text}", markup=False)


def ask_again(console: Console, options: argparse.Namespace) -> int:
    with Memory(options.memory, namespace=tuple(options.namespace)) as memory:
        start = time.perf_counter()
        recall = memory.recall(options.ask, k=1)
        took = time.perf_counter() - start
    console.print(
        f"process {os.getpid()} opened {str(options.memory)!r} and recalled in {took:.2f} s, model loading included:"
    )
    console.print(recall.render(), markup=False)
    return 0


def answerable(conversations: list[Conversation]) -> list[Asked]:
    return [
        Asked(question, namespace_of(conversation, conversations))
        for conversation in conversations
        for question in conversation.questions
        if question.evidence and question.category != ADVERSARIAL
    ]


def namespace_of(conversation: Conversation, conversations: list[Conversation]) -> Namespace:
    """One conversation lives in the root; several have a namespace each."""
    return () if len(conversations) == 1 else (conversation.id,)


def gold(question: Question, recall: Recall) -> set[str]:
    """Ids of the recalled turns that hold the answer, as the file says."""
    return {str(trace.meta.get("turn")) for trace in recall.traces} & set(question.evidence)


def panel(question: Question, recall: Recall) -> Panel:
    """The question and the file's answer, then per trace: check mark, score, time, speaker, text and its reasons."""
    right = gold(question, recall)
    table = Table.grid(padding=(0, 1))
    for hit in recall.hits:
        trace = hit.trace
        mark = "✓" if trace.meta.get("turn") in right else ""
        text = Text.assemble((f"{trace.event_time:%Y-%m-%d} {trace.speaker}: ", "cyan"), trace.text)
        reasons = ", ".join(f"{name} {share:+.2f}" for name, share in hit.reasons.items() if abs(share) >= 0.005)
        table.add_row(Text(mark, style="bold green"), Text(f"{hit.score:.2f}", style="bold"), text)
        table.add_row("", "", Text(f"because: {reasons}", style="dim"))
    return Panel(
        Group(Text(f"answer in the file: {question.answer}", style="italic"), table),
        title=Text(question.text, style="bold"),
        subtitle="a turn with the answer came back" if right else f"no turn with the answer among the first {K}",
        border_style="green" if right else "yellow",
        title_align="left",
        subtitle_align="left",
    )


@contextmanager
def bar(console: Console, what: str, total: int) -> Iterator[tuple[Callable[[int, int], None], Callable[[], None]]]:
    """A progress bar on a terminal, silence elsewhere: gives report(done, total) and step()."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield (lambda done, _: progress.update(task, completed=done), lambda: progress.advance(task))


if __name__ == "__main__":
    sys.exit(main())
