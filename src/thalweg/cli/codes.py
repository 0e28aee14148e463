"""Exit statuses, as shells and other programs have them."""

FAILED = 1
"""Something went wrong: a file, the data, the training."""
MISUSED = 2
"""The command was called in a way that it cannot be meant: typer's status for unknown options."""
INTERRUPTED = 130
"""Ended by Ctrl-C: 128 and the signal's number."""
