"""Which extractor goes with an embedder: the tagger was trained on the word states of one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from hippo_agent.embedding.base import Embedder
from hippo_agent.embedding.sentence_transformer import MINILM, MINILM_SHA256
from hippo_agent.embedding.token_states import MiniLMWordStates
from hippo_agent.relational.config import ExtractorKind
from hippo_agent.relational.extraction.base import Extractor, Source
from hippo_agent.relational.extraction.patterns import PatternExtractor
from hippo_agent.relational.extraction.tagger import TaggerExtractor
from hippo_agent.relational.facts import Triple

__all__ = ["LazyExtractor"]


class LazyExtractor:
    """The extractor of a kind over an embedder, chosen when there is something to read.

    "auto" is the tagger over the embedder that the tagger was trained on, and patterns over any other.
    """

    def __init__(self, kind: ExtractorKind, embedder: Embedder) -> None:
        self._kind = kind
        self._embedder = embedder

    def extract(self, sources: Sequence[Source]) -> list[list[Triple]]:
        """Triples of each source. Raises ModelUnavailable when the weights of the embedder are not here."""
        return self._chosen.extract(sources) if sources else []

    @cached_property
    def _chosen(self) -> Extractor:
        if self._kind == "patterns":
            return PatternExtractor()
        if self._embedder.id == f"{MINILM}@{MINILM_SHA256[:12]}":
            model: Any = self._embedder
            return TaggerExtractor(MiniLMWordStates(model))
        return TaggerExtractor() if self._kind == "tagger" else PatternExtractor()
