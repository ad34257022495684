"""A process that walks, writes and judges a macro until it is killed: `python mapper.py FOLDER`.

The walk goes round a square of rooms; each observation, each note written there and each report of a macro is told in
one line after it was acknowledged.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hippo_agent import HashingEmbedder, Memory

WAYS = ("north", "east", "south", "west")


def room(number: int) -> str:
    """What is seen after so many steps."""
    corner = number % 4
    return f"Corner {corner}\nThe walls of corner {corner} are of colour number {corner * 7 + 1}, and it smells."


def macro(memory: Memory) -> str:
    """Teach a habit of two actions that three successful episodes share."""
    for start in (0, 1, 0, 1):
        memory.places.observe(room(start))
        memory.places.observe("You open the box.", action="open box")
        memory.places.observe("You take the coin.", action="take coin")
        memory.places.finish(True)
    memory.places.consolidate()
    return memory.places.macros[0].id


def main(folder: Path) -> None:
    with Memory(folder, embedder=HashingEmbedder(quiet=True)) as memory:
        known = memory.places.macros
        habit = known[0].id if known else macro(memory)
        places = memory.places
        print(f"open {len(list(places.journal()))} {places.macros[0].uses}", flush=True)
        number = 0
        places.observe(room(0))
        print("seen", flush=True)
        while True:
            places.observe(room(number + 1), action=WAYS[number % 4])
            print("seen", flush=True)
            number += 1
            receipt = memory.write(f"Note {number} of {folder.name} {places.current}.", source="user", pin=True)
            print(f"wrote {receipt.id} {places.current}", flush=True)
            if number % 5 == 0:
                places.run_macro(habit)
                while (action := places.next_step()) is not None:
                    places.observe("Done.", action=action)
                    print("seen", flush=True)
                    places.report_step(ok=True)
                print("judged", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
