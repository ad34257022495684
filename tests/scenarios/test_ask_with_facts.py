"""Facts read beside the traces: statements in words that hippo-tiny was never taught, asked with and without."""

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
