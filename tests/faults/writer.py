"""A process that writes until it is killed, one line per acknowledged step: `python writer.py FOLDER NAME COUNT`.

Of every five steps three write a trace, the fourth merges into the third trace and the fifth forgets the second.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hippo_agent.storage.record import SqliteRecord
from hippo_agent.testing.fakes import EPOCH, new_trace


def expected(name: str, steps: int) -> dict[str, int]:
    """Which traces there are after so many steps, and how often each was merged into."""
    live = {f"{name}-{number}": 0 for number in range(steps) if number % 5 < 3}
    live.update({f"{name}-{number - 1}": 1 for number in range(steps) if number % 5 == 3})
    for number in range(4, steps, 5):
        del live[f"{name}-{number - 3}"]
    return live


def main(folder: Path, name: str, count: int) -> None:
    with SqliteRecord(folder) as record:
        print("open", flush=True)
        for number in range(count):
            if number % 5 == 4:
                victim = f"{name}-{number - 3}"
                record.delete([victim], reason="test")
                print("forgot", flush=True)
            elif number % 5 == 3:
                event = new_trace("-", f"{name} {number} again").event
                record.merge(f"{name}-{number - 1}", event, write_time=EPOCH)
                print("merged", flush=True)
            else:
                trace_id = f"{name}-{number}"
                new = new_trace(
                    trace_id, f"{name} wrote number {number} " + "and some more words " * 10, dim=64, key=trace_id
                )
                record.append([new], counters={"written": 1})
                print("wrote", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
