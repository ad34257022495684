"""What an action word tells about movement: general English of moving about, nothing about any one world.

An action is a short string in the world's own language ("north", "go n", "open door", "forward"). Its key is what edges
are labelled with: lower case, one space between words, compass words spelled out, so that "n", "go north" and "North"
are one action.
"""

from __future__ import annotations

import re

from hippo_agent.errors import InvalidInput, TooLarge
from hippo_agent.intake import clean_text

__all__ = ["MAX_ACTION", "OPPOSITE", "Shift", "action_key", "direction", "enters", "leaves", "looks", "moves", "shift"]

MAX_ACTION = 200  # characters of an action

Shift = tuple[float, float, float]  # east, north, up

_SHIFTS: dict[str, Shift] = {
    "north": (0, 1, 0),
    "south": (0, -1, 0),
    "east": (1, 0, 0),
    "west": (-1, 0, 0),
    "northeast": (1, 1, 0),
    "northwest": (-1, 1, 0),
    "southeast": (1, -1, 0),
    "southwest": (-1, -1, 0),
    "up": (0, 0, 1),
    "down": (0, 0, -1),
}
_SHORT = {
    "n": "north",
    "s": "south",
    "e": "east",
    "w": "west",
    "ne": "northeast",
    "nw": "northwest",
    "se": "southeast",
    "sw": "southwest",
    "u": "up",
    "d": "down",
    "upstairs": "up",
    "downstairs": "down",
}
_PAIRS = (
    ("north", "south"),
    ("east", "west"),
    ("northeast", "southwest"),
    ("northwest", "southeast"),
    ("up", "down"),
    ("in", "out"),
    ("enter", "exit"),
    ("fore", "aft"),
    ("forward", "aft"),
    ("port", "starboard"),
    ("left", "right"),
)

#: The way back, where the word alone names one.
OPPOSITE: dict[str, str] = {b: a for a, b in reversed(_PAIRS)} | {a: b for a, b in _PAIRS}

_DIRECTIONS = frozenset(_SHIFTS) | frozenset(OPPOSITE)
_GO = re.compile(r"(?:go|walk|run|climb|head|swim|crawl|fly|move) ")
_MOTION = frozenset(
    "enter exit leave climb go follow jump swim board disembark stand sit lie crawl cross walk run ride dive ascend "  # noqa: SIM905
    "descend slide".split()
)
_READING = frozenset("read examine x search listen inventory i ask tell show open pull push turn".split())  # noqa: SIM905
_HANDLING = frozenset(
    "look l wait z again g score give say yes no take get drop put wear remove close unlock lock smell".split()  # noqa: SIM905
)
_LEAVE = re.compile(
    r"stand(?: up)?|get up|rise|exit|out|leave|(?:get|climb|go|step|jump) (?:out|off|down|up)\b.*|leave .*|stand .*"
    r"|disembark.*"
)
_ENTER = re.compile(
    r"(?:sit|lie|get|climb|stand|step|jump|hop|crawl) (?:down )?(?:in|on|into|onto|inside)(?:to)? .+"
    r"|(?:enter|board|climb) .+"
)


def action_key(action: str) -> str:
    """The label of an edge. Raises InvalidInput when nothing is left, TooLarge past 200 characters."""
    text = " ".join(clean_text(action, what="action").lower().split())
    if not text:
        raise InvalidInput("the action is empty; leave it out when nothing was done")
    if len(text) > MAX_ACTION:
        raise TooLarge(f"an action has {len(text)} characters, at most {MAX_ACTION} are allowed; shorten it")
    return direction(text) or text


def direction(action: str) -> str | None:
    """The direction that an action (lower case) names, or None."""
    match = _GO.match(action)
    word = action[match.end() :] if match else action
    word = _SHORT.get(word, word)
    if match and word not in _SHIFTS and word not in ("in", "out"):
        return None
    return word if word in _DIRECTIONS else None


def shift(heading: str | None) -> Shift | None:
    """How far one step that way leads on a map with unit steps; None for "in", "exit", "left"..."""
    return None if heading is None else _SHIFTS.get(heading)


def moves(action: str) -> bool:
    """Whether the verb is one of moving: a change of place would be no surprise."""
    return direction(action) is not None or _verb(action) in _MOTION


def looks(action: str) -> str:
    """What else the verb does: "look" shows the place, "read" other text, "still" handles things, "" is unknown."""
    verb = _verb(action)
    if verb in ("look", "l"):
        return "look"
    if verb in _READING:
        return "read"
    return "still" if verb in _HANDLING else ""


def leaves(action: str) -> bool:
    """Whether it means to get up from or out of something: "stand up", "get off the bed", "exit"."""
    return _LEAVE.fullmatch(action) is not None


def enters(action: str) -> bool:
    """Whether it means to get onto or into something: "sit on the chair", "enter boat"."""
    return direction(action) is None and _ENTER.fullmatch(action) is not None


def _verb(action: str) -> str:
    return action.split(" ", 1)[0]
