"""How fast our trainer is beside the loop that anybody writes with peft: the same LoRA, the same batches, no guard."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import Any

from hippo_agent.consolidation import lora
from hippo_agent.consolidation.config import TrainingConfig
from hippo_agent.consolidation.encode import collate
from hippo_agent.consolidation.night import Base
from hippo_agent.consolidation.probe import pad_of
from hippo_agent.consolidation.trainer import Lesson, Lessons, draw, train

__all__ = ["against_bare_loop"]

_STEPS, _ROUNDS = 8, 3


def against_bare_loop(base: Base, lessons: tuple[Lesson, ...], config: TrainingConfig) -> float:
    """Tokens a second of `train` over those of a bare peft loop, on this base and these lessons; the medians of rounds
    in turns. Both use as many threads, and leave the base as it was."""
    config = replace(config, guard=0, strangers=0, steps=_STEPS, interleave=0.0, minutes=None)
    config = replace(config, threads=config.threads or 1)
    ours, bare = [], []
    for _ in range(_ROUNDS):
        ours.append(_ours(base, lessons, config))
        bare.append(_bare(base, lessons, config))
    return statistics.median(ours) / statistics.median(bare)


def _ours(base: Base, lessons: tuple[Lesson, ...], config: TrainingConfig) -> float:
    model = lora.attach(base.model, rank=config.rank or 16, seed=config.seed)
    try:
        trained = train(model, Lessons(lessons), config=config, pad=pad_of(base.tokenizer))
    finally:
        lora.detach(model)
    return trained.tokens / trained.seconds


def _bare(base: Base, lessons: tuple[Lesson, ...], config: TrainingConfig) -> float:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(config.threads or 1)
    model: Any = lora.attach(base.model, rank=config.rank or 16, seed=config.seed)
    try:
        pad, device = pad_of(base.tokenizer), next(model.parameters()).device
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=config.learning_rate)
        model.train()
        tokens, started = 0, time.perf_counter()
        for step in range(_STEPS):
            texts = [text for text, _ in draw(Lessons(lessons), step, config)]
            batch = collate(texts, pad)
            ids, mask = batch.ids.to(device), batch.mask.to(device)
            model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            tokens += sum(len(text.ids) for text in texts)
        return tokens / (time.perf_counter() - started)
    finally:
        model.eval()
        lora.detach(model)
        torch.set_num_threads(before)
