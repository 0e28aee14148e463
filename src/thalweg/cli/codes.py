"""Exit codes."""

INTERRUPTED = 130
"""Of a program that was ended by Ctrl-C."""
