"""hippo-agent: a memory of its own for an LLM agent, in one folder on disk."""

__version__ = "0.1.0"
