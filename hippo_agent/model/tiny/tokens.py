"""The vocabulary of hippo-tiny: byte-level BPE that sees a space before every line, so that a word has one spelling.

Without it a name at the start of a line would be cut into other pieces than the same name inside a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["CHAT", "END", "PAD", "SIZE", "build"]

SIZE = 2048
PAD, END = "<|pad|>", "<|end|>"
#: System text stands before as it is; an answer ends with END, and so the next turn starts a line.
CHAT = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\\n' }}"
    "{% elif message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + '<|end|>' }}"
    "{% else %}{{ 'User: ' + message['content'] + '\\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def build(texts: Iterable[str], *, size: int = SIZE, context: int = 1024) -> Any:
    """A fast tokenizer of transformers, trained on the texts. Decoding gives back every text exactly."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.Sequence([normalizers.Replace("\n", "\n "), normalizers.Prepend(" ")])
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.Sequence(
        [decoders.ByteLevel(), decoders.Replace("\n ", "\n"), decoders.Strip(content=" ", left=1, right=0)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=[PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        eos_token=END,
        chat_template=CHAT,
        model_max_length=context,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
