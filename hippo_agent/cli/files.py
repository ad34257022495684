"""`hippo import` and `hippo export`: many traces at a time."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hippo_agent.cli.options import (
    DEFAULT_FOLDER,
    STDIN,
    EmbedderOption,
    FolderOption,
    JsonOption,
    NamespaceOption,
    opened,
)
from hippo_agent.cli.output import emit
from hippo_agent.errors import InvalidInput
from hippo_agent.intake import clean_namespace, source_kind
from hippo_agent.types import DEFAULT_TRUST, Event, Namespace, Provenance, SourceKind

if TYPE_CHECKING:
    from hippo_agent import Memory

_HEAD = 65_536  # bytes that are looked at to tell the format


class Format(str, Enum):
    """What a file to import can be."""

    AUTO = "auto"
    EXPORT = "export"  # JSONL written by `hippo export`
    CONVERSATION = "conversation"  # LoCoMo format
    TEXT = "text"


def import_(
    files: Annotated[list[str], typer.Argument(help="Files to import; - reads one from stdin.")],
    memory: FolderOption = DEFAULT_FOLDER,
    namespace: NamespaceOption = None,
    embedder: EmbedderOption = None,
    format_: Annotated[Format, typer.Option("--format", help="What the files are; auto looks.")] = Format.AUTO,
    source: Annotated[str, typer.Option(help="Provenance of conversations and texts.")] = "import",
    max_trust: Annotated[
        float, typer.Option(help="Of an export that others made: no trace of it is trusted more.")
    ] = 1.0,
    json_: JsonOption = False,
) -> None:
    """Import exports (JSONL), conversations (LoCoMo format) or plain text; doing it again changes nothing.

    An export comes back exactly as it was, namespaces included; the write gate does not see it.
    Conversations and texts are new experience: they pass the gate, by turn or by paragraph.

    Example: hippo import examples/data/mira_and_teo.json
    """
    kind, parts, done = source_kind(source), clean_namespace(namespace or ()), []
    with opened(memory, namespace, embedder, create=True) as store:
        for name in files:
            with _readable(name) as path:
                found = _detect(path) if format_ is Format.AUTO else format_
                if found is Format.EXPORT:
                    if parts:
                        raise typer.BadParameter("an export keeps its own namespaces; leave --namespace out")
                    done.append(
                        {"file": name, "format": found.value, "traces": store.import_jsonl(path, max_trust=max_trust)}
                    )
                else:
                    done.append({"file": name, "format": found.value, **_learn(store, path, found, parts, kind)})
    if json_:
        emit({"files": done})
        return
    for entry in done:
        rest = ", ".join(f"{count} {name}" for name, count in entry.items() if name not in ("file", "format", "traces"))
        typer.echo(f"{entry['file']} ({entry['format']}): {entry['traces']} traces" + (f" ({rest})" if rest else ""))


def export(
    file: Annotated[str, typer.Argument(help="Where to; - writes to stdout.")],
    memory: FolderOption = DEFAULT_FOLDER,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    json_: JsonOption = False,
) -> None:
    """Export every trace as JSONL, one per line, with provenance, times and counts.

    Example: hippo export backup.jsonl
    """
    if file == STDIN:
        if json_:
            raise typer.BadParameter("stdout cannot hold the export and --json at once")
        with tempfile.TemporaryDirectory() as scratch, opened(memory) as store:
            store.export_jsonl(Path(scratch) / "export.jsonl")
            with (Path(scratch) / "export.jsonl").open("rb") as stream:
                shutil.copyfileobj(stream, sys.stdout.buffer)
        return
    path = Path(file)
    if path.exists() and not force:
        raise InvalidInput(f"{file!r} exists; choose another name, or overwrite it with --force")
    with opened(memory) as store:
        count = store.export_jsonl(path)
    if json_:
        emit({"file": file, "traces": count})
    else:
        typer.echo(f"{file}: {count} traces")


@contextmanager
def _readable(name: str) -> Iterator[Path]:
    if name != STDIN:
        path = Path(name)
        if not path.is_file():
            raise InvalidInput(f"there is no file {name!r}; check the path")
        yield path
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "stdin"
        with path.open("wb") as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream)
        yield path


def _detect(path: Path) -> Format:
    """By the beginning of the content, and by the name where that does not tell."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD).decode("utf-8-sig", "replace").lstrip()
    if not head.startswith(("{", "[")):
        return Format.TEXT
    if head.startswith('{"type":') or path.suffix == ".jsonl":
        return Format.EXPORT
    return Format.CONVERSATION if '"conversation"' in head or path.suffix == ".json" else Format.TEXT


def _learn(store: Memory, path: Path, found: Format, namespace: Namespace, source: SourceKind) -> dict[str, int]:
    events = list(
        _conversation_events(path, namespace, source)
        if found is Format.CONVERSATION
        else _text_events(path, namespace, source)
    )
    decisions = Counter[str](receipt.decision for receipt in store.write_many(events))
    return {
        "traces": decisions["write"],
        **{name: count for name, count in sorted(decisions.items()) if name != "write"},
    }


def _conversation_events(path: Path, namespace: Namespace, source: SourceKind) -> Iterator[Event]:
    from hippo_agent.conversations import load

    for conversation in load(path):
        yield from conversation.events(namespace=namespace, source=source)


def _text_events(path: Path, namespace: Namespace, source: SourceKind) -> Iterator[Event]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InvalidInput(
            f"{str(path)!r} is not UTF-8 text ({exc.reason} at byte {exc.start}); convert it first"
        ) from exc
    from hippo_agent import segment

    paragraphs = (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    for content in (piece for paragraph in paragraphs for piece in segment(paragraph)):
        yield Event(
            text=content,
            namespace=namespace,
            provenance=Provenance(source=source, session=path.name, trust=DEFAULT_TRUST[source]),
            kind="document",
            key=f"{path.name}#{blake2b(content.encode(), digest_size=12).hexdigest()}",
        )
