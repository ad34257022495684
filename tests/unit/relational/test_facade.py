"""`memory.facts`: facts through the public object, in step with what is written, forgotten, imported and merged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hippo_agent import Memory
from hippo_agent.config import Config
from hippo_agent.embedding.hashing import HashingEmbedder
from hippo_agent.errors import ConfigError, InvalidInput, MemoryClosed, ModelUnavailable, ReadOnlyMemory
from hippo_agent.relational.config import RelationalConfig
from hippo_agent.relational.merging import propose_merges
from hippo_agent.types import Event, Provenance

START = datetime(2024, 1, 1, tzinfo=timezone.utc)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def open_in(folder: Path, **options: object) -> Memory:
    return Memory(folder, embedder=HashingEmbedder(quiet=True), clock=lambda: day(30), **options)  # type: ignore[arg-type]


def tell(memory: Memory, *texts: str, first: int = 1, source: str = "user", by: str = "u") -> list[str]:
    """One text a day; the ids of the traces."""
    receipts = [
        memory.write(text, source=source, principal=by, event_time=day(first + number), pin=True)
        for number, text in enumerate(texts)
    ]
    return [receipt.id or "" for receipt in receipts]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with open_in(tmp_path / "m") as opened:
        yield opened


def test_a_read_takes_in_what_was_written_since(memory: Memory) -> None:
    tell(memory, "Ines lives in Rome.")
    assert memory.facts.behind() > 0
    assert memory.facts.current("Ines", "lives in").value == "Rome"
    assert memory.facts.behind() == 0
    tell(memory, "Ines moved to Porto.", first=2)
    found = memory.facts.current("Ines", "lives in")
    assert (found.value, found.runner_up) == ("Porto", "Rome")
    assert [fact.object for fact in memory.facts.history("Ines", "lives in")] == ["Rome", "Porto"]
    assert memory.facts.current("Ines", "lives in", at=day(1)).value == "Rome"
    assert memory.facts.current("Ines", "lives in", at=day(1).replace(tzinfo=None)).value == "Rome"


def test_a_question_is_walked_and_a_search_finds_facts_by_name_and_by_trace(memory: Memory) -> None:
    tell(memory, "Teo's boss is Ines.", "Ines lives in Rome.", "The capital of Vell is Orano.")
    assert memory.facts.ask("Where does the boss of Teo live?").value == "Rome"
    found = memory.facts.search("Where does Ines live?")
    assert found[0].fact.text == "Ines lives in Rome"
    assert found[0].score == pytest.approx(found[0].similarity + found[0].words)
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
    assert [fact.object for fact in memory.facts.neighbourhood("Teo", hops=2)] == ["Ines", "Rome"]
    with pytest.raises(InvalidInput, match="k must be"):
        memory.facts.search("x", k=0)


def test_a_search_leaves_out_what_holds_no_more_unless_asked(memory: Memory) -> None:
    tell(memory, "Ines lives in Rome.", "Ines moved to Porto.")
    assert {item.fact.object for item in memory.facts.search("Ines lives")} == {"Porto"}
    assert {item.fact.object for item in memory.facts.search("Ines lives", past=True)} == {"Rome", "Porto"}


def test_what_nobody_trusted_says_waits_and_is_not_searched(memory: Memory) -> None:
    tell(memory, "The capital of Vell is Orano.", source="web", by="site")
    assert memory.facts.current("Vell", "capital").value is None
    assert memory.facts.search("capital of Vell") == []
    (waiting,) = memory.facts.all(waiting=True)
    assert "not trusted" in memory.facts.explain(waiting)[0]


def test_min_trust_leaves_less_trusted_statements_out(memory: Memory) -> None:
    tell(memory, "Ines lives in Rome.")
    tell(memory, "Ines moved to Porto.", first=2, source="tool", by="crawler")
    assert memory.facts.current("Ines", "lives in").value == "Porto"
    assert memory.facts.current("Ines", "lives in", min_trust=0.6).value == "Rome"
    assert [fact.object for fact in memory.facts.about("Ines", min_trust=0.6)] == []  # Rome was replaced for all
    assert [edge.object for edge in memory.facts.graph().edges()] == ["Porto"]
    assert list(memory.facts.graph(min_trust=0.6).edges()) == []


def test_forgetting_takes_facts_and_names_with_it_at_once(memory: Memory, tmp_path: Path) -> None:
    (trace,) = tell(memory, "Zorblax lives in Quixhaven.")
    assert memory.facts.entity("Zorblax") is not None
    memory.forget(trace_id=trace)
    memory.scrub()
    assert memory.facts.entity("Zorblax") is None
    memory.close()
    assert not [path for path in (tmp_path / "m").iterdir() if b"uixhaven" in path.read_bytes()]


def test_a_namespace_sees_its_own_facts_and_those_below(tmp_path: Path) -> None:
    with open_in(tmp_path / "m") as memory:
        memory.write("Ines lives in Rome.", source="user", namespace=("a", "b"))
        memory.write("Ines works for Halden.", source="user", namespace=("c",))
        assert [fact.object for fact in memory.facts.about("Ines", namespace=("a",))] == ["Rome"]
        assert [fact.object for fact in memory.facts.about("Ines", namespace="c")] == ["Halden"]
        assert len(memory.facts.about("Ines")) == 2
    with open_in(tmp_path / "m", namespace=("c",)) as inside:
        assert [fact.object for fact in inside.facts.about("Ines")] == ["Halden"]


def test_a_read_only_memory_shows_facts_as_they_were_left(tmp_path: Path) -> None:
    with open_in(tmp_path / "m") as memory:
        tell(memory, "Ines lives in Rome.")
        memory.facts.catch_up(progress=False)
        tell(memory, "Ines moved to Porto.", first=2)
    with open_in(tmp_path / "m", read_only=True) as reading:
        assert reading.facts.current("Ines", "lives in").value == "Rome"
        assert reading.facts.behind() > 0
        with pytest.raises(ReadOnlyMemory):
            reading.facts.catch_up(progress=False)


def test_an_export_brings_its_facts_along_and_a_rebuild_finds_them_again(memory: Memory, tmp_path: Path) -> None:
    tell(memory, "Ines lives in Rome.", "Teo's boss is Ines.")
    facts = [fact.text for fact in memory.facts.all()]
    memory.export_jsonl(tmp_path / "out.jsonl")
    with open_in(tmp_path / "other") as other:
        other.import_jsonl(tmp_path / "out.jsonl")
        assert [fact.text for fact in other.facts.all()] == facts
    assert memory.facts.rebuild(progress=False) == 2
    assert [fact.text for fact in memory.facts.all()] == facts


def test_repair_and_reembed_leave_the_facts_as_they_are(memory: Memory) -> None:
    tell(memory, "Ines lives in Rome.")
    before = memory.facts.all()
    memory.repair()
    memory.reembed(progress=False)
    assert memory.facts.all() == before
    assert memory.facts.search("Ines lives in Rome")[0].similarity > 0.9


def test_a_deferred_trace_is_read_once_and_a_quarantined_one_loses_its_facts(memory: Memory) -> None:
    (trace,) = tell(memory, "Ines lives in Rome.")
    memory._record.set_status([trace], "deferred")
    assert memory.facts.current("Ines", "lives in").value == "Rome"
    memory._record.set_status([trace], "active")
    assert [len(fact.statements) for fact in memory.facts.all()] == [1]
    memory._record.set_status([trace], "quarantined")
    assert memory.facts.all() == []
    memory._record.set_status([trace], "active")
    assert memory.facts.current("Ines", "lives in").value == "Rome"


def test_names_are_merged_on_proposal_and_apart_again(memory: Memory) -> None:
    tell(memory, "Jona Ried lives in Rome.", "J. Ried works for Halden.")
    (proposal,) = memory.facts.merge_proposals()
    assert (proposal.loser, proposal.winner) == ("J. Ried", "Jona Ried")
    assert proposal.evidence.rule == "initials of the same name"
    memory.facts.merge(proposal.loser, proposal.winner, evidence=proposal.evidence)
    entity = memory.facts.entity("J. Ried")
    assert entity is not None and (entity.name, entity.aliases) == ("Jona Ried", ("J. Ried",))
    assert {fact.predicate for fact in memory.facts.about("Jona Ried")} == {"lives in", "works for"}
    assert memory.facts.merge_proposals() == []
    memory.facts.unmerge("J. Ried")
    assert [fact.predicate for fact in memory.facts.about("Jona Ried")] == ["lives in"]


def test_proposals_need_more_than_a_shared_word() -> None:
    embedder = HashingEmbedder(quiet=True)
    names = ["Ada Rook", "Ada Tamm", "United Nations", "UN", "Rome", "2024", "Halden Works", "Halden Wroks"]
    found = {(item.loser, item.winner) for item in propose_merges(names, embedder.embed)}
    assert ("UN", "United Nations") in found
    assert ("Ada Rook", "Ada Tamm") not in found
    assert propose_merges([], embedder.embed) == []


def test_without_a_model_reads_go_on_and_say_why_nothing_new_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Missing:
        dim = 384

        @property
        def id(self) -> str:
            raise ModelUnavailable("no weights here")

        def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            raise ModelUnavailable("no weights here")

    with Memory(tmp_path / "m", embedder=Missing()) as memory:
        tell(memory, "Ines lives in Rome.")
        assert memory.facts.all() == []
        assert memory.facts.missing == "no weights here"
        assert "facts are not brought up to date" in caplog.text
        with pytest.raises(ModelUnavailable):
            memory.facts.catch_up(progress=False)
    with open_in(tmp_path / "m") as memory:
        assert memory.facts.current("Ines", "lives in").value == "Rome"


def test_a_closed_memory_answers_nothing(tmp_path: Path) -> None:
    memory = open_in(tmp_path / "m")
    memory.close()
    with pytest.raises(MemoryClosed):
        memory.facts.current("Ines", "lives in")


def test_three_claims_that_agree_earn_an_unknown_predicate_its_place(memory: Memory) -> None:
    store = memory._facts
    traces = tell(memory, *(f"Note {number}." for number in range(4)))
    from hippo_agent.relational.facts import Triple

    def claim(at: int, subject: str, value: str) -> str:
        triple = Triple(subject=subject, predicate="juggles with", object=value)
        return store.add(memory.get(traces[at]), [triple])[0].status

    assert claim(0, "Ada", "Bo") == "deferred"
    assert claim(1, "Cy", "Dee") == "deferred"
    assert claim(2, "Eve", "Fay") == "active"
    assert {fact.subject for fact in memory.facts.all()} == {"Ada", "Cy", "Eve"}
    assert claim(3, "the whole of the noise that we heard there", "12") == "deferred"
    assert memory.facts.retest() == 0


@pytest.mark.parametrize(
    "settings", [{"claims": -1.0}, {"links": float("nan")}, {"linked": -1}, {"extractor": "magic"}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        RelationalConfig(**settings)  # type: ignore[arg-type]


def test_facts_help_recall_where_they_are_known_and_only_there(tmp_path: Path) -> None:
    talk = [
        "It rained all week and the tram was late again. Ines lives in Rome.",
        "Teo asked about the weather.",
        "The tram is late every day.",
    ]

    def opened(name: str, weight: float) -> Memory:
        memory = open_in(tmp_path / name, config=Config(relational=RelationalConfig(claims=weight)))
        memory.write_many(
            [Event(text=text, provenance=Provenance(source="user"), event_time=day(1), pin=True) for text in talk],
            progress=False,
        )
        return memory

    with opened("on", 0.3) as on, opened("off", 0.0) as off:
        cue = "Where does Ines live?"
        before = [[(hit.trace.seq, hit.score, hit.reasons) for hit in one.recall(cue).hits] for one in (on, off)]
        assert before[0] == before[1]  # nothing was read yet
        assert on.facts.current("Ines", "lives in").value == "Rome"
        assert off.facts.current("Ines", "lives in").value == "Rome"
        hit, plain = on.recall(cue).hits[0], off.recall(cue).hits[0]
        assert hit.trace.text.startswith("It rained")
        assert hit.reasons["claims"] > 0.1 and "claims" not in plain.reasons
        assert hit.score == pytest.approx(plain.score + hit.reasons["claims"])
        fact = memory_fact(on)
        assert hit.because == {"claims": f"fact {fact}"}


def memory_fact(memory: Memory) -> int:
    (fact,) = memory.facts.about("Ines")
    return fact.id


def test_links_lead_to_the_text_that_a_question_needs_but_never_names(tmp_path: Path) -> None:
    texts = [
        "Zorblax\nZorblax is a novel. It was written by Ines Halm.",
        "Ines Halm\nInes Halm grew up in Quixhaven near the sea.",
        "Orano\nOrano is a town. Nobody grew up there by the sea, they say.",
        "Vell\nVell has a novel harbour that was written about.",
    ]

    def ranked(weight: float) -> list[str]:
        folder = tmp_path / f"links{weight}"
        with open_in(folder, config=Config(relational=RelationalConfig(links=weight))) as memory:
            tell(memory, *texts)
            hits = memory.recall("Where did the author of Zorblax grow up?", k=2).hits
            if weight:
                assert "links" in hits[1].reasons and "ines halm" in hits[1].because["links"]
            return [hit.trace.text.split("\n")[0] for hit in hits]

    assert ranked(1.0) == ["Zorblax", "Ines Halm"]
    assert ranked(0.0) != ["Zorblax", "Ines Halm"]


def test_with_more_headings_than_the_limit_links_rest_and_say_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_in(tmp_path / "m", config=Config(relational=RelationalConfig(linked=1))) as memory:
        tell(memory, "Zorblax\nZorblax is by Ines Halm.", "Ines Halm\nInes Halm grew up in Quixhaven.")
        for _ in range(2):
            hits = memory.recall("Where did the author of Zorblax grow up?").hits
            assert all("links" not in hit.reasons for hit in hits)
    assert caplog.text.count("recall over links rests") == 1


def test_a_model_handed_over_reads_what_is_written_from_then_on(memory: Memory) -> None:
    def chat(prompt: str) -> str:
        said = {"subject": "Zorblax", "predicate": "is guarded by", "object": "Quill"}
        return json.dumps({"facts": [said]}) if "Zorblax" in prompt else "no idea"

    memory.facts.read_with(chat)
    memory.write("Quill keeps Zorblax safe.", source="user")
    memory.write("Ada lives in Rome.", source="user")  # the model fails here
    assert [fact.text for fact in memory.facts.touching("Zorblax")] == ["Zorblax is guarded by Quill"]
    assert memory.facts.current("Ada", "lives in").value == "Rome"
    memory.facts.read_with(None)
    memory.write("Quill keeps Zorblax warm.", source="user")
    assert len(memory.facts.touching("Zorblax")) == 1
    with pytest.raises(InvalidInput, match="no chat model"):
        memory.facts.read_with(7)
