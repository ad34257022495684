"""Any text in any language can be encoded, deterministically."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from hippo_agent.episodic import times
from hippo_agent.episodic.codes import CODE_BYTES, slot_codes, slot_similarity, unpack
from hippo_agent.episodic.completion import agreement, complete_slots
from hippo_agent.episodic.encoder import EpisodeEncoder
from hippo_agent.episodic.slots import extract
from hippo_agent.evaluation.partial_cue import keep_words, misspell
from hippo_agent.types import Event, Slots

PHRASES = (
    "Ada ada's I in at to from the of and , . ' - May 3 31 2023 last next Friday week ago two days December on "
    "Mr. J. van NASA library"
)
WORDS = st.sampled_from(PHRASES.split())
TEXTS = st.one_of(
    st.text(max_size=200), st.text(st.characters(), max_size=50), st.lists(WORDS, max_size=25).map(" ".join)
)
TIMES = st.one_of(st.none(), st.datetimes(timezones=st.just(timezone.utc)))
VALUES = st.lists(st.text(min_size=1, max_size=12), max_size=3).map(tuple)
SLOTS = st.builds(Slots, who=VALUES, what=VALUES, where=VALUES, when=VALUES)


@given(TEXTS, TIMES)
@example("\ud800 I\u0307 ǅ in \ud800", None)
@example("İSTANBUL ﬁ İ's", datetime(2023, 5, 10, tzinfo=timezone.utc))
def test_any_text_is_encoded_the_same_way_twice(text: str, moment: datetime | None) -> None:
    event = Event(text=text, speaker="Mira", event_time=moment)
    slots, codes = EpisodeEncoder().encode(event)
    assert (slots, codes) == EpisodeEncoder().encode(event)
    assert len(codes) == CODE_BYTES
    assert slots.who[0] == "Mira"
    assert all(value.strip() for values in (slots.who, slots.what, slots.where, slots.when) for value in values)


@given(TEXTS, TIMES)
def test_spans_lie_in_the_text_and_hold_valid_dates(text: str, moment: datetime | None) -> None:
    end = 0
    for span in times.resolve(text, moment):
        assert end <= span.start < span.end <= len(text)
        assert text[span.start : span.end] == span.text
        first, last = times.interval(span.iso)
        assert first < last
        assert times.overlap(span.iso, span.iso) == 1.0
        end = span.end


@given(SLOTS, SLOTS)
def test_any_slots_have_codes_and_scores_in_bounds(cue: Slots, stored: Slots) -> None:
    codes = unpack([slot_codes(cue), slot_codes(stored)])
    scores = slot_similarity(codes[0], codes)
    assert np.all(np.abs(scores) <= 1.05)
    assert np.isclose(scores[0], 1.0, atol=0.05) or not cue
    assert 0.0 <= agreement(cue, stored) <= 1.0
    assert complete_slots(cue, stored) == complete_slots(complete_slots(cue, stored), stored)


@given(TEXTS)
def test_a_cue_agrees_with_its_own_episode(text: str) -> None:
    slots = extract(text)
    assert not slots or agreement(slots, slots) > 0.999


@given(TEXTS, st.integers(0, 5))
def test_partial_cues_keep_words_in_order(text: str, seed: int) -> None:
    words = iter(text.split())
    assert all(word in words for word in keep_words(text, 0.4, seed=seed).split())
    assert misspell(text, seed=seed) == misspell(text, seed=seed)
