"""What every figure stands beside, in the same run: each ranks the same turns with the same vectors."""

from hippo_agent.evaluation.baselines.chroma import ChromaSystem
from hippo_agent.evaluation.baselines.scored import ScoredSystem, bm25, dense, rrf, simple
from hippo_agent.evaluation.pool import System

__all__ = ["BASELINES"]

BASELINES: tuple[System, ...] = (
    ScoredSystem("bm25", bm25),
    ScoredSystem("dense", dense),
    ChromaSystem(),
    ScoredSystem("bm25+dense", rrf),
    ScoredSystem("simple", simple),
)
