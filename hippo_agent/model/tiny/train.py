"""Trains hippo-tiny: ``python -m hippo_agent.model.tiny.train FOLDER --text BOOKS``.

The batch of a step follows from the seed and the step alone, and every checkpoint holds the optimiser, so that a
training that was stopped goes on where it was: give the same folder again.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from hippo_agent.errors import ConfigError
from hippo_agent.model.tiny.batches import Batch, batch, books, read_books
from hippo_agent.model.tiny.config import Recipe
from hippo_agent.model.tiny.documents import document
from hippo_agent.model.tiny.exam import examine
from hippo_agent.model.tiny.tokens import build
from hippo_agent.progress import Progress, reporter

__all__ = ["main", "train"]

_log = logging.getLogger(__name__)
_SAVE_SECONDS = 120.0
_WATCHED = ("1 fact", "4 facts", "8 facts", "16 facts", "no context", "fact missing, of 4")


@dataclass(slots=True)
class _Run:
    """A training under way."""

    recipe: Recipe
    folder: Path
    tokenizer: Any
    model: Any
    optimizers: list[torch.optim.Optimizer]
    step: int = 0
    seconds: float = 0.0


def train(
    folder: str | Path,
    recipe: Recipe | None = None,
    *,
    text: str | Path | None = None,
    device: str = "cpu",
    minutes: float | None = None,
    compiled: bool = False,
    examined: int = 0,
    progress: Progress = None,
) -> Path:
    """The folder of the trained model (float16 safetensors, tokenizer). Goes on with a training found in ``folder``.

    ``minutes`` stops early, with a checkpoint; ``examined`` is how often to examine on the validation names.
    """
    recipe = recipe or Recipe()
    folder = Path(folder)
    texts = Path(text) if text is not None else None
    run = _start(recipe, folder, texts, torch.device(device))
    pages = books(run.tokenizer, texts)
    forward = torch.compile(run.model.model) if compiled else run.model.model
    started = saved = time.monotonic()
    before = run.seconds
    with reporter(progress, recipe.steps, "training hippo-tiny") as told:
        while run.step < recipe.steps and (minutes is None or time.monotonic() - started < 60 * minutes):
            drawn = batch(
                run.tokenizer, recipe.seed, run.step, run.step / recipe.steps,
                rows=max(1, recipe.tokens // recipe.length), length=recipe.length, texts=pages,
            )  # fmt: skip
            loss = _step(run, forward, drawn)
            run.step += 1
            run.seconds = before + time.monotonic() - started
            if run.step % 50 == 0:
                _log.info("step %d, %.0f s, loss %.3f", run.step, run.seconds, float(loss))
            if examined and run.step % examined == 0:
                found = examine(run.model, run.tokenizer, count=100, split="validation", only=_WATCHED)
                _log.info("step %d, %.0f s, %s", run.step, run.seconds, found)
            if time.monotonic() - saved > _SAVE_SECONDS:
                _save(run)
                saved = time.monotonic()
            told(run.step)
    _save(run)
    return _export(run)


def _start(recipe: Recipe, folder: Path, texts: Path | None, device: torch.device) -> _Run:
    """A new training, or the one in the folder."""
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "tokenizer.json").exists():
        _vocabulary(recipe, texts).save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    torch.manual_seed(recipe.seed)
    model = LlamaForCausalLM(recipe.llama(tokenizer.pad_token_id, tokenizer.eos_token_id)).to(device)
    run = _Run(recipe, folder, tokenizer, model, _optimizers(model, recipe))
    if (folder / "state.json").exists():
        _resume(run)
    return run


def _vocabulary(recipe: Recipe, texts: Path | None) -> Any:
    """A vocabulary learned from documents of the recipe and the books."""
    rng = random.Random(f"{recipe.seed}:vocabulary")
    own = ["".join(piece.text for piece in document(rng, 0.5)).replace("<|end|>", "\n") for _ in range(6000)]
    return build([*own, *(text[:60_000] for text in read_books(texts))], size=recipe.vocabulary, context=recipe.context)


def _optimizers(model: Any, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, AdamW for embeddings and norms."""
    if not hasattr(torch.optim, "Muon"):
        raise ConfigError(f"torch {torch.__version__!r} has no Muon: training needs torch 2.9 or newer")
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    rest = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        torch.optim.Muon(matrices, lr=recipe.rate, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=recipe.rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def _step(run: _Run, forward: Any, drawn: Batch) -> torch.Tensor:
    """One step of the optimisers; the mean loss of what is weighted."""
    device = run.model.device
    ids, weights, positions, blocks, documents = (
        torch.from_numpy(array).to(device)
        for array in (drawn.ids, drawn.weights, drawn.positions, drawn.blocks, drawn.documents)
    )
    mask = sight(documents, blocks)
    for optimizer in run.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = run.recipe.learning_rate(run.step)
    with torch.autocast(device.type, torch.bfloat16):
        hidden = forward(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).last_hidden_state[
            :, :-1
        ]
        targets, weights = ids[:, 1:], weights[:, 1:]
        kept = weights > 0
        logits = run.model.lm_head(hidden[kept])
    losses = torch.nn.functional.cross_entropy(logits.float(), targets[kept], reduction="none")
    loss = (losses * weights[kept]).sum() / weights.sum()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    for optimizer in run.optimizers:
        optimizer.step()
        optimizer.zero_grad()
    return loss.detach()


def sight(documents: torch.Tensor, blocks: torch.Tensor) -> torch.Tensor:
    """[rows, 1, length, length]: true where a token (row) may read another (column); padding reads itself."""
    length = documents.shape[1]
    order = torch.arange(length, device=documents.device)
    past = order[:, None] >= order[None, :]
    same = documents[:, :, None] == documents[:, None, :]
    block = (blocks[:, :, None] == 0) | (blocks[:, :, None] == blocks[:, None, :])
    return (past & same & block)[:, None]


def _save(run: _Run) -> None:
    """A checkpoint: tensors first, then the small file that names them, each put in place at once."""
    tensors = {
        f"model.{name}": value.contiguous() for name, value in run.model.state_dict().items() if "lm_head" not in name
    }
    for number, optimizer in enumerate(run.optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"optimizer.{number}.{index}.{key}"] = torch.as_tensor(value).contiguous()
    name = f"state-{run.step}.safetensors"
    save_file(tensors, run.folder / "state.part")
    (run.folder / "state.part").replace(run.folder / name)
    state = {"step": run.step, "seconds": run.seconds, "tensors": name, "recipe": run.recipe.model_dump(mode="json")}
    (run.folder / "state.json.part").write_text(json.dumps(state, indent=1))
    (run.folder / "state.json.part").replace(run.folder / "state.json")
    for old in run.folder.glob("state-*.safetensors"):
        if old.name != name:
            old.unlink()


def _resume(run: _Run) -> None:
    state = json.loads((run.folder / "state.json").read_text())
    theirs = Recipe.model_validate(state["recipe"])
    changed = {"steps", "tokens", "length", "rate", "warmup", "hold", "floor"}  # may change on the way
    if theirs.model_dump(exclude=changed) != run.recipe.model_dump(exclude=changed):
        raise ConfigError(f"{str(run.folder)!r} holds a training of another recipe: name another folder, or delete it")
    tensors = load_file(run.folder / state["tensors"])
    own = {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}
    run.model.load_state_dict({**own, "lm_head.weight": own["model.embed_tokens.weight"]})
    for number, optimizer in enumerate(run.optimizers):
        described = optimizer.state_dict()
        states: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith(f"optimizer.{number}."):
                _, _, index, key = name.split(".", 3)
                states.setdefault(int(index), {})[key] = value
        optimizer.load_state_dict({**described, "state": states})
    run.step, run.seconds = state["step"], state["seconds"]


def _export(run: _Run) -> Path:
    """The model as transformers reads it, in float16."""
    from transformers import LlamaForCausalLM

    folder = run.folder / "model"
    half = LlamaForCausalLM(run.model.config).to(torch.float16)
    half.load_state_dict({name: value.half() for name, value in run.model.state_dict().items()})
    half.generation_config.eos_token_id = run.tokenizer.eos_token_id
    half.generation_config.pad_token_id = run.tokenizer.pad_token_id
    half.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    run.tokenizer.save_pretrained(folder)
    described = json.loads((folder / "tokenizer_config.json").read_text())
    described = {
        name: value for name, value in described.items() if name not in ("is_local", "local_files_only", "backend")
    }
    described["tokenizer_class"] = "PreTrainedTokenizerFast"
    (folder / "tokenizer_config.json").write_text(json.dumps(described, indent=2) + "\n")
    return folder


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train hippo-tiny, or go on with a training that was stopped.")
    parser.add_argument("folder", type=Path, help="where checkpoints go, and at last model/")
    parser.add_argument("--text", type=Path, help="folder of public-domain .txt files to learn English from")
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, help="stop after this time, with a checkpoint")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true", help="faster steps after a minute of compiling")
    parser.add_argument("--examine", type=int, default=500, help="examine after so many steps; 0: never")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(given.threads)
    recipe = Recipe(steps=given.steps, seed=given.seed)
    made = train(
        given.folder, recipe, text=given.text, device=given.device, minutes=given.minutes,
        compiled=given.compile, examined=given.examine,
    )  # fmt: skip
    _log.info("%s", made)


if __name__ == "__main__":
    main()
