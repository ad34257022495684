"""Lures: near-duplicate episodes that differ in one slot, cues that name it, and pairs to merge or to keep apart.

Everything is invented and seeded. A family fixes an event (who, how many, what, where, when) and varies one of them;
its episodes are told in different sentences, names early or late, dates in full or relative to the day of telling. A
cue names the differing slot in another form (a first name alone, a number as a word, another date format, a thing in
the singular or by a synonym) plus two slots that the family shares. The task: find the one episode (P@1).

Merge pairs are two observations of one session. Same event: the same speaker says it again, in another order, casing
or punctuation, or with filler. Different event: a lure of the family.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from typing import Literal

from hippo_agent.types import Event, Provenance

__all__ = [
    "LureCue",
    "LureSet",
    "MergePair",
    "Varied",
    "make_lures",
    "make_merge_pairs",
    "merge_scores",
    "precision_at_1",
]

Varied = Literal["who", "what", "where", "when", "number"]
VARIED: tuple[Varied, ...] = ("who", "what", "where", "when", "number")


@dataclass(frozen=True, slots=True, kw_only=True)
class LureCue:
    """A question whose only right answer is ``episodes[answer]``."""

    text: str
    varied: Varied  # the slot in which the family differs, named by the cue
    answer: int
    asked_at: datetime
    synonym: bool  # "what" is not named but paraphrased by its meaning: "bikes" for "bicycles"


@dataclass(frozen=True, slots=True, kw_only=True)
class LureSet:
    """Episodes in the order of telling, one cue for each, and the family of each episode."""

    episodes: tuple[Event, ...]
    families: tuple[int, ...]
    cues: tuple[LureCue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePair:
    """Two observations, minutes apart in one session; ``same`` if they tell of the same event."""

    first: Event
    second: Event
    same: bool
    kind: str  # how the second differs: "order", "casing", "punctuation", "filler", "verbatim", or the varied slot


def make_lures(families: int = 200, *, seed: int = 0) -> LureSet:
    """``families`` families of 4 to 6 episodes (one event and 3 to 5 lures), shuffled, each with one cue."""
    rng = random.Random(f"lures:{seed}")
    world = _World(rng)
    told: list[tuple[Event, int, Varied, _Fact]] = []
    for family in range(families):
        varied = VARIED[family % len(VARIED)]
        for fact in _family(world, varied, rng):
            told.append((_tell(fact, rng, rng.randrange(len(fact.domain.statements))), family, varied, fact))
    rng.shuffle(told)
    asked_at = max(event.event_time or _FIRST for event, *_ in told) + timedelta(days=30)
    cues = [
        _ask(fact, varied, i, asked_at, synonym=family % 2 == 0, rng=rng)
        for i, (_, family, varied, fact) in enumerate(told)
    ]
    return LureSet(
        episodes=tuple(event for event, *_ in told), families=tuple(family for _, family, *_ in told), cues=tuple(cues)
    )


def make_merge_pairs(count: int = 400, *, seed: int = 0) -> tuple[MergePair, ...]:
    """``count`` pairs, half of them the same event told again."""
    rng = random.Random(f"merge:{seed}")
    world = _World(rng)
    pairs = []
    for n in range(count):
        varied = VARIED[(n // 2) % len(VARIED)]
        fact, other = _family(world, varied, rng)[:2]
        template = rng.randrange(len(fact.domain.statements))
        first = _tell(fact, rng, template, relative=False)
        if n % 2:
            lure = _tell(replace(other, told=fact.told), rng, template, relative=False)
            pairs.append(MergePair(first=first, second=_later(lure, rng), same=False, kind=varied))
        else:
            kind = _RESTATEMENTS[(n // 2) % len(_RESTATEMENTS)]
            again = _restate(fact, first, kind, template, rng)
            pairs.append(MergePair(first=first, second=_later(again, rng), same=True, kind=kind))
    return tuple(pairs)


def precision_at_1(cues: Sequence[LureCue], found: Sequence[int | None]) -> dict[str, float]:
    """Share of cues whose first hit (an episode's index, None for no hit) is right.

    "p@1" counts the cues that name the differing slot, "p@1_who" to "p@1_number" split it; "p@1_synonym" counts those
    that paraphrase it by its meaning; "p@1_all" both.
    """
    right = [hit == cue.answer for cue, hit in zip(cues, found, strict=True)]
    groups = {
        "p@1": [not cue.synonym for cue in cues],
        **{f"p@1_{varied}": [cue.varied == varied and not cue.synonym for cue in cues] for varied in VARIED},
        "p@1_synonym": [cue.synonym for cue in cues],
        "p@1_all": [True for _ in cues],
    }
    return {
        name: sum(ok for ok, is_in in zip(right, members, strict=True) if is_in) / sum(members)
        for name, members in groups.items()
        if any(members)
    }


def merge_scores(pairs: Sequence[MergePair], merged: Sequence[bool]) -> dict[str, float]:
    """Precision and recall of merging; precision is 1 when nothing was merged."""
    hits = sum(pair.same and did for pair, did in zip(pairs, merged, strict=True))
    did_merge, same = sum(merged), sum(pair.same for pair in pairs)
    return {
        "merge_precision": hits / did_merge if did_merge else 1.0,
        "merge_recall": hits / same if same else 1.0,
    }


_FIRST = datetime(2023, 1, 9, 10, 0, tzinfo=timezone.utc)
_RESTATEMENTS = ("order", "casing", "punctuation", "filler", "verbatim")
_NUMBERS = "two three four five six seven eight nine ten eleven twelve"
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Domain:
    """Sentences about one kind of event. {n}: the number, {what}: plural, {when}: "on 3 May 2023" or "last Friday"."""

    statements: tuple[str, ...]
    asks: tuple[str, ...]
    things: tuple[tuple[str, str], ...]  # (as told, a synonym); asked as "bicycle" or "bikes"
    places: tuple[str, ...]  # kinds of place, told as "the Corvin market"


_DOMAINS = (
    _Domain(
        (
            "{who} bought {n} {what} at {where} {when}.",
            "{When}, {n} {what} were bought at {where} by {who}.",
            "At {where} somebody picked up {n} {what} {when}, and that was {who}.",
            "Guess who came home from {where} with {n} {what} {when}: {who}!",
        ),
        (
            "purchase of {n} {what} by {who}, {where}, {when}",
            "Which note is about {who} getting {n} {what} from {where} {when}?",
            "{who} as a buyer of {n} {what} {when} - {where}",
        ),
        (
            ("bicycles", "bikes"), ("lamps", "lights"), ("sofas", "couches"), ("carpets", "rugs"),
            ("paintings", "pictures"), ("cups", "mugs"), ("jackets", "coats"), ("novels", "books of fiction"),
            ("guitars", "string instruments"),
        ),
        ("market", "bazaar", "shop", "fair", "auction"),
    ),
    _Domain(
        (
            "{who} repaired {n} {what} in {where} {when}.",
            "{When} there were {n} broken {what} in {where}, fixed in the end by {who}.",
            "In {where} {n} {what} work again since {who} looked at them {when}.",
            "I watched {n} {what} being mended in {where} {when} by a patient {who}.",
        ),
        (
            "who mended what: {who}, {n} {what}, {where}, {when}",
            "When were the {n} {what} put right by {who} in {where} - {when}?",
            "{who} fixing {n} {what} {when}, place {where}",
        ),
        (
            ("radios", "wireless sets"), ("pumps", "water pumps"), ("clocks", "timepieces"), ("engines", "motors"),
            ("printers", "printing machines"), ("heaters", "radiators"), ("tractors", "farm vehicles"),
        ),
        ("workshop", "garage", "station", "harbour", "factory"),
    ),
    _Domain(
        (
            "{who} taught {n} {what} at {where} {when}.",
            "{When} {n} {what} sat in {where} and listened to {who}.",
            "{n} {what} came to {where} {when} for a lesson with {who}.",
            "It was at {where} {when} that {n} {what} had a class given by {who}.",
        ),
        (
            "lesson for {n} {what} by {who} at {where}, {when}",
            "What do we know of {who} teaching {n} {what} {when} at {where}?",
            "teacher {who}, {n} {what}, {where}, {when}",
        ),
        (
            ("children", "kids"), ("nurses", "hospital staff"), ("pensioners", "retired people"), ("sailors", "seamen"),
            ("beginners", "newcomers"), ("cooks", "chefs"), ("officers", "police"),
        ),
        ("school", "library", "college", "museum", "academy"),
    ),
    _Domain(
        (
            "{who} planted {n} {what} in {where} {when}.",
            "{When} {n} {what} were put in the ground of {where} by {who}.",
            "There are {n} new {what} in {where}, planted {when} by {who}.",
            "For {where} we got {n} {what} {when}, and the digging was done by {who}.",
        ),
        (
            "{who} gardening {when}: {n} {what}, {where}",
            "Who set {n} {what} into the soil of {where} {when}, was it {who}?",
            "planting of {n} {what} at {where}, {who}, {when}",
        ),
        (
            ("apple trees", "fruit trees"), ("roses", "rose bushes"), ("pines", "conifers"), ("tulips", "spring bulbs"),
            ("vines", "grape plants"), ("tomatoes", "tomato seedlings"), ("hedges", "box shrubs"),
        ),
        ("park", "garden", "orchard", "courtyard", "farm"),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fact:
    domain: _Domain
    who: tuple[str, str]  # first name, surname
    number: int
    what: tuple[str, str]
    where: tuple[str, str]  # name, kind
    when: date
    told: datetime
    speaker: str
    session: str


class _World:
    """Invented names, each given out once."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._used: set[str] = set()

    def name(self, *, syllables: int = 2) -> str:
        while True:
            parts = [self._rng.choice(_ONSETS) + self._rng.choice(_VOWELS) for _ in range(syllables)]
            name = ("".join(parts) + self._rng.choice(_CODAS)).capitalize()
            if name not in self._used:
                self._used.add(name)
                return name


_ONSETS = "b br d dr f g gr h j k kl l m n p pr r s st t tr v vr w z th sh".split()  # noqa: SIM905
_VOWELS = "a e i o u ei au ia".split()  # noqa: SIM905
_CODAS = "n l r s k m nd sk th ck".split()  # noqa: SIM905


def _family(world: _World, varied: Varied, rng: random.Random) -> list[_Fact]:
    """One event and 3 to 5 lures that differ from it, and from each other, in one slot."""
    domain = rng.choice(_DOMAINS)
    size = rng.randint(4, 6)
    told = _FIRST + timedelta(days=rng.randrange(600), minutes=rng.randrange(600))
    base = _Fact(
        domain=domain,
        who=(world.name(), world.name(syllables=3)),
        number=rng.randint(2, 12),
        what=rng.choice(domain.things),
        where=(world.name(syllables=3), rng.choice(domain.places)),
        when=told.date() - timedelta(days=rng.randint(8, 60)),
        told=told,
        speaker=world.name(),
        session=f"session-{rng.randrange(10**9):09d}",
    )
    if varied == "who":
        names = [base.who, *((world.name(), base.who[1]) for _ in range(size - 1))]
        return [replace(base, who=name) for name in names]
    if varied == "number":
        return [replace(base, number=number) for number in rng.sample(range(2, 13), size)]
    if varied == "what":
        return [replace(base, what=what) for what in rng.sample(domain.things, size)]
    if varied == "where":
        places = [base.where, *((world.name(syllables=3), base.where[1]) for _ in range(size - 1))]
        return [replace(base, where=place) for place in places]
    shifts = [0, *rng.sample(range(1, 40), size - 1)]
    return [replace(base, when=base.when - step, told=base.told - step) for step in map(_days, shifts)]


def _days(days: int) -> timedelta:
    return timedelta(days=days)


def _tell(fact: _Fact, rng: random.Random, template: int, *, relative: bool = True) -> Event:
    """The fact as an episode; a third of the dates are relative to the day of telling."""
    when = fact.when
    if relative and rng.random() < 0.33:
        told = fact.told
        days = rng.randint(1, 6)
        told = datetime.combine(when + timedelta(days=days), told.timetz())
        said = "yesterday" if days == 1 else f"last {_WEEKDAYS[when.weekday()]}" if days > 2 else "two days ago"
    else:
        told = fact.told
        said = rng.choice(
            (
                f"on {when.day} {_MONTHS[when.month - 1]} {when.year}",
                f"on {_MONTHS[when.month - 1]} {when.day}, {when.year}",
            )
        )
    text = fact.domain.statements[template].format(
        who=" ".join(fact.who),
        n=_number(fact.number, rng),
        what=fact.what[0],
        where=f"the {fact.where[0]} {fact.where[1]}",
        when=said,
        When=said[0].upper() + said[1:],
    )
    return Event(
        text=text[0].upper() + text[1:],
        speaker=fact.speaker,
        event_time=told,
        provenance=Provenance(source="user", session=fact.session),
    )


def _ask(fact: _Fact, varied: Varied, answer: int, asked_at: datetime, *, synonym: bool, rng: random.Random) -> LureCue:
    """A cue in other words: the differing slot, and two that the family shares."""
    shared = [name for name in VARIED if name != varied and name != "number"]
    named = {varied, *rng.sample(shared, 2)}
    if not named & {"who", "where"}:  # no other slot is sure to be the family's own
        named = {varied, rng.choice(("who", "where")), rng.choice(("what", "when"))}
    parts = {
        "who": rng.choice((fact.who[0], " ".join(fact.who))) if varied == "who" else fact.who[1],
        "n": _number(fact.number, rng),
        "what": fact.what[1] if synonym else fact.what[0].removesuffix("s"),
        "where": rng.choice((f"{fact.where[0]} {fact.where[1]}", fact.where[0])),
        "when": _other_date(fact.when, rng),
    }
    blanks = {"who": "somebody", "n": "some", "what": "things", "where": "somewhere", "when": ""}
    keys = {"who": "who", "number": "n", "what": "what", "where": "where", "when": "when"}
    filled = {key: parts[key] if name in named else blanks[key] for name, key in keys.items()}
    text = " ".join(rng.choice(fact.domain.asks).format(**filled).split())
    return LureCue(text=text, varied=varied, answer=answer, asked_at=asked_at, synonym=synonym and varied == "what")


def _number(number: int, rng: random.Random) -> str:
    return rng.choice((str(number), _NUMBERS.split()[number - 2]))


def _other_date(day: date, rng: random.Random) -> str:
    month = _MONTHS[day.month - 1]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10 if day.day not in (11, 12, 13) else 0, "th")
    spoken = f"the {day.day}{ending} of {month}, {day.year}"
    return rng.choice((day.isoformat(), f"{_WEEKDAYS[day.weekday()]} {day.day} {month[:3]} {day.year}", spoken))


def _later(event: Event, rng: random.Random) -> Event:
    assert event.event_time is not None
    return replace(event, event_time=event.event_time + timedelta(minutes=rng.randint(1, 40)))


def _restate(fact: _Fact, first: Event, kind: str, template: int, rng: random.Random) -> Event:
    if kind == "order":
        others = [i for i in range(len(fact.domain.statements)) if i != template]
        return _tell(fact, rng, rng.choice(others), relative=False)
    text = first.text
    if kind == "casing":
        text = rng.choice((text.lower(), text.upper()))
    elif kind == "punctuation":
        text = text.rstrip(".!").replace(",", "") + rng.choice(("", "!", "...", " :)"))
    elif kind == "filler":
        opening = rng.choice(("So, ", "As I said, ", "Oh, by the way: ", "You know, "))
        text = opening + text[:-1] + rng.choice((", you know.", ", as I told you.", ". Just saying."))
    return replace(first, text=text)
