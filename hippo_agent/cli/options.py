"""Options that several commands share, and how a memory is opened from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hippo_agent.errors import StorageError

if TYPE_CHECKING:
    from hippo_agent import Memory
    from hippo_agent.embedding.base import Embedder

DEFAULT_FOLDER = Path("agent-memory")
STDIN = "-"


def moment(text: str | datetime) -> datetime:
    """An ISO 8601 date or time; without an offset it is UTC."""
    if isinstance(text, datetime):
        return text
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r} is not a date or time such as 2024-05-07 or 2024-05-07T18:30") from exc
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


FolderOption = Annotated[Path, typer.Option("--memory", "-m", help="The memory's folder.", rich_help_panel="Memory")]
NamespaceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--namespace", "-n", help="A part of the namespace; repeat for deeper ones.", rich_help_panel="Memory"
    ),
]
EmbedderOption = Annotated[
    str | None,
    typer.Option(
        help="Model folder or name; 'hashing' needs no weights but matches spelling only. Default: all-MiniLM-L6-v2.",
        rich_help_panel="Memory",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for machines.")]


@contextmanager
def opened(
    folder: Path,
    namespace: list[str] | None = None,
    embedder: str | None = None,
    *,
    create: bool = False,
    read_only: bool = False,
) -> Iterator[Memory]:
    """The memory in a folder. Unless ``create``, it has to exist: reading never makes an empty one."""
    if not create and not folder.exists():
        raise StorageError(f"no memory in {str(folder)!r}; write something first, or name its folder: --memory")
    from hippo_agent import Memory

    scope = tuple(namespace or ())
    with Memory(folder, namespace=scope, embedder=embedder_named(embedder), read_only=read_only) as memory:
        yield memory


def embedder_named(name: str | None) -> Embedder:
    """The embedder that ``--embedder`` names; None: the default one."""
    if name == "hashing":
        from hippo_agent.embedding.hashing import HashingEmbedder

        return HashingEmbedder(quiet=True)  # asked for by name: no need to say it at each call
    from hippo_agent.embedding.sentence_transformer import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder() if name is None else SentenceTransformerEmbedder(name)
