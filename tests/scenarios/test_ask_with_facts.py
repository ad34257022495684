"""What stands beside the traces when a model is asked: facts, whole names; each asked with it and without."""

from __future__ import annotations

import random
from pathlib import Path

from hippo_agent.config import Config
from hippo_agent.embedding.hashing import HashingEmbedder
from hippo_agent.memory import Memory
from hippo_agent.model.local import LocalModel
from hippo_agent.model.tiny.names import invent
from hippo_agent.recall.evidence import EvidenceConfig

SAID = (
    ("{x} relocated to {y} after the war.", "Where does {x} live?", "place"),
    ("Since Monday {x} answers to {y}.", "Who is the boss of {x}?", "person"),
)


def test_facts_answer_what_the_words_of_the_traces_do_not(tmp_path: Path) -> None:
    rng = random.Random(7)
    asked = []
    model = LocalModel(device="cpu")
    with Memory(tmp_path / "memory", embedder=HashingEmbedder(quiet=True)) as memory:
        for said, question, kind in SAID * 6:
            name, value = invent(rng, "person", "test"), invent(rng, kind, "test")
            memory.write(said.format(x=name, y=value), source="user")
            asked.append((question.format(x=name), value))
    right = {}
    for facts in (True, False):
        config = Config(evidence=EvidenceConfig(facts=facts))
        with Memory(tmp_path / "memory", embedder=HashingEmbedder(quiet=True), config=config) as memory:
            right[facts] = sum(memory.ask(question, model=model).text == value for question, value in asked)
    assert right[True] >= right[False] + 5, right


def test_half_a_name_finds_its_owner_in_another_day_s_memory(tmp_path: Path) -> None:
    rng = random.Random(11)
    model = LocalModel(device="cpu")
    people = {invent(rng, "person", "test"): invent(rng, "place", "test") for _ in range(12)}
    with Memory(tmp_path / "memory", embedder=HashingEmbedder(quiet=True)) as memory:
        for name, town in people.items():
            memory.write(f"{name} lives in {town}.", source="user")
    with Memory(tmp_path / "memory", embedder=HashingEmbedder(quiet=True)) as memory:
        asked = {f"Where does {name.split()[0]} live?": (name, town) for name, town in people.items() if " " in name}
        right = {}
        for whole in (True, False):
            answers = {question: memory.ask(question, model=model, k=12, whole=whole) for question in asked}
            right[whole] = sum(answers[question].text == town for question, (_, town) in asked.items())
            if whole:
                assert all(answers[question].completed[0][1] == name for question, (name, _) in asked.items())
            else:
                assert not any(answer.completed for answer in answers.values())
    assert right[True] >= 0.9 * len(asked)
    assert right[True] > right[False]
