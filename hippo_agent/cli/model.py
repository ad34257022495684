"""`hippo ask` and `hippo model`: questions to a local model, and the model itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hippo_agent.cli.options import (
    DEFAULT_FOLDER,
    EmbedderOption,
    FolderOption,
    JsonOption,
    NamespaceOption,
    embedder_named,
    opened,
)
from hippo_agent.cli.output import console, emit, fields, origin, safe
from hippo_agent.cli.traces import read_text

if TYPE_CHECKING:
    from hippo_agent.model.local import LocalModel

ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="A model's name or folder. Default: hippo-tiny.", rich_help_panel="Model"),
]
DeviceOption = Annotated[
    str | None, typer.Option(help="cpu, cuda, ...; default: a CUDA device if there is one.", rich_help_panel="Model")
]

app = typer.Typer(no_args_is_help=True, help="The local language model: what it is, and how it was made.")


def ask(
    question: Annotated[str, typer.Argument(help="What to ask; - reads it from stdin.")],
    memory: FolderOption = DEFAULT_FOLDER,
    namespace: NamespaceOption = None,
    embedder: EmbedderOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    reader: Annotated[str, typer.Option(help="auto, prefix, adapter or prompt.")] = "auto",
    k: Annotated[int, typer.Option("--k", "-k", help="Traces that the model reads.")] = 8,
    json_: JsonOption = False,
) -> None:
    """Let a local model answer from the memory; it names the traces that say so, or says that it does not know.

    Example: hippo ask "who has Ada's spare key?"
    """
    content = read_text(question)
    with opened(memory, namespace, embedder) as store:
        answer = store.ask(content, reader=reader, model=local_model(model, device), k=k)
        traces = [store.get(one) for one in answer.cited]
    if json_:
        emit(
            {
                "text": answer.text,
                "abstained": answer.abstained,
                "cited": answer.cited,
                "evidence": [{"id": one.id, "source": one.source, "text": one.text} for one in answer.evidence],
                "completed": dict(answer.completed),
                "reader": answer.reader,
                "model": answer.model,
                "prompt_tokens": answer.prompt_tokens,
                "seconds": answer.seconds,
            }
        )
        return
    console().print(safe(answer.text), markup=False, soft_wrap=True)
    for short, full in answer.completed:
        console().print(f"  {safe(short)} was read as {safe(full)}", style="dim", markup=False, soft_wrap=True)
    for trace in traces:
        console().print(f"  {trace.id}  {origin(trace)}", style="dim", markup=False, soft_wrap=True)
    for one in answer.evidence:
        if one.source == "spatial":
            console().print(f"  map  {safe(one.text)}", style="dim", markup=False, soft_wrap=True)


@app.command()
def info(model: ModelOption = None, device: DeviceOption = None, json_: JsonOption = False) -> None:
    """Load the model and say what it is.

    Example: hippo model info
    """
    found = (local_model(model, device)).describe()
    if json_:
        emit(found)
    else:
        console().print(fields(found, title=f"model {found['id']}"))


@app.command("train-tiny")
def train_tiny(
    folder: Annotated[Path, typer.Argument(help="Where checkpoints go, and at last model/.")],
    text: Annotated[Path | None, typer.Option(help="A folder of plain texts to learn English from.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps in all. Default: those of the recipe.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights and data.")] = 0,
    minutes: Annotated[float | None, typer.Option(help="Stop after this time, with a checkpoint.")] = None,
    device: DeviceOption = None,
) -> None:
    """Train hippo-tiny anew, or go on with a training that was stopped: give the same folder again.

    Example: hippo model train-tiny ./tiny --minutes 90
    """
    import torch

    from hippo_agent.model.tiny.config import Recipe
    from hippo_agent.model.tiny.train import train

    recipe = Recipe(seed=seed) if steps is None else Recipe(seed=seed, steps=steps)
    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    typer.echo(str(train(folder, recipe, text=text, minutes=minutes, device=where)))


@app.command("train-reader")
def train_reader(
    out: Annotated[Path, typer.Argument(help="The folder of the reader.")],
    model: ModelOption = None,
    embedder: EmbedderOption = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Default: those of the recipe.")] = None,
    seed: Annotated[int, typer.Option(help="Of lessons and weights.")] = 0,
    device: DeviceOption = None,
) -> None:
    """Train a reader of traces for a model, on invented facts. The model itself stays as it is.

    Example: hippo model train-reader ./reader --model Qwen/Qwen2.5-0.5B-Instruct
    """
    from hippo_agent.model.reader.training import ReaderTraining
    from hippo_agent.model.teaching import taught_reader

    base, scores = local_model(model, device), embedder_named(embedder)
    training = ReaderTraining(seed=seed) if steps is None else ReaderTraining(seed=seed, steps=steps)
    reader = taught_reader(base, scores, training=training)
    reader.save(out, about={"model": base.id, "embedder": scores.id, "training": training.model_dump(mode="json")})
    typer.echo(str(out))


def local_model(name: str | None, device: str | None) -> LocalModel:
    """The model that ``--model`` names; None: the tiny one in the package."""
    from hippo_agent.model.loading import HIPPO_TINY
    from hippo_agent.model.local import LocalModel

    return LocalModel(name or HIPPO_TINY, device=device)
