"""Training the tagging heads, start to finish:

    python -m hippo_agent.relational.extraction.train oie2016.tar.gz tagger.safetensors

Two heads of different seeds over frozen word states; seven passes each, some minutes on one CPU core. The same archive,
seeds and versions give the same weights. Nothing of OIE2016's dev or test split, nor of CaRB, is read.
"""

from __future__ import annotations

import argparse
import logging
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from hippo_agent.embedding.token_states import MiniLMWordStates, WordStates
from hippo_agent.relational.extraction.head import TaggingHead
from hippo_agent.relational.extraction.training_data import IGNORED, Example, TrainingSet, training_set

__all__ = ["train_head", "train_heads"]

logger = logging.getLogger(__name__)

SEEDS = (2, 4)
EPOCHS = 7
_BATCH = 32
_RATE = 1.5e-3


def train_heads(archive: Path, out: Path, *, states: WordStates | None = None, epochs: int = EPOCHS) -> Path:
    """Train on the archive and write the heads as float16 safetensors; returns the file."""
    data = training_set(archive)
    logger.info("%d sentences, %d examples", len(data.sentences), len(data.examples))
    known = [state.astype(np.float16) for state in (states or MiniLMWordStates()).states(data.sentences)]
    tensors: dict[str, Tensor] = {}
    for number, seed in enumerate(SEEDS):
        head = train_head(data, known, seed=seed, epochs=epochs)
        tensors |= {f"{number}.{name}": tensor.half().contiguous() for name, tensor in head.state_dict().items()}
    save_file(tensors, str(out), metadata={"format": "pt", "data": "OIE2016 train (MIT)"})
    return out


def train_head(data: TrainingSet, states: Sequence[NDArray[np.float16]], *, seed: int, epochs: int) -> TaggingHead:
    """One head: tags of each predicate (label smoothing .05) and which words are predicates, their losses added."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    head = TaggingHead(features=states[0].shape[1])
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.02)
    steps = epochs * (len(data.examples) // _BATCH + 1) + 5
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    heads = data.heads()
    for epoch in range(epochs):
        head.train()
        losses = []
        for chosen, x, mask in _batches(data.examples, states, rng):
            places = torch.tensor([example.head for example in chosen])
            tags = torch.full(mask.shape, IGNORED)
            truth = torch.zeros(mask.shape)
            sure = mask.clone()
            for row, example in enumerate(chosen):
                tags[row, : len(example.tags)] = torch.tensor(example.tags)
                truth[row, list(heads[example.sentence])] = 1.0
                sure[row, list(data.unsure[example.sentence])] = False
            inside = head.inside(x)
            logits = head(inside, places, mask)
            loss = nn.functional.cross_entropy(logits.transpose(1, 2), tags, ignore_index=IGNORED, label_smoothing=0.05)
            loss = loss + nn.functional.binary_cross_entropy_with_logits(head.predicates(inside)[sure], truth[sure])
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            losses.append(float(loss.detach()))
        logger.info("seed %d, pass %d of %d: loss %.4f", seed, epoch + 1, epochs, sum(losses) / len(losses))
    return head.eval()


def _batches(
    examples: Sequence[Example], states: Sequence[NDArray[np.float16]], rng: random.Random
) -> Iterator[tuple[list[Example], Tensor, Tensor]]:
    """Examples of like length together, in random order: examples, states [b, n, f], mask [b, n]."""
    ordered = sorted(examples, key=lambda example: len(states[example.sentence]) + rng.random() * 6)
    groups = [list(ordered[start : start + _BATCH]) for start in range(0, len(ordered), _BATCH)]
    rng.shuffle(groups)
    for group in groups:
        longest = max(len(states[example.sentence]) for example in group)
        x = torch.zeros(len(group), longest, states[0].shape[1])
        mask = torch.zeros(len(group), longest, dtype=torch.bool)
        for row, example in enumerate(group):
            own = states[example.sentence]
            x[row, : len(own)] = torch.from_numpy(own.astype(np.float32))
            mask[row, : len(own)] = True
        yield group, x, mask


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the tagging heads on OIE2016's train split.")
    parser.add_argument("archive", type=Path, help="oie2016.tar.gz")
    parser.add_argument("out", type=Path, help="where to write the .safetensors file")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train_heads(given.archive, given.out, epochs=given.epochs)


if __name__ == "__main__":
    main()
