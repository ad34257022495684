"""The recipe of the tagger, run to its end on an invented corpus in OIE2016's format."""

from __future__ import annotations

import io
import itertools
import random
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from hippo_agent.errors import DataError
from hippo_agent.relational.extraction.tagger import TaggerExtractor
from hippo_agent.relational.extraction.train import main, train_heads

SUBJECTS = ("Ada", "Bo", "Ines", "Teo", "Mira", "Cy")
VERBS = ("paints", "repairs", "sells", "mentions", "follows")
OBJECTS = ("boats", "clocks", "maps", "shells", "kites", "drums")
HELD_OUT = {
    ("Ines", "repairs", "kites"),
    ("Teo", "sells", "drums"),
    ("Ada", "follows", "maps"),
    ("Bo", "paints", "shells"),
}


class LetterStates:
    """A state of 1,152 numbers that depends on the word alone."""

    dim = 1152

    def states(self, sentences: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        def state(word: str) -> NDArray[np.float32]:
            return np.random.default_rng(zlib.crc32(word.lower().encode())).standard_normal(self.dim).astype(np.float32)

        return [
            np.stack([state(word) for word in words]) if words else np.zeros((0, self.dim), np.float32)
            for words in sentences
        ]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = []
    for subject, verb, thing in itertools.product(SUBJECTS, VERBS, OBJECTS):
        if (subject, verb, thing) not in HELD_OUT:
            lines.append(f"Yesterday {subject} {verb} the {thing} .\t{verb}\t{verb}\t{subject}\tthe {thing}")
    random.Random(0).shuffle(lines)
    text = "\n".join(lines).encode()
    path = tmp_path_factory.mktemp("oie") / "oie2016.tar.gz"
    with tarfile.open(path, "w:gz") as packed:
        member = tarfile.TarInfo("corpus/oie_corpus/train.oie")
        member.size = len(text)
        packed.addfile(member, io.BytesIO(text))
    return path


def test_the_recipe_runs_to_its_end_and_its_weights_read_sentences_that_were_held_out(
    archive: Path, tmp_path: Path
) -> None:
    out = train_heads(archive, tmp_path / "tagger.safetensors", states=LetterStates(), epochs=4)
    assert out.stat().st_size < 5_000_000
    tagger = TaggerExtractor(LetterStates(), weights=out)
    sentences = [f"Yesterday {subject} {verb} the {thing} .".split() for subject, verb, thing in sorted(HELD_OUT)]
    for words, readings in zip(sentences, tagger.read(sentences), strict=True):
        best = max(readings, key=lambda reading: reading.confidence)
        said = [" ".join(words[k] for k in places) for places in (best.subject, best.predicate, best.object)]
        assert said == [words[1], words[2], " ".join(words[3:5])]


def test_the_same_archive_gives_the_same_weights(archive: Path, tmp_path: Path) -> None:
    first, second = (
        train_heads(archive, tmp_path / f"{name}.safetensors", states=LetterStates(), epochs=1) for name in "ab"
    )
    one, two = load_file(first), load_file(second)
    assert len(one) == 2 * len({name.partition(".")[2] for name in one})  # two heads
    assert all(np.array_equal(one[name], two[name]) for name in one.keys() | two.keys())


def test_another_file_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "x.tar.gz"
    wrong.write_bytes(b"no archive")
    with pytest.raises(DataError, match="not the OIE2016 archive"):
        main([str(wrong), str(tmp_path / "out.safetensors")])
