"""The relational store: facts from text without an LLM, current truth by code, recall over a graph of passages."""
