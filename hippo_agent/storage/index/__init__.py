"""Vector indexes: derived from the record, disposable, never trusted further than their checks reach."""
