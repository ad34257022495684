"""hippo-agent: a memory of its own for an LLM agent, in one folder on disk.

    from hippo_agent import Memory

    with Memory("agent-memory") as memory:
        memory.write("Ada moved to Lisbon on 3 May.", source="user", speaker="Ada")
        print(memory.recall("where does Ada live now?").render())

Public names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hippo_agent.asking import Answer
    from hippo_agent.config import Config
    from hippo_agent.embedding.hashing import HashingEmbedder
    from hippo_agent.embedding.sentence_transformer import SentenceTransformerEmbedder
    from hippo_agent.episodic.gate import GateConfig
    from hippo_agent.episodic.retention import RetentionConfig
    from hippo_agent.episodic.segmentation import segment
    from hippo_agent.errors import HippoError
    from hippo_agent.memory import Memory
    from hippo_agent.model.local import LocalModel
    from hippo_agent.recall import Recall, RecallConfig
    from hippo_agent.types import Cue, Event, Hit, Provenance, Receipt, Slots, Trace

__all__ = [
    "Answer",
    "Config",
    "Cue",
    "Event",
    "GateConfig",
    "HashingEmbedder",
    "HippoError",
    "Hit",
    "LocalModel",
    "Memory",
    "Provenance",
    "Recall",
    "RecallConfig",
    "Receipt",
    "RetentionConfig",
    "SentenceTransformerEmbedder",
    "Slots",
    "Trace",
    "segment",
]

_HOMES = {
    "Answer": "asking",
    "Config": "config",
    "Cue": "types",
    "Event": "types",
    "GateConfig": "episodic.gate",
    "HashingEmbedder": "embedding.hashing",
    "HippoError": "errors",
    "Hit": "types",
    "LocalModel": "model.local",
    "Memory": "memory",
    "Provenance": "types",
    "Recall": "recall",
    "RecallConfig": "recall",
    "Receipt": "types",
    "RetentionConfig": "episodic.retention",
    "SentenceTransformerEmbedder": "embedding.sentence_transformer",
    "Slots": "types",
    "Trace": "types",
    "segment": "episodic.segmentation",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
