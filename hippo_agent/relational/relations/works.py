"""About works and products: who wrote, directed, performed, made them."""

from __future__ import annotations

from hippo_agent.relational.relations.base import Relation, known

__all__ = ["WORKS"]

WORKS: tuple[Relation, ...] = (
    known(
        "author",
        nouns="author|writer",
        verbs="was written by|is written by|was authored by",
        inverse="wrote|authored|is the author of",
        asks="author|writer|wrote|written|write",
        kind="person",
    ),
    known(
        "director",
        nouns="director",
        verbs="was directed by|is directed by",
        inverse="directed",
        asks="direct|director|directed",
        kind="person",
    ),
    known(
        "performer",
        nouns="performer|singer",
        verbs="was performed by|was sung by|is performed by",
        inverse="performed|sang|recorded",
        asks="perform|performer|sing|sang|singer|sung",
        kind="person",
    ),
    known(
        "composer",
        nouns="composer",
        verbs="was composed by",
        inverse="composed",
        asks="compose|composer|composed",
        kind="person",
    ),
    known(
        "developer",
        nouns="developer|maker|manufacturer|producer",
        verbs=("was developed by|is made by|was made by|was produced by|is produced by|is manufactured by"),
        inverse="developed|makes|manufactures|produces|produced",
        asks="develop|developer|maker|made|make|produce|produced|manufacture",
    ),
)
