"""A stream that is not worth storing: repeats, greetings and echoes around a few pieces of news.

All sentences are made here from small lists; the same seed gives the same stream.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal

from hippo_agent.types import Event, Namespace, Provenance

Kind = Literal["news", "repeat", "greeting", "echo"]
JUNK: tuple[Kind, ...] = ("repeat", "greeting", "echo")

_SPEAKERS = ("Ines", "Tomas")
_DONE = (
    ("bought", ("a kayak", "a secondhand telescope", "a walnut desk", "two beehives", "a cello", "an orange tent")),
    ("visited", ("the harbour museum", "a salt mine", "an old lighthouse", "the glass works", "a falcon centre")),
    ("lost", ("a silver ring", "my library card", "a blue umbrella", "my train pass")),
    ("repaired", ("the greenhouse roof", "a gramophone", "the kitchen tap", "an antique clock")),
    ("finished", ("a course in pottery", "the novel about Antarctica", "a marathon", "my tax forms")),
    ("planted", ("seven pear trees", "a row of lavender", "forty tulips", "some chillies")),
    ("baked", ("a rye loaf", "thirty almond biscuits", "a plum cake")),
    ("adopted", ("a greyhound", "two kittens", "a deaf parrot")),
)
_WHERE = (
    "in Porto",
    "near Bergen",
    "in Kyoto",
    "at the Danube",
    "outside Tallinn",
    "in Oaxaca",
    "in Leeds",
    "near Accra",
)
_WHEN = ("on Monday", "last Thursday", "in March", "on the 9th of July", "two weeks ago", "yesterday", "in 2019")
_WITH = ("", " with my sister Clara", " with Professor Okafor", " with our neighbour Yusuf", " for my nephew Bram")
_GREETINGS = (
    "Hi {name}!", "Hello {name}, how are you?", "Hey {name}, what's up?", "Good morning!", "Good morning, {name}!",
    "Good night, {name}!", "Hey! Long time no see!", "Bye {name}!", "Bye, take care!", "See you later!",
    "See you tomorrow, {name}!", "Talk to you soon!", "Thanks!", "Thank you so much, {name}!", "Thanks a lot!",
    "You're welcome!", "No problem!", "No worries, {name}.", "Ok.", "Okay, great!", "Sure thing!", "Sounds good!",
    "Cool!", "Haha, nice!", "Wow, that's awesome!", "That's great, {name}!", "I'm fine, thanks. And you?",
    "How's it going?", "Have a nice day!", "Have a great weekend, {name}!", "Nice to hear from you!", "Yes, exactly.",
    "Congrats!", "Congratulations, {name}! Well done!", "Good luck!", "Keep it up!", "Hmm, I see.", "Got it.", "lol",
    "👍", "Glad to hear that!", "Hope you have a lovely evening!", "Welcome!", "Alright, bye for now!", "Take it easy!",
    "How was your day?", "What have you been up to?", "Sleep well!", "Amazing, {name}!", "Thanks for asking!",
)  # fmt: skip
_ECHOES = (
    "You {did}!", "So you {did}?", "Wow, you {did}!", "Oh, you {did}. Nice!", "I see, you {did}.", "You {did}? Great!",
    "Really, you {did}?", "Ah, so you {did}, {name}.", "You {did}, that's awesome!", "Okay, you {did}.",
    "You {did}, right?", "Cool that you {did}!",
)  # fmt: skip
_REPEATS = (
    "{text}", "{text}", "{lower}", "{bare}", "{text} ", "As I said, {inner}", "Like I said, {inner}",
    "By the way, {inner}", "Hey, {inner}", "{bare}!", "Did I tell you that {inner}", "Again: {inner}",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """One turn of the stream and what it is."""

    event: Event
    kind: Kind


def junk_stream(
    n: int = 400, *, news_share: float = 0.1, seed: int = 0, namespace: Namespace = (), session: str = "junk"
) -> list[Streamed]:
    """``n`` turns of one conversation; about ``news_share`` of them are news, the rest is junk.

    A repeat says a piece of news once more, at any distance, word for word or with a filler; an echo says back what the
    other has just said.
    """
    rng = random.Random(seed)
    facts = _facts(rng)
    stream: list[Streamed] = []
    told: list[tuple[int, str]] = []  # (speaker, what was done)
    start = datetime(2024, 5, 6, 9, 0, tzinfo=timezone.utc)
    while len(stream) < n:
        if not told or rng.random() < news_share:
            kind: Kind = "news"
            facts = facts or _facts(rng)
            speaker, did = rng.randrange(2), facts.pop()
            told.append((speaker, did))
            text = f"I {did}."
        else:
            kind = rng.choice(JUNK)
            if stream[-1].kind == "news" and rng.random() < 0.5:
                kind = "echo"  # only what has just been said can be echoed
            elif kind == "echo" and all(item.kind != "news" for item in stream[-2:]):
                continue
            speaker, text = _junk(kind, told, rng)
        event = Event(
            text=text,
            namespace=namespace,
            provenance=Provenance(source="user", session=session, trust=0.8),
            speaker=_SPEAKERS[speaker],
            event_time=start + timedelta(minutes=len(stream)),
        )
        stream.append(Streamed(event=event, kind=kind))
    return stream


def _facts(rng: random.Random) -> list[str]:
    facts = [
        f"{verb} {thing}{company} {where} {when}"
        for verb, things in _DONE
        for thing in things
        for where in _WHERE
        for when in _WHEN
        for company in _WITH
    ]
    rng.shuffle(facts)
    return facts


def _junk(kind: Kind, told: Sequence[tuple[int, str]], rng: random.Random) -> tuple[int, str]:
    if kind == "greeting":
        speaker = rng.randrange(2)
        return speaker, rng.choice(_GREETINGS).format(name=_SPEAKERS[1 - speaker])
    if kind == "echo":
        speaker, did = told[-1]
        heard = re.sub(r"\b(?:my|our)\b", "your", did)
        return 1 - speaker, rng.choice(_ECHOES).format(did=heard, name=_SPEAKERS[speaker])
    speaker, did = rng.choice(told)
    text = f"I {did}."
    shapes = {"text": text, "lower": text.lower(), "bare": text[:-1], "inner": text, "name": _SPEAKERS[1 - speaker]}
    return speaker, rng.choice(_REPEATS).format(**shapes)
