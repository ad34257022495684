"""What `HippoMemory` adds to a turn of an agent: python -m langchain_hippo.bench [--traces 10000] [--turns 300]

The same scripted agent runs every turn without the middleware and with it. A turn is one user message and one answer,
so with the middleware it is one recall and one write of both. Vectors cost nothing here: embedding is not measured.
Times are those of the clock and, less dependent on what else runs on the machine, of the processor.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from itertools import count, cycle
from statistics import median, quantiles
from typing import Any

import numpy as np
from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from numpy.typing import NDArray

from hippo_agent import Memory
from hippo_agent.evaluation.synthetic import Babble, unit_vectors
from langchain_hippo.middleware import HippoMemory

__all__ = ["main", "measure"]

_WARM = 20  # turns before the clock starts


class _Instant:
    """Vectors that cost nothing."""

    id = "instant"
    dim = 384

    def __init__(self, seed: int) -> None:
        self._vectors = cycle(unit_vectors(4096, self.dim, seed=seed))

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[n, 384] float32, unrelated to the texts."""
        rows = [next(self._vectors) for _ in texts]
        return np.stack(rows) if rows else np.empty((0, self.dim), np.float32)


def measure(*, traces: int, turns: int, seed: int = 0) -> dict[str, float]:
    """Milliseconds a turn takes without and with the middleware, and their difference turn by turn."""
    babble = Babble(seed)
    with tempfile.TemporaryDirectory() as folder, Memory(folder, embedder=_Instant(seed)) as memory:
        memory.write_many(babble.events(traces))

        def agent(*middleware: HippoMemory) -> Any:
            lines = (AIMessage(babble.event().text) for _ in count())
            return create_agent(GenericFakeChatModel(messages=lines), middleware=middleware)

        plain, ours = agent(), agent(HippoMemory(memory))
        times: dict[str, list[float]] = {name: [] for name in ("plain", "hippo", "plain_cpu", "hippo_cpu")}
        for _ in range(_WARM + turns):
            said = {"messages": [HumanMessage(babble.question())]}
            for name, runner in (("plain", plain), ("hippo", ours)):
                begin, busy = time.perf_counter(), time.process_time()
                runner.invoke(said)
                times[f"{name}_cpu"].append(1000 * (time.process_time() - busy))
                times[name].append(1000 * (time.perf_counter() - begin))
    found: dict[str, float] = {"traces": traces, "turns": turns}
    for kind in ("", "_cpu"):
        plain_times, hippo_times = times[f"plain{kind}"][_WARM:], times[f"hippo{kind}"][_WARM:]
        added = [mine - theirs for mine, theirs in zip(hippo_times, plain_times, strict=True)]
        found |= _figures(f"plain{kind}", plain_times) | _figures(f"added{kind}", added)
    return found


def _figures(name: str, values: Sequence[float]) -> dict[str, float]:
    return {f"{name}_p50_ms": median(values), f"{name}_p95_ms": quantiles(values, n=20, method="inclusive")[-1]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name, value in measure(traces=given.traces, turns=given.turns, seed=given.seed).items():
        print(f"{name:17} {value:10.2f}" if isinstance(value, float) else f"{name:17} {value:7d}")


if __name__ == "__main__":
    main()
