"""Further wordings of the relations, which only base training shows: many ways to say a thing teach to read new ones.

Examinations, nights and lessons of readers use the few wordings of `relations`; what is held out there is not here.
"""

from __future__ import annotations

import random
from functools import cache

from hippo_agent.model.tiny.relations import RELATIONS, Relation

__all__ = ["loosened", "more_asks", "more_states", "reversed_states"]

#: The nouns of a relation, further statements, further questions.
_MORE: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "home": (("home town", "residence", "place of residence"),
             ("{y} is where {x} lives.", "{x} resides in {y}.", "{y} is home to {x}.", "{x} settled in {y}.",
              "In {y} lives {x}."),
             ("Where does {x} reside?", "In which place does {x} have a house?", "Where did {x} settle?",
              "Which town does {x} live in?", "Where should I look for {x}?", "Where is {x}'s house?")),
    "employer": (("employer", "company", "workplace"),
                 ("{y} employs {x}.", "{x} has a job at {y}.", "{y} has {x} on its staff.", "{x} joined {y}."),
                 ("For which firm does {x} work?", "Who employs {x}?", "Who hired {x}?", "Where does {x} have a job?",
                  "By whom is {x} employed?", "Which company hired {x}?", "Which business pays {x}?")),
    "boss": (("boss", "manager", "supervisor", "superior"),
             ("{y} supervises {x}.", "{x} takes orders from {y}.", "{y} is in charge of {x}.", "{y} manages {x}."),
             ("Who supervises {x}?", "To whom does {x} report?", "Who is in charge of {x}?",
              "From whom does {x} take orders?", "What is {x}'s boss called?")),
    "spouse": (("spouse", "wife or husband"),
               ("{y} is married to {x}.", "{x} and {y} are married.", "{y} married {x}."),
               ("Whom did {x} marry?", "Who married {x}?", "What is {x}'s spouse called?",
                "With whom is {x} married?")),
    "friend": (("best friend", "closest friend"),
               ("Nobody is closer to {x} than {y}.", "{x} likes {y} best of all friends.",
                "{y} is closest to {x}."),
               ("Who is closest to {x}?", "What is the name of {x}'s best friend?",
                "Which person does {x} call a best friend?", "Whom does {x} like best?")),
    "birthplace": (("birthplace", "place of birth", "native town"),
                   ("{y} is where {x} was born.", "{x} hails from {y}.", "{x} came into the world in {y}.",
                    "{y} is the town that {x} comes from."),
                   ("Which town does {x} come from?", "At which place was {x} born?",
                    "Where did {x} come into the world?", "Where does {x} hail from?",
                    "Of which town is {x} a native?")),
    "profession": (("profession", "job", "occupation", "trade"),
                   ("By profession {x} is a {y}.", "{x} became a {y}.", "{x} has a job as a {y}.",
                    "A {y} is what {x} became."),
                   ("What work does {x} do?", "How does {x} earn money?", "What did {x} become?",
                    "What job does {x} have?", "As what does {x} earn a living?")),
    "pet": (("pet", "animal"),
            ("{x} takes care of a {y}.", "There is a {y} in the house of {x}.", "A {y} belongs to {x}.",
             "A {y} lives with {x}."),
            ("Which animal does {x} have?", "What animal does {x} own?", "What kind of animal does {x} keep?",
             "Which pet lives in the house of {x}?", "What pet does {x} own?")),
    "colour": (("favourite colour", "colour of choice", "preferred colour"),
               ("{y} is the colour that {x} likes best.", "{x} prefers the colour {y}.",
                "{x} would paint everything {y}."),
               ("Which colour does {x} prefer?", "What colour does {x} like most?", "Which colour would {x} choose?",
                "Of which colour is {x} most fond?")),
    "dish": (("favourite food", "favourite dish", "favourite meal"),
             ("{x} enjoys {y} most.", "{y} is what {x} likes to eat.", "Nothing tastes better to {x} than {y}.",
              "For dinner {x} always orders {y}."),
             ("What does {x} enjoy most?", "Which dish does {x} like best?", "What would {x} like to eat for dinner?",
              "What does {x} love to eat?", "What does {x} order?")),
    "instrument": (("instrument", "musical instrument"),
                   ("{x} can play the {y}.", "{x} practises the {y}.", "The {y} is what {x} plays.",
                    "The {y} is played by {x}."),
                   ("What instrument does {x} play?", "Which instrument is {x} learning?", "What can {x} play?",
                    "Which instrument does {x} practise?", "On which instrument is {x} able to play?")),
    "studies": (("subject", "field of study", "subject of study"),
                ("{y} is what {x} studies.", "{x} reads {y} at the university.", "{x} is taking a degree in {y}.",
                 "As a student {x} chose {y}."),
                ("What is {x} studying?", "What subject does {x} take?", "Of which subject is {x} a student?",
                 "In which subject is {x} taking a degree?", "Which courses does {x} take?")),
    "birthday": (("month of birth", "birthday month"),
                 ("{x} was born in the month of {y}.", "{y} is the month of {x}'s birthday.",
                  "{x} has a birthday in {y}."),
                 ("In which month was {x} born?", "When does {x} have a birthday?", "Which month is {x}'s birthday in?",
                  "When does {x} celebrate?")),
    "code": (("locker code", "locker number", "code for the locker"),
             ("{y} opens the locker of {x}.", "To open the locker of {x}, enter {y}.",
              "{y} is the number of {x}'s locker."),
             ("Which number opens {x}'s locker?", "How does one open the locker of {x}?",
              "What number does {x} use for the locker?", "How do I open {x}'s locker?")),
    "chief": (("CEO", "chief executive", "director", "leader"),
              ("{y} leads {x}.", "{x} has {y} as its CEO.", "{x} is run by {y}.", "At the head of {x} is {y}.",
               "{y} is the head of {x}."),
              ("Who is at the head of {x}?", "By whom is {x} led?", "Who is in charge at {x}?",
               "Which person runs {x}?", "What is the CEO of {x} called?")),
    "headquarters": (("headquarters", "main office", "head office", "seat"),
                     ("{x} is based in {y}.", "{y} is the seat of {x}.", "{y} is home to {x}'s main office.",
                      "In {y} stands the head office of {x}."),
                     ("Where is {x} based?", "Where is the main office of {x}?", "Which town is {x} based in?",
                      "Where does {x} have its head office?", "In which place is {x} headquartered?")),
    "product": (("main product", "product"),
                ("{y} are made by {x}.", "{x} sells {y}.", "The factory of {x} turns out {y}.", "{y} come from {x}."),
                ("What does {x} sell?", "What is made by {x}?", "Which goods does {x} make?", "What is {x} known for?",
                 "What do people buy from {x}?")),
    "mayor": (("mayor", "head of the town"),
              ("{x} elected {y} as mayor.", "In {x}, {y} is the mayor.", "{y} was elected mayor of {x}.",
               "{y} leads the town of {x}."),
              ("Who leads the town of {x}?", "Which person governs {x}?", "Who was elected mayor of {x}?",
               "Whom did {x} elect as mayor?", "By whom is {x} governed?")),
    "river": (("river",),
              ("{x} stands on the banks of the {y}.", "The {y} runs through {x}.", "Through {x} flows the {y}.",
               "{y} is the name of the river in {x}."),
              ("What river runs through {x}?", "Which river is {x} on?", "What is the river in {x} called?",
               "On the banks of which river does {x} stand?")),
    "owner": (("owner",),
              ("The {x} is the property of {y}.", "{y} has the {x}.", "{y} is the owner of the {x}.",
               "It was {y} who bought the {x}."),
              ("Who has the {x}?", "Who bought the {x}?", "Whose property is the {x}?",
               "Which person owns the {x}?", "The {x} is whose?")),
    "spot": (("place", "location"),
             ("In the {y} is the {x}.", "The {x} lies in the {y}.", "Somebody put the {x} in the {y}.",
              "Look for the {x} in the {y}.", "The {y} is where the {x} is."),
             ("Where does the {x} lie?", "In which place is the {x}?", "Where should I look for the {x}?",
              "Where did somebody put the {x}?", "Where do we keep the {x}?")),
    "price": (("price in coins", "cost in coins"),
              ("The {x} is sold for {y} coins.", "You can buy the {x} for {y} coins.",
               "{y} coins is the price of the {x}.", "For {y} coins the {x} is yours."),
              ("What does the {x} cost?", "How much does one pay for the {x}?", "How many coins do I need for the {x}?",
               "At what price is the {x} sold?")),
    "day": (("day",),
            ("{y} is the day of the {x}.", "The {x} was set for {y}.", "On {y} we go to the {x}."),
            ("Which day is the {x}?", "When does the {x} take place?", "For which day was the {x} set?",
             "When do we go to the {x}?")),
    "exit": ((),
             ("{y} lies {d} of {x}.", "Walk {d} from {x} to reach {y}.", "{x} has an exit {d} to {y}.",
              "The exit {d} of {x} leads to {y}."),
             ("Where do I get to if I go {d} from {x}?", "What lies {d} of {x}?", "I leave {x} going {d}. Where am I?",
              "Going {d} from {x}, what do I reach?", "Where does the exit {d} of {x} lead?")),
    "way": ((),
            ("You reach {d} from {x} by going {y}.", "Directions from {x} to {d}: {y}.",
             "Go {y} to get from {x} to {d}."),
            ("How does one reach {d} from {x}?", "What are the directions from {x} to {d}?",
             "How do I go from {x} to {d}?", "I want to get from {x} to {d}. How?")),
}  # fmt: skip
_NOUN_STATES = ("The {n} of {x} is {y}.", "{x}'s {n} is {y}.", "{y} is the {n} of {x}.", "{y} is {x}'s {n}.",
                "{x} has {y} as {n}.", "As for {x}, the {n} is {y}.", "{x}, {n}: {y}.")  # fmt: skip
_NOUN_ASKS = ("What is the {n} of {x}?", "What is {x}'s {n}?", "{x}'s {n}?", "Tell me the {n} of {x}.",
              "Name the {n} of {x}.", "Do you know {x}'s {n}?", "What {n} does {x} have?",
              "I need to know the {n} of {x}.")  # fmt: skip
_LEADS = ("Tell me: ", "Quick question: ", "Please say: ", "One more thing: ", "Hello. ", "Now: ")
_STARTS = ("Who", "What", "Which", "Where", "When", "How", "In ", "On ", "Tell", "To ", "By ", "For ", "Do ", "Name ")


@cache
def more_states(relation: Relation) -> tuple[str, ...]:
    """Statements beside ``relation.states``."""
    nouns, states, _ = _MORE[relation.name]
    return _apart((*states, *_composed(relation, nouns, _NOUN_STATES)), relation.states)


@cache
def more_asks(relation: Relation) -> tuple[str, ...]:
    """Questions beside ``relation.asks``; none of those that are held out."""
    nouns, _, asks = _MORE[relation.name]
    held = tuple(template for one in RELATIONS for template in one.fresh)
    return _apart((*asks, *_composed(relation, nouns, _NOUN_ASKS)), (*relation.asks, *held))


@cache
def reversed_states(relation: Relation) -> tuple[str, ...]:
    """All statements in which the value stands before its subject."""
    every = (*relation.states, *more_states(relation))
    return tuple(template for template in every if template.index("{y}") < template.index("{x}"))


def loosened(rng: random.Random, question: str) -> str:
    """The question as people type it: with words before it, or without capital and question mark."""
    if rng.random() < 0.5:
        return rng.choice(_LEADS) + question
    if question.startswith(_STARTS):
        question = question[0].lower() + question[1:]
    return question.rstrip("?.")


def _composed(relation: Relation, nouns: tuple[str, ...], forms: tuple[str, ...]) -> tuple[str, ...]:
    thing = "the {x}" if relation.subject in ("thing", "event") else "{x}"
    value = {"profession": "a {y}", "pet": "a {y}", "instrument": "the {y}", "spot": "the {y}"}
    said = value.get(relation.name, "{y}")
    filled = (form.replace("{n}", noun).replace("{x}", thing).replace("{y}", said) for noun in nouns for form in forms)
    return tuple(text[0].upper() + text[1:] for text in filled)


def _apart(templates: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(template for template in dict.fromkeys(templates) if template not in known)
