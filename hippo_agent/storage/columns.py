"""Live traces as aligned in-memory arrays, in seq order: what recall filters and scores with NumPy.

A derived mirror of the record: loaded at open, followed by sequence (own writes and other processes'), never saved.
"""
