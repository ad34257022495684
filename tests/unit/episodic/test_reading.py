import json

import pytest

from hippo_agent.episodic.reading import Reader, Reading


def read(*turns: tuple[str, str]) -> Reading:
    """The last of (speaker, text) turns, read after the others."""
    reader = Reader()
    for speaker, text in turns[:-1]:
        reader.remember(reader.read(text, speaker=speaker, conversation="c"), conversation="c")
    speaker, text = turns[-1]
    return reader.read(text, speaker=speaker, conversation="c")


NEWS = ("Tomas", "I moved to Lisbon in May for a new job.")


@pytest.mark.parametrize(
    "text",
    [
        "Hi!",
        "Hello Tomas, how are you?",
        "Good morning, Tomas!",
        "Thanks so much for your help!",
        "See you tomorrow, bye!",
        "You're welcome!",
        "Wow, that's awesome!",
        "Hope you're doing well today!",
        "How can I help you today?",
        "Take care of yourself.",
        "👍",
    ],
)
def test_small_talk_is_empty(text: str) -> None:
    """A turn that only greets, thanks, or praises holds no episode."""
    assert read(("Ines", text)).empty
    assert read(NEWS, ("Ines", text)).empty


@pytest.mark.parametrize(
    "text",
    [
        "I quit.",
        "We won!",
        "Dad died.",
        "She said yes!",
        "I'm vegetarian.",
        "It's cancelled.",
        "The code is 4471.",
        "Don't call me on Sundays.",
        "I prefer short answers.",
        "Thanks! My sister Clara comes too.",
        "Where do you work now?",
        "Ich wohne in Berlin.",
        "我住在柏林。",
        "Hi! [shares a photo of a red bridge]",
    ],
)
def test_short_news_is_not_empty(text: str) -> None:
    """However short, in any language, and however it opens."""
    found = read(NEWS, ("Ines", text))

    assert not (found.empty or found.echo or found.repeat)


def test_yes_is_an_answer_only_after_a_question() -> None:
    """ "Yes." after a real question is kept; after a statement, or after "how are you?", it is not."""
    assert not read(("Tomas", "Are you allergic to nuts?"), ("Ines", "Yes.")).empty
    assert read(("Tomas", "How are you?"), ("Ines", "Fine, thanks!")).empty
    assert read(NEWS, ("Ines", "Yes.")).empty
    assert read(("Tomas", "Are you allergic to nuts?"), ("Ines", "Cool!")).empty


@pytest.mark.parametrize(
    "text",
    [
        "You moved to Lisbon!",
        "So you moved to Lisbon in May?",
        "Lisbon, wow.",
        "I see, you moved for a new job. Great!",
    ],
)
def test_saying_back_is_an_echo(text: str) -> None:
    """Nothing in it that the turn before did not say."""
    assert read(NEWS, ("Ines", text)).echo


@pytest.mark.parametrize(
    "text",
    [
        "I moved to Lisbon too.",
        "You didn't move to Lisbon.",
        "You moved to Porto!",
        "So you moved to Lisbon in June?",
        "Why did you move to Lisbon?",
        "My job is in Lisbon.",
    ],
)
def test_a_new_person_word_or_question_is_no_echo(text: str) -> None:
    """Another who, where, when, a denial or a real question is news."""
    assert not read(NEWS, ("Ines", text)).echo


def test_a_repeat_is_word_for_word_on_the_same_day() -> None:
    """By the same speaker among the last turns, or parroted by the other at once; another day is another event."""
    reader = Reader()
    first = reader.read("I ran a mile.", speaker="Ines", conversation="c", day="2024-05-01")
    reader.remember(first, conversation="c")

    def again(who: str, day: str, conversation: str = "c") -> bool:
        return reader.read("i ran a mile", speaker=who, conversation=conversation, day=day).repeat

    assert again("Ines", "2024-05-01")
    assert again("Tomas", "2024-05-01")
    assert not again("Ines", "2024-05-02")
    assert not again("Ines", "2024-05-01", conversation="another")


def test_information_orders_what_turns_say() -> None:
    """One's own news above the same about the other, above the same as a question, above praise."""
    texts = [
        "I bought a telescope in Bergen yesterday.",
        "You bought a telescope in Bergen yesterday.",
        "Who bought a telescope in Bergen yesterday?",
        "Wow, great, that is so lovely!",
    ]
    nats = [read(("Ines", text)).information for text in texts]

    assert nats == sorted(nats, reverse=True)
    assert nats[0] > 3 * nats[1] > 3 * nats[2] > 0.0
    assert nats[3] < 1.0


def test_names_numbers_times_and_rare_words_add_information() -> None:
    """Each adds to the sentence without it."""
    plain = read(("Ines", "I see a house")).information

    for richer in ("I see a house, Clara", "I see seven houses", "I see a house today", "I see a hacienda"):
        assert read(("Ines", richer)).information > plain


def test_words_just_heard_are_worth_less() -> None:
    """Given what was said, they are no news; a restated fact surprises less than a new one."""
    fresh = read(("Ines", "I bought a telescope."))
    heard = read(("Tomas", "A telescope is hard to carry."), ("Ines", "I bought a telescope."))

    assert heard.information < 0.9 * fresh.information
    assert 0.0 < heard.surprise < fresh.surprise < 1.0


def test_forgetting_leaves_no_words_behind() -> None:
    """Neither in the statistics nor in the context."""
    reader = Reader()
    reader.remember(reader.read("My code is zanzibar.", speaker="Ines", conversation="c"), conversation="c")
    reader.forget("My code is zanzibar.")

    assert "zanzibar" not in json.dumps(reader.state())
    assert reader.statistics.rows() == []


def test_state_survives_json() -> None:
    """A restored reader reads on as the original does."""
    reader = Reader()
    for speaker, text in (NEWS, ("Ines", "Why Lisbon?"), ("Tomas", "The harbour, and 300 days of sun.")):
        reader.remember(reader.read(text, speaker=speaker, conversation="c"), conversation="c")
    other = Reader()
    other.restore(json.loads(json.dumps(reader.state())))

    for text in ("You moved to Lisbon!", "Three hundred days of sun?", "I bought a kayak."):
        assert other.read(text, speaker="Ines", conversation="c") == reader.read(text, speaker="Ines", conversation="c")
    assert other.state() == reader.state()


def test_only_so_many_conversations_are_remembered() -> None:
    """The oldest context goes first."""
    reader = Reader()
    for i in range(reader.config.sessions + 5):
        reader.remember(reader.read("I won.", speaker="Ines", conversation=f"c{i}"), conversation=f"c{i}")

    assert [name for name, _ in reader.state()["contexts"]] == [f"c{i}" for i in range(5, reader.config.sessions + 5)]
