"""Recall the whole from a part: some of the words, words with typos, or slots alone (who, where, when).

Run: python examples/partial_cue.py
"""

from __future__ import annotations

import tempfile

from hippo_agent import Memory, Slots

EPISODES = (
    ("Odo", "Ghent", "2024-03-12", "Odo met the printers in Ghent and came home with two reams of blue paper."),
    ("Odo", "Porto", "2024-04-02", "Odo missed the night train in Porto and slept on a bench under the azulejos."),
    ("Lena", "Ghent", "2024-04-20", "Lena sold her kayak in Ghent to a dentist who collects maps of canals."),
    ("Lena", "Turku", "2024-06-08", "Lena danced on a ferry near Turku until the accordion player ran out of songs."),
    ("Ines", "Porto", "2024-06-09", "Ines found a message in a bottle in Porto; it was an invoice for forty corks."),
)

CUES = (
    ("a few of its words", "bench under azulejos", Slots()),
    ("a fragment from the middle", "a dentist who collects", Slots()),
    ("a typo in every longer word", "acordion plaier rann out of sonsg", Slots()),
    ("other words", "which boat was bought by somebody who treats teeth?", Slots()),
    ("who and where, no text", "", Slots(who=("Odo",), where=("Porto",))),
    ("who and when, no text", "", Slots(who=("Lena",), when=("2024-06",))),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Memory(folder) as memory:
        for who, where, when, text in EPISODES:
            memory.write(text, source="user", slots=Slots(who=(who,), where=(where,), when=(when,)))
        for what, text, slots in CUES:
            [hit] = memory.recall(text, slots=slots, k=1).hits
            cue = text or ", ".join(f"{name}={value[0]}" for name, value in slots_of(slots).items())
            print(f"{what}: {cue}")
            print(f"    {hit.trace.text}")
            print(
                f"    score {hit.score:.2f}: "
                + ", ".join(f"{name} {share:+.2f}" for name, share in hit.reasons.items())
            )
            print(f"    who {hit.trace.slots.who}, where {hit.trace.slots.where}, when {hit.trace.slots.when}")


def slots_of(slots: Slots) -> dict[str, tuple[str, ...]]:
    """The filled ones by name."""
    return {name: value for name in ("who", "what", "where", "when") if (value := getattr(slots, name))}


if __name__ == "__main__":
    main()
