"""`hippo write`, `recall`, `show` and `forget`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def test_what_is_written_is_recalled_by_another_run(hippo: Any, hippo_json: Any) -> None:
    written = hippo_json("write", "Ada moved to Lisbon on 3 May.", "--speaker", "Bo", "--session", "s1")
    assert written["decision"] == "write"
    assert 0.0 <= written["salience"] <= 1.0
    [hit] = hippo_json("recall", "where did Ada move to?", "-k", "1")["hits"]
    assert hit["trace"]["id"] == written["id"]
    assert hit["trace"]["text"] == "Ada moved to Lisbon on 3 May."
    assert hit["trace"]["speaker"] == "Bo"
    assert hit["trace"]["provenance"]["session"] == "s1"
    assert hit["trace"]["provenance"]["source"] == "user"
    assert hit["reasons"]
    shown = hippo("recall", "where did Ada move to?")
    assert "Ada moved to Lisbon on 3 May." in shown.stdout
    assert written["id"] in shown.stdout


def test_writing_says_what_was_decided(hippo: Any) -> None:
    result = hippo("write", "Ada moved to Lisbon on 3 May.")
    assert result.exit_code == 0
    assert result.stdout.startswith("write ")
    assert "salience" in result.stdout


def test_text_and_cue_come_from_stdin(hippo_json: Any) -> None:
    written = hippo_json("write", "-", stdin="The goat ate the map.\nAll of it.\n")
    found = hippo_json("recall", "-", stdin="who ate the map?")
    assert found["hits"][0]["trace"]["text"] == "The goat ate the map.\nAll of it."
    assert found["hits"][0]["trace"]["id"] == written["id"]


def test_the_prompt_is_printed_and_nothing_else(hippo: Any) -> None:
    hippo("write", "The goat ate the map.")
    from hippo_agent import Memory
    from hippo_agent.embedding.hashing import HashingEmbedder

    with Memory("agent-memory", embedder=HashingEmbedder(quiet=True)) as memory:
        expected = memory.recall("who ate the map?").render()
    assert hippo("recall", "who ate the map?", "--prompt").stdout == expected + "\n"


def test_slots_alone_are_a_cue(hippo_json: Any) -> None:
    hippo_json("write", "Odo met the printers in Ghent.", "--time", "2024-03-12")
    hippo_json("write", "Lena sold her kayak in Turku.", "--time", "2024-04-20")
    assert "Lena" in hippo_json("recall", "--who", "Lena", "-k", "1")["hits"][0]["trace"]["text"]


def test_filters_reach_the_recall(hippo_json: Any) -> None:
    hippo_json("write", "The meter stands at 100.", "--time", "2024-01-10T08:00", "--source", "tool", "-n", "house")
    hippo_json("write", "The meter stands at 200.", "--time", "2024-02-10T08:00Z", "--kind", "reading", "--pin")

    def texts(*options: str) -> list[str]:
        return sorted(h["trace"]["text"][-4:-1] for h in hippo_json("recall", "the meter", *options)["hits"])

    assert texts() == ["100", "200"]
    assert texts("--since", "2024-02-01") == ["200"]
    assert texts("--until", "2024-02-01") == ["100"]
    assert texts("--source", "tool") == ["100"]
    assert texts("--kind", "reading") == ["200"]
    assert texts("--min-trust", "0.6") == ["200"]
    assert texts("-n", "house") == ["100"]
    assert texts("-n", "garden") == []


def test_a_cue_that_brings_nothing_back_says_so(hippo: Any) -> None:
    hippo("write", "The goat ate the map.")
    result = hippo("recall", "goat", "-n", "elsewhere")
    assert (result.exit_code, result.stdout) == (0, "nothing comes back for this cue\n")


def test_show_has_everything_about_a_trace(hippo: Any, hippo_json: Any) -> None:
    trace_id = hippo_json("write", "The goat ate the map.", "--key", "k1", "--reward", "0.5", "--time", "2024-03-12")[
        "id"
    ]
    shown = hippo_json("show", trace_id)
    assert (shown["text"], shown["key"], shown["reward"]) == ("The goat ate the map.", "k1", 0.5)
    assert shown["event_time"] == "2024-03-12T00:00:00+00:00"
    table = hippo("show", trace_id).stdout
    assert "provenance.trust" in table and "0.8" in table


def test_forget_is_for_good(hippo: Any, hippo_json: Any) -> None:
    first = hippo_json("write", "The goat ate the map.")["id"]
    second = hippo_json("write", "The safe opens with a spoon and a song.")["id"]
    assert hippo_json("forget", first, "--reason", "asked")["traces"] == [first]
    missing = hippo("show", first)
    assert missing.exit_code == 1
    assert missing.stdout == ""
    assert missing.stderr.startswith("error: ") and first in missing.stderr
    assert hippo("forget", second, first).exit_code == 1, "one id is unknown"
    assert hippo_json("show", second)["id"] == second, "so the other was not forgotten either"
    assert hippo("forget", second).stdout == "forgot 1 trace for good\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["write", ""], "text is empty"),
        (["write", "x", "--source", "rumour"], "source 'rumour' is not one of"),
        (["write", "x", "--reward", "7"], "reward must be in [-1, 1]"),
        (["write", "x" * 2_000_000], "characters, at most"),
        (["recall", ""], "the cue is empty"),
        (["recall", "x", "-k", "0"], "k must be"),
        (["recall", "x", "--min-trust", "2"], "min_trust must be in [0, 1]"),
        (["recall", "x", "-m", "elsewhere"], "no memory in 'elsewhere'"),
        (["show", "nobody"], "nobody"),
        (["recall", "x", "-m", "file"], "file"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(hippo: Any, arguments: list[str], message: str) -> None:
    hippo("write", "The goat ate the map.")
    Path("file").write_text("not a folder")
    result = hippo(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith("error: ") and message in line


@pytest.mark.parametrize(
    "arguments", [["recall", "x", "--since", "soon"], ["frobnicate"], ["write"], ["recall", "x", "-k", "many"]]
)
def test_wrong_usage_is_exit_code_2(hippo: Any, arguments: list[str]) -> None:
    result = hippo(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_reading_never_makes_a_memory(hippo: Any, tmp_path: Path) -> None:
    for command in (["recall", "x"], ["show", "x"], ["stats"], ["doctor"], ["forget", "x"], ["export", "out.jsonl"]):
        assert hippo(*command).exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_stored_text_cannot_steer_the_terminal(hippo: Any) -> None:
    hippo("write", "The goat \x1b[2J ate [bold red]the map[/].")
    shown = hippo("recall", "goat").stdout
    assert "\x1b" not in shown
    assert "[bold red]the map[/]" in shown


def test_forgetting_by_condition_is_listed_first_and_certified(hippo: Any, hippo_json: Any) -> None:
    told = hippo_json("write", "The mill is for sale.", "--principal", "crawler")["id"]
    kept = hippo_json("write", "The weir is broken.", "--principal", "mira")["id"]
    listed = hippo("forget", "--principal", "crawler", "--dry-run").stdout
    assert listed.startswith(f"would forget 1 trace\n  {told}\n")
    assert hippo("show", told).exit_code == 0
    assert hippo("forget", "--principal", "crawler", "--query", "mill", "--certificate", "gone.json").exit_code == 0
    certificate = Path("gone.json").read_text(encoding="utf-8")
    assert json.loads(certificate)["traces"] == [told]
    assert "mill" not in certificate, "a certificate holds no text"
    assert hippo("show", told).exit_code == 1
    assert hippo("show", kept).exit_code == 0
    assert hippo("forget", "--principal", "mira", "--certificate", "gone.json").exit_code == 1, "the file is there"
    assert hippo("forget").exit_code == 2
    assert hippo("show", kept).exit_code == 0
