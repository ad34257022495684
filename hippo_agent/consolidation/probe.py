"""Asking a model without its memory: does it answer exactly so, and how well does it still know its language?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hippo_agent.consolidation.encode import Encoded, collate

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["batches", "continuations", "exact", "logits_of", "loss", "pad_of"]

_TOKENS = 8192  # tokens of one batch at most
_LOGITS = 2**26  # and so many logits, which is what takes the memory


def pad_of(tokenizer: Any) -> int:
    """The padding token, or another one that is masked anyway."""
    return int(next(token for token in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if token is not None))


def exact(model: Any, texts: Sequence[Encoded], pad: int) -> list[bool]:
    """Whether greedy decoding of each prompt gives its answer, token for token.

    One forward pass each: the argmax at every place of the right answer is right exactly when greedy decoding is.
    """
    import torch

    right = [False] * len(texts)
    with torch.inference_mode():
        for rows in batches(texts, model):
            batch = collate([texts[row] for row in rows], pad)
            best = logits_of(model, batch.ids, batch.mask).argmax(-1).cpu()  # [b, t]
            for at, row in enumerate(rows):
                text = texts[row]
                found = best[at, text.start - 1 : len(text.ids) - 1].tolist()
                right[row] = tuple(found) == text.answer
    return right


def loss(model: Any, texts: Sequence[Encoded], pad: int) -> float:
    """Mean negative log-likelihood per token, in nats."""
    import torch

    total, count = 0.0, 0
    with torch.inference_mode():
        for rows in batches(texts, model):
            batch = collate([texts[row] for row in rows], pad)
            logits = logits_of(model, batch.ids, batch.mask).float()
            nll = torch.nn.functional.cross_entropy(
                logits[:, :-1].flatten(0, 1), batch.ids[:, 1:].flatten().to(logits.device), reduction="none"
            )
            kept = batch.mask[:, 1:].flatten().to(logits.device)
            total += float((nll * kept).sum())
            count += int(kept.sum())
    return total / max(1, count)


def continuations(
    model: Any, prompts: Sequence[Encoded], pad: int, *, tokens: int = 12, end: int | None = None
) -> list[Encoded]:
    """The prompts, each with the ``tokens`` that the model itself goes on with; what `exact` compares others to."""
    import torch

    out: list[Encoded] = [prompt for prompt in prompts]
    with torch.inference_mode():
        for rows in batches(prompts, model):
            texts = [list(prompts[row].ids[: prompts[row].start]) for row in rows]
            open_rows = set(range(len(rows)))
            for _ in range(tokens):
                if not open_rows:
                    break
                at = sorted(open_rows)
                batch = collate([Encoded(tuple(texts[i]), (0.0,) * len(texts[i]), 1) for i in at], pad)
                best = logits_of(model, batch.ids, batch.mask).argmax(-1).cpu()
                for place, i in enumerate(at):
                    texts[i].append(int(best[place, len(texts[i]) - 1]))
                    if texts[i][-1] == end:
                        open_rows.discard(i)
            for i, row in enumerate(rows):
                out[row] = Encoded(tuple(texts[i]), (1.0,) * len(texts[i]), prompts[row].start)
    return out


def logits_of(model: Any, ids: Tensor, mask: Tensor) -> Tensor:
    device = next(model.parameters()).device
    logits: Tensor = model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).logits
    return logits


def batches(texts: Sequence[Encoded], model: Any) -> list[list[int]]:
    """Rows of similar length together, as many as fit into the limits."""
    limit = min(_TOKENS, _LOGITS // int(model.config.vocab_size))
    order = sorted(range(len(texts)), key=lambda row: len(texts[row].ids))
    batches: list[list[int]] = []
    for row in order:
        length = len(texts[row].ids)
        if batches and (len(batches[-1]) + 1) * length <= limit:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches
