"""Association by trace, in step with the record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hippo_agent.relational.associations import Associations
from hippo_agent.relational.relations import RELATIONS
from hippo_agent.relational.schema import Schemas

from tests.unit.relational.conftest import Desk  # isort: skip

FILM = "Gaby (film)\nGaby is a drama. It was directed by Luis Mandoki."
DIRECTOR = "Luis Mandoki\nLuis Mandoki is a director. He was born in Mexico City."
QUESTION = "Where was the director of the film Gaby born?"


def embed(lines: Sequence[str]) -> NDArray[np.float32]:
    return np.array([[1.0, 0.0] if "directed" in line else [0.0, 1.0] for line in lines], dtype=np.float32)


def test_the_linked_trace_comes_up_with_its_reason_and_goes_when_forgotten(desk: Desk) -> None:
    film, director = desk.say(FILM, DIRECTOR)
    associations = Associations(desk.record, embed)
    base = {film.seq: 0.6, director.seq: 0.1}
    found = associations.expand(QUESTION, np.array([1.0, 0.0], dtype=np.float32), base)
    assert found[director.seq].source == film.seq
    assert found[director.seq].name == "luis mandoki"
    assert found[director.seq].points > 1.5
    assert found[film.seq].points >= 1.0  # named in the question
    hidden = associations.expand(QUESTION, np.array([1.0, 0.0], dtype=np.float32), {director.seq: 0.1})
    assert film.seq not in hidden
    desk.forget(film.id)
    assert director.seq not in associations.expand(QUESTION, np.array([1.0, 0.0], dtype=np.float32), base)
    (again,) = desk.say(FILM)
    after = associations.expand(QUESTION, np.array([1.0, 0.0], dtype=np.float32), {director.seq: 0.1, again.seq: 0.6})
    assert after[director.seq].source == again.seq


def test_what_fits_its_schema_goes_in_and_oddballs_wait() -> None:
    """Four claims in five fit: places as homes, people as bosses. The fifth joins what was never joined."""
    schemas = Schemas()
    names = [f"{a}{b}" for a in ("Ama", "Bel", "Cor", "Dun", "Eli") for b in ("ta", "ro", "ni", "ka")]
    for at, name in enumerate(names):
        schemas.add(name, "lives in", f"{name}burg")
        schemas.add(name, "boss", names[at - 1])
        schemas.add(name, "born on", f"{at + 1} May 1980")
    fitting = [schemas.fit(f"New{n}", "lives in", f"Place{n}").score for n in range(20)]
    odd = [
        *(schemas.fit(f"New{n}", "lives in", f"{n} May 1999").score for n in range(1, 6)),
        *(schemas.fit(f"New{n}", "born on", "a long walk by the sea").score for n in range(5)),
        *(schemas.fit(f"New{n}", "sings like", "Rome").score for n in range(5)),
        *(schemas.fit("the wet floor of the old house", "boss", f"{n}").score for n in range(5)),
    ]
    assert min(fitting) >= 0.3
    assert max(odd) < 0.3


def test_whether_a_relation_holds_one_value_is_learnt() -> None:
    schemas = Schemas((f"s{n}", "orbits", f"o{n}") for n in range(6))
    assert schemas.functional("orbits")
    schemas.add("s1", "orbits", "o9")
    schemas.add("s2", "orbits", "o9")
    assert not schemas.functional("orbits")
    assert not schemas.functional("never seen")
    schemas.remove("s1", "orbits", "o9")
    assert schemas.functional("orbits")
    assert schemas.schema("orbits").claims == 7


def test_relation_names_are_unique() -> None:
    names = [item.name for item in RELATIONS]
    assert len(names) == len(set(names))
