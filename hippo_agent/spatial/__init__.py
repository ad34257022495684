"""The spatial store: places recognised in text, a directed map of actions, plans, macros."""
