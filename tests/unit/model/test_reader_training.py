"""Lessons for readers show the fact asked for, or hide it; training changes the reader and nothing else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import LlamaConfig, LlamaForCausalLM

from hippo_agent.embedding.hashing import HashingEmbedder
from hippo_agent.model.reader.config import ReaderConfig
from hippo_agent.model.reader.lessons import Lesson, lesson
from hippo_agent.model.reader.model import TraceReader
from hippo_agent.model.reader.training import ReaderTraining, Tongue, accuracy, train_reader
from hippo_agent.model.tiny.documents import document, prompt
from hippo_agent.model.tiny.tokens import END, build
from hippo_agent.model.tiny.worlds import UNKNOWN


def drawn(seed: int, *, absence: float = 0.0, distractors: Sequence[int] = (0, 3), embed: Any = None) -> Lesson:
    return lesson(
        random.Random(seed), split="train", traces=12, questions=10, distractors=distractors, absence=absence,
        embed=embed, unrelated=2,
    )  # fmt: skip


def test_a_question_sees_its_fact_and_as_many_others_as_were_drawn() -> None:
    for seed in range(40):
        made = drawn(seed)
        for query, seen in zip(made.queries, made.visible, strict=True):
            assert query.fact is not None and query.answer == query.fact.value
            assert seen[made.traces.index(query.fact.text)]
            others = [at for at in np.flatnonzero(seen) if query.fact.key[1] not in made.traces[at]]
            assert len(others) <= 3 and 1 <= seen.sum() <= 5  # with a fact that it replaced


def test_a_question_without_answer_sees_traces_but_not_the_fact() -> None:
    for seed in range(40):
        made = drawn(seed, absence=1.0)
        for query, seen in zip(made.queries, made.visible, strict=True):
            assert query.answer == UNKNOWN and seen.any()
            if query.fact is not None:
                assert query.fact.text in made.traces and not seen[made.traces.index(query.fact.text)]


def test_half_of_the_distractors_are_those_that_retrieval_takes_for_the_best() -> None:
    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return HashingEmbedder().embed(texts)

    ranks = []
    for seed in range(30):
        made = drawn(seed, distractors=(3,), embed=embed)
        for query, seen, scores in zip(made.queries, made.visible, made.scores, strict=True):
            assert query.fact is not None
            own = made.traces.index(query.fact.text)
            order = [at for at in np.argsort(-scores) if at != own]
            ranks += [order.index(at) for at in np.flatnonzero(seen) if at != own]
    assert np.mean([rank < 3 for rank in ranks]) > 0.5  # 3 of 11 by chance


def test_unrelated_text_has_the_scores_that_retrieval_gives_it() -> None:
    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return HashingEmbedder().embed(texts)

    made = drawn(3, embed=embed)
    vectors = embed([*made.unrelated, *made.traces])
    assert made.unrelated_scores == pytest.approx(vectors[:2] @ vectors[2:].T, abs=1e-6)
    assert made.scores.max() > made.unrelated_scores.max()
    assert not drawn(3).unrelated_scores.any()


def test_routes_come_from_the_map() -> None:
    for seed in range(30):
        made = drawn(seed)
        for text, source in zip(made.traces, made.sources, strict=True):
            assert (source == "spatial") == (
                any(word in text for word in ("leads to", "you reach", "way from", "To get from", "Route from"))
                or any(
                    f" is {way} of " in text for way in ("north", "south", "east", "west", "up", "down", "in", "out")
                )
            )


@pytest.fixture(scope="module")
def speaker() -> tuple[Any, Tongue]:
    rng = random.Random(0)
    tokenizer = build(("".join(piece.text for piece in document(rng, 0.5)) for _ in range(100)), size=400)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        tie_word_embeddings=True, initializer_range=0.25, bos_token_id=None, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval(), Tongue(tokenizer, prompt, END)


def test_training_moves_the_reader_and_leaves_the_base_alone(speaker: tuple[Any, Tongue]) -> None:
    base, tongue = speaker
    before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    ids = torch.tensor([tongue.tokens("User: Who?")])
    alone = base(input_ids=ids).logits
    reader = TraceReader(base, ReaderConfig())
    config = ReaderTraining(steps=3, questions=4, traces=4, warmup=1, teacher_traces=4, unrelated=1)
    losses = train_reader(reader, base, tongue, config, progress=False)
    assert len(losses) == 3 and np.isfinite(losses).all()
    assert all(attention.gate.abs().max() > 0 for attention in reader.attentions)
    assert all(torch.equal(before[name], tensor) for name, tensor in base.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in base.parameters())
    assert torch.equal(base(input_ids=ids).logits, alone)  # without a bank it is not there
    reader.detach()


def test_the_same_seed_trains_the_same_reader(speaker: tuple[Any, Tongue]) -> None:
    base, tongue = speaker

    def trained(seed: int) -> list[float]:
        reader = TraceReader(base, ReaderConfig())
        config = ReaderTraining(seed=seed, steps=2, questions=3, traces=3, warmup=1, unrelated=1)
        losses = train_reader(reader, base, tongue, config, progress=False)
        reader.detach()
        return losses

    assert trained(0) == trained(0) != trained(1)


def test_a_base_that_knows_nothing_reads_nothing(speaker: tuple[Any, Tongue]) -> None:
    base, tongue = speaker
    reader = TraceReader(base, ReaderConfig())
    assert accuracy(reader, base, tongue, distractors=1, questions=16) == 0.0
    reader.detach()
