"""Invented worlds whose facts change: stated, restated, corrected, retracted, made stale, in dialogue and in documents.

Everybody and everything is made up of syllables, so that no model knows an answer beforehand. A world is a stream of
dated
texts and questions about its end: the value that holds now, over one relation or two. Distractors tell of others with
the
same relations, repeat old values in quotes of the past, and chat. The seed decides everything.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

__all__ = ["World", "WorldQuestion", "WorldText", "invent"]

START = datetime(2024, 1, 1, 9, tzinfo=timezone.utc)
_SYLLABLES = (
    "ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu", "bra", "cle",
    "dri", "flo", "gre", "kla", "mer", "nol", "par", "ros", "sel", "tam", "vin", "wen", "zor",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldText:
    """One thing that was said or written. ``speaker`` is None for a document."""

    id: str
    text: str
    speaker: str | None
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldQuestion:
    """A question about how things stand at the end. ``answer`` is None when the fact was retracted."""

    id: str
    text: str
    hops: int
    answer: str | None
    stale: tuple[str, ...]  # values that held before, or were said by mistake
    evidence: tuple[str, ...]  # ids of the texts that the answer rests on


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Texts in the order they came, and what is asked at the end."""

    texts: tuple[WorldText, ...]
    questions: tuple[WorldQuestion, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A relation: ways to state it as a third person and as oneself, to take it back, and to ask for it."""

    name: str
    subject: str
    object: str
    states: tuple[str, ...]
    own: tuple[str, ...]
    ends: tuple[str, ...]
    asks: tuple[str, ...]
    of: str  # "the boss of {x}", for the first hop


_KINDS = (
    _Kind("lives in", "person", "place",
          ("{x} lives in {y}.", "{x} moved to {y}.", "{x}'s home is now in {y}.", "{x} has relocated to {y}."),
          ("I live in {y} now.", "I moved to {y}.", "By the way, I've moved to {y}."),
          ("{x} no longer lives in {y}.", "It is not true that {x} lives in {y}."),
          ("Where does {x} live?", "In which town does {x} live?"), ""),
    _Kind("works for", "person", "company",
          ("{x} works for {y}.", "{x} joined {y}.", "{x} is employed by {y}.", "{y} hired {x}."),
          ("I work for {y}.", "I started at {y}.", "I'm working for {y} these days."),
          ("{x} no longer works for {y}.", "{x} quit {y}.", "{x} resigned from {y}."),
          ("Which company does {x} work for?", "Who is the employer of {x}?"), "the employer of {x}"),
    _Kind("boss", "person", "person",
          ("{x}'s boss is {y}.", "{x} reports to {y}.", "The boss of {x} is {y}.", "{y} is the manager of {x}."),
          ("My boss is {y}.", "I report to {y}.", "My new manager is {y}."),
          ("{y} is no longer the boss of {x}.", "It is not true that {x}'s boss is {y}."),
          ("Who is the boss of {x}?", "Who does {x} report to?"), "the boss of {x}"),
    _Kind("spouse", "person", "person",
          ("{x} is married to {y}.", "{x} married {y}.", "The spouse of {x} is {y}."),
          ("I'm married to {y}.", "I got married to {y}."),
          ("{x} divorced {y}.", "{x} is no longer married to {y}."),
          ("Who is {x} married to?", "Who is the spouse of {x}?"), "the spouse of {x}"),
    _Kind("chief executive", "company", "person",
          ("The CEO of {x} is {y}.", "{y} is the chief executive officer of {x}.", "{x} is led by {y}.",
           "{y} took over {x}."),
          (), ("{y} is no longer the CEO of {x}.", "It is not true that the CEO of {x} is {y}."),
          ("Who is the CEO of {x}?", "Who leads {x}?"), "the CEO of {x}"),
    _Kind("headquarters", "company", "place",
          ("{x} is headquartered in {y}.", "The headquarters of {x} is in {y}.", "{x} moved its headquarters to {y}."),
          (), ("The headquarters of {x} is no longer in {y}.", "{x} is no longer headquartered in {y}."),
          ("Where is {x} headquartered?", "In which town is the headquarters of {x}?"), ""),
    _Kind("mayor", "place", "person",
          ("The mayor of {x} is {y}.", "{y} is the mayor of {x}.", "{y} became the mayor of {x}."),
          (), ("{y} is no longer the mayor of {x}.",),
          ("Who is the mayor of {x}?",), "the mayor of {x}"),
    _Kind("owner", "thing", "person",
          ("The {x} belongs to {y}.", "The {x} is owned by {y}.", "{y} bought the {x}."),
          (), ("It is not true that the {x} belongs to {y}.",),
          ("Who owns the {x}?", "Who is the owner of the {x}?"), "the owner of the {x}"),
)  # fmt: skip
_CHAT = (
    "It rained all afternoon.", "Did you sleep well?", "The soup was too salty again.", 
    "I read a long book about tides.",
    "Who wants coffee?", "The train was late, as always.", "That film had no end.", "We should paint the fence.",
)  # fmt: skip
_PAST = ("Years ago {s}", "In the old days {s}", "Somebody asked whether {s}", "I dreamt that {s}")
_CORRECTIONS = ("Correction: {s}", "Actually, {s}", "I was wrong: {s}", "Update: {s}")


def invent(seed: int, *, subjects: int = 24, chains: int = 12) -> World:
    """A world of about five texts a subject: single facts that change, and chains of two."""
    return _Builder(random.Random(seed)).world(subjects, chains)


class _Builder:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.used: set[str] = set()
        self.said: list[tuple[str, str | None]] = []  # text, speaker
        self.current: dict[tuple[str, str], tuple[str | None, tuple[str, ...], int]] = {}

    def world(self, subjects: int, chains: int) -> World:
        scripts: list[list[tuple[str, str | None]]] = []
        asked: list[tuple[str, int, str | None, tuple[str, ...]]] = []
        for _ in range(subjects):
            kind = self.rng.choice(_KINDS)
            name = self.name(kind.subject)
            script, value, stale = self.life(kind, name)
            scripts.append(script)
            asked.append((self.rng.choice(kind.asks).format(x=name), 1, value, stale))
        for _ in range(chains):
            first = self.rng.choice([kind for kind in _KINDS if kind.of])
            second = self.rng.choice([kind for kind in _KINDS if kind.subject == first.object and kind is not first])
            name = self.name(first.subject)
            script, middle, old = self.life(first, name, retract=False)
            scripts.append(script)
            assert middle is not None
            script, value, stale = self.life(second, middle, retract=False)
            scripts.append(script)
            for other in old[:1]:  # the stale middle has a value too: who does not update takes it
                wrong = self.name(second.object)
                scripts.append([(self.third(second, other, wrong), None)])
                stale = (*stale, wrong)
            question = self.rng.choice(second.asks).replace("the {x}", "{x}").format(x=first.of.format(x=name))
            asked.append((question, 2, value, stale))
        texts = self.interleave(scripts)
        return World(texts=texts, questions=tuple(self.question(at, *item, texts) for at, item in enumerate(asked)))

    def life(
        self, kind: _Kind, name: str, *, retract: bool = True
    ) -> tuple[list[tuple[str, str | None]], str | None, tuple[str, ...]]:
        """What is said of one fact over time, the value at the end, and the values before."""
        fate = self.rng.choice(("stated", "restated", "changed", "corrected", "changed twice", "retracted", "returned"))
        if fate == "retracted" and not retract:
            fate = "changed"
        values = [self.name(kind.object) for _ in range(3)]
        plan = {
            "stated": (0,), "restated": (0, 0), "changed": (0, 1), "corrected": (0, 1), "changed twice": (0, 1, 2),
            "retracted": (0,), "returned": (0, 1, 0),
        }[fate]  # fmt: skip
        script: list[tuple[str, str | None]] = []
        for step, which in enumerate(plan):
            text, speaker = self.telling(kind, name, values[which])
            if fate == "corrected" and step == 1:
                text = self.rng.choice(_CORRECTIONS).format(s=text)
            script.append((text, speaker))
        last = values[plan[-1]]
        before = tuple(dict.fromkeys(values[which] for which in plan if values[which] != last))
        if fate == "retracted":
            script.append((self.rng.choice(kind.ends).format(x=name, y=last), None))
            return script, None, (last,)
        if before and self.rng.random() < 0.4:  # a late word about the past
            past = self.third(kind, name, before[0])
            script.append((self.rng.choice(_PAST).format(s=past), None))
        return script, last, before

    def telling(self, kind: _Kind, name: str, value: str) -> tuple[str, str | None]:
        if kind.own and self.rng.random() < 0.4:
            return self.rng.choice(kind.own).format(y=value), name
        return self.third(kind, name, value), self.name("person") if self.rng.random() < 0.3 else None

    def third(self, kind: _Kind, name: str, value: str) -> str:
        return self.rng.choice(kind.states).format(x=name, y=value)

    def interleave(self, scripts: list[list[tuple[str, str | None]]]) -> tuple[WorldText, ...]:
        """All scripts at once, each in its order, with chat between."""
        order = [at for at, script in enumerate(scripts) for _ in script]
        self.rng.shuffle(order)
        left = [iter(script) for script in scripts]
        out: list[tuple[str, str | None]] = []
        for at in order:
            out.append(next(left[at]))
            if self.rng.random() < 0.25:
                out.append((self.rng.choice(_CHAT), self.name("person")))
        return tuple(
            WorldText(id=f"w{at}", text=text, speaker=speaker, time=START + timedelta(hours=7 * at))
            for at, (text, speaker) in enumerate(out)
        )

    def question(
        self, at: int, text: str, hops: int, value: str | None, stale: tuple[str, ...], texts: tuple[WorldText, ...]
    ) -> WorldQuestion:
        evidence = tuple(item.id for item in texts if value is not None and value in item.text)
        return WorldQuestion(id=f"q{at}", text=text, hops=hops, answer=value, stale=stale, evidence=evidence)

    def name(self, kind: str) -> str:
        while True:
            first, second = (
                "".join(self.rng.choice(_SYLLABLES) for _ in range(self.rng.randint(2, 3))).capitalize()
                for _ in range(2)
            )
            made = {
                "person": f"{first} {second}",
                "company": f"{first} Works",
                "place": first,
                "thing": f"{first} Stone",
            }[kind]
            if made not in self.used:
                self.used.add(made)
                return made
