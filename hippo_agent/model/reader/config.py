"""Settings of a trained reader; saved beside its weights."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hippo_agent.errors import ConfigError

__all__ = ["FLOOR", "SOURCES", "ReaderConfig", "floor_of"]

#: A cosine of all-MiniLM-L6-v2 below which the best trace has hardly anything to do with a question. On validation
#: names 2 % of the questions with an answer have a lower best score, and nine of ten texts about something else.
FLOOR = 0.45

#: Which store a trace comes from; its place is its row in the source embedding.
SOURCES: tuple[str, ...] = ("episodic", "relational", "spatial")


def floor_of(embedder: str) -> float:
    """The floor for scores of the embedder with this id: cosines of others lie elsewhere, and have none (0)."""
    return FLOOR if "all-MiniLM-L6-v2" in embedder else 0.0


class ReaderConfig(BaseModel):
    """Where the reader sits and what it is made of. Each switch is a row of the ablation table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layers: tuple[int, ...] = ()  # decoder layers with a reader beside their self-attention; empty: 1/2 and 3/4 up
    init: Literal["copy", "random"] = "copy"  # projections start as the base's self-attention, or as noise
    pooling: Literal["tokens", "mean"] = "tokens"  # every token of a trace, or one vector for all of it
    null_slot: bool = True  # something to attend to when no trace fits
    score_bias: bool = True  # the retrieval score enters attention
    source_embedding: bool = True  # traces of the three stores are told apart
    bias_scale: float = Field(default=30.0, gt=0)  # at the start; learned. Logits per unit of retrieval score
    floor: float = Field(default=FLOOR, ge=0)  # a best score below it weakens all traces; 0: off
    max_tokens: int = Field(default=64, ge=1)  # of a trace; the rest is cut

    def placed(self, count: int) -> tuple[int, ...]:
        """The layers in a decoder that has ``count`` of them."""
        layers = self.layers or tuple(dict.fromkeys((count // 2, 3 * count // 4)))
        if len(set(layers)) != len(layers) or not all(0 <= layer < count for layer in layers):
            raise ConfigError(f"ReaderConfig.layers {layers!r} must be distinct numbers from 0 to {count - 1}")
        return layers
