"""What a turn says that was not said before: the information of a turn, in nats, without a model.

The information of a sentence is the summed rarity of its words, each stem once per turn; words of the last turns count
little (given what was just said, they are no news), reactions count nothing, and names, numbers, times and one's own
past add a fixed amount each. Sentences count by what they do: a statement about oneself or the world in full, praise
of the other little, a question hardly at all. The sum saturates, since a long turn is one episode still.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hippo_agent.episodic import wording
from hippo_agent.episodic.surprise import WordStatistics, rarity

_EVERYDAY = 8.5  # nats: about the 500 most frequent stems
_SMALL_TALK_LENGTH = 2_000  # characters in which greeting formulas are looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingConfig:
    """Weights of a turn's information. All are round; halving or doubling one changes the order of turns little."""

    running_share: float = 0.25  # of the rarity under this memory's own statistics; the rest is general English
    common: float = 7.0  # nats of background rarity that count as nothing: about the 100 most frequent stems
    heard: float = 0.3  # factor of words that occurred in the last turns
    context_turns: int = 8  # how many last turns count as "just heard"
    question: float = 0.1  # factor of a sentence that asks
    about_you: float = 0.3  # factor of a sentence about the other that does not mention oneself
    impersonal: float = 0.7  # factor of a sentence without first or second person
    cue_nats: float = 6.0  # for each name and number (at most two each), a time, one's own past
    half: float = 40.0  # nats at which surprise is one half
    sessions: int = 64  # conversations whose last turns are remembered


@dataclass(frozen=True, slots=True)
class Heard:
    """A turn as later turns see it."""

    speaker: str
    text: str  # words joined by spaces, the note of what was shared included
    day: str  # ISO date of the turn, "" when not known
    stems: frozenset[str]
    content: frozenset[str]
    asks: bool
    asks_for_content: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the gate needs to know about a turn."""

    information: float  # nats, weighted, not saturated
    surprise: float  # information / (information + half), in [0, 1)
    answers: bool  # the turn before, by someone else, asked something
    shares: bool  # a picture or file came with it: "[shares a photo of a bridge]" at the end of the text
    empty: bool  # nothing but greeting, thanks or assent, and no answer to a real question
    echo: bool  # nothing that one of the last turns did not say
    repeat: bool  # word for word one of the last turns
    heard: Heard


class Reader:
    """Reads turns in order; keeps running statistics and the last turns of each conversation."""

    def __init__(self, config: ReadingConfig | None = None, statistics: WordStatistics | None = None) -> None:
        self.config = config or ReadingConfig()
        self.statistics = statistics or WordStatistics()
        self._contexts: OrderedDict[str, deque[Heard]] = OrderedDict()

    def read(self, text: str, *, speaker: str, conversation: str, day: str = "", shares: bool = False) -> Reading:
        """The information of a turn given what was heard before it. Changes nothing."""
        whole = " ".join(wording.words(wording.normalise(text)))
        text, notes = wording.without_notes(wording.normalise(text))
        shares = shares or notes
        last = list(self._contexts.get(conversation, ()))
        previous = last[-1] if last and last[-1].speaker != speaker else None
        parts = wording.sentences(text)
        spoken = [wording.words(part) for part in parts]
        asks = [part.rstrip("\"')] ").endswith("?") for part in parts]
        answers = previous is not None and previous.asks and not all(asks)
        speakers = {word for name in {turn.speaker for turn in last} for word in wording.words(name)}
        opening = wording.words(wording.without_formulas(text[:_SMALL_TALK_LENGTH]))
        left = opening + wording.words(text[_SMALL_TALK_LENGTH:])
        content = _content(left, common=self.config.common, speakers=speakers)
        heard = Heard(
            speaker=speaker,
            text=whole,
            day=day,
            stems=frozenset(wording.stem(word) for part in spoken for word in part),
            content=content,
            asks=any(asks),
            asks_for_content=any(asks) and bool(content),
        )
        information = self._information(parts, spoken, asks, last, speakers)
        real_answer = answers and previous is not None and previous.asks_for_content and _can_answer(left, speakers)
        same = [turn for turn in last if turn.text == whole and turn.day == day]
        repeats = any(turn.speaker == speaker for turn in same) or any(turn in last[-3:] for turn in same)
        bare_answer = real_answer and not content
        return Reading(
            information=information,
            surprise=information / (information + self.config.half),
            answers=answers,
            shares=shares,
            empty=not content
            and wording.THIRD_PERSON.isdisjoint(left)
            and not shares
            and not real_answer
            and not _asks_anew(parts, asks),
            echo=not shares and not answers and _is_echo(opening, heard, last[-3:]) and not _asks_anew(parts, asks),
            repeat=repeats and not bare_answer,
            heard=heard,
        )

    def remember(self, reading: Reading, *, conversation: str) -> None:
        """Take the turn into the statistics and into the conversation's last turns."""
        self.statistics.observe(reading.heard.stems)
        context = self._contexts.setdefault(conversation, deque(maxlen=self.config.context_turns))
        context.append(reading.heard)
        self._contexts.move_to_end(conversation)
        while len(self._contexts) > self.config.sessions:
            self._contexts.popitem(last=False)

    def forget(self, text: str) -> None:
        """Take a deleted text out of the statistics and of all last turns."""
        text = wording.normalise(text)
        gone = " ".join(wording.words(text))
        self.statistics.forget(wording.stem(word) for word in wording.words(wording.without_notes(text)[0]))
        for conversation, context in self._contexts.items():
            kept = [turn for turn in context if turn.text != gone]
            self._contexts[conversation] = deque(kept, maxlen=self.config.context_turns)

    def words_of(self, text: str) -> set[str]:
        """The words that the statistics count of a text."""
        return set(wording.words(wording.normalise(text)))

    def drop(self, words: Iterable[str]) -> None:
        """Leave no trace of words that no stored text has: of events that were not stored they are here too."""
        stems = {wording.stem(word) for word in words}
        self.statistics.drop(stems)
        for conversation, context in self._contexts.items():
            kept = [turn for turn in context if stems.isdisjoint(turn.stems)]
            self._contexts[conversation] = deque(kept, maxlen=self.config.context_turns)

    def _information(
        self,
        parts: Sequence[str],
        spoken: Sequence[Sequence[str]],
        asks: Sequence[bool],
        last: Sequence[Heard],
        speakers: Set[str],
    ) -> float:
        config = self.config
        before = frozenset().union(*(turn.stems for turn in last))
        seen: set[str] = set()
        total = 0.0
        for part, words, is_question in zip(parts, spoken, asks, strict=True):
            nats = config.cue_nats * _cues(part, words, speakers)
            for word in words:
                stem = wording.stem(word)
                if stem in seen:
                    continue
                seen.add(stem)
                if word in wording.REACTIONS or word in wording.PRONOUNS:
                    continue
                worth = rarity(stem, self.statistics, running_share=config.running_share, common=config.common)
                nats += worth * (config.heard if stem in before else 1.0)
            total += nats * self._role(words, is_question=is_question)
        return total

    def _role(self, spoken: Sequence[str], *, is_question: bool) -> float:
        if is_question:
            return self.config.question
        if not wording.FIRST_PERSON.isdisjoint(spoken):
            return 1.0
        if not wording.SECOND_PERSON.isdisjoint(spoken):
            return self.config.about_you
        return self.config.impersonal

    def state(self) -> dict[str, Any]:
        """JSON-able; `restore` gives an equal reader. The statistics' rows are part of it."""
        return {
            "texts": self.statistics.texts,
            "words": self.statistics.rows(),
            "contexts": [[name, [_row(turn) for turn in context]] for name, context in self._contexts.items()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that `state` gave."""
        self.statistics = WordStatistics([(word, count) for word, count in state["words"]], texts=state["texts"])
        self._contexts = OrderedDict()
        for name, turns in state["contexts"]:
            self._contexts[name] = deque((_turn(row) for row in turns), maxlen=self.config.context_turns)


def _row(turn: Heard) -> list[Any]:
    return [
        turn.speaker,
        turn.text,
        turn.day,
        sorted(turn.stems),
        sorted(turn.content),
        turn.asks,
        turn.asks_for_content,
    ]


def _turn(row: Sequence[Any]) -> Heard:
    speaker, text, day, stems, content, asks, asks_for_content = row
    return Heard(speaker, text, day, frozenset(stems), frozenset(content), asks, asks_for_content)


def _can_answer(left: Sequence[str], speakers: Set[str]) -> bool:
    """Whether what greeting formulas leave of a turn can be an answer: "Yes.", "I do", but not "Cool!"."""
    return any(word in wording.ANSWERS or (word not in wording.REACTIONS and word not in speakers) for word in left)


def _content(left: Sequence[str], *, common: float, speakers: Set[str]) -> frozenset[str]:
    """Stems with something to say once greetings and small talk are taken away."""
    stems = {_content_stem(word, common) for word in left if word not in speakers}
    return frozenset(stem for stem in stems if stem)


@lru_cache(maxsize=50_000)
def _content_stem(word: str, common: float) -> str | None:
    """The stem of a word that says something: a number, a time, or a word rarer than ``common``."""
    if word in wording.SMALL_TALK or word in wording.PRONOUNS:
        return None
    if wording.is_number(word):
        return wording.number_value(word)
    stem = wording.stem(word)
    return stem if word in wording.TIMES or wording.background_rarity(stem) > common else None


def _asks_anew(parts: Sequence[str], asks: Sequence[bool]) -> bool:
    """Whether a sentence asks for something, other than how one is."""
    for question in (part for part, is_question in zip(parts, asks, strict=True) if is_question):
        left = wording.words(wording.without_formulas(question))
        while left and left[0] in wording.REACTIONS:
            left = left[1:]
        if len(left) >= 3 and left[0].partition("'")[0] in wording.ASKING:
            return True
    return False


def _cues(sentence: str, spoken: Sequence[str], speakers: Set[str]) -> int:
    names = {name for name in wording.names(sentence) if name not in speakers}
    numbers = len([word for word in spoken if word in wording.NUMBERS or word[0].isdigit()])
    time = not wording.TIMES.isdisjoint(spoken)
    past = not wording.FIRST_PERSON.isdisjoint(spoken) and any(map(wording.is_past, spoken))
    return min(len(names), 2) + min(numbers, 2) + time + past


def _covers(said: frozenset[str], content: frozenset[str]) -> bool:
    """Whether all of the content was said; beside two or more words that were, one new everyday word may stand."""
    new = content - said
    return not new or (len(new) == 1 and len(content) > 2 and all(map(_is_everyday, new)))


def _is_everyday(stem: str) -> bool:
    return not wording.is_number(stem) and stem not in wording.TIMES and wording.background_rarity(stem) < _EVERYDAY


def _is_echo(opening: Sequence[str], heard: Heard, last: Sequence[Heard]) -> bool:
    """Whether one of the last turns already said all of it, about the same person and with the same yes or no."""
    if not heard.content:
        return False
    about_me = not wording.FIRST_PERSON.isdisjoint(opening)
    negated = wording.NEGATIONS & set(heard.text.split())
    for turn in last:
        if not _covers(turn.content, heard.content):
            continue
        if about_me and turn.speaker != heard.speaker:
            continue  # "I moved there too": the same words, another person
        if turn.speaker == heard.speaker and not heard.stems <= turn.stems:
            continue  # the same person goes on about it
        if bool(negated) == bool(wording.NEGATIONS & set(turn.text.split())):
            return True
    return False
