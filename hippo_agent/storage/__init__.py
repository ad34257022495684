"""Where bytes live: the SQLite record (truth), its in-memory columns, and disposable vector indexes (derived)."""
