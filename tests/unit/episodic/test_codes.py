"""Slot codes: 256 stable bytes whose similarity follows who, what, where and when."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime

import numpy as np
import pytest

from hippo_agent.episodic.codes import CODE_BYTES, Codes, slot_codes, slot_mask, slot_similarity, unpack
from hippo_agent.types import Slots


def code(slots: Slots, event_time: datetime | None = None) -> Codes:
    return unpack([slot_codes(slots, event_time=event_time)])[0]


def similarity(cue: Slots, *stored: Slots) -> list[float]:
    found = slot_similarity(code(cue), unpack([slot_codes(slots) for slots in stored]))
    return [float(value) for value in found]


def test_a_code_is_256_bytes_and_empty_slots_are_zero() -> None:
    packed = slot_codes(Slots(who=("Orla",), when=("2023",)))
    assert len(packed) == CODE_BYTES == 256
    assert slot_mask(unpack([packed])[0]).tolist() == [True, False, False, True]
    assert slot_codes(Slots()) == bytes(CODE_BYTES)


def test_equal_slots_score_one_and_casing_does_not_matter() -> None:
    slots = Slots(who=("Orla Venn",), what=("bicycle", "3"), where=("Corvin market",), when=("2023-05-07",))
    shouted = Slots(who=("ORLA VENN",), what=("Bicycle", "3"), where=("corvin market",), when=("2023-05-07",))
    assert similarity(slots, slots, shouted) == pytest.approx([1.0, 1.0], abs=0.02)


def test_only_the_cued_slots_count() -> None:
    cue = Slots(who=("Orla",))
    assert similarity(cue, Slots(who=("Orla",), where=("Velstrand",)))[0] == pytest.approx(1.0, abs=0.02)
    assert similarity(cue, Slots(where=("Orla",)), Slots()) == [0.0, 0.0]
    both = similarity(Slots(who=("Orla",), where=("Oslo",)), Slots(who=("Orla",)))
    assert both[0] == pytest.approx(0.5, abs=0.02)


def test_a_mask_chooses_slots() -> None:
    cue = code(Slots(who=("Orla",), where=("Oslo",)))
    stored = unpack([slot_codes(Slots(who=("Orla",), where=("Kyoto",)))])
    only_who = np.array([True, False, False, False])
    assert slot_similarity(cue, stored, only_who)[0] == pytest.approx(1.0, abs=0.02)


def test_a_typo_stays_nearer_than_another_name() -> None:
    right, *wrong = similarity(
        Slots(who=("Holowey",)), *(Slots(who=(n,)) for n in ("Holloway", "Kettle", "Brandt", "Venn"))
    )
    assert right > 0.3 > max(wrong)


def test_near_dates_are_similar_in_steps() -> None:
    day, week, month, year, never = similarity(
        Slots(when=("2023-05-10",)),
        *(Slots(when=(when,)) for when in ("2023-05-10", "2023-05-11", "2023-05-24", "2023-09-05", "2019-01-02")),
    )
    assert day > week > month > year > never
    assert day == pytest.approx(1.0, abs=0.02)
    assert similarity(Slots(when=("2023-05",)), Slots(when=("2023-05-10",)))[0] > 0.5


def test_the_event_time_stands_behind_dates_that_were_said() -> None:
    told = datetime(2023, 5, 10)
    stored = np.stack([code(Slots(when=("2021-02-03",)), told), code(Slots(), told)])
    said, of_telling = (slot_similarity(code(Slots(when=(when,))), stored) for when in ("2021-02-03", "2023-05-10"))
    assert said[0] > of_telling[0] > 0.3
    assert of_telling[1] == pytest.approx(1.0, abs=0.02)


def test_rows_without_codes_count_zero_and_memory_order_does_not_matter() -> None:
    stored = unpack([slot_codes(Slots(who=(f"Name{i}",), where=(f"Town{i}",))) for i in range(50)] + [b""])
    cue = code(Slots(who=("Name7",), where=("Town7",)))
    rows = slot_similarity(cue, stored)
    assert rows.argmax() == 7
    assert rows[50] == 0.0
    np.testing.assert_allclose(slot_similarity(cue, np.asfortranarray(stored)), rows, atol=1e-6)


def test_nothing_cued_and_nothing_stored() -> None:
    assert slot_similarity(code(Slots()), unpack([b"", b""])).tolist() == [0.0, 0.0]
    assert slot_similarity(code(Slots(who=("Orla",))), unpack([])).shape == (0,)


def test_codes_are_the_same_in_every_process() -> None:
    slots = Slots(who=("Orla Venn",), what=("café", "3"), where=("Oslo",), when=("2023-W18", "2023-06/2023-08"))
    program = (
        "from hippo_agent.episodic.codes import slot_codes; from hippo_agent.types import Slots;"
        f"print(slot_codes({slots!r}).hex())"
    )
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert bytes.fromhex(done.stdout.strip()) == slot_codes(slots)


def test_the_code_of_a_name_is_pinned() -> None:
    """Stored codes outlive a release: a change here needs a migration."""
    assert slot_codes(Slots(who=("Orla",)))[:8].hex() == "fce1f3fc16040d16"
