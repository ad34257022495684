"""The examination: questions about names that were never trained on, answered by the model's own best tokens.

An answer counts if every token of it and the closing mark is the model's first choice, which is what greedy decoding
writes. ``python -m hippo_agent.model.tiny.exam`` examines the shipped weights.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hippo_agent.model.tiny import folder
from hippo_agent.model.tiny.documents import context, prompt
from hippo_agent.model.tiny.names import Split
from hippo_agent.model.tiny.tokens import END
from hippo_agent.model.tiny.worlds import UNKNOWN, Query, Sheet, absent, ask, draw

__all__ = ["CONDITIONS", "exact", "examine", "paper"]

#: Name: facts in the prompt, crowding, share of updates, what is asked.
CONDITIONS: dict[str, tuple[int, float, float, str]] = {
    "1 fact": (1, 0.3, 0.0, "known"),
    "4 facts": (4, 0.3, 0.0, "known"),
    "8 facts": (8, 0.3, 0.0, "known"),
    "16 facts": (16, 0.3, 0.0, "known"),
    "16 facts, crowded": (16, 0.9, 0.2, "known"),
    "4 facts, fresh questions": (4, 0.3, 0.0, "fresh"),
    "no context": (0, 0.3, 0.0, "nothing"),
    "fact missing, of 4": (4, 0.3, 0.0, "absent"),
    "fact missing, of 16": (16, 0.3, 0.0, "absent"),
}


def paper(condition: str, count: int, *, seed: int, split: Split) -> list[tuple[str, str]]:
    """``count`` prompts with their answers."""
    facts, crowding, updates, what = CONDITIONS[condition]
    out = []
    for at in range(count):
        rng = random.Random(f"exam:{split}:{seed}:{condition}:{at}")
        sheet = draw(rng, max(1, facts), split=split, crowding=crowding, updates=updates)
        query = _query(rng, sheet, what)
        told = "" if what == "nothing" else context(sheet.facts)
        out.append((told + prompt(query.text), query.answer))
    return out


def examine(
    model: Any, tokenizer: Any, *, count: int, seed: int = 0, split: Split = "test", only: Sequence[str] = ()
) -> dict[str, float]:
    """Share of exact answers by condition."""
    found = {}
    for condition in only or CONDITIONS:
        items = paper(condition, count, seed=seed, split=split)
        right = exact(model, tokenizer, items)
        found[condition] = sum(right) / len(right)
    return found


def exact(model: Any, tokenizer: Any, items: Sequence[tuple[str, str]], *, rows: int = 16) -> list[bool]:
    """Whether each prompt is continued by exactly its answer."""
    import torch

    device = next(model.parameters()).device
    right = [False] * len(items)
    encoded = []
    for text, answer in items:
        before = len(tokenizer(text)["input_ids"])
        encoded.append((before, tokenizer(f"{text} {answer}{END}")["input_ids"]))
    order = sorted(range(len(items)), key=lambda at: len(encoded[at][1]))
    was = model.training
    model.eval()
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        longest = max(len(encoded[at][1]) for at in chosen)
        ids = torch.full((len(chosen), longest), tokenizer.pad_token_id)
        for row, at in enumerate(chosen):
            ids[row, : len(encoded[at][1])] = torch.tensor(encoded[at][1])
        with torch.inference_mode():
            best = model(input_ids=ids.to(device), use_cache=False).logits.argmax(-1).cpu()
        for row, at in enumerate(chosen):
            before, whole = encoded[at]
            right[at] = best[row, before - 1 : len(whole) - 1].tolist() == whole[before:]
    model.train(was)
    return right


def _query(rng: random.Random, sheet: Sheet, what: str) -> Query:
    if what == "absent":
        return absent(rng, sheet)
    asked = ask(rng, rng.choice(sheet.current), fresh=what == "fresh")
    return Query(asked.text, UNKNOWN) if what == "nothing" else asked


def main(arguments: list[str] | None = None) -> None:
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    parser = argparse.ArgumentParser(description="Examine hippo-tiny on names that it was never trained on.")
    parser.add_argument("folder", type=Path, nargs="?", default=folder())
    parser.add_argument("--count", type=int, default=500, help="questions of each condition and seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    given = parser.parse_args(arguments)
    tokenizer = AutoTokenizer.from_pretrained(given.folder)
    model = LlamaForCausalLM.from_pretrained(given.folder, dtype=torch.float32).eval()
    rows = [examine(model, tokenizer, count=given.count, seed=seed, split=given.split) for seed in range(given.seeds)]
    found = {name: round(statistics.mean(row[name] for row in rows), 4) for name in CONDITIONS}
    report = {"count": given.count, "seeds": given.seeds, "split": given.split, "exact": found, "rows": rows}
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
