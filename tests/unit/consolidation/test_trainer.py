"""The trainer: what it may train on, that it can be taken up again, and that it is the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hippo_agent.consolidation import lora
from hippo_agent.consolidation.config import TrainingConfig
from hippo_agent.consolidation.encode import Encoded, encode
from hippo_agent.consolidation.guarding import Guarding, GuardTexts, guards_for
from hippo_agent.consolidation.night import Base
from hippo_agent.consolidation.probe import continuations, exact, loss, pad_of
from hippo_agent.consolidation.trainer import Lesson, Lessons, draw, train
from hippo_agent.errors import UntrustedReplay
from hippo_agent.evaluation.throughput import against_bare_loop

CONFIG = TrainingConfig(
    rank=4, steps=20, batch=4, guard=2, strangers=2, warm_up=3, checkpoint=8, threads=1, half=False, learning_rate=1e-2
)


def lesson(base: Base, name: str, value: str, *, trusted: bool = True) -> Lesson:
    texts = [
        encode(base.tokenizer, prompt, f" {value}") for prompt in (f"User: {name}?\nAssistant:", f"Q: {name}?\nA:")
    ]
    return Lesson(
        key=name,
        texts=tuple(texts),
        teachers=(None,) * len(texts),
        shares=(1.0,) * len(texts),
        dose=1.0,
        trusted=trusted,
    )


@pytest.fixture
def lessons(base: Base) -> Lessons:
    guard = [encode(base.tokenizer, f"Q: Where is {word}?\nA:", " unknown") for word in ("it", "he", "she")]
    told = [encode(base.tokenizer, "", f"Tarn lives in {word}.", closed=False) for word in ("it", "he", "she")]
    return Lessons(
        [lesson(base, "Orla", "Tarn"), lesson(base, "Live", "Where")],
        [lesson(base, "in", "does")],
        GuardTexts(told, guard),
    )


@contextmanager
def adapted(base: Base) -> Iterator[Any]:
    model = lora.attach(base.model, rank=4, seed=0)
    try:
        yield model
    finally:
        lora.detach(model)


def trained(base: Base, lessons: Lessons, config: TrainingConfig, draft: Path | None = None) -> dict[str, list[float]]:
    with adapted(base) as model:
        train(model, lessons, config=config, pad=pad_of(base.tokenizer), draft=draft)
        return {name: tensor.detach().flatten().tolist() for name, tensor in lora.weights(model).items()}


def test_lessons_are_learnt_and_the_base_is_left_as_it_was(base: Base, lessons: Lessons) -> None:
    pad = pad_of(base.tokenizer)
    asked = [text for one in (*lessons.tonight, *lessons.earlier) for text in one.texts]
    before = loss(base.model, asked, pad)
    assert not any(exact(base.model, asked, pad))
    with adapted(base) as model:
        assert loss(model, asked, pad) == pytest.approx(before, abs=1e-6)
        train(model, lessons, config=replace(CONFIG, steps=80, guard=0, strangers=0), pad=pad)
        assert all(exact(model, asked, pad))
    assert loss(base.model, asked, pad) == pytest.approx(before, abs=1e-6)


def test_what_is_not_trusted_never_enters_the_training(base: Base, lessons: Lessons) -> None:
    poisoned = Lessons([*lessons.tonight, lesson(base, "Eve", "Tarn", trusted=False)], lessons.earlier, lessons.guard)
    with adapted(base) as model:
        with pytest.raises(UntrustedReplay, match="'Eve'"):
            train(model, poisoned, config=CONFIG, pad=0)
        assert all(not tensor.any() for name, tensor in lora.weights(model).items() if "lora_B" in name)


def test_the_same_lessons_give_the_same_weights(base: Base, lessons: Lessons) -> None:
    assert trained(base, lessons, CONFIG) == trained(base, lessons, CONFIG)


def test_a_training_that_was_killed_ends_as_the_uninterrupted_one(base: Base, lessons: Lessons, tmp_path: Path) -> None:
    whole = trained(base, lessons, CONFIG)

    def die(done: int, wanted: int) -> None:
        if done == 13:
            raise KeyboardInterrupt

    with adapted(base) as model, pytest.raises(KeyboardInterrupt):
        train(model, lessons, config=CONFIG, pad=pad_of(base.tokenizer), draft=tmp_path, tick=die)
    assert (tmp_path / "checkpoint.safetensors").exists()
    assert trained(base, lessons, CONFIG, tmp_path) == whole


def test_a_checkpoint_of_other_lessons_or_a_damaged_one_is_not_taken_up(
    base: Base, lessons: Lessons, tmp_path: Path
) -> None:
    fewer = Lessons(lessons.tonight[:1], (), lessons.guard)
    trained(base, fewer, CONFIG, tmp_path)
    whole = trained(base, lessons, CONFIG)
    assert trained(base, lessons, CONFIG, tmp_path) == whole
    (tmp_path / "checkpoint.safetensors").write_bytes(b"half a file")
    assert trained(base, lessons, CONFIG, tmp_path) == whole


def test_earlier_nights_get_their_share_of_every_batch(base: Base, lessons: Lessons) -> None:
    earlier = {text for one in lessons.earlier for text in one.texts}
    for step in range(20):
        batch = draw(lessons, step, TrainingConfig(batch=8, interleave=0.5))
        assert len(batch) == 8
        assert sum(text in earlier for text, _ in batch) == 4


@pytest.mark.parametrize("part", ["guard", "strangers"])
def test_each_part_of_the_guard_keeps_its_own_texts(base: Base, lessons: Lessons, part: str) -> None:
    pad = pad_of(base.tokenizer)
    texts = lessons.guard.documents if part == "guard" else lessons.guard.strangers
    own = [replace(text, start=1) for text in texts]
    own = continuations(base.model, own if part == "guard" else list(texts), pad, tokens=2)
    kept = {}
    for count in (0, 3):
        config = replace(CONFIG, guard=0, strangers=0, guard_weight=5.0, stranger_weight=5.0)
        with adapted(base) as model:
            train(model, lessons, config=replace(config, **{part: count}), pad=pad)
            kept[count] = loss(model, own, pad)
    assert kept[3] < kept[0]


def test_a_document_does_not_drown_the_questions_about_strangers(base: Base, lessons: Lessons) -> None:
    def divergence(documents: int) -> float:
        config = replace(CONFIG, guard=documents, guard_weight=0.0, strangers=3, stranger_weight=1.0)
        guard = GuardTexts(lessons.guard.documents, lessons.guard.strangers)
        with adapted(base) as model:
            for number, tensor in enumerate(lora.weights(model).values()):
                tensor.data.fill_(0.05 * (number % 3))
            return float(Guarding(model, guard, config, pad_of(base.tokenizer)).divergence(model, 0).detach())

    assert divergence(0) > 0
    assert divergence(3) == pytest.approx(divergence(0), rel=1e-5)


def test_a_longer_training_draws_its_guard_from_more_texts() -> None:
    config = TrainingConfig(guard=6, strangers=16)
    assert guards_for(100, config) == (150, 400)
    assert guards_for(1000, config) == (1500, 4000)
    assert guards_for(1000, replace(config, guard=0)) == (0, 4000)


def test_an_answer_is_scored_from_its_first_token_to_the_end_mark(base: Base) -> None:
    text = encode(base.tokenizer, "Q: Orla?\nA:", " Tarn", context_weight=0.3)
    assert base.tokenizer.decode(text.ids[text.start : -1]).strip() == "Tarn"
    assert text.ids[-1] == base.tokenizer.eos_token_id
    assert set(text.weights[: text.start]) == {0.3}
    assert set(text.weights[text.start :]) == {1.0}
    assert isinstance(text, Encoded)


def test_the_race_against_a_bare_loop_leaves_the_base_as_it_was(base: Base, lessons: Lessons) -> None:
    texts = [text for one in lessons.tonight for text in one.texts]
    before = loss(base.model, texts, pad_of(base.tokenizer))
    assert against_bare_loop(base, tuple(lessons.tonight), CONFIG) > 0
    assert loss(base.model, texts, pad_of(base.tokenizer)) == before
    assert not any("lora_" in name for name, _ in base.model.named_parameters())
