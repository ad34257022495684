"""Sparse keys are seeded, sorted, and overlap more for nearer vectors."""

from __future__ import annotations

import numpy as np
import pytest

from hippo_agent.episodic.sparse import SparseEncoder
from hippo_agent.errors import ConfigError


def test_a_key_lists_its_winners_and_does_not_depend_on_scale() -> None:
    encoder = SparseEncoder(32, width=512, winners=16, fan_in=4)
    vectors = np.random.default_rng(0).standard_normal((5, 32)).astype(np.float32)
    keys = encoder.encode(vectors)
    assert keys.dtype == np.int16
    assert keys.shape == (5, 16)
    assert all((np.diff(key) > 0).all() for key in keys)
    np.testing.assert_array_equal(encoder.encode(3 * vectors[2]), keys[2])
    np.testing.assert_array_equal(SparseEncoder(32, width=512, winners=16, fan_in=4).encode(vectors), keys)


def test_overlap_finds_the_damaged_vector() -> None:
    encoder = SparseEncoder(64, width=2048, winners=64, fan_in=8)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((200, 64)).astype(np.float32)
    keys = encoder.encode(vectors)
    cue = encoder.encode(vectors[9] + 0.3 * rng.standard_normal(64).astype(np.float32))
    shares = encoder.overlap(cue, keys)
    assert shares.argmax() == 9
    assert encoder.overlap(keys[9], keys)[9] == 1.0


@pytest.mark.parametrize("wrong", [{"winners": 0}, {"winners": 600}, {"fan_in": 99}, {"width": 40000}])
def test_settings_that_do_not_fit_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="do not fit"):
        SparseEncoder(32, **{"width": 512, "winners": 16, "fan_in": 4, **wrong})
