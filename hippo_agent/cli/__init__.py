"""The `hippo` command: thin over `Memory` and the evaluation harness. ``hippo --help`` loads neither.

Exit codes: 0 fine; 1 the user's mistake or a `HippoError`, said in one line on stderr; 2 wrong usage; 3 `doctor` found
damage; 130 Ctrl-C; 141 the reader of stdout went away.
"""

from hippo_agent.cli.app import app, main

__all__ = ["app", "main"]
