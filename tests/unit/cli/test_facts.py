"""`hippo facts` and `hippo graph`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx
import pytest

from hippo_agent import HashingEmbedder, Memory
from tests.unit.cli.conftest import Hippo


@pytest.fixture
def told(hippo: Hippo) -> Hippo:
    hippo("write", "Ines lives in Rome.", "--time", "2024-01-01")
    hippo("write", "Ines moved to Porto.", "--time", "2024-03-01")
    hippo("write", "Teo's boss is Ines.", "--time", "2024-03-02")
    return hippo


def test_what_holds_is_listed_with_its_time(told: Hippo) -> None:
    shown = told("facts", "--about", "Ines").stdout
    assert "Ines lives in Porto" in shown and "2024-03-01" in shown
    assert "Rome" not in shown


def test_a_time_and_the_past_can_be_asked_for(told: Hippo, hippo_json: Callable[..., Any]) -> None:
    assert [fact["object"] for fact in hippo_json("facts", "--about", "Ines", "--at", "2024-02-01")] == ["Rome"]
    everything = hippo_json("facts", "--past")
    assert [fact["text"] for fact in everything] == ["Ines lives in Rome", "Ines lives in Porto", "Teo boss Ines"]
    assert everything[0]["invalid_at"] == "2024-03-01T00:00:00+00:00"
    assert len(everything[0]["statements"]) == 1


def test_a_question_brings_the_facts_near_it(told: Hippo, hippo_json: Callable[..., Any]) -> None:
    found = hippo_json("facts", "Where does Ines live?", "--limit", "1", "--why")
    assert found[0]["text"] == "Ines lives in Porto"
    assert "route" in found[0]["why"][0]


def test_what_waits_is_listed_apart(told: Hippo, hippo_json: Callable[..., Any]) -> None:
    told("write", "The capital of Vell is Orano.", "--source", "web")
    (waiting,) = hippo_json("facts", "--waiting")
    assert (waiting["text"], waiting["status"]) == ("Vell capital Orano", "deferred")
    assert "no facts about 'Nobody'" in told("facts", "--about", "Nobody").stdout


def test_the_page_holds_the_graph_and_asks_nobody(told: Hippo, tmp_path: Path) -> None:
    told("write", "The capital of <script>alert(1)</script> is Orano.")
    assert "facts about" in told("graph", "--out", "graph.html").stdout
    text = (tmp_path / "graph.html").read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)\s*=|https?:|url\(|import\s*\(|fetch\(|XMLHttp", text)
    assert "default-src 'none'" in text
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)
    assert found is not None
    data = json.loads(found.group(1))
    facts = {(data["names"][a], said, data["names"][b]) for a, said, b, _ in data["facts"]}
    assert {("Ines", "lives in", "Porto"), ("Teo", "boss", "Ines")} <= facts
    assert "<script>alert" not in text


def test_the_graph_goes_to_other_programs_and_into_a_picture(told: Hippo, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("g.graphml", "g.jsonld", "g.png"):
        assert told("graph", "--out", name).exit_code == 0
    graph = networkx.read_graphml(tmp_path / "g.graphml")
    assert "Porto" in {attributes.get("label") for _, attributes in graph.nodes(data=True)}
    assert any(item.get("name") == "Porto" for item in json.loads((tmp_path / "g.jsonld").read_text())["@graph"])
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")


def test_another_ending_or_an_empty_graph_is_refused(told: Hippo) -> None:
    refused = told("graph", "--out", "g.pdf")
    assert refused.exit_code == 1 and ".html" in refused.stderr
    empty = told("graph", "--out", "g.html", "--at", "1990-01-01")
    assert empty.exit_code == 1 and "nothing to draw" in empty.stderr


def test_facts_of_a_place(hippo: Hippo, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    with Memory(folder, embedder=HashingEmbedder(quiet=True)) as memory:
        memory.places.observe("Hall\nPortraits stare down from the walls of this long room.")
        memory.write("Ines lives in Rome.", source="user", pin=True)
        memory.places.observe("Kitchen\nCopper pans hang in rows above a stove.", action="north")
        memory.write("Bruno lives in Wien.", source="user", pin=True)

    def told(*more: str) -> list[tuple[str, list[str]]]:
        result = hippo("facts", "-m", str(folder), "--json", *more)
        assert result.exit_code == 0, result.output
        return [(fact["subject"], fact["places"]) for fact in json.loads(result.stdout)]

    assert told("--place", "hall") == [("Ines", ["p0"])]
    assert told("--place", "here") == [("Bruno", ["p1"])]
    missing = hippo("facts", "-m", str(folder), "--place", "moon")
    assert missing.exit_code == 1 and "no place 'moon'" in missing.output
