"""hippo-agent in LlamaIndex."""
