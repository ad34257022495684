"""`hippo import` and `export`: three formats in, one out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

CONVERSATION = {
    "sample_id": "c1",
    "conversation": {
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Ada", "dia_id": "D1:1", "text": "I moved to Lisbon and rent a room above the bakery."},
            {"speaker": "Bo", "dia_id": "D1:2", "text": "My new job at the planetarium starts on the ninth of June."},
        ],
    },
}
TEXT = "The heron nests\nbehind the mill.\n\nThe miller's daughter plays the bassoon in Utrecht.\n"


def test_a_conversation_is_told_apart_and_imported_once(hippo_json: Any) -> None:
    Path("talk.json").write_text(json.dumps([CONVERSATION]))
    assert hippo_json("import", "talk.json") == {
        "files": [{"file": "talk.json", "format": "conversation", "traces": 2}]
    }
    again = hippo_json("import", "talk.json")["files"][0]
    assert (again["traces"], again["duplicate"]) == (0, 2)
    trace = hippo_json("recall", "who works at the planetarium?", "-k", "1")["hits"][0]["trace"]
    assert (trace["speaker"], trace["key"], trace["meta"]) == ("Bo", "c1/D1:2", {"turn": "D1:2"})
    assert trace["event_time"] == "2023-05-08T13:56:01+00:00"
    assert trace["provenance"]["source"] == "import"


def test_text_becomes_paragraphs_in_a_namespace(hippo_json: Any) -> None:
    Path("notes.md").write_text(TEXT)
    assert hippo_json("import", "notes.md", "-n", "notes", "--source", "operator")["files"][0]["traces"] == 2
    trace = hippo_json("recall", "where does the heron nest?", "-k", "1")["hits"][0]["trace"]
    assert trace["text"] == "The heron nests behind the mill."
    assert (trace["namespace"], trace["kind"]) == (["notes"], "document")
    assert trace["provenance"]["session"] == "notes.md"
    assert hippo_json("import", "notes.md", "-n", "notes")["files"][0]["traces"] == 0


def test_an_export_comes_back_exactly(hippo: Any, hippo_json: Any) -> None:
    hippo("write", "The goat ate the map. " * 5_000, "-n", "farm", "--key", "k")  # a first line longer than any look
    hippo("write", "Żółć kosztuje 12 € w aptece na rogu.")
    assert hippo_json("export", "out.jsonl") == {"file": "out.jsonl", "traces": 2}
    piped = hippo("export", "-")
    assert piped.stdout_bytes == Path("out.jsonl").read_bytes()
    assert hippo_json("import", "out.jsonl", "-m", "copy")["files"] == [
        {"file": "out.jsonl", "format": "export", "traces": 2}
    ]
    hippo("export", "again.jsonl", "-m", "copy")
    assert Path("again.jsonl").read_bytes() == Path("out.jsonl").read_bytes()
    assert (
        hippo_json("import", "-", "-m", "piped", stdin=Path("out.jsonl").read_text("utf-8"))["files"][0]["traces"] == 2
    )


def test_an_existing_file_is_overwritten_only_on_request(hippo: Any) -> None:
    hippo("write", "The goat ate the map.")
    Path("out.jsonl").write_text("precious")
    result = hippo("export", "out.jsonl")
    assert result.exit_code == 1 and "--force" in result.stderr
    assert Path("out.jsonl").read_text() == "precious"
    assert hippo("export", "out.jsonl", "--force").exit_code == 0
    assert "goat" in Path("out.jsonl").read_text()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.json", None, "there is no file 'missing.json'"),
        ("broken.json", b"{", "is not a JSON file"),
        ("other.json", b'[{"a": 1}]', "conversation: expected an object"),
        ("latin.txt", b"caf\xe9", "is not UTF-8 text"),
        ("broken.jsonl", b'{"id": "x"}\n', "broken.jsonl"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named(hippo: Any, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    result = hippo("import", name)
    assert result.exit_code == 1
    [line] = result.stderr.splitlines()
    assert line.startswith("error: ") and message in line


def test_a_namespace_does_not_go_with_an_export(hippo: Any) -> None:
    hippo("write", "The goat ate the map.")
    hippo("export", "out.jsonl")
    assert hippo("import", "out.jsonl", "-n", "farm").exit_code == 2
    assert hippo("export", "-", "--json").exit_code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
def test_a_folder_that_cannot_be_written_is_a_mistake_not_a_crash(hippo: Any) -> None:
    hippo("write", "The goat ate the map.")
    result = hippo("export", "no/such/folder/out.jsonl")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")


def test_an_export_of_others_is_trusted_no_more_than_said(hippo: Any, hippo_json: Any) -> None:
    hippo("write", "The mill is for sale.", "--source", "operator")
    hippo("export", "theirs.jsonl")
    assert hippo("import", "theirs.jsonl", "--memory", "ours", "--max-trust", "2").exit_code == 1
    hippo("import", "theirs.jsonl", "--memory", "ours", "--max-trust", "0.1")
    [hit] = hippo_json("recall", "what is for sale?", "--memory", "ours")["hits"]
    assert hit["trace"]["provenance"]["trust"] == 0.1
