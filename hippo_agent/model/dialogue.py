"""Messages as the text that a model was trained on: by its own chat template, or in a plain form without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hippo_agent.errors import InvalidInput
from hippo_agent.intake import clean_text

__all__ = ["Message", "messages_of", "with_system", "written"]

Message = Mapping[str, str]  # role ("system", "user", "assistant") and content

_ROLES = ("system", "user", "assistant")


def messages_of(prompt: str | Sequence[Message]) -> list[Message]:
    """The prompt as messages; a string is one message of the user. Raises InvalidInput."""
    given: Sequence[Message] = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    out = []
    for message in given:
        role, content = message.get("role"), message.get("content")
        if role not in _ROLES or not isinstance(content, str):
            raise InvalidInput(f"a message needs a role ({', '.join(_ROLES)}) and content, not {dict(message)!r}")
        out.append({"role": role, "content": clean_text(content, what="message")})
    if not any(message["content"].strip() for message in out):
        raise InvalidInput("the prompt is empty; there is nothing to answer")
    return list(out)


def with_system(messages: Sequence[Message], text: str) -> list[Message]:
    """The messages with the text at the end of the system message, which is made when there is none."""
    if not text:
        return list(messages)
    if messages and messages[0]["role"] == "system":
        return [{"role": "system", "content": f"{messages[0]['content']}\n{text}"}, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def written(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The text up to where the answer begins."""
    if tokenizer.chat_template is None:
        lines = [
            message["content"] if message["role"] == "system" else f"{message['role'].title()}: {message['content']}"
            for message in messages
        ]
        return "\n".join([*lines, "Assistant:"])
    from jinja2.exceptions import TemplateError

    try:
        return str(tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True))
    except TemplateError as exc:
        if not messages or messages[0]["role"] != "system":
            raise InvalidInput(f"the model's chat template refuses these messages: {exc}") from exc
        first, *rest = messages[1:] or [{"role": "user", "content": ""}]  # some templates know no system message
        merged = {"role": first["role"], "content": f"{messages[0]['content']}\n\n{first['content']}"}
        return written(tokenizer, [merged, *rest])
