"""Words, sentences, headings and names."""

from __future__ import annotations

import pytest

from hippo_agent.relational.names import names
from hippo_agent.relational.words import heading, plain_title, sentences, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada met Dr. Jones. She left.", ["Ada met Dr. Jones.", "She left."]),
        ("J. R. R. Tolkien wrote. Why?", ["J. R. R. Tolkien wrote.", "Why?"]),
        ('He said "Go." Then he went.', ['He said "Go.', "Then he went."]),
        ("one\ntwo", ["one", "two"]),
        ("  ", []),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert [text[a:b] for a, b in sentences(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dark River\nA film.", "Dark River"),
        ("A sentence.\nAnother.", None),
        ("No second line", None),
        ("x" * 121 + "\nrest", None),
        ("!?\nrest", None),
    ],
)
def test_a_heading_is_a_short_first_line_that_is_no_sentence(text: str, expected: str | None) -> None:
    assert heading(text) == expected


def test_a_bracket_behind_a_title_is_a_qualifier() -> None:
    assert plain_title("Dark River (2017 film)") == (("dark", "river"), ("2017", "film"))
    assert plain_title("(film)") == (("film",), ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Duke of York met Ada Lovelace's mother.", ["Duke of York", "Ada Lovelace"]),
        ("Yesterday Conan O'Brien met J. K. Rowling", ["Conan O'Brien", "J. K. Rowling"]),
        ("nothing here", []),
    ],
)
def test_names_are_runs_of_capitalised_words(text: str, expected: list[str]) -> None:
    found = words(text)
    ranges = names(text, found, {"yesterday"}.__contains__)
    assert [text[found[a].start : found[b - 1].end] for a, b in ranges] == expected
