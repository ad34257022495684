"""Random operations on several banks in turn, each with words of its own: `python banks.py BANKS OPERATIONS [SEED]`.

Prints one JSON line. No bank may ever give back, name in an error, or hold in its files a word of another one.
"""

from __future__ import annotations

import json
import logging
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hippo_agent import HashingEmbedder, Memory
from hippo_agent.errors import HippoError
from hippo_agent.storage.items import ItemWrite

NAMES = ("Ada", "Bo", "Ines", "Teo")  # shared by all: entities of the same name


class Bank:
    """One bank under test and what was put into it."""

    def __init__(self, folder: Path, number: int) -> None:
        self.canary = f"canary{number:03d}zq"
        self.folder = folder / f"bank-{number}"
        self.memory = Memory(self.folder, embedder=HashingEmbedder(quiet=True))
        self.ids: list[str] = []
        self.count = 0

    def step(self, chance: random.Random) -> str:
        """One operation; everything that it gave back, as text."""
        memory, what = self.memory, chance.choice(OPERATIONS)
        who = chance.choice(NAMES)
        if what == "write":
            self.count += 1
            receipt = memory.write(
                f"{who} put {self.canary} number {self.count} into the shed.", source=chance.choice(("user", "web"))
            )
            if receipt.id is not None:
                self.ids.append(receipt.id)
            return repr(receipt)
        if what == "recall":
            return repr(memory.recall(f"what did {who} put into the shed? canary", k=20).hits)
        if what == "facts":
            return repr(memory.facts.search(f"{who} shed"))
        if what == "observe":
            memory.places.observe(f"A shed with {self.canary} in it.", action="north")
            return repr(memory.places.current)
        if what == "item":
            memory.items.write([ItemWrite(namespace=("shed",), key=who, value={"holds": self.canary})])
            return repr(memory.items.get(("shed",), chance.choice(NAMES)))
        if what == "get":
            return repr(memory.get(chance.choice(self.ids or ["nobody"])))
        if what == "forget" and self.ids:
            gone = memory.forget(trace_id=self.ids.pop(chance.randrange(len(self.ids))), purge=False)
            return repr(gone)
        if what == "foreign":  # an id of another bank, or a path
            return repr(memory.get(chance.choice((*FOREIGN, "../bank-0", f"{self.folder.parent}/bank-1"))))
        if what == "reopen":
            memory.close()
            self.memory = Memory(self.folder, embedder=HashingEmbedder(quiet=True))
        return repr(self.memory.stats())


OPERATIONS = (*["write"] * 6, *["recall"] * 4, *["get"] * 2, "facts", "observe", "item", "forget", "foreign", "reopen")
FOREIGN: list[str] = []


def run(banks: int, operations: int, seed: int, folder: Path) -> dict[str, Any]:
    """Do it; what was read across banks is counted."""
    logged: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(record.getMessage())

    logging.getLogger("hippo_agent").addHandler(Keep())
    chance = random.Random(seed)
    under = [Bank(folder, number) for number in range(banks)]
    leaks = errors = 0
    start = time.perf_counter()
    for at in range(operations * banks):
        bank = under[at % banks]
        del logged[:]
        try:
            said = bank.step(chance)
        except HippoError as error:
            said, errors = repr(error), errors + 1
        FOREIGN[:] = [one for other in under if other is not bank for one in other.ids[-1:]]
        others = [other.canary for other in under if other is not bank]
        leaks += any(canary in text for canary in others for text in (said, *logged))
    for bank in under:
        assert bank.memory.verify().clean
        bank.memory.close()
    for bank in under:
        content = b"".join(path.read_bytes() for path in bank.folder.rglob("*") if path.is_file())
        leaks += sum(other.canary.encode() in content for other in under if other is not bank)
    return {
        "banks": banks,
        "operations": operations * banks,
        "typed_errors": errors,
        "cross_bank_reads": leaks,
        "seconds": round(time.perf_counter() - start, 1),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="hippo-banks-") as scratch:
        count, each, *rest = map(int, sys.argv[1:])
        print(json.dumps(run(count, each, rest[0] if rest else 0, Path(scratch))))
