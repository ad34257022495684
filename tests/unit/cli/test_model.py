"""`hippo ask`, `hippo model` and the suites of local models, on a folder with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Hippo
from tests.unit.model.conftest import save_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_model(tmp_path_factory.mktemp("model")))


def test_ask_prints_an_answer_or_json(hippo: Hippo, folder: str) -> None:
    hippo("write", "The florist has Ada's spare key.")
    asked = ("ask", "who has the key?", "--embedder", "hashing", "--model", folder, "--device", "cpu")
    plain = hippo(*asked, "--reader", "prefix")
    assert plain.exit_code == 0
    assert plain.stdout.strip()
    found = json.loads(hippo(*asked, "--reader", "prompt", "--json").stdout)
    assert found["reader"] == "prompt"
    assert found["prompt_tokens"] > 10
    assert isinstance(found["abstained"], bool)


def test_ask_without_a_memory_or_with_an_unknown_reader_says_so(hippo: Hippo, folder: str) -> None:
    nothing = hippo("ask", "who?", "--embedder", "hashing")
    assert (nothing.exit_code, "no memory in" in nothing.stderr) == (1, True)
    hippo("write", "The florist has Ada's spare key.")
    wrong = hippo("ask", "who?", "--embedder", "hashing", "--model", folder, "--reader", "tea")
    assert (wrong.exit_code, "'tea'" in wrong.stderr) == (1, True)


def test_model_info_describes_it(hippo: Hippo, folder: str) -> None:
    found = json.loads(hippo("model", "info", "--model", folder, "--device", "cpu", "--json").stdout)
    assert (found["architecture"], found["layers"], found["device"]) == ("LlamaForCausalLM", 3, "cpu")
    assert "LlamaForCausalLM" in hippo("model", "info", "--model", folder).stdout
    missing = hippo("model", "info", "--model", "nobody/no-such-model")
    assert (missing.exit_code, "neither a folder" in missing.stderr) == (1, True)


def test_a_reader_is_trained_saved_and_named_with_its_base(hippo: Hippo, folder: str, tmp_path: Path) -> None:
    out = tmp_path / "reader"
    done = hippo(
        "model", "train-reader", str(out), "--model", folder, "--embedder", "hashing", "--steps", "1", "--device", "cpu"
    )
    assert done.exit_code == 0
    card = json.loads((out / "hippo_reader.json").read_text())
    assert card["about"]["training"]["steps"] == 1
    assert card["base"] in card["about"]["model"]


def test_eval_reader_and_lm_print_their_reports(hippo: Hippo, folder: str, tmp_path: Path) -> None:
    own = ("--model", folder, "--device", "cpu", "--embedder", "hashing", "--limit", "2")
    done = hippo(
        "eval", "reader", *own, "--condition", "4", "--system", "prefix", "--system", "retriever", "--json", "-"
    )
    report = json.loads(done.stdout)
    assert set(report["systems"]) == {"prefix", "retriever"}
    assert report["versions"]["device"] == "cpu"
    text = tmp_path / "text.txt"
    text.write_text("The heron stands in the mill pond. A lantern hangs above the door of the old mill house. " * 80)
    done = hippo("eval", "lm", "--data", str(text), *own, "--system", "memory_off")
    assert "perplexity" in done.stdout
    refused = hippo("eval", "lm", "--data", str(text), "--ablate")
    assert refused.exit_code == 2
