"""Hypothesis strategies for what a memory can be told. Everything is built valid; nothing is filtered away."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from hypothesis import strategies as st

from hippo_agent.types import SOURCE_KINDS, Event, Namespace, Provenance, Slots

__all__ = ["events", "json_values", "labels", "moments", "namespaces", "slots", "texts", "words"]

#: Any character that can be stored: no surrogates, no NUL.
_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")

#: A few words that meet again and again, so that searches find something.
words = st.sampled_from(
    ["ada", "lisbon", "moved", "violin", "garden", "Tuesday", "straße", "東京", "don't", "x-ray", "2023"]
)

texts = st.one_of(
    st.lists(words, min_size=1, max_size=12).map(" ".join),
    st.text(_CHARACTERS, min_size=1, max_size=60).map(lambda text: text + "."),
)
labels = st.text(_CHARACTERS, min_size=1, max_size=12)
namespaces: st.SearchStrategy[Namespace] = st.lists(st.sampled_from(["a", "b", 'q"uote', "ü"]), max_size=3).map(tuple)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(timezone.utc))
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | labels,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(labels, inner, max_size=3),
    max_leaves=6,
)
slots = st.builds(
    lambda who, what, where: Slots(who=tuple(who), what=tuple(what), where=tuple(where)),
    st.lists(labels, max_size=2),
    st.lists(labels, max_size=2),
    st.lists(labels, max_size=2),
)
events: st.SearchStrategy[Event] = st.builds(
    Event,
    text=texts,
    namespace=namespaces,
    provenance=st.builds(
        Provenance,
        source=st.sampled_from(SOURCE_KINDS),
        principal=st.none() | labels,
        session=st.none() | st.sampled_from(["s1", "s2"]),
        trust=st.floats(0.0, 1.0),
    ),
    speaker=st.none() | st.sampled_from(["Ada", "Bob"]),
    event_time=moments,
    kind=st.sampled_from(["episode", "document"]),
    pin=st.booleans(),
    reward=st.floats(-1.0, 1.0),
    meta=st.dictionaries(labels, json_values, max_size=3),
)
