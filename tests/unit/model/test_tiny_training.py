"""The recipe on a microscopic model: batches, vocabulary, sight, and a training that goes on where it was."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hippo_agent.errors import ConfigError, DataError
from hippo_agent.model.tiny.batches import batch, encode, pack, read_books
from hippo_agent.model.tiny.config import Recipe
from hippo_agent.model.tiny.documents import ANSWER, CONTEXT, Piece, document
from hippo_agent.model.tiny.tokens import END, build
from hippo_agent.model.tiny.train import sight, train

MICRO = Recipe(steps=4, tokens=128, length=128, vocabulary=400, width=16, inner=32, layers=1, heads=2, warmup=2)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    rng = random.Random(0)
    return build(("".join(piece.text for piece in document(rng, 0.5)) for _ in range(200)), size=500)


@pytest.mark.parametrize(
    "text",
    [
        "Zorvin lives in Tal.\nUser: Where?",
        " a space first",
        "  two\n  and  more\n",
        "\n\nx\n\ty",
        "12,345 é 😀 \u2028",
        "a",
    ],
)
def test_decoding_gives_back_every_text(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_word_has_the_same_tokens_at_the_start_of_a_line_and_inside_it(tokenizer: Any) -> None:
    [first, inside, after] = (tokenizer(text)["input_ids"] for text in ("Zorvin", "a Zorvin", "a\nZorvin"))
    assert inside[-len(first) :] == first == after[-len(first) :]


def test_the_chat_template_writes_what_the_model_is_trained_on(tokenizer: Any) -> None:
    talk = [
        {"role": "system", "content": "Ada lives in Tal."},
        {"role": "user", "content": "Where does Ada live?"},
        {"role": "assistant", "content": "Tal"},
        {"role": "user", "content": "And Bo?"},
    ]
    assert tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True) == (
        "Ada lives in Tal.\nUser: Where does Ada live?\nAssistant: Tal<|end|>User: And Bo?\nAssistant:"
    )


def test_only_the_tokens_of_an_answer_have_its_weight(tokenizer: Any) -> None:
    pieces = [Piece("Ada has 17 cats.\nUser: How many?\nAssistant:"), Piece(f" 17{END}", ANSWER), Piece("User: x")]
    found = encode(tokenizer, pieces)
    assert tokenizer.decode(found.ids[found.weights == np.float32(ANSWER)]) == f"17{END}"
    assert set(found.weights.tolist()) == {0.0, float(np.float32(CONTEXT)), ANSWER}
    assert found.positions.tolist() == list(range(len(found.ids)))


def test_traces_end_side_by_side_and_the_question_follows_them(tokenizer: Any) -> None:
    pieces = [Piece("Ada lives in Tal.", block=1), Piece("Bo is a cat.", block=2), Piece("User: Who?")]
    found = encode(tokenizer, pieces)
    parts = [found.positions[found.blocks == block] for block in (1, 2, 0)]
    assert parts[0][-1] == parts[1][-1] == parts[2][0] - 1
    left = encode(tokenizer, pieces, align_left=True)
    assert left.positions[left.blocks == 1][0] == left.positions[left.blocks == 2][0] == 0
    assert left.positions[left.blocks == 0][0] == parts[2][0]


def test_a_trace_sees_itself_the_question_sees_all_and_no_document_sees_another(tokenizer: Any) -> None:
    one = encode(tokenizer, [Piece("a", block=1), Piece("b", block=2), Piece("c")])
    packed = pack([[one, encode(tokenizer, [Piece("d")])]], len(one.ids) + 3)
    allowed = sight(torch.from_numpy(packed.documents), torch.from_numpy(packed.blocks))[0, 0]
    owner = [(int(d), int(b)) for d, b in zip(packed.documents[0], packed.blocks[0], strict=True)]
    for row, (document_, block) in enumerate(owner):
        for column, (other, source) in enumerate(owner):
            wanted = column <= row and document_ == other and (block in (0, source))
            assert bool(allowed[row, column]) == wanted


def test_a_batch_follows_from_seed_and_step(tokenizer: Any) -> None:
    page = np.arange(3, 300)

    def drawn(seed: int, step: int) -> Any:
        return batch(tokenizer, seed, step, 0.5, rows=2, length=256, texts=[page])

    assert np.array_equal(drawn(0, 7).ids, drawn(0, 7).ids)
    assert not np.array_equal(drawn(0, 7).ids, drawn(0, 8).ids)
    assert not np.array_equal(drawn(0, 7).ids, drawn(1, 7).ids)
    assert (drawn(0, 7).documents > 0).mean() > 0.9


def test_long_documents_lose_questions_and_not_their_place(tokenizer: Any) -> None:
    """Were they left out where they do not fit, the model would hardly ever see many facts."""
    whole = {"facts": 0, "rows": 0}
    for step in range(30):
        drawn = batch(tokenizer, 0, step, 0.5, rows=1, length=512, texts=[])
        first = drawn.ids[0][drawn.documents[0] == 1]
        assert (drawn.weights[0][drawn.documents[0] == 1] == np.float32(ANSWER)).any()
        whole["rows"] += 1
        whole["facts"] += len(first) > 300
    assert whole["facts"] / whole["rows"] > 0.2


def test_a_stopped_training_goes_on_as_if_it_had_not_been_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(tmp_path / "whole", MICRO, progress=False)
    train(tmp_path / "parts", MICRO, minutes=0.0, progress=False)  # nothing but a checkpoint
    assert json.loads((tmp_path / "parts" / "state.json").read_text())["step"] == 0
    monkeypatch.setattr("hippo_agent.model.tiny.train._SAVE_SECONDS", 0.0)
    _interrupted(tmp_path / "parts", 2)
    assert json.loads((tmp_path / "parts" / "state.json").read_text())["step"] == 2
    resumed = train(tmp_path / "parts", MICRO, progress=False)
    one, other = (load_file(folder / "model.safetensors") for folder in (whole, resumed))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    state = json.loads((tmp_path / "parts" / "state.json").read_text())
    assert state["step"] == 4 and [file.name for file in (tmp_path / "parts").glob("state-*")] == [state["tensors"]]


def test_a_training_of_another_recipe_is_not_overwritten(tmp_path: Path) -> None:
    train(tmp_path, MICRO, minutes=0.0, progress=False)
    with pytest.raises(ConfigError, match="another recipe"):
        train(tmp_path, MICRO.model_copy(update={"seed": 1}), progress=False)


def test_books_lose_the_licence_around_them(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("head\n*** START OF X ***\nA line\nand more.\n\nNext.\n*** END OF X ***\ntail\n")
    assert read_books(tmp_path) == ["A line and more.\nNext."]
    assert read_books(None) == []
    with pytest.raises(DataError, match=r"no \.txt file"):
        read_books(tmp_path / "nowhere")


def test_the_rate_rises_holds_and_falls() -> None:
    recipe = Recipe(steps=1000, warmup=100, hold=0.5)
    rates = [recipe.learning_rate(step) / recipe.rate for step in (0, 99, 400, 750, 999)]
    assert rates == pytest.approx([0.01, 1.0, 1.0, 0.5, 0.03])


def _interrupted(folder: Path, steps: int) -> None:
    """A training that is killed after so many steps."""

    class Killed(Exception):
        pass

    def told(done: int, total: int) -> None:
        if done == steps:
            raise Killed

    with pytest.raises(Killed):
        train(folder, MICRO, progress=told)
