"""Settings of the trust pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hippo_agent.errors import ConfigError

__all__ = ["TrustConfig"]

Secrets = Literal["redact", "quarantine", "keep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustConfig:
    """What happens to an event between the door and the write gate."""

    secrets: Secrets = "redact"  # keys, tokens, passwords: taken out, set aside with the text, or kept
    pii: bool = False  # take out e-mail addresses, telephone numbers, card and account numbers
    instructions: bool = True  # set aside what is worded as an instruction to an agent
    anomalies: bool = True  # set aside hidden characters, mixed alphabets, encoded blobs, stuffed words
    exempt: float = 1.0  # from this trust on nothing is set aside: operators may write rules
    per_hour: int | None = 5_000  # writes of one named principal; what comes above is set aside. None: no limit

    def __post_init__(self) -> None:
        if self.secrets not in ("redact", "quarantine", "keep"):
            raise ConfigError(f"TrustConfig.secrets must be redact, quarantine or keep, not {self.secrets!r}")
        if not 0.0 <= self.exempt <= 1.0:
            raise ConfigError(f"TrustConfig.exempt must be from 0 to 1, not {self.exempt!r}")
        if self.per_hour is not None and self.per_hour < 1:
            raise ConfigError(f"TrustConfig.per_hour must be at least 1 or None, not {self.per_hour!r}")
