"""`hippo eval` and `hippo bench`: figures that others can get again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hippo_agent.cli.model import DeviceOption, ModelOption, local_model
from hippo_agent.cli.options import STDIN, EmbedderOption, JsonOption, embedder_named
from hippo_agent.cli.output import console, emit, ticking

MODEL_SUITES = ("reader", "lm")
ABLATION_STEPS = 300
TABLE_WIDTH = 120  # below it, figures would lose their digits

if TYPE_CHECKING:
    from rich.table import Table

    from hippo_agent import Memory
    from hippo_agent.embedding.base import Embedder
    from hippo_agent.evaluation.report import Report
    from hippo_agent.model.local import LocalModel

Tick = Callable[[int, int], None]


def evaluate(
    suite: Annotated[
        str,
        typer.Argument(
            help="What to measure: locomo, lures, gate, multihop, conflicts, fast-lane, poisoning, reader, lm, ..."
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", "--file", help="The data; lures, conflicts, fast-lane, textworld, minigrid, reader need none."
        ),
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(help="multihop: the passages, when the data has none. extraction: documents of Re-DocRED."),
    ] = None,
    triples: Annotated[
        Path | None, typer.Option(help="multihop: somebody's OpenIE results, in place of our extraction.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="A sample of so many questions, drawn with the seed.")] = None,
    seed: Annotated[int, typer.Option(help="Of the sample, and of what the suite makes up.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--json", help="Write the report here, a row per question beside it; - prints the report."),
    ] = None,
    system: Annotated[
        list[str] | None, typer.Option("--system", help="Only this system; may be repeated. Default: all.")
    ] = None,
    embedder: EmbedderOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    condition: Annotated[
        list[str] | None, typer.Option(help="reader: only this condition; may be repeated.", rich_help_panel="Model")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="reader: means over so many seeds, from --seed on.", rich_help_panel="Model")
    ] = 1,
    ablate: Annotated[
        bool,
        typer.Option(
            "--ablate", help="reader, consolidation: also without each of its parts.", rich_help_panel="Model"
        ),
    ] = False,
    facts: Annotated[
        int, typer.Option(min=1, help="consolidation: items taught each night.", rich_help_panel="Model")
    ] = 50,
    nights: Annotated[int, typer.Option(min=1, help="consolidation: how many.", rich_help_panel="Model")] = 1,
    each: Annotated[int, typer.Option(min=1, help="consolidation: facts about one name.", rich_help_panel="Model")] = 1,
    steps: Annotated[
        int, typer.Option(min=1, help="reader --ablate: of each training.", rich_help_panel="Model")
    ] = ABLATION_STEPS,
) -> None:
    """Measure recall on a data file, beside baselines on the same data; or a local model (reader, lm).

    Example: hippo eval locomo --data examples/data/mira_and_teo.json --json report.json
    """
    from hippo_agent.evaluation.runner import run_suite

    if ablate and suite not in ("reader", "consolidation"):
        raise typer.BadParameter("--ablate is of the suites reader and consolidation")
    if suite == "consolidation":
        _show(_nights(data, facts, nights, each, local_model(model, device), system, ablate, seed), out)
        return
    if suite == "poisoning":
        _show(_poisoning(data, embedder, limit, seed), out)
        return
    with ticking(suite) as tick:
        if suite in MODEL_SUITES:
            local, trained = local_model(model, device), steps if ablate else None
            report = _measure_model(suite, data, local, embedder, limit, seed, seeds, system, condition, trained, tick)
        else:
            report = run_suite(
                suite,
                data,
                open_memory=_open_memory,
                embedder=embedder_named(embedder),
                limit=limit,
                seed=seed,
                systems=system,
                tick=tick,
                files={name: path for name, path in (("corpus", corpus), ("triples", triples)) if path is not None},
            )
    _show(report, out)


def _show(report: Report, out: Path | None) -> None:
    if out is not None and str(out) == STDIN:
        emit(report.as_dict())
        return
    _print_wide(report.table())
    if out is not None:
        rows = report.write(out)
        typer.echo(f"report: {out}; questions: {rows}")


def _measure_model(
    suite: str,
    data: Path | None,
    local: LocalModel,
    embedder: str | None,
    limit: int | None,
    seed: int,
    seeds: int,
    systems: list[str] | None,
    conditions: list[str] | None,
    ablated: int | None,
    tick: Tick,
) -> Report:
    from hippo_agent.evaluation.ablation import run_ablation
    from hippo_agent.evaluation.models import run_model_suite

    scores = embedder_named(embedder)
    if ablated is not None:
        return run_ablation(local, embedder=scores, steps=ablated, limit=limit, seed=seed, tick=tick)
    return run_model_suite(
        suite,
        data,
        model=local,
        embedder=scores,
        limit=limit,
        seed=seed,
        seeds=seeds,
        systems=systems,
        conditions=conditions,
        tick=tick,
    )


def _nights(
    file: Path | None,
    facts: int,
    nights: int,
    each: int,
    model: LocalModel,
    systems: list[str] | None,
    ablate: bool,
    seed: int,
) -> Report:
    from hippo_agent.consolidation.night import Base
    from hippo_agent.evaluation.suites.consolidation import run_consolidation
    from hippo_agent.progress import stages

    with stages(None) as tick:
        return run_consolidation(
            Base(model.model, model.tokenizer, model.fingerprint),
            model=model.id,
            facts=facts,
            nights=nights,
            each=each,
            file=file,
            systems=systems,
            ablate=ablate,
            seed=seed,
            tick=tick,
        )


def _poisoning(data: Path | None, embedder: str | None, limit: int | None, seed: int) -> Report:
    from hippo_agent import Config, Memory
    from hippo_agent.evaluation.suites.poisoning import run_poisoning
    from hippo_agent.trust.config import TrustConfig

    def open_bank(folder: Path, *, embedder: Embedder, screened: bool, clock: Callable[[], datetime]) -> Memory:
        trust = TrustConfig() if screened else TrustConfig(secrets="keep", instructions=False, anomalies=False)
        return Memory(folder, embedder=embedder, clock=clock, config=Config(trust=trust))

    with ticking("poisoning") as tick:
        return run_poisoning(
            data, open_bank=open_bank, embedder=embedder_named(embedder), limit=limit, seed=seed, tick=tick
        )


def _open_memory(folder: Path, *, embedder: Embedder, write_rate: float | None) -> Memory:
    from hippo_agent import Config, GateConfig, Memory

    budget = write_rate if write_rate is not None and write_rate < 1.0 else None
    return Memory(
        folder, embedder=embedder, config=Config(gate=GateConfig(enabled=write_rate is not None, budget=budget))
    )


class Bench(str, Enum):
    """What `hippo bench` times."""

    MEMORY = "memory"  # writes and recalls
    PLAN = "plan"  # routes on a map
    STREAM = "stream"  # observations of a long walk


def bench(
    what: Annotated[Bench, typer.Argument(help="What to time: routes on a map, a long walk, ...")] = Bench.MEMORY,
    size: Annotated[
        list[int] | None,
        typer.Option("--size", min=1, help="Traces, places or observations; may be repeated. Default: 1k, 10k, 100k."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=2, help="Timed calls of each kind at each size.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the invented traces.")] = 0,
    embedder: EmbedderOption = None,
    json_: JsonOption = False,
) -> None:
    """Measure speed as a ratio to the floor: bare SQLite, bare exact search, bare scipy.

    Example: hippo bench --size 1000 --size 10000

    On a map: hippo bench plan --size 100000
    """
    from hippo_agent.evaluation.bench import SIZES, BenchReport, run_bench
    from hippo_agent.evaluation.bench_plan import SpatialReport, run_plan, run_stream

    report: BenchReport | SpatialReport
    with ticking("bench") as tick:
        if what is Bench.PLAN:
            report = run_plan(sizes=size or SIZES, repeats=repeats, seed=seed, tick=tick)
        elif what is Bench.STREAM:
            report = run_stream(observations=max(size or (100_000,)), seed=seed, tick=tick)
        else:
            report = run_bench(
                open_memory=_open_memory,
                embedder=embedder_named(embedder),
                sizes=size or SIZES,
                repeats=repeats,
                seed=seed,
                tick=tick,
            )
    if json_:
        emit(report.as_dict())
    else:
        _print_wide(report.table())


def _print_wide(table: Table) -> None:
    wide = console()
    wide.width = max(wide.width, TABLE_WIDTH)
    wide.print(table)
