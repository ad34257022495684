"""Ways for a causal language model to read traces that are not in its prompt."""
