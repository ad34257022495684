"""The local language model, and the readers that let it read traces through its own attention."""
