"""The graph: what a training step is before anything runs it."""
