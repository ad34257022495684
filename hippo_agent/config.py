"""All settings of a memory in one value, composed of the settings that live beside the code they configure.

Nothing is read from the environment, nothing from files: pass what you want to change.

    Memory("folder", config=Config(gate=GateConfig(budget=0.5)))
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hippo_agent.consolidation.config import ConsolidationConfig
from hippo_agent.episodic.gate import GateConfig
from hippo_agent.episodic.retention import RetentionConfig
from hippo_agent.errors import ConfigError
from hippo_agent.recall import RecallConfig
from hippo_agent.recall.evidence import EvidenceConfig
from hippo_agent.relational.config import RelationalConfig
from hippo_agent.spatial.macros import MacroConfig
from hippo_agent.storage.base import Durability
from hippo_agent.storage.index.managed import IndexKind
from hippo_agent.trust.config import TrustConfig

__all__ = ["Config"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings of one `Memory`."""

    gate: GateConfig = field(default_factory=GateConfig)
    recall: RecallConfig = field(default_factory=RecallConfig)
    evidence: EvidenceConfig = field(default_factory=EvidenceConfig)  # what `ask` reads beside the recalled traces
    relational: RelationalConfig = field(default_factory=RelationalConfig)
    consolidation: ConsolidationConfig = field(default_factory=ConsolidationConfig)
    retention: RetentionConfig = field(default_factory=RetentionConfig)
    trust: TrustConfig = field(default_factory=TrustConfig)  # secrets, quarantine, rates
    macros: MacroConfig = field(default_factory=MacroConfig)  # which habits the map learns
    index: IndexKind = "auto"  # "exact", "chroma", or by size
    durability: Durability = "process"  # "process": survives kill -9; "power": a power cut too, slower
    max_chars: int = 256_000  # of one text
    capacity: int | None = None  # traces kept at most: the least retained go first, pinned ones never; None: no limit

    def __post_init__(self) -> None:
        if self.max_chars < 1:
            raise ConfigError(f"Config.max_chars must be at least 1, not {self.max_chars!r}")
        if self.capacity is not None and self.capacity < 1:
            raise ConfigError(f"Config.capacity must be at least 1 or None, not {self.capacity!r}")
