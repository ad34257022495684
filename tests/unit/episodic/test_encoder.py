"""Events and cues become slots and codes; what the caller gives wins."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone

import numpy as np

from hippo_agent.episodic.codes import slot_codes, slot_similarity, unpack
from hippo_agent.episodic.encoder import EpisodeEncoder
from hippo_agent.types import Cue, Event, Slots

WEDNESDAY = datetime(2023, 5, 10, tzinfo=timezone.utc)


def test_given_slots_win_slot_by_slot() -> None:
    event = Event(text="Orla sang in Oslo", speaker="Sam", event_time=WEDNESDAY, slots=Slots(where=("Bergen",)))
    slots, codes = EpisodeEncoder().encode(event)
    assert slots == Slots(who=("Sam", "Orla"), what=("sang",), where=("Bergen",))
    assert codes == slot_codes(slots, event_time=WEDNESDAY)


def test_a_question_finds_the_episode_it_speaks_of() -> None:
    encoder = EpisodeEncoder()
    texts = ["Orla sang in Oslo last Friday", "Orla sang in Bergen last Friday", "Mira sang in Oslo yesterday"]
    stored = unpack([encoder.encode(Event(text=text, event_time=WEDNESDAY))[1] for text in texts])
    for question, answer in [("What did Orla do in Bergen?", 1), ("Who was in Oslo on 9 May 2023?", 2)]:
        cue = encoder.encode_cue(Cue(text=question))
        assert slot_similarity(cue.code, stored, cue.mask).argmax() == answer


def test_relative_times_of_a_cue_need_asked_at() -> None:
    encoder = EpisodeEncoder()
    assert encoder.encode_cue(Cue(text="What happened yesterday?")).slots.when == ()
    cue = encoder.encode_cue(Cue(text="What happened yesterday?", asked_at=WEDNESDAY))
    assert cue.slots.when == ("2023-05-09",)
    assert cue.mask.tolist() == [False, False, False, True]
    assert cue.code.dtype == np.int8


def test_an_empty_cue_has_no_slots() -> None:
    cue = EpisodeEncoder().encode_cue(Cue())
    assert not cue.slots
    assert not cue.mask.any()


def test_dateparser_is_imported_only_for_an_open_date() -> None:
    program = (
        "import sys; from datetime import datetime; from hippo_agent.episodic.encoder import EpisodeEncoder;"
        "from hippo_agent.types import Event; encoder = EpisodeEncoder();"
        "encoder.encode(Event(text='Orla sang in Oslo yesterday', event_time=datetime(2023, 5, 10)));"
        "assert 'dateparser' not in sys.modules;"
        "encoder.encode(Event(text='Orla sang in Oslo on Friday', event_time=datetime(2023, 5, 10)));"
        "assert 'dateparser' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
