"""Trains a trace reader on a frozen base, with invented facts.

The loss has three parts: the answers that traces give, what the base says with few of the same traces in its prompt
(the teacher), and, for text that has nothing to do with the traces, what the base says without any.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

from hippo_agent.model.reader.lessons import Embed, Lesson, lesson
from hippo_agent.model.reader.model import StateBank, TraceReader
from hippo_agent.progress import Progress, reporter

__all__ = ["ReaderTraining", "Tongue", "accuracy", "train_reader"]

_UNRELATED_TOKENS = 128
_OPENINGS = ("The", "It was", "He", "When", "In the", "I")
_ROWS = 16  # texts that the base writes at once


class ReaderTraining(BaseModel):
    """How a reader is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    steps: int = Field(default=600, ge=1)
    questions: int = Field(default=24, ge=1)  # of a step
    traces: int = Field(default=32, ge=2)  # of a pool, once it has grown
    absence: float = Field(default=0.2, ge=0, le=1)  # share of questions that no visible trace answers
    unscored: float = Field(default=0.4, ge=0, le=1)  # share of steps without retrieval scores
    unrelated: int = Field(default=4, ge=0)  # texts of a step that the traces have nothing to do with
    prose: int = Field(default=96, ge=0)  # texts that the base writes first; every second of the unrelated is of them
    teacher: float = Field(default=0.3, ge=0)  # weight of what the base says with the traces in its prompt
    teacher_traces: int = Field(default=6, ge=0)  # shown to the teacher at most; more confuse it
    top: int = Field(default=16, ge=1)  # tokens of the teacher that count
    quiet: float = Field(default=3.0, ge=0)  # weight of staying as the base is on unrelated text
    rate: float = Field(default=1e-3, gt=0)
    gate_rate: float = Field(default=2e-2, gt=0)  # of gates, null slot, scales
    warmup: int = Field(default=10, ge=1)


@dataclass(frozen=True, slots=True)
class Tongue:
    """How to speak to a base: its tokenizer, the prompt of a question, what ends an answer."""

    tokenizer: Any
    prompt: Callable[[str], str]
    end: str

    def tokens(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def train_reader(
    reader: TraceReader,
    base: Any,
    tongue: Tongue,
    config: ReaderTraining | None = None,
    *,
    embed: Embed | None = None,
    progress: Progress = None,
) -> list[float]:
    """The loss of each step. The reader is changed in place and attached; the base stays as it is.

    ``embed`` gives retrieval scores; without it the reader never learns to use them.
    """
    config = config or ReaderTraining()
    reader.attach()
    frozen = [parameter for parameter in base.parameters() if parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(False)
    fast = [p for name, p in reader.named_parameters() if name.split(".")[2:3] != ["block"]]
    slow = [p for name, p in reader.named_parameters() if name.split(".")[2:3] == ["block"]]
    optimizer = torch.optim.AdamW(
        [{"params": slow, "lr": config.rate}, {"params": fast, "lr": config.gate_rate}],
        betas=(0.9, 0.95),
        weight_decay=0,
    )
    rates = [group["lr"] for group in optimizer.param_groups]
    losses: list[float] = []
    prose = _prose(base, tongue, config)
    reader.train()
    try:
        with reporter(progress, config.steps, "training the reader") as told:
            for step in range(config.steps):
                share = min(1.0, (step + 1) / config.warmup, 2 * (1 - step / config.steps))
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * share
                loss = _loss(reader, base, tongue, config, _drawn(config, step, embed, prose))
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
                losses.append(float(loss.detach()))
                told(step + 1)
    finally:
        reader.eval()
        for parameter in frozen:
            parameter.requires_grad_(True)
    return losses


def accuracy(
    reader: TraceReader,
    base: Any,
    tongue: Tongue,
    *,
    distractors: int,
    questions: int = 256,
    absence: float = 0.0,
    seed: int = 1,
    embed: Embed | None = None,
) -> float:
    """Share of questions about validation names that the reader answers exactly, this many distractors beside."""
    reader.attach()
    right = 0
    for at in range(0, questions, 32):
        rng = random.Random(f"reader exam:{seed}:{at}")
        drawn = lesson(
            rng, split="validation", traces=max(2, distractors + 1), questions=min(32, questions - at),
            distractors=[distractors], absence=absence, embed=embed,
        )  # fmt: skip
        rows = _rows(tongue, drawn)
        with torch.inference_mode(), reader.reading(_bank(reader, tongue, drawn)):
            best = _logits(base, rows.ids, rows.mask).argmax(-1)
        wrong = (best[:, :-1] != rows.ids[:, 1:].to(best.device)) & rows.answer[:, 1:].to(best.device)
        right += int((~wrong.any(dim=1)).sum())
    return right / questions


@dataclass(frozen=True, slots=True)
class _Rows:
    """Texts padded on the right: ids, mask, and which tokens are of the answer; [b, t] each."""

    ids: Tensor
    mask: Tensor
    answer: Tensor


def _prose(base: Any, tongue: Tongue, config: ReaderTraining) -> list[str]:
    """What the base writes of its own accord: text that is like what it was trained on, without any data."""
    out: list[str] = []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(config.seed)
        while config.unrelated and len(out) < config.prose:
            start = torch.tensor([tongue.tokens(_OPENINGS[len(out) // _ROWS % len(_OPENINGS)])] * _ROWS)
            ids = start.to(next(base.parameters()).device)
            found = base.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=True, top_k=0, top_p=1.0, temperature=1.0,
                max_new_tokens=_UNRELATED_TOKENS // 2, pad_token_id=tongue.tokenizer.pad_token_id,
            )  # fmt: skip
            out += tongue.tokenizer.batch_decode(found, skip_special_tokens=True)
    return [text for text in out if text.strip()]


def _drawn(config: ReaderTraining, step: int, embed: Embed | None, prose: Sequence[str]) -> Lesson:
    """The lesson of a step: pools and distractors grow."""
    rng = random.Random(f"reader:{config.seed}:{step}")
    grown = min(1.0, 0.1 + 2 * step / config.steps)
    traces = max(2, round(config.traces * grown))
    counts = [count for count in (0, 1, 2, 4, 8, 16, 31, 63, 127) if count < traces] + [traces - 1]
    return lesson(
        rng,
        split="train",
        traces=traces,
        questions=config.questions,
        distractors=counts,
        absence=config.absence,
        embed=None if rng.random() < config.unscored else embed,
        unrelated=config.unrelated,
        prose=prose,
    )


def _loss(reader: TraceReader, base: Any, tongue: Tongue, config: ReaderTraining, drawn: Lesson) -> Tensor:
    bank = _bank(reader, tongue, drawn)
    rows = _rows(tongue, drawn)
    with reader.reading(bank):
        logits = _logits(base, rows.ids, rows.mask)[:, :-1]
    answer = rows.answer[:, 1:].to(logits.device)
    loss = cross_entropy(logits[answer].float(), rows.ids[:, 1:].to(logits.device)[answer])
    if config.teacher:
        taught = _taught(base, tongue, config, drawn)
        if taught:
            chosen = [at for at, _ in taught]
            student = log_softmax(logits[chosen][answer[chosen]].float(), -1)
            loss = loss + config.teacher * _distance(torch.cat([words for _, words in taught]), student, config.top)
    if config.quiet and drawn.unrelated:
        loss = loss + config.quiet * _disturbance(reader, base, tongue, drawn, bank)
    return loss


def _taught(base: Any, tongue: Tongue, config: ReaderTraining, drawn: Lesson) -> list[tuple[int, Tensor]]:
    """Rows with few traces, and what the base says to their answers with these in the prompt, where it is right."""
    few = [at for at in range(len(drawn.queries)) if drawn.visible[at].sum() <= config.teacher_traces]
    if not few:
        return []
    prompts = [
        "".join(f"{drawn.traces[one]}\n" for one in np.flatnonzero(drawn.visible[at]))
        + tongue.prompt(drawn.queries[at].text)
        for at in few
    ]
    rows = _padded(tongue, prompts, [drawn.queries[at].answer for at in few])
    with torch.no_grad():
        words = log_softmax(_logits(base, rows.ids, rows.mask)[:, :-1].float(), -1)
    out = []
    for row, at in enumerate(few):
        answer = rows.answer[row, 1:].to(words.device)
        said = words[row][answer]
        if torch.equal(said.argmax(-1).cpu(), rows.ids[row, 1:][rows.answer[row, 1:]]):
            out.append((at, said))
    return out


def _disturbance(reader: TraceReader, base: Any, tongue: Tongue, drawn: Lesson, bank: StateBank) -> Tensor:
    """Mean divergence, in nats a token, of the base with traces from the base without, on unrelated text."""
    tokens = [tongue.tokens(text)[:_UNRELATED_TOKENS] for text in drawn.unrelated]
    rows = _filled(tongue, tokens, [len(one) for one in tokens])
    kept = rows.mask.bool()
    with torch.no_grad():
        alone = log_softmax(_logits(base, rows.ids, rows.mask)[kept].float(), -1)
    every = torch.ones((len(tokens), len(drawn.traces)), dtype=torch.bool)
    with reader.reading(bank.seen_by(torch.from_numpy(drawn.unrelated_scores), every)):
        read = log_softmax(_logits(base, rows.ids, rows.mask)[kept].float(), -1)
    return (alone.exp() * (alone - read)).sum(-1).mean()


def _bank(reader: TraceReader, tongue: Tongue, drawn: Lesson) -> StateBank:
    return reader.bank(
        [tongue.tokens(trace) for trace in drawn.traces],
        sources=drawn.sources,
        scores=torch.from_numpy(drawn.scores),
        visible=torch.from_numpy(drawn.visible),
    )


def _distance(teacher: Tensor, student: Tensor, top: int) -> Tensor:
    """KL of the teacher's most likely tokens from the student, in nats a token."""
    words, where = teacher.topk(min(top, teacher.shape[-1]), dim=-1)
    words = log_softmax(words, -1)
    return (words.exp() * (words - student.gather(-1, where))).sum(-1).mean()


def _rows(tongue: Tongue, drawn: Lesson) -> _Rows:
    return _padded(tongue, [tongue.prompt(query.text) for query in drawn.queries], [q.answer for q in drawn.queries])


def _padded(tongue: Tongue, prompts: Sequence[str], answers: Sequence[str]) -> _Rows:
    before = [len(tongue.tokens(text)) for text in prompts]
    whole = [tongue.tokens(f"{text} {answer}{tongue.end}") for text, answer in zip(prompts, answers, strict=True)]
    return _filled(tongue, whole, before)


def _filled(tongue: Tongue, tokens: Sequence[Sequence[int]], before: Sequence[int]) -> _Rows:
    longest = max(map(len, tokens))
    pad = tongue.tokenizer.pad_token_id
    ids = torch.tensor([[*one, *[pad] * (longest - len(one))] for one in tokens])
    order = torch.arange(longest)[None]
    lengths = torch.tensor([len(one) for one in tokens])[:, None]
    mask = (order < lengths).long()
    return _Rows(ids, mask, (order >= torch.tensor(before)[:, None]) & (order < lengths))


def _logits(base: Any, ids: Tensor, mask: Tensor) -> Tensor:
    device = next(base.parameters()).device
    with torch.autocast(device.type, torch.bfloat16):
        logits: Tensor = base(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).logits
    return logits
