"""What the recipe trains and how long."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Recipe"]


class Recipe(BaseModel):
    """Sizes and schedule. The defaults are those of the shipped weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    steps: int = Field(default=13_500, ge=1)
    tokens: int = Field(default=3072, ge=64)  # of a step
    length: int = Field(default=512, ge=64)  # of a row
    rate: float = Field(default=2.5e-3, gt=0)
    warmup: int = 150
    hold: float = Field(default=0.7, ge=0, le=1)  # share of the training before the rate falls
    floor: float = Field(default=0.03, ge=0, le=1)  # of the rate, at the end
    vocabulary: int = Field(default=2048, ge=300)
    width: int = 256
    inner: int = 672
    layers: int = 4
    heads: int = 4
    context: int = 1024

    def llama(self, pad: int, end: int) -> Any:
        """The configuration of the model."""
        from transformers import LlamaConfig

        return LlamaConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.width,
            intermediate_size=self.inner,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.heads,
            max_position_embeddings=self.context,
            tie_word_embeddings=True,
            bos_token_id=None,
            pad_token_id=pad,
            eos_token_id=end,
            hippo_tiny=True,  # how a `LocalModel` knows it in any folder
        )

    def learning_rate(self, step: int) -> float:
        """The rate rises for some steps, holds, and falls in a line."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        left = (self.steps - step) / max(1.0, self.steps * (1 - self.hold))
        return self.rate * max(self.floor, min(1.0, left))
