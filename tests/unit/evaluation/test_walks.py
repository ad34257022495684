"""The suites that walk, on worlds small enough to know the answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hippo_agent import HashingEmbedder
from hippo_agent.errors import DataError
from hippo_agent.evaluation import mango_fit
from hippo_agent.evaluation.player import Player, View
from hippo_agent.evaluation.report import Report
from hippo_agent.evaluation.runner import run_suite
from hippo_agent.evaluation.suites import minigrid
from hippo_agent.evaluation.suites.mango import Game, load
from hippo_agent.spatial.evidence import WEIGHTS
from hippo_agent.spatial.file import PlaceFile
from hippo_agent.spatial.places import Places
from hippo_agent.spatial.store import SpatialStore
from tests.unit.evaluation.worlds import open_word_memory

STORIES = """1 The office is north of the kitchen.
2 The garden is east of the office.
3 The hall is west of the kitchen.
4 How do you go from the hall to the garden?\te,n,e\t3 1 2
1 The bathroom is south of the cellar.
2 How do you go from the cellar to the bathroom?\ts\t1
"""
WALK = (
    ("Init", "Hall\nPortraits stare down from the walls of this long room. Doors lead north and east."),
    ("north", "Kitchen\nCopper pans hang in rows above a cold iron stove. The hall is south."),
    ("south", "Hall\nPortraits stare down from the walls of this long room. Doors lead north and east."),
    ("east", "Cell\nA bare room with one bunk and a barred window. The hall is west."),
    ("west", "Hall\nPortraits stare down from the walls of this long room. Doors lead north and east."),
)
EDGES = [
    ("hall", "north", "kitchen", 1),
    ("kitchen", "south", "hall", 2),
    ("hall", "east", "cell", 3),
    ("cell", "west", "hall", 4),
]


def suite(name: str, data: Path | None = None, **options: Any) -> Report:
    return run_suite(
        name, data, open_memory=open_word_memory, embedder=HashingEmbedder(quiet=True), systems=["bm25"], **options
    )


def test_babi_answers_stated_routes(tmp_path: Path) -> None:
    file = tmp_path / "qa19.txt"
    file.write_text(STORIES)
    report = suite("babi", file)
    assert report.n == 2
    assert report.systems["hippo"] == {"accuracy": 1.0}
    assert report.systems["memory-off"] == {"accuracy": 0.0}
    file.write_text("1 Mary went to the kitchen.\n2 Where is Mary?\tkitchen\t1\n")
    with pytest.raises(DataError, match="path finding"):
        suite("babi", file)


def tiny_game(games: Path, name: str = "tiny") -> Path:
    folder = games / name
    folder.mkdir(parents=True)
    steps = [
        f"===========\n==>STEP NUM: {number}\n==>ACT: {action}\n==>OBSERVATION: {text}\n"
        for number, (action, text) in enumerate(WALK)
    ]
    (folder / f"{name}.walkthrough").write_text("\n".join(steps))
    (folder / f"{name}.edges.json").write_text(
        json.dumps([{"src_node": a, "action": act, "dst_node": b, "seen_in_forward": at} for a, act, b, at in EDGES])
    )
    names = ("hall", "kitchen", "cell")
    pairs = [json.dumps({"src_node": a, "dst_node": b}) for a in names for b in names if a != b]
    (folder / f"{name}.all_pairs.jsonl").write_text("\n".join(pairs))
    return folder


def test_mango_scores_maps_against_the_truth(tmp_path: Path) -> None:
    folder = tiny_game(tmp_path / "games")
    report = suite("mango", tmp_path / "games")
    ours = report.systems["hippo"]
    assert (ours["merge_precision"], ours["merge_recall"], ours["route_success"]) == (1.0, 1.0, 1.0)
    assert (ours["steps_over_optimum"], report.n) == (1.0, 6)
    assert report.systems["memory-off"]["route_success"] == 0.0
    (folder / "tiny.edges.json").write_text("[{}]")
    with pytest.raises(DataError, match="tiny"):
        suite("mango", tmp_path / "games")


def test_a_fit_is_asked_on_games_that_it_has_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def fit(chosen: Sequence[Game], **_: object) -> dict[str, float]:
        seen.append([game.name for game in chosen])
        return mango_fit.start()

    for name in "abcd":
        tiny_game(tmp_path, name)
    monkeypatch.setattr(mango_fit, "fit", fit)
    table = mango_fit.main(tmp_path, seed=1)
    assert sorted(seen[0] + seen[1]) == list("abcd") and len(seen[0]) == len(seen[1]) == 2
    assert table["held out"]["questions"] == 24 and table["held out, first half"]["questions"] == 12
    assert table["shipped"]["route_success"] == 1.0


def test_a_fit_keeps_the_signs_and_loses_nothing_on_its_own_games(tmp_path: Path) -> None:
    tiny_game(tmp_path)
    games = [load(tmp_path, "tiny")]
    found = mango_fit.fit(games, rounds=1)
    assert all(found[name] * value > 0 for name, value in WEIGHTS.items())
    assert (
        mango_fit.measure(games, found)["route_success"] >= mango_fit.measure(games, mango_fit.start())["route_success"]
    )


class Vault:
    """Two rooms and a locked door between the second and the treasure; the wrong thing loses."""

    def reset(self) -> View:
        self.at, self.done = "hall", set[str]()
        return self.view("Hall\nPortraits stare down. A door leads north, another east.")

    def step(self, command: str) -> View:
        texts = {
            "go north": "Attic\nDust and old trunks under a sloping roof. A ladder leads south.",
            "go south": "Hall\nPortraits stare down. A door leads north, another east.",
            "go west": "Hall\nPortraits stare down. A door leads north, another east.",
            "go east": "Vault\nA bare room with a pedestal. The hall is west.",
        }
        moves = {"go north": "attic", "go south": "hall", "go west": "hall", "go east": "vault"}
        assert command in self.commands()
        self.at = moves.get(command, self.at)
        self.done.add(command)
        won, lost = command == "take crown", command == "take doll"
        return self.view(texts.get(command, f"You {command}."), won=won, over=won or lost)

    def commands(self) -> tuple[str, ...]:
        if self.at == "attic":
            return tuple(c for c in ("go south", "take doll", "take key") if c not in self.done)
        if self.at == "vault":
            return ("go west", "take crown")
        found = ["go north"]
        if "take key" in self.done and "unlock gate with key" not in self.done:
            found.append("unlock gate with key")
        if "unlock gate with key" in self.done and "open gate" not in self.done:
            found.append("open gate")
        if "open gate" in self.done:
            found.append("go east")
        return tuple(found)

    def view(self, text: str, *, won: bool = False, over: bool = False) -> View:
        return View(text=text, commands=self.commands(), won=won, over=over)


def test_a_player_learns_what_opens_what_and_wins_again_by_the_shortest_way() -> None:
    player = Player(Places(SpatialStore(PlaceFile(":memory:")), world="vault"))
    first = player.explore(Vault())
    assert [episode.won for episode in first] == [False, True]
    again = player.revisit(Vault(), most=20)
    assert again.won
    assert again.commands == [
        *("go north", "take key", "go south", "unlock gate with key", "open gate", "go east", "take crown"),
    ]
    assert not player.revisit(Vault(), most=20, where=lambda _: "p0", goal_at="p0").won


@pytest.mark.slow
def test_textworld_is_won_again_from_memory() -> None:
    pytest.importorskip("textworld", reason='needs pip install "hippo-agent[worlds]"')
    report = suite("textworld", limit=1, seed=3)
    assert report.systems["hippo"]["revisit_success"] == 1.0
    assert report.systems["hippo"]["steps_over_oracle"] <= 1.02


def test_minigrid_tracks_poses_and_shortens_decisions() -> None:
    pytest.importorskip("minigrid", reason='needs pip install "hippo-agent[worlds]"')
    found = minigrid.four_rooms(steps=400, seed=1)
    assert found["ours"].purity >= 0.98 and found["ours"].nodes_per_pose <= 1.15
    assert found["steps"].nodes_per_pose > found["ours"].nodes_per_pose
    outcome = minigrid.baby("BabyAI-UnlockPickup-v0", train=8, test=3)
    assert outcome.decisions < outcome.decisions_shuffled <= 1.0
    assert outcome.success == outcome.success_without == 1.0
