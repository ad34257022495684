"""Training of a LoRA on a night's renderings, with both protections: a guard to the base, and replay of earlier nights.

The guard is the KL divergence from the base on texts that have nothing to do with what is taught; it keeps language,
reading and saying "unknown", and does nothing for earlier nights. Replay of earlier nights does the opposite. What a
step trains on follows from the seed and its number alone, so a resumed training is the uninterrupted one.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hippo_agent.consolidation.config import TrainingConfig
from hippo_agent.consolidation.encode import Encoded, collate
from hippo_agent.consolidation.guarding import Guarding, GuardTexts
from hippo_agent.consolidation.lora import weights
from hippo_agent.errors import UntrustedReplay

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Lesson", "Lessons", "Teacher", "Trained", "rank_for", "steps_for", "threads", "train"]

_SMALL = 50_000_000  # parameters
_PER_VIEW = 4  # renderings of one item that share a batch


@dataclass(frozen=True, slots=True)
class Teacher:
    """ids int64[a, k] and their log-probabilities float32[a, k] at the a answer tokens."""

    ids: Tensor
    log_probs: Tensor


@dataclass(frozen=True, slots=True)
class Lesson:
    """One item's renderings. ``teachers[i]``: what the base that reads the trace says at each answer token, or None."""

    key: str
    texts: tuple[Encoded, ...]
    teachers: tuple[Teacher | None, ...]
    shares: tuple[float, ...]  # how often each text is drawn, relative to the others
    dose: float  # how often it is drawn, relative to others
    trusted: bool  # passed every filter of the selection


@dataclass(frozen=True, slots=True)
class Lessons:
    """What is trained on: tonight's items, those of earlier nights, and the guard's texts."""

    tonight: Sequence[Lesson]
    earlier: Sequence[Lesson] = ()
    guard: GuardTexts = field(default_factory=GuardTexts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """How a training went. ``losses`` holds the mean of each tenth of the steps."""

    steps: int
    wanted: int
    seconds: float
    cpu_seconds: float
    tokens: int
    losses: tuple[float, ...] = field(default=())

    @property
    def complete(self) -> bool:
        return self.steps == self.wanted


def rank_for(items: int) -> int:
    """16 up to 400 items, 32 beyond."""
    return 16 if items <= 400 else 32


def steps_for(items: int) -> int:
    """230 steps for fifty items, growing with the root of their number, and two and a half an item from 200 on."""
    return max(120, round(230 * math.sqrt(items / 50)), round(2.5 * items))


def train(
    model: Any,
    lessons: Lessons,
    *,
    config: TrainingConfig,
    pad: int,
    draft: Path | None = None,
    tick: Callable[[int, int], None] | None = None,
) -> Trained:
    """Train the LoRA of a `PeftModel` in place; its averaged weights are in it at the end.

    Args:
        draft: where checkpoints go; a training of the same lessons and settings that stopped there is taken up again.
        tick: told the steps done and wanted.

    Raises:
        UntrustedReplay: a lesson that did not pass the selection is among them; nothing was trained.
    """
    everything = [*lessons.tonight, *lessons.earlier]
    if smuggled := [lesson.key for lesson in everything if not lesson.trusted]:
        what = f"{len(smuggled)} items did not pass the selection ({smuggled[0]!r})"
        raise UntrustedReplay(f"{what}; nothing was trained")
    with threads(model, config), _plain_attention(model):
        return _train(model, lessons, config, pad, draft, tick)


def _train(
    model: Any,
    lessons: Lessons,
    config: TrainingConfig,
    pad: int,
    draft: Path | None,
    tick: Callable[[int, int], None] | None,
) -> Trained:
    import torch
    from accelerate import Accelerator

    wanted = config.steps or steps_for(len(lessons.tonight) + len(lessons.earlier))
    device = next(model.parameters()).device.type
    half = config.half and (device == "cuda" or _has_bf16())
    accelerator = Accelerator(cpu=device == "cpu", mixed_precision="no")  # its precision is one for the whole process
    parameters = weights(model)
    optimizer = torch.optim.AdamW(parameters.values(), lr=config.learning_rate, weight_decay=0.0, betas=(0.9, 0.95))
    average = {name: tensor.detach().clone() for name, tensor in parameters.items()}
    model, optimizer = accelerator.prepare(model, optimizer)
    started, cpu = time.perf_counter(), time.process_time()
    guard = Guarding(model, lessons.guard, config, pad, half=half)
    state = _State(parameters, average, optimizer, draft, _print(lessons, config, wanted))
    first = state.restore()
    losses: list[float] = []
    tokens = 0
    done = first
    model.train()
    for step in range(first, wanted):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(step, wanted, config.warm_up)
        batch = draw(lessons, step, config)
        batch = batch[accelerator.process_index :: accelerator.num_processes]
        with torch.autocast(device, torch.bfloat16, enabled=half):
            loss = _taught(model, batch, pad, config)
            if guard:
                loss = loss + guard.divergence(model, step)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(list(parameters.values()), config.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            decay = min(config.average, (step + 1) / (step + 10))
            for name, tensor in parameters.items():
                average[name].lerp_(tensor, 1.0 - decay)
        losses.append(float(loss.detach()))
        tokens += sum(len(text.ids) for text, _ in batch)
        done = step + 1
        if done % config.checkpoint == 0 and done < wanted:
            state.save(done)
        if tick is not None:
            tick(done, wanted)
        if config.minutes is not None and time.perf_counter() - started > 60 * config.minutes:
            break
    with torch.no_grad():
        for name, tensor in parameters.items():
            tensor.copy_(average[name])
    model.eval()
    tenth = max(1, math.ceil(len(losses) / 10))
    return Trained(
        steps=done,
        wanted=wanted,
        seconds=time.perf_counter() - started,
        cpu_seconds=time.process_time() - cpu,
        tokens=tokens,
        losses=tuple(
            sum(losses[at : at + tenth]) / len(losses[at : at + tenth]) for at in range(0, len(losses), tenth)
        ),
    )


@contextmanager
def threads(model: Any, config: TrainingConfig) -> Iterator[None]:
    """So many threads of the CPU inside as the settings say, or as suit the size of the model."""
    import torch

    before = torch.get_num_threads()
    count = config.threads or (1 if model.num_parameters() < _SMALL else before)
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _plain_attention(model: Any) -> Iterator[None]:
    """On a CPU, where the backward pass of fused attention over short texts costs more than it saves, eager inside."""
    core = model.get_base_model()
    before = core.config._attn_implementation
    if next(core.parameters()).device.type != "cpu" or before != "sdpa":
        yield
        return
    core.set_attn_implementation("eager")
    try:
        yield
    finally:
        core.set_attn_implementation(before)


def _has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware; in software it is slower than float32."""
    import torch

    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def draw(lessons: Lessons, step: int, config: TrainingConfig) -> list[tuple[Encoded, Teacher | None]]:
    """The batch of a step: by dose, a few renderings of each item side by side, earlier nights in their share."""
    rng = random.Random(f"{config.seed}/{step}")
    earlier = round(config.batch * config.interleave) if lessons.earlier else 0
    batch: list[tuple[Encoded, Teacher | None]] = []
    for pool, room in ((lessons.tonight, config.batch - earlier), (lessons.earlier, earlier)):
        while room > 0 and pool:
            [lesson] = rng.choices(pool, [one.dose for one in pool])
            views = _sample(rng, lesson.shares, min(_PER_VIEW, room))
            batch.extend((lesson.texts[at], lesson.teachers[at]) for at in views)
            room -= len(views)
    return batch


def _sample(rng: random.Random, shares: Sequence[float], count: int) -> list[int]:
    """At most ``count`` places, without repeats, the larger shares more often (Efraimidis and Spirakis 2006)."""
    ranked = sorted(range(len(shares)), key=lambda at: -(rng.random() ** (1.0 / shares[at])))
    return ranked[:count]


def _taught(model: Any, batch: Sequence[tuple[Encoded, Teacher | None]], pad: int, config: TrainingConfig) -> Tensor:
    """Weighted cross-entropy of the texts, and of the teacher's distribution where there is one."""
    import torch
    from torch.nn import functional

    texts = [text for text, _ in batch]
    packed = collate(texts, pad)
    device = next(model.parameters()).device
    logits = model(input_ids=packed.ids.to(device), attention_mask=packed.mask.to(device), use_cache=False).logits
    log_probs = functional.log_softmax(logits[:, :-1].float(), -1)  # [b, t-1, v]
    targets, share = packed.ids[:, 1:].to(device), packed.weights[:, 1:].to(device)
    nll = -log_probs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    loss: Tensor = (nll * share).sum() / share.sum()
    if not config.distil:
        return loss
    taught = [(row, text, teacher) for row, (text, teacher) in enumerate(batch) if teacher is not None]
    if not taught:
        return loss
    rows = torch.cat([torch.full((len(text.answer),), row) for row, text, _ in taught])
    places = torch.cat([torch.arange(text.start - 1, len(text.ids) - 1) for _, text, _ in taught])
    ids = torch.cat([teacher.ids for _, _, teacher in taught]).to(device)
    wanted = torch.cat([teacher.log_probs for _, _, teacher in taught]).to(device)
    found = log_probs[rows.to(device), places.to(device)].gather(-1, ids)  # [a, k]
    divergence = (wanted.exp() * (wanted - found)).sum(-1).mean()
    return loss + config.distil * divergence


def _schedule(step: int, wanted: int, warm_up: int) -> float:
    """Warm-up, constant to the half, then down to 3 %."""
    if step < warm_up:
        return (step + 1) / warm_up
    half = wanted / 2
    return 1.0 if step < half else max(0.03, (wanted - step) / (wanted - half))


def _print(lessons: Lessons, config: TrainingConfig, wanted: int) -> str:
    """Names a training: another one's checkpoint must not be taken up."""
    from hashlib import blake2b

    digest = blake2b(repr((config, wanted)).encode(), digest_size=16)
    for lesson in (*lessons.tonight, *lessons.earlier):
        digest.update(repr((lesson.key, lesson.dose, lesson.texts)).encode())
    for text in (*lessons.guard.documents, *lessons.guard.strangers):
        digest.update(repr(text.ids).encode())
    return digest.hexdigest()


@dataclass
class _State:
    """Weights, averages and moments of a training, on disk between checkpoints: tensors in one file, written whole."""

    parameters: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimizer: Any
    draft: Path | None
    name: str

    @property
    def _path(self) -> Path | None:
        return None if self.draft is None else self.draft / "checkpoint.safetensors"

    def save(self, step: int) -> None:
        from safetensors.torch import save_file

        if self._path is None:
            return
        moments = self.optimizer.state
        tensors = {}
        for name, tensor in self.parameters.items():
            tensors[f"weight/{name}"] = tensor.detach()
            tensors[f"average/{name}"] = self.average[name]
            tensors[f"first/{name}"] = moments[tensor]["exp_avg"]
            tensors[f"second/{name}"] = moments[tensor]["exp_avg_sq"]
        new = self._path.with_suffix(".new")
        save_file(
            {name: tensor.contiguous().cpu() for name, tensor in tensors.items()},
            new,
            metadata={"step": str(step), "training": self.name},
        )
        new.replace(self._path)

    def restore(self) -> int:
        """The step to go on with: 0 when there is nothing to take up."""
        import torch
        from safetensors import SafetensorError, safe_open

        if self._path is None or not self._path.exists():
            return 0
        try:
            with safe_open(self._path, "pt") as saved:
                about = saved.metadata()
                if about.get("training") != self.name:
                    return 0
                step = int(about["step"])
                tensors = {key: saved.get_tensor(key) for key in list(saved.keys())}
        except (SafetensorError, OSError, ValueError, KeyError):
            return 0  # not whole: train from the start
        with torch.no_grad():
            for name, tensor in self.parameters.items():
                tensor.copy_(tensors[f"weight/{name}"])
                self.average[name].copy_(tensors[f"average/{name}"])
                self.optimizer.state[tensor] = {
                    "step": torch.tensor(float(step)),
                    "exp_avg": tensors[f"first/{name}"].to(tensor.device),
                    "exp_avg_sq": tensors[f"second/{name}"].to(tensor.device),
                }
        return step
