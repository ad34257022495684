"""The suites of local models: what their papers are, and that they tell a model that reads from one that does not."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hippo_agent.embedding.hashing import HashingEmbedder
from hippo_agent.errors import ConfigError, DataError
from hippo_agent.evaluation.ablation import VARIANTS, run_ablation
from hippo_agent.evaluation.models import run_model_suite
from hippo_agent.evaluation.reading import CONDITIONS, Condition, papers
from hippo_agent.evaluation.suites import reader
from hippo_agent.evaluation.suites.reader import exact
from hippo_agent.model.local import LocalModel
from hippo_agent.model.tiny.names import split_of
from hippo_agent.model.tiny.worlds import UNKNOWN
from tests.unit.model.conftest import save_model

EMBEDDER = HashingEmbedder(quiet=True)
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


class Perfect(LocalModel):
    """Reads its prompt without fault: it knows the papers, and answers when the trace with the answer is told."""

    def __init__(self, folder: Path, **known: tuple[str, str]) -> None:
        super().__init__(folder, device="cpu")
        self.known = known

    def generate_many(self, prompts: Sequence[Any], **_: Any) -> list[str]:
        return [self._say(self.written(prompt)) for prompt in prompts]

    def _say(self, text: str) -> str:
        told, _, question = text.rpartition("User: ")
        trace, answer = self.known.get(question.removesuffix("\nAssistant:"), ("", ""))
        return f"The {answer}." if trace and trace in told else "unknown"


# Papers


@pytest.mark.parametrize("label", sorted(CONDITIONS))
def test_a_paper_asks_for_what_its_traces_say(label: str) -> None:
    condition = CONDITIONS[label]
    found = list(papers(condition, 12, seed=3, embedder=EMBEDDER))
    assert sum(len(paper.questions) for paper in found) == 12
    for paper in found:
        assert len(paper.traces) == condition.distractors + 1
        assert paper.scores.shape == (len(paper.questions), len(paper.traces))
        for question, answer, gold in zip(paper.questions, paper.answers, paper.gold, strict=True):
            if condition.cue == "absent":
                assert (answer, gold) == (UNKNOWN, -1)
            else:
                assert answer in paper.traces[gold]
                assert answer not in question


def test_papers_follow_the_seed_and_have_names_that_were_never_trained_on() -> None:
    [first], [again], [other] = (list(papers(CONDITIONS["63"], 8, seed=s, embedder=EMBEDDER)) for s in (1, 1, 2))
    assert first.traces == again.traces != other.traces
    assert np.array_equal(first.scores, again.scores)
    names = [word for text in first.questions for word in text.rstrip("?").split()[1:] if word.istitle()]
    invented = [word for word in names if len(word) > 3 and word.isalpha()]
    share = sum(split_of(word) == "test" for word in invented) / len(invented)
    assert share > 0.7  # the rest are common words: months, companies' endings


def test_a_partial_cue_lacks_half_a_name_and_a_misleading_trace_says_the_question() -> None:
    [partial, *_] = papers(CONDITIONS["partial16"], 4, seed=0, embedder=EMBEDDER)
    for question, gold in zip(partial.questions, partial.gold, strict=True):
        words = [word.removesuffix("'s") for word in question.rstrip("?").split()]
        inside = [word for word in words if word in partial.traces[gold] and word.istitle() and len(word) > 3]
        assert inside
    [misleading, *_] = papers(CONDITIONS["misleading16"], 1, seed=0, embedder=EMBEDDER)
    assert any(misleading.questions[0] in trace for trace in misleading.traces)
    assert int(np.argmax(misleading.scores[0])) != misleading.gold[0]


@pytest.mark.parametrize(
    ("said", "answer", "same"),
    [
        ("The Tal.", "tal", True),
        (" Tal Bay\n", "Tal Bay", True),
        ("Tal Bay or so", "Tal Bay", False),
        ("", "Tal", False),
        ("a baker", "baker", True),
        ("Talin", "Tal", False),
    ],
)
def test_an_answer_is_exact_up_to_case_articles_and_the_full_stop(said: str, answer: str, same: bool) -> None:
    assert exact(said, answer) is same


# The suite


def test_a_model_that_reads_its_prompt_is_told_from_one_that_does_not(folder: Path) -> None:
    labels = ["4", "misleading16", "misleading16_raw", "absent16"]
    known = {
        question: (paper.traces[gold], answer)
        for label in labels
        for paper in papers(CONDITIONS[label], 8, seed=0, embedder=EMBEDDER)
        for question, answer, gold in zip(paper.questions, paper.answers, paper.gold, strict=True)
        if gold >= 0
    }
    report = run_model_suite(
        "reader",
        None,
        model=Perfect(folder, **known),
        embedder=EMBEDDER,
        limit=8,
        systems=["prompt", "prompt_top1", "memory_off", "retriever"],
        conditions=labels,
    )
    prompt, top, off = (report.systems[name] for name in ("prompt", "prompt_top1", "memory_off"))
    assert (prompt["em@4"], prompt["em@misleading16"], prompt["abstained@absent16"]) == (1.0, 1.0, 1.0)
    assert (top["em@misleading16_raw"], off["em@4"], off["abstained_wrongly"]) == (0.0, 0.0, 1.0)
    assert top["em@misleading16"] > 0.5  # an echo of the question is passed over
    assert top["em@4"] == report.systems["retriever"]["recall@1_4"]
    assert report.systems["retriever"]["recall@1_misleading16"] == 0.0
    assert report.n == 32
    assert report.versions["model"].endswith(Perfect(folder).fingerprint)
    assert report.rows[0].as_dict()["systems"]["prompt"]["answer"]


def test_every_system_runs_on_a_model_and_a_random_one_knows_nothing(folder: Path) -> None:
    ticks: list[tuple[int, int]] = []
    report = run_model_suite(
        "reader",
        None,
        model=LocalModel(folder, device="cpu"),
        embedder=EMBEDDER,
        limit=4,
        conditions=["0", "16"],
        tick=lambda done, total: ticks.append((done, total)),
    )
    assert set(report.systems) == {"prefix", "prompt", "prompt_top1", "memory_off", "shuffled", "retriever"}
    assert all(report.systems[name]["em@16"] == 0.0 for name in ("prefix", "shuffled", "memory_off"))
    assert "train-reader" in report.skipped["adapter"]
    assert ticks[-1] == (8, 8)
    assert json.dumps(report.as_dict())


def test_several_seeds_are_several_worlds_and_their_means(folder: Path) -> None:
    ticks: list[tuple[int, int]] = []
    model = LocalModel(folder, device="cpu")
    parts = [
        run_model_suite(
            "reader", None, model=model, embedder=EMBEDDER, limit=6, seed=seed, seeds=seeds,
            systems=["memory_off", "retriever"], conditions=["hard8"],
            tick=lambda done, total: ticks.append((done, total)),
        )
        for seed, seeds in ((3, 2), (3, 1), (4, 1))
    ]  # fmt: skip
    both, *single = parts
    recalls = [part.systems["retriever"]["recall@1_hard8"] for part in single]
    assert both.systems["retriever"]["recall@1_hard8"] == pytest.approx(sum(recalls) / 2)
    assert (both.n, [row.about["seed"] for row in both.rows]) == (12, [3] * 6 + [4] * 6)
    assert [row.about["question"] for row in both.rows[:6]] == [row.about["question"] for row in single[0].rows]
    assert ticks[:2][-1][1] == 12 and max(done for done, total in ticks if total == 12) == 12
    with pytest.raises(ConfigError, match="seeds 2"):
        run_model_suite("lm", Path("x"), model=model, embedder=EMBEDDER, seeds=2)


def test_single_answers_are_timed_with_their_prompt_tokens(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_REPEATS", 2)
    report = run_model_suite(
        "reader",
        None,
        model=LocalModel(folder, device="cpu"),
        embedder=EMBEDDER,
        limit=1,
        systems=["prefix", "memory_off"],
        conditions=["63"],
    )
    prefix, off = report.systems["prefix"], report.systems["memory_off"]
    assert prefix["prompt_tokens@63"] == off["prompt_tokens@63"] > 10
    assert prefix["ms@63"] > 0


def test_what_does_not_fit_the_context_has_no_figure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_REPEATS", 2)
    report = run_model_suite(
        "reader",
        None,
        model=LocalModel(folder, device="cpu"),
        embedder=EMBEDDER,
        limit=1,
        systems=["prompt", "memory_off"],
        conditions=["63"],
    )
    assert "em@63" in report.systems["memory_off"]
    assert "em@63" not in report.systems.get("prompt", {})


def test_the_ablation_trains_each_variant(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hippo_agent.evaluation import ablation

    monkeypatch.setattr(ablation, "CONDITIONS", ("4",))
    monkeypatch.setattr(ablation, "VARIANTS", {name: VARIANTS[name] for name in ("full", "one layer", "one vector")})
    report = run_ablation(LocalModel(folder, device="cpu"), embedder=EMBEDDER, steps=1, limit=2)
    assert list(report.systems) == ["full", "one layer", "one vector"]
    assert all("em@4" in figures for figures in report.systems.values())


# Perplexity


def test_perplexity_is_over_the_same_tokens_with_and_without_memory(folder: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    words = "lantern mill baker heron cellar ferry violin harbour orchard clock".split()  # noqa: SIM905
    text = tmp_path / "story.txt"
    text.write_text(" ".join(f"The {rng.choice(words)} of the {rng.choice(words)} was quiet." for _ in range(150)))
    report = run_model_suite("lm", text, model=LocalModel(folder, device="cpu"), embedder=EMBEDDER, limit=3)
    assert set(report.systems) == {"memory_off", "prefix", "shuffled", "shuffled_no_floor"}
    off, prefix = report.systems["memory_off"], report.systems["prefix"]
    assert off["perplexity"] > 1.0
    assert off["nll_per_character"] > 0.0
    assert (off["kl"], prefix["kl"] > 0.0) == (0.0, True)
    assert (report.n, report.dataset) == (3, "story.txt")
    assert "280 tokens" in report.versions["tokenizer"]


def test_bad_requests_are_refused(folder: Path, tmp_path: Path) -> None:
    model = LocalModel(folder, device="cpu")
    short = tmp_path / "short.txt"
    short.write_text("Too short.")
    for wanted, name, options in (
        (ConfigError, "lm", {"data": None}),
        (DataError, "lm", {"data": short}),
        (DataError, "lm", {"data": tmp_path / "none.txt"}),
        (ConfigError, "reader", {"data": None, "systems": ["tea"]}),
        (ConfigError, "reader", {"data": None, "conditions": ["tea"]}),
        (ConfigError, "reader", {"data": None, "limit": 0}),
    ):
        options: dict[str, Any]
        with pytest.raises(wanted):
            run_model_suite(name, options.pop("data"), model=model, embedder=EMBEDDER, **options)


def test_conditions_are_what_they_are_called() -> None:
    assert CONDITIONS["255"] == Condition(255)
    assert CONDITIONS["unscored16"].scored is False
