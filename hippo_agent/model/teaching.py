"""Training a trace reader for a `LocalModel`: the settings that follow from the model are filled in here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hippo_agent.embedding.base import Embedder
from hippo_agent.model.local import LocalModel
from hippo_agent.progress import Progress

if TYPE_CHECKING:
    from hippo_agent.model.reader.config import ReaderConfig
    from hippo_agent.model.reader.model import TraceReader
    from hippo_agent.model.reader.training import ReaderTraining

__all__ = ["taught_reader"]


def taught_reader(
    model: LocalModel,
    embedder: Embedder,
    *,
    config: ReaderConfig | None = None,
    training: ReaderTraining | None = None,
    progress: Progress = None,
) -> TraceReader:
    """A reader trained on invented facts, attached to the model, which stays as it is.

    ``embedder`` gives the retrieval scores of the lessons.
    """
    import torch

    from hippo_agent.model.reader.model import TraceReader
    from hippo_agent.model.reader.training import ReaderTraining, Tongue, train_reader

    training = training or ReaderTraining()
    torch.manual_seed(training.seed)
    with model.lock:
        reader = TraceReader(model.model, config)
        tongue = Tongue(model.tokenizer, model.written, model.tokenizer.eos_token)
        train_reader(reader, model.model, tongue, training, embed=embedder.embed, progress=progress)
    return reader
