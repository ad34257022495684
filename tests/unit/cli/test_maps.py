"""`hippo map`, `hippo bench plan` and the suites that walk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hippo_agent import HashingEmbedder, Memory

HALL = "Hall\nPortraits stare down from the walls of this long room. Doors lead north and east."
KITCHEN = "Kitchen\nCopper pans hang in rows above a <b>cold</b> iron stove. The hall is south."
MANGO = Path(__file__).resolve().parents[1] / "evaluation" / "walks"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    with Memory(tmp_path / "m", embedder=HashingEmbedder(quiet=True)) as memory:
        memory.places.observe(HALL)
        memory.places.observe(KITCHEN, action="north")
        memory.places.observe(HALL, action="south")
    return tmp_path / "m"


def test_the_map_in_words(hippo: Any, house: Path) -> None:
    result = hippo("map", "-m", str(house), "--goal", "kitchen")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == 'You are at "Hall" (p0).'
    assert '- "north" leads to "Kitchen"' in result.stdout
    assert result.stdout.splitlines()[-1] == "north"


def test_the_map_as_a_picture(hippo: Any, house: Path, tmp_path: Path) -> None:
    result = hippo("map", "-m", str(house), "--out", str(tmp_path / "map.html"), "--goal", "kitchen", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["places"], told["current"], told["route"]) == (2, "p0", ["north"])
    page = (tmp_path / "map.html").read_text()
    assert "Kitchen" in page and "http" not in page.replace("http://www.w3.org", "")
    png = hippo("map", "-m", str(house), "--out", str(tmp_path / "map.png"))
    assert png.exit_code == 0, png.output
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_no_route_is_said_with_its_reason(hippo: Any, house: Path) -> None:
    result = hippo("map", "-m", str(house), "--goal", "moon")
    assert result.exit_code == 0 and result.stdout.splitlines()[-1] == "no route: unknown place 'moon'"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["map", "-m", "nowhere"], "no memory in 'nowhere'"),
        (["map", "-m", "HOUSE", "-n", "other"], "there is no map of namespace ('other',)"),
        (["map", "-m", "HOUSE", "--out", "map.gif"], "must end in .png or .html"),
        (["eval", "mango", "--embedder", "hashing"], "needs a data file"),
        (["eval", "babi", "--data", "HOUSE/record.sqlite3", "--embedder", "hashing"], "expected a bAbI file"),
    ],
)
def test_mistakes_are_one_line(hippo: Any, house: Path, arguments: list[str], message: str) -> None:
    result = hippo(*(part.replace("HOUSE", str(house)) for part in arguments))
    assert result.exit_code == 1
    [line] = result.stderr.splitlines()
    assert message in line


def test_bench_plan_gives_the_ratio_to_scipy(hippo: Any) -> None:
    result = hippo("bench", "plan", "--size", "400", "--repeats", "3", "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)["sizes"]["400"]
    assert figures["cold_ratio"] > 0 and figures["kept_goal_ms"] > 0 and figures["route_steps"] > 1


def test_bench_stream_walks_and_stays_in_bounds(hippo: Any) -> None:
    result = hippo("bench", "stream", "--size", "200", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert 1 < report["sizes"]["200"]["places"] <= 24 * 24
    assert report["after"]["consolidate_s"] > 0
