"""Recall: a cue to the traces that answer it, with reasons, inside a budget."""
