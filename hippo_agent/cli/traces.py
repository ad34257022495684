"""`hippo write`, `recall`, `show`: one trace or one cue at a time."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import typer

from hippo_agent.cli.options import (
    DEFAULT_FOLDER,
    STDIN,
    EmbedderOption,
    FolderOption,
    JsonOption,
    NamespaceOption,
    moment,
    opened,
)
from hippo_agent.cli.output import console, emit, fields, hit_panel, receipt_line
from hippo_agent.errors import InvalidInput


def read_text(argument: str) -> str:
    """The argument, or stdin when it is `-`."""
    if argument != STDIN:
        return argument
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InvalidInput(f"stdin is not UTF-8 text ({exc.reason} at byte {exc.start}); convert it first") from exc


def write(
    text: Annotated[str, typer.Argument(help="What to remember; - reads it from stdin.")],
    memory: FolderOption = DEFAULT_FOLDER,
    namespace: NamespaceOption = None,
    embedder: EmbedderOption = None,
    source: Annotated[str, typer.Option(help="Who it comes from: user, operator, tool, model, web, ...")] = "user",
    speaker: Annotated[str | None, typer.Option(help="Who said it.")] = None,
    session: Annotated[str | None, typer.Option(help="The conversation or document that it belongs to.")] = None,
    principal: Annotated[str | None, typer.Option(help="Who vouches for it: a user id, a tool's name.")] = None,
    time: Annotated[
        datetime | None, typer.Option(parser=moment, metavar="TIME", help="When it happened; default: now.")
    ] = None,
    kind: Annotated[str, typer.Option(help="A label to filter by.")] = "episode",
    key: Annotated[str | None, typer.Option(help="Writing the same key again changes nothing.")] = None,
    pin: Annotated[bool, typer.Option("--pin", help="Always keep it.")] = False,
    reward: Annotated[float, typer.Option(help="How it turned out, from -1 to 1.")] = 0.0,
    json_: JsonOption = False,
) -> None:
    """Remember one thing.

    Example: hippo write "Ada moved to Lisbon on 3 May." --speaker Bo --session monday
    """
    content = read_text(text)
    with opened(memory, namespace, embedder, create=True) as store:
        receipt = store.write(
            content,
            source=source,
            speaker=speaker,
            session=session,
            principal=principal,
            event_time=time,
            kind=kind,
            key=key,
            pin=pin,
            reward=reward,
        )
    if json_:
        emit(receipt)
    else:
        console().print(receipt_line(receipt), soft_wrap=True)


def recall(
    cue: Annotated[str, typer.Argument(help="A question, or any fragment; - reads it from stdin.")] = "",
    memory: FolderOption = DEFAULT_FOLDER,
    namespace: NamespaceOption = None,
    embedder: EmbedderOption = None,
    k: Annotated[int, typer.Option("--k", "-k", help="At most so many traces.")] = 8,
    budget: Annotated[int | None, typer.Option(help="At most so many tokens of text.")] = None,
    who: Annotated[list[str] | None, typer.Option(help="Somebody in it; may be repeated.")] = None,
    what: Annotated[list[str] | None, typer.Option(help="Something in it; may be repeated.")] = None,
    where: Annotated[list[str] | None, typer.Option(help="A place in it; may be repeated.")] = None,
    when: Annotated[list[str] | None, typer.Option(help="A date in it: 2024, 2024-05 or 2024-05-07.")] = None,
    since: Annotated[datetime | None, typer.Option(parser=moment, metavar="TIME", help="Not before this time.")] = None,
    until: Annotated[datetime | None, typer.Option(parser=moment, metavar="TIME", help="Before this time.")] = None,
    asked_at: Annotated[
        datetime | None,
        typer.Option(parser=moment, metavar="TIME", help="What 'yesterday' in the cue is counted from."),
    ] = None,
    session: Annotated[str | None, typer.Option(help="Only from this session.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only from this source; may be repeated.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only of this kind; may be repeated.")] = None,
    min_trust: Annotated[float, typer.Option(help="Only traces trusted at least so much, from 0 to 1.")] = 0.0,
    prompt: Annotated[bool, typer.Option("--prompt", help="Print the text for a prompt and nothing else.")] = False,
    json_: JsonOption = False,
) -> None:
    """Recall what a question or a fragment brings back, with the reasons.

    Example: hippo recall "where does Ada live now?" -k 3

    From slots alone: hippo recall --who Ada --when 2024-05
    """
    from hippo_agent import Slots

    slots = Slots(who=tuple(who or ()), what=tuple(what or ()), where=tuple(where or ()), when=tuple(when or ()))
    content = read_text(cue)
    with opened(memory, namespace, embedder) as store:
        found = store.recall(
            content,
            k=k,
            budget_tokens=budget,
            slots=slots or None,
            since=since,
            until=until,
            asked_at=asked_at,
            session=session,
            sources=tuple(source or ()),
            kinds=tuple(kind or ()),
            min_trust=min_trust,
        )
    if json_:
        emit({"cue": found.cue, "hits": found.hits})
    elif prompt:
        print(found.render())
    elif not found.hits:
        typer.echo("nothing comes back for this cue")
    else:
        for rank, hit in enumerate(found.hits, start=1):
            console().print(hit_panel(rank, hit))


def show(
    trace_id: Annotated[str, typer.Argument(help="The id of a trace.")],
    memory: FolderOption = DEFAULT_FOLDER,
    json_: JsonOption = False,
) -> None:
    """Show one trace with everything that is known about it.

    Example: hippo show 01JD2M9V0Q8K
    """
    with opened(memory) as store:
        trace = store.get(trace_id)
    if json_:
        emit(trace)
    else:
        console().print(fields(trace, title=f"trace {trace.id}"))
