"""How a question is put to a model: in its chat template, or plainly."""

from __future__ import annotations

from typing import Any

from hippo_agent.consolidation.forms import Form

__all__ = ["Asker"]


class Asker:
    """Prompts in the words of one tokenizer. A model without a chat template is asked as "User:" and "Assistant:"."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, form: Form, question: str, context: str = "") -> str:
        """The prompt, up to where the answer starts with a space; ``context`` is read before the question."""
        before = f"{context}\n" if context else ""
        if form == "plain":
            return f"{before}Q: {question}\nA:"
        if getattr(self._tokenizer, "chat_template", None):
            messages = [{"role": "system", "content": context}] if context else []
            messages.append({"role": "user", "content": question})
            try:
                return str(self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
            except Exception as error:  # templates raise their own errors for a role they do not know
                if "system" not in str(error).lower() or not context:
                    raise
                messages = [{"role": "user", "content": before + question}]
                return str(self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
        return f"{before}User: {question}\nAssistant:"
