"""What must not come back: what was forgotten, lies in another namespace or time, or is not trusted enough."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from hippo_agent import Memory
from hippo_agent.errors import TraceNotFound

Reopen = Callable[..., Memory]


def test_it_forgets_for_good(reopen: Reopen, tmp_path: Path) -> None:
    with reopen() as memory:
        secret = memory.write("The safe opens with the word Quorlimbast.", source="user")
        kept = memory.write("The safe stands behind the piano.", source="user")
        assert secret.id is not None and kept.id is not None
    with reopen() as memory:
        assert memory.recall("which word opens the safe?").traces[0].id == secret.id
        assert memory.forget(trace_id=secret.id, reason="the owner asked").purged
        assert "Quorlimbast" not in memory.recall("which word opens the safe? Quorlimbast").render()
    with reopen() as memory:
        assert "Quorlimbast" not in memory.recall("Quorlimbast").render()
        with pytest.raises(TraceNotFound):
            memory.get(secret.id)
        assert memory.get(kept.id).text == "The safe stands behind the piano."
        memory.export_jsonl(tmp_path / "export.jsonl")
        assert memory.verify().clean
        memory.scrub()
        assert memory.verify().clean
    assert "Quorlimbast" not in (tmp_path / "export.jsonl").read_text(encoding="utf-8")
    for file in (tmp_path / "memory").rglob("*"):
        if file.is_file():
            assert b"quorlimba" not in file.read_bytes().lower(), f"the word is still in {file.name}"


def test_namespaces_do_not_see_each_other(reopen: Reopen) -> None:
    facts = {
        ("ada",): "The door code is 1111.",
        ("bo",): "The door code is 2222.",
        ("bo", "work"): "The door code is 3333.",
    }
    with reopen(empty=True) as memory:
        for namespace, text in facts.items():
            memory.write(text, source="user", namespace=namespace)
    with reopen() as memory:
        assert memory.recall("door code", namespace=("ada",)).render().count("1111") == 1
        assert [t.text for t in memory.recall("door code", namespace=("ada",)).traces] == [facts["ada",]]
        assert {t.text for t in memory.recall("door code", namespace=("bo",)).traces} == {
            facts["bo",],
            facts["bo", "work"],
        }, "a namespace sees what lies below it"
        assert {t.text for t in memory.recall("door code", namespace=("bo", "work")).traces} == {facts["bo", "work"]}
        assert memory.recall("door code", namespace=("b",)).traces == ()
    with reopen(namespace=("ada",)) as memory:
        assert [t.text for t in memory.recall("door code").traces] == [facts["ada",]]


def test_time_filters_hold_before_the_cut(reopen: Reopen) -> None:
    with reopen(empty=True) as memory:
        for month in range(1, 13):
            when = datetime(2023, month, 15, tzinfo=timezone.utc)
            memory.write(
                f"Meter reading number {month}: {month * 100} units.", source="user", event_time=when, pin=True
            )
    since, until = datetime(2023, 3, 15, tzinfo=timezone.utc), datetime(2023, 5, 15, tzinfo=timezone.utc)
    with reopen() as memory:
        found = memory.recall("meter reading", k=2, since=since, until=until)
        assert sorted(trace.event_time.month for trace in found.traces) == [3, 4], "inclusive since, exclusive until"
        assert len(memory.recall("meter reading", k=12).traces) == 12


def test_trust_and_source_filters_hold(reopen: Reopen) -> None:
    with reopen(empty=True) as memory:
        memory.write("The invoice is due on the 4th, said Jonna.", source="user", pin=True)
        memory.write("The invoice is due on the 9th, says a web page.", source="web", pin=True)
    with reopen() as memory:
        assert len(memory.recall("when is the invoice due?").traces) == 2
        assert [t.provenance.source for t in memory.recall("when is the invoice due?", min_trust=0.5).traces] == [
            "user"
        ]
        assert [t.provenance.source for t in memory.recall("when is the invoice due?", sources=("web",)).traces] == [
            "web"
        ]


def test_the_budget_is_kept(reopen: Reopen) -> None:
    with reopen() as memory:
        short, long = memory.recall("the house", k=8, budget_tokens=120), memory.recall("the house", k=8)
        assert 1 <= len(short.hits) < len(long.hits)
        assert len(short.render()) < len(long.render())
