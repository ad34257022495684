"""Multi-hop questions over a corpus of titled passages, in the formats they are published in.

- HippoRAG / MuSiQue: a list of ``{"question", "paragraphs": [{"title", "paragraph_text" | "text", "is_supporting"}]}``;
- HotpotQA / 2WikiMultiHopQA: a list of ``{"question", "supporting_facts": [[title, sentence]], "context"}``;
- JSON lines of ``{"question", "gold_titles"}``, with a corpus file.

The corpus is a list of ``{"title", "text"}`` or HotpotQA's ``{title: [sentence, ...]}``; without one the passages
that come
with the questions are pooled. Triples are OpenIE results: ``{"docs": [{"title", "text", "extracted_triples"}]}``, or
with ``"passage"``, a title and a text on two lines, in place of both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hippo_agent.errors import DataError
from hippo_agent.evaluation.data.files import field, read_json, read_text

__all__ = ["HopQuestion", "MultihopData", "TitledPassage", "Triple", "load_multihop"]

_REMEDY = "see hippo_agent/evaluation/data/multihop.py for the formats"
Triple = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class TitledPassage:
    """A passage of the corpus."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class HopQuestion:
    """A question and the positions of all passages it needs."""

    id: str
    text: str
    gold: tuple[int, ...]


@dataclass(frozen=True)
class MultihopData:
    """Passages, questions, and the triples of each passage when a file of them was given."""

    passages: tuple[TitledPassage, ...]
    questions: tuple[HopQuestion, ...]
    triples: tuple[tuple[Triple, ...], ...] | None


def load_multihop(data: Path, *, corpus: Path | None = None, triples: Path | None = None) -> MultihopData:
    """Read questions, corpus and triples. DataError: another format, or gold that is not in the corpus."""
    items = _items(data)
    passages = _corpus(read_json(corpus), corpus) if corpus is not None else _pooled(items, data)
    by_text = {passage: at for at, passage in reversed(list(enumerate(passages)))}
    by_title: dict[str, int] = {}
    for at, passage in enumerate(passages):
        by_title.setdefault(passage.title, at)
    questions = []
    for number, item in enumerate(items):
        where = f"question {number + 1} of {data.name!r}"
        text = field(item, "question", str, where, _REMEDY)
        gold = [_find(one, by_text, by_title, where) for one in _gold(item, where)]
        if not gold:
            raise DataError(f"{where} names no passage as gold; leave it out, or give another file")
        questions.append(HopQuestion(str(item.get("id", item.get("_id", number))), text, tuple(dict.fromkeys(gold))))
    return MultihopData(tuple(passages), tuple(questions), None if triples is None else _triples(triples, passages))


def _items(data: Path) -> list[Any]:
    if data.suffix == ".jsonl":
        try:
            items = [json.loads(line) for line in read_text(data).splitlines() if line.strip()]
        except json.JSONDecodeError as exc:
            raise DataError(f"{str(data)!r} is not JSON lines ({exc.msg}); is it the right file?") from exc
    else:
        items = read_json(data)
    if not isinstance(items, list) or not items:
        raise DataError(f"{str(data)!r} is not a list of questions; {_REMEDY}")
    return items


def _corpus(found: Any, path: Path) -> list[TitledPassage]:
    if isinstance(found, Mapping):
        for title, text in found.items():
            if not isinstance(text, (str, list)):
                raise DataError(f"{title!r} of {path.name!r} is neither text nor a list of sentences; {_REMEDY}")
        return [TitledPassage(str(title), _joined(text)) for title, text in found.items()]
    if not isinstance(found, list):
        raise DataError(f"{str(path)!r} is neither a list of passages nor an object of titles; {_REMEDY}")
    where = f"a passage of {path.name!r}"
    return [
        TitledPassage(field(item, "title", str, where, _REMEDY), field(item, "text", str, where, _REMEDY))
        for item in found
    ]


def _pooled(items: Sequence[Any], data: Path) -> list[TitledPassage]:
    found = [passage for item in items for passage in _own(item)]
    if not found:
        raise DataError(f"{str(data)!r} brings no passages along; name the corpus with --corpus FILE")
    return list(dict.fromkeys(found))


def _own(item: Any) -> list[TitledPassage]:
    """The passages that come with a question."""
    if not isinstance(item, Mapping):
        return []
    if isinstance(item.get("paragraphs"), list):
        return [TitledPassage(str(p.get("title", "")), _text(p)) for p in item["paragraphs"] if isinstance(p, Mapping)]
    if isinstance(item.get("context"), list):
        entries = [entry for entry in item["context"] if isinstance(entry, list) and len(entry) == 2]
        return [TitledPassage(str(title), _joined(text)) for title, text in entries]
    return []


def _gold(item: Any, where: str) -> list[TitledPassage | str]:
    if not isinstance(item, Mapping):
        raise DataError(f"{where} is not an object; {_REMEDY}")
    if isinstance(item.get("gold_titles"), list):
        return [str(title) for title in item["gold_titles"]]
    if isinstance(item.get("supporting_facts"), list):
        return [str(entry[0]) for entry in item["supporting_facts"] if isinstance(entry, list) and entry]
    if isinstance(item.get("paragraphs"), list):
        return [
            TitledPassage(str(p.get("title", "")), _text(p))
            for p in item["paragraphs"]
            if isinstance(p, Mapping) and p.get("is_supporting")
        ]
    raise DataError(f"{where} has neither 'gold_titles', nor 'supporting_facts', nor 'paragraphs'; {_REMEDY}")


def _find(
    gold: TitledPassage | str, by_text: Mapping[TitledPassage, int], by_title: Mapping[str, int], where: str
) -> int:
    title = gold if isinstance(gold, str) else gold.title
    at = by_title.get(title) if isinstance(gold, str) else by_text.get(gold, by_title.get(title))
    if at is None:
        raise DataError(
            f"the gold passage {title!r} of {where} is not in the corpus; name the right file with --corpus"
        )
    return at


def _triples(path: Path, passages: Sequence[TitledPassage]) -> tuple[tuple[Triple, ...], ...]:
    docs = field(read_json(path), "docs", list, f"{path.name!r}", _REMEDY)
    found: dict[TitledPassage, list[Triple]] = {}
    for doc in docs:
        where = f"a document of {path.name!r}"
        raw = field(doc, "extracted_triples", list, where, _REMEDY)
        found[_told_of(doc, where)] = [
            (str(t[0]), str(t[1]), str(t[2])) for t in raw if isinstance(t, list) and len(t) == 3
        ]
    if not any(passage in found for passage in passages):
        raise DataError(
            f"no document of {path.name!r} is a passage of the corpus (by title and text); name the OpenIE results of "
            "this corpus with --triples"
        )
    return tuple(tuple(found.get(passage, ())) for passage in passages)


def _told_of(doc: Mapping[str, Any], where: str) -> TitledPassage:
    """The passage that triples are of; HippoRAG 2 writes title and text as one, a line apart."""
    if "passage" in doc:
        title, _, text = field(doc, "passage", str, where, _REMEDY).partition("\n")
        return TitledPassage(title, text)
    return TitledPassage(field(doc, "title", str, where, _REMEDY), field(doc, "text", str, where, _REMEDY))


def _text(paragraph: Mapping[str, Any]) -> str:
    return _joined(paragraph.get("paragraph_text", paragraph.get("text", "")))


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)
